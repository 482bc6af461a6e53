"""psutil, looking below EDGETUI_ROOT. Imported at the first question: 17 ms and 2 MB that no help or screen should pay."""

from __future__ import annotations

from types import ModuleType

from .root_files import Files


def psutil_below(files: Files) -> ModuleType:
    """psutil, which reads /proc below the root of `files` from now on."""
    import psutil

    psutil.PROCFS_PATH = f"{files.root}/proc"
    module: ModuleType = psutil
    return module


def unreadable() -> tuple[type[Exception], ...]:
    """Errors of psutil, and what it makes of a file that is none of the kernel's."""
    import psutil

    return (psutil.Error, OSError, ValueError, LookupError, RuntimeError)
