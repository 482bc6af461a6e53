"""The process of one try: reads an order from standard input, builds, says how it goes on standard output, a line each.

`python -m edgetui.engine.backends.trt_worker`. Apart from the stage's process so that an out-of-memory kill or a fault inside
TensorRT ends the try and not the stage; it dies with the stage, and SIGTERM ends it at once, also inside TensorRT.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import from_os_error
from ..lineage import die_with_parent
from . import trt_build
from .trt_find import Found
from .trt_find import trtexec as find_command
from .trt_order import Built, Order, Refused, Said, decode_order, encode


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
        api = importlib.import_module(order.module)
        tell(trt_build.build(order, Found(order.module, api, str(getattr(api, "__version__", "unknown"))), tell))
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
