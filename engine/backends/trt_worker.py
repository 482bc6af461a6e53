"""The process of one try: reads an order from standard input, builds, says how it goes on standard output, a line each.

`python -m edgetui.engine.backends.trt_worker`. Apart from the stage's process so that an out-of-memory kill or a fault inside
TensorRT ends the try and not the stage; it dies with the stage. SIGTERM asks the builder to stop, which keeps what it has
timed, and ends the process a moment later wherever it is inside TensorRT.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import from_os_error
from ..lineage import die_with_parent
from . import trt_build
from .trt_find import Found
from .trt_find import trtexec as find_command
from .trt_order import Built, Order, Refused, Said, decode_order, encode

_GRACE_S = 0.4
"""How long a cancelled builder may take to its next step: it reports some a second, but may also say nothing for minutes."""


def main() -> int:
    """Carry the order out; 0 when the plan is written."""
    die_with_parent()
    os.umask(0o077)
    order = decode_order(sys.stdin.buffer.read())
    pipe = os.dup(1)
    os.dup2(2, 1)

    def tell(said: Said) -> None:
        os.write(pipe, encode(said) + b"\n")

    try:
        if order.module == "trtexec":
            return _by_command(order, tell)
        cancelled = _on_sigterm()
        api = importlib.import_module(order.module)
        found = Found(order.module, api, str(getattr(api, "__version__", "unknown")))
        tell(trt_build.build(order, found, tell, cancelled.is_set))
    except trt_build.Stopped as stopped:
        tell(stopped.refused)
        return 1
    except MemoryError:
        tell(Refused(what="TensorRT ran out of memory while it built the plan", fix="close other programs", again=True))
        return 1
    except OSError as error:
        told = from_os_error(error)
        tell(Refused(what=told.what, fix=told.fix))
        return 1
    return 0


def _on_sigterm() -> threading.Event:
    """Set by SIGTERM, which ends the process `_GRACE_S` later. By a thread: Python's own handlers wait while the main thread is
    inside TensorRT. Call it before TensorRT starts threads of its own, to which the signal could go.
    """
    told = threading.Event()

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        told.set()
        time.sleep(_GRACE_S)
        os._exit(128 + signal.SIGTERM)

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=wait, daemon=True).start()
    return told


def _by_command(order: Order, tell: Callable[[Said], None]) -> int:
    from . import trtexec

    command = find_command()
    if command is None:
        raise ModuleNotFoundError("trtexec is gone")
    last = trtexec.build(order, command, trt_build.half_wish(Path(order.onnx)), tell)
    tell(last)
    return 0 if isinstance(last, Built) else 1


if __name__ == "__main__":
    sys.exit(main())
