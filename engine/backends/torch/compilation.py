"""torch.compile: what it needs, where it keeps what it made, and its failures in words.

Apart from `adapter.py` because what a compiler needs differs by device and grows with its versions.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ...errors import BackendRefused, EdgetuiError, Fix, RunFailed
from ...network.call import ran_out_of_memory
from ...network.deployed import Deployed

if TYPE_CHECKING:
    from torch import Tensor

_EAGER = Fix("run with {}", "mode", "eager")
_MISSING: tuple[tuple[str, str, str], ...] = (
    (
        r"InvalidCxxCompiler|No working C\+\+ compiler",
        "a C++ compiler, and there is none",
        "install one (sudo apt install g++)",
    ),
    (r"Failed to find C compiler", "a C compiler, and there is none", "install one (sudo apt install gcc)"),
    (r"Python\.h", "Python's headers, and they are not there", "install them (sudo apt install python3-dev)"),
    (r"omp\.h", "OpenMP's header, and it is not there", "install it (sudo apt install libgomp1 g++)"),
    (r"[Tt]riton", "a working Triton for this GPU, and there is none", "install it (pip install triton)"),
)
"""(what is in the message, what torch.compile needs, what mends it)."""


def prepare(caches: Path | None) -> None:
    """Settle, before PyTorch is imported, where compiled code is kept, and that no process stays behind to compile."""
    if caches is not None and "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        caches.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(caches)
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


def check(device: str) -> None:
    """Refuse early where something is missing that can be seen without compiling.

    Raises:
        BackendRefused: there is no compiler, or no Triton.
    """
    compilers = [os.environ[name] for name in ("CXX",) if os.environ.get(name)] or ["g++", "clang++", "c++"]
    if not any(shutil.which(name) for name in compilers):
        raise _missing(*_MISSING[0][1:])
    if device == "cuda" and importlib.util.find_spec("triton") is None:
        raise _missing(*_MISSING[-1][1:])


def compiled(torch: ModuleType, module: Deployed, given: Sequence[Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    """The module compiled for inputs like `given`; it is run once, which is when PyTorch compiles.

    Raises:
        BackendRefused: it cannot be compiled; the message says what is missing.
        RunFailed: memory ran out.
    """
    try:
        # Its own deprecations are no business of whoever compiles with it.
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            with torch.inference_mode(False), torch.no_grad():
                # Without it torch.compile would follow our own Python through every node, and look at it before each inference.
                flat = torch.export.export(module, tuple(given), strict=False).module()
            made: Callable[..., tuple[Tensor, ...]] = torch.compile(flat, dynamic=False, fullgraph=True)
            made(*given)
    except EdgetuiError:
        raise
    except Exception as error:
        raise _refused(error) from error
    return made


def _refused(error: Exception) -> EdgetuiError:
    text = str(error)
    if ran_out_of_memory(error):
        return RunFailed("memory ran out in torch.compile", fix=("close other programs", _EAGER))
    for pattern, needs, mend in _MISSING:
        if re.search(pattern, f"{type(error).__name__} {text}"):
            return _missing(needs, mend)
    lines = [line.strip() for line in text.splitlines() if line.strip() and "Set TORCH" not in line]
    first = " ".join(lines[:2])[:240] or type(error).__name__
    return BackendRefused(f"torch.compile cannot compile the model ({first})", fix=("update PyTorch", _EAGER))


def _missing(needs: str, mend: str) -> BackendRefused:
    return BackendRefused(f"torch.compile needs {needs} here", fix=(mend, _EAGER))
