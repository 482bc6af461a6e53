"""What a disk has room for. Bytes alone psutil tells; its `disk_usage` leaves out the inodes, which `Disk` has as well.

`read_disk` is a bare statvfs also where bytes alone are looked at: a command and a screen begin with it, and psutil, which
calls nothing else, takes 17 ms to import.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Disk(NamedTuple):
    """Room for us, without what is kept for root."""

    free_bytes: int
    more_files: bool
    """False: no inode is free, and with them no new file, however much room there is."""


def free_bytes(path: Path) -> int:
    """Room for us on the disk that `path` lies on, for processes that do heavy work.

    Raises:
        OSError: it is not there, or cannot be asked.
    """
    import psutil

    return int(psutil.disk_usage(str(path)).free)


def read_disk(path: Path) -> Disk:
    """Of the disk that `path` lies on.

    Raises:
        OSError: it is not there, or cannot be asked.
    """
    told = os.statvfs(path)
    return Disk(told.f_bavail * told.f_frsize, not (told.f_files > 0 and told.f_favail == 0))
