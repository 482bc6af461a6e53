"""The process of one try: reads a request from standard input, builds, says how it goes on standard output, a line each.

`python -m edgetui.engine.backends.tensorrt.build_process`. Apart from the stage's process so that an out-of-memory kill or a
fault inside TensorRT ends the try and not the stage; it dies with the stage. SIGTERM asks the builder to stop, which keeps
what it has timed, and ends the process a moment later wherever it is inside TensorRT.
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

from ...errors import from_os_error
from ...system.parent_death import die_with_parent
from ...system.tensorrt_here import trtexec as find_command
from . import build
from .build_messages import BuildMessage, BuildRequest, Built, Refused, decode_request, encode
from .installed import Installation

_GRACE_S = 0.4
"""How long a cancelled builder may take to its next step: it reports some a second, but may also say nothing for minutes."""


def main() -> int:
    """Carry the request out; 0 when the plan is written."""
    die_with_parent()
    os.umask(0o077)
    request = decode_request(sys.stdin.buffer.read())
    pipe = os.dup(1)
    os.dup2(2, 1)

    def tell(said: BuildMessage) -> None:
        os.write(pipe, encode(said) + b"\n")

    try:
        if request.module == "trtexec":
            return _by_command(request, tell)
        cancelled = _on_sigterm()
        api = importlib.import_module(request.module)
        found = Installation(request.module, api, str(getattr(api, "__version__", "unknown")))
        tell(build.build(request, found, tell, cancelled.is_set))
    except build.Stopped as stopped:
        tell(stopped.refused)
        return 1
    except MemoryError:
        tell(Refused.of("TensorRT ran out of memory while it built the plan", "close other programs", again=True))
        return 1
    except OSError as error:
        told = from_os_error(error)
        tell(Refused.of(told.what, *told.fixes))
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


def _by_command(request: BuildRequest, tell: Callable[[BuildMessage], None]) -> int:
    from . import trtexec

    command = find_command()
    if command is None:
        raise ModuleNotFoundError("trtexec is gone")
    last = trtexec.build(request, command, build.half_annotation(Path(request.onnx)), tell)
    tell(last)
    return 0 if isinstance(last, Built) else 1


if __name__ == "__main__":
    sys.exit(main())
