"""Notes of our processes for whoever looks for a fault: none, unless EDGETUI_LOG says `debug`, `info` or `warning`.

Each module has the standard library's logger of its own name; the notes of all processes come together in one file of the
state folder.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

VARIABLE, NAME = "EDGETUI_LOG", "edgetui.log"
_LARGEST_BYTES = 2_000_000
"""The file before is kept beside it: twice this at most."""
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}

_root = logging.getLogger("edgetui")
_root.addHandler(logging.NullHandler())  # without any, logging prints warnings to standard error, which may be a screen


def logger(name: str) -> logging.Logger:
    """The logger of the module that is called `name`, also where it is the program (`python -m`) and is called `__main__`."""
    spec = getattr(sys.modules[name], "__spec__", None)
    return logging.getLogger(spec.name if spec is not None else name)


def start_log(home: Path) -> None:
    """Begin to write `home`/edgetui.log, if EDGETUI_LOG asks for it; a word that is no level means `debug`."""
    word = os.environ.get(VARIABLE, "").strip().lower()
    if not word or any(isinstance(handler, _SharedFile) for handler in _root.handlers):
        return
    handler = _SharedFile(home / NAME)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    _root.addHandler(handler)
    _root.setLevel(_LEVELS.get(word, logging.DEBUG))
    _root.propagate = False


class _SharedFile(logging.Handler):
    """A file that several processes append to. Not the standard library's RotatingFileHandler: when one process has renamed
    its file, the others write on into the renamed one, and rename the new one over it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Append a line; a disk that takes none is no reason to fail."""
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._path.is_file() and self._path.stat().st_size > _LARGEST_BYTES:
                self._path.replace(self._path.with_name(f"{NAME}.1"))
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            try:
                os.write(fd, line)
            finally:
                os.close(fd)
        except OSError:
            return
