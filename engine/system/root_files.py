"""Reading the system's files below EDGETUI_ROOT, one file at a time, each with its own error and its own deadline.

`os.open` and `os.read`: Python's buffered reading of a sysfs file that answers EAGAIN raises TypeError. A file is opened
for each reading: a core that goes and comes back has new files, and 5 us is little beside a sensor's milliseconds.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from .patience import DEADLINE_S, ask

T = TypeVar("T")

_CHUNK = 65536
_LONGEST_NUMBER = 64


def system_root() -> str:
    """Where system paths begin, without a slash at the end: what EDGETUI_ROOT says; empty: the real root."""
    return os.environ.get("EDGETUI_ROOT", "").rstrip("/")


class Files:
    """The system's files. `root` is put before every path; None takes EDGETUI_ROOT, empty means the real system."""

    def __init__(self, root: str | None = None) -> None:
        self.root = system_root() if root is None else root.rstrip("/")
        self.unanswered = 0
        """How many questions have had no answer so far: a look in which it grows has not seen everything."""

    def read(self, path: str) -> bytes:
        """The whole file.

        Raises:
            OSError: as the kernel answers: ENOENT, EACCES, EAGAIN and ENODATA are all normal here. ETIMEDOUT: it hangs,
                where the work is done `patiently`.
        """
        return self._of(path, _read, path.startswith("/proc/"))

    def text(self, path: str) -> str | None:
        """The file without the blanks, newlines and NULs around it; None: it cannot be read."""
        try:
            return self.read(path).decode("utf-8", "replace").strip(" \t\r\n\0")
        except OSError:
            return None

    def number(self, path: str) -> float | None:
        """The number that the file begins with (`32760 ma` is 32760); None: unreadable, or no number."""
        try:
            return leading_number(self.read(path))
        except OSError:
            return None

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted with numbers as numbers; empty when it is not there."""
        try:
            return sorted(self._of(folder, os.listdir), key=_natural)
        except OSError:
            return []

    def under(self, folder: str) -> Iterator[str]:
        """Full paths of what is in a folder."""
        return (f"{folder}/{name}" for name in self.names(folder))

    def exists(self, path: str) -> bool:
        """There is such a file or folder."""
        try:
            return self._of(path, os.path.exists)
        except TimeoutError:
            return True

    def _of(self, path: str, question: Callable[..., T], *arguments: object) -> T:
        return self.ask(path, question, self.root + path, *arguments)

    def ask(self, path: str, question: Callable[..., T], *arguments: object) -> T:
        """`question(*arguments)`, which asks this file; whoever reads it otherwise than through here has its deadline so.

        Raises:
            TimeoutError: it hangs, or did a moment ago.
        """
        try:
            return ask(self.root + path, question, *arguments)
        except TimeoutError:
            self.unanswered += 1
            raise

    def why_not(self, path: str) -> str | None:
        """Why a file cannot be read, in words; None: it can."""
        try:
            self.read(path)
        except OSError as error:
            return reason(error)
        return None


def _read(path: str, in_pieces: bool) -> bytes:
    """The whole file; `in_pieces`: a read may give less than there is."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        data = os.read(fd, _CHUNK)
        if len(data) < _CHUNK and not in_pieces:
            return data
        parts = [data]
        while data:
            data = os.read(fd, _CHUNK)
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(fd)


def leading_number(data: bytes) -> float | None:
    """The number that `data` begins with, or None: never 0 for what is not a number."""
    words = data[:_LONGEST_NUMBER].split(None, 1)
    try:
        value: float | None = int(words[0]) if words else None
    except ValueError:
        try:
            value = float(words[0])
        except ValueError:
            return None
    return value if value is not None and abs(value) < 1e18 else None


def reason(error: OSError) -> str:
    """An errno in words."""
    words = {
        errno.EACCES: "only root may read it",
        errno.EPERM: "only root may read it",
        errno.ENOENT: "not there",
        errno.EAGAIN: "the sensor is off",
        errno.ENODATA: "the channel is not in use",
        errno.EIO: "the sensor does not answer",
        errno.ETIMEDOUT: f"no answer within {DEADLINE_S:g} s",
    }
    return words.get(error.errno or 0, error.strerror or str(error))


def _natural(name: str) -> tuple[object, ...]:
    """Sort key: `cpu2` before `cpu10`."""
    head = name.rstrip("0123456789")
    tail = name[len(head) :]
    return (head, int(tail) if tail else -1, name)
