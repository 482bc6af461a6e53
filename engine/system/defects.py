"""Where the traceback of a defect of ours goes: a file whose path is shown, never the screen."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

from ... import __version__

_KEPT = 20
"""A sampler that fails is started again and again: older files go."""


def keep_traceback(home: Path) -> Path:
    """Write the traceback of the error that is being handled into the state folder, or where one can write; its path."""
    name = f"traceback-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    text = f"edgetui {__version__}  Python {sys.version.split()[0]}  {' '.join(sys.argv[:2])}\n\n{traceback.format_exc()}"
    for folder in (home, Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        if folder == home:
            _tidy(folder)
        return folder / name
    return Path("(no folder could be written to)")


def _tidy(folder: Path) -> None:
    with suppress(OSError):
        for old in sorted(folder.glob("traceback-*.txt"))[:-_KEPT]:
            old.unlink(missing_ok=True)
