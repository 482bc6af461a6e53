"""Where a sampler and its readers meet: a folder in shared memory, or in the state folder where there is none.

- `ring`: the samples (`ring.py`)
- `lock`: held with flock by the sampler for its whole life
- `lease-*`: one for each reader, held with flock while it lives, its wanted rate inside: a reader that is killed
  loses the lock, and the sampler sees that without any message
- `problem`: why the last sampler could not start
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
from pathlib import Path

from ..locks import is_held

_SHM = Path("/dev/shm")  # noqa: S108  the folder in it is ours alone: mode 0700 and our user, checked below
_ROOM_BYTES = 16 << 20
_MOST_TRIES = 20
_count = itertools.count(1)


def meeting_place(home: Path, source: str) -> Path:
    """The folder for samplers of `source` and their readers; made if it is not there, mode 0700.

    Raises:
        OSError: neither shared memory nor the state folder can be written.
    """
    root = os.environ.get("EDGETUI_ROOT", "")
    key = hashlib.sha256("\0".join((str(home.resolve()), source, root)).encode()).hexdigest()[:16]
    for parent in (_SHM / f"edgetui-{os.getuid()}", home / "telemetry"):
        folder = parent / key
        with contextlib.suppress(OSError):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            status = parent.lstat()
            ours = status.st_uid == os.getuid() and not status.st_mode & 0o022
            # whoever leaves may remove the folder at any time, so its parent is asked for room
            if ours and not folder.is_file() and ((folder / "lock").exists() or _free(parent) > _ROOM_BYTES):
                return folder
    raise OSError(f"no place for samples: neither {_SHM} nor {home} can be written")


def _free(folder: Path) -> int:
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def tidy(folder: Path) -> None:
    """Remove a folder in which nobody reads and no sampler lives; one that a sampler is about to use is made again."""
    with contextlib.suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {"problem"}:
            (folder / "problem").unlink(missing_ok=True)
            folder.rmdir()


class Lease:
    """A reader's sign of life."""

    def __init__(self, folder: Path, rate_hz: float) -> None:
        name = f"lease-{os.getpid()}-{next(_count)}"
        fresh = folder / f".{name}"
        self._path = folder / name
        self._fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            os.write(self._fd, f"{rate_hz:g}".encode())
            fresh.rename(self._path)  # under its final name only once it is locked: a sampler removes unlocked ones
        except OSError:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Give the lease back."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._fd)


def take_lease(home: Path, source: str, rate_hz: float) -> tuple[Path, Lease]:
    """The meeting place, and a lease in it. Whoever leaves last may remove the folder as we come: then it is made again.

    Raises:
        OSError: neither shared memory nor the state folder can be written.
    """
    for _ in range(_MOST_TRIES):
        folder = meeting_place(home, source)
        with contextlib.suppress(FileNotFoundError):
            return folder, Lease(folder, rate_hz)
    raise OSError(f"no place for samples: {folder} is removed again and again")


def wanted_rate(folder: Path) -> float | None:
    """The highest rate that a living reader asks for; None: there is none. Leases of dead readers are removed."""
    rates = []
    for path in folder.glob("lease-*"):
        with contextlib.suppress(OSError, ValueError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _take(fd):
                    path.unlink()
                else:
                    rates.append(float(os.read(fd, 32)))
            finally:
                os.close(fd)
    return max(rates, default=None)


def _take(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class SamplerLock:
    """Held by the one sampler of a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._fd = -1

    def take(self) -> bool:
        """Become the sampler; False: there is one."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):
            # the one before may have removed the file between our open and our lock: then we hold a lock that nobody sees
            if _take(fd) and self._path.stat().st_ino == os.fstat(fd).st_ino:
                self._fd = fd
                return True
        os.close(fd)
        return False

    def held(self) -> bool:
        """Some sampler holds it."""
        return is_held(self._path)

    def leave(self) -> None:
        """Remove everything that the sampler made, then let go."""
        for name in ("ring", "lock"):
            with contextlib.suppress(OSError):
                (self._path.parent / name).unlink()
        with contextlib.suppress(OSError):
            self._path.parent.rmdir()
        os.close(self._fd)
