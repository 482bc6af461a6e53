"""Lock files, held with flock: a process that is killed lets go at once, and the file says who holds it.

Our own and not filelock's: its locks cannot be asked whether they are held, and say nothing of their holder.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_AGAIN_S = 0.02


class Lock:
    """A lock file that is ours until it is released, or this process ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self) -> str:
        """What stands in the file."""
        return os.pread(self._fd, 4096, 0).decode(errors="replace")

    def write(self, text: str) -> None:
        """Let the file say just this: who holds it, or what is wanted.

        Raises:
            OSError: the disk is full.
        """
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def is_at(self, path: Path) -> bool:
        """Whether `path` is still this file: one that was removed between our open and our lock is seen by nobody."""
        try:
            return path.stat().st_ino == os.fstat(self._fd).st_ino
        except OSError:
            return False

    def release(self) -> None:
        """Let go. The file stays: removing it would give a second process the same lock."""
        os.close(self._fd)


def take_lock(path: Path, patience_s: float = 0.0) -> Lock | None:
    """Hold `path` alone, made with mode 0600 if it is not there; None: another process holds it.

    `patience_s`: how long to try again. Who asks whether it is held shares it for some microseconds.

    Raises:
        OSError: it cannot be opened.
    """
    last_s = time.monotonic() + patience_s
    while True:
        try:
            return _locked(path, fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= last_s:
                return None
            time.sleep(_AGAIN_S)


def wait_for_lock(path: Path) -> Lock:
    """Hold `path` alone, as soon as nobody else does.

    Raises:
        OSError: it cannot be opened.
    """
    return _locked(path)


def is_held(path: Path) -> bool:
    """Whether a process holds `path` alone; a lock of a killed one is free at once."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _locked(path: Path, flags: int = 0) -> Lock:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | flags)
    except BaseException:
        os.close(fd)
        raise
    return Lock(fd)
