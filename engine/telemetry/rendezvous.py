"""Where a sampler and its readers meet: a folder in shared memory, or in the state folder where there is none.

- `ring`: the samples (`ring.py`)
- `lock`: held with flock by the sampler for its whole life
- `lease-*`: one for each reader, held with flock while it lives, its wanted rate inside: a reader that is killed
  loses the lock, and the sampler sees that without any message
- `problem`: why the last sampler could not start
"""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path

from ..system.disk import read_disk
from ..system.hashing import short_hash
from ..system.locks import Lock, is_held, take_lock, wait_for_lock
from ..system.root_files import system_root

_SHM = Path("/dev/shm")  # noqa: S108  the folder in it is ours alone: mode 0700 and our user, checked below
_ROOM_BYTES = 16 << 20
_MOST_TRIES = 20
_count = itertools.count(1)


def rendezvous_dir(home: Path, source: str) -> Path:
    """The folder for samplers of `source` and their readers; made if it is not there, mode 0700.

    Raises:
        OSError: neither shared memory nor the state folder can be written.
    """
    key = short_hash("\0".join((str(home.resolve()), source, system_root())).encode())[:16]
    for parent in (_SHM / f"edgetui-{os.getuid()}", home / "telemetry"):
        folder = parent / key
        with contextlib.suppress(OSError):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            status = parent.lstat()
            ours = status.st_uid == os.getuid() and not status.st_mode & 0o022
            # whoever leaves may remove the folder at any time, so its parent is asked for room
            if ours and not folder.is_file() and ((folder / "lock").exists() or read_disk(parent).free_bytes > _ROOM_BYTES):
                return folder
    raise OSError(f"no place for samples: neither {_SHM} nor {home} can be written")


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
        self._lock = wait_for_lock(fresh)
        try:
            self._lock.write(f"{rate_hz:g}")
            fresh.rename(self._path)  # under its final name only once it is locked: a sampler removes unlocked ones
        except OSError:
            self._lock.release()
            raise

    def close(self) -> None:
        """Give the lease back."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._lock.release()


def take_lease(home: Path, source: str, rate_hz: float) -> tuple[Path, Lease]:
    """The meeting place, and a lease in it. Whoever leaves last may remove the folder as we come: then it is made again.

    Raises:
        OSError: neither shared memory nor the state folder can be written.
    """
    for _ in range(_MOST_TRIES):
        folder = rendezvous_dir(home, source)
        with contextlib.suppress(FileNotFoundError):
            return folder, Lease(folder, rate_hz)
    raise OSError(f"no place for samples: {folder} is removed again and again")


def wanted_rate(folder: Path) -> float | None:
    """The highest rate that a living reader asks for; None: there is none. Leases of dead readers are removed."""
    rates = []
    for path in folder.glob("lease-*"):
        with contextlib.suppress(OSError, ValueError):
            if is_held(path):
                rates.append(float(path.read_bytes()))
            else:
                path.unlink()
    return max(rates, default=None)


class SamplerLock:
    """Held by the one sampler of a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._lock: Lock | None = None

    def take(self) -> bool:
        """Become the sampler; False: there is one."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = take_lock(self._path)
        if lock is None:
            return False
        if not lock.is_at(self._path):  # the sampler before removed it as it left
            lock.release()
            return False
        self._lock = lock
        return True

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
        if self._lock is not None:
            self._lock.release()
