"""Files of a folder that may have come from elsewhere: a pipe in place of one would be waited at for ever."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import BinaryIO


def open_plain(path: Path) -> BinaryIO:
    """The file, to read.

    Raises:
        FileNotFoundError: there is none, but a pipe or a device perhaps.
        OSError: it cannot be read.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder answers for itself
        raise FileNotFoundError(errno.ENOENT, "no plain file", str(path))
    return path.open("rb")


def read_plain(path: Path) -> bytes:
    """All of it; raises as `open_plain`."""
    with open_plain(path) as file:
        return file.read()
