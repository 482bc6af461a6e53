"""Who may use the board: one run at a time, in the order submitted.

A run's entry in `queue/` is made when it is submitted; the one that works holds `device.lock` with flock, so a kill frees it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..system.locks import Lock, take_lock, wait_for_lock
from .folder import RunDir, run_paths, ticket

GRACE_S = 20.0
"""How long an entry without a living supervisor counts: it may be about to start."""


def draw_ticket(home: Path) -> int:
    """The next number of the order of submission."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = wait_for_lock(home / "tickets")
    try:
        text = lock.read().strip()
        known = int(text) if text.isdigit() else max(map(ticket, run_paths(home)), default=0)
        lock.write(str(known + 1))
    finally:
        lock.release()
    return known + 1


def enter(home: Path, ticket: int, run: str) -> None:
    """Write our entry: an empty file whose name sorts by ticket."""
    (home / "queue").mkdir(mode=0o700, exist_ok=True)
    _entry(home, ticket, run).touch(mode=0o600)


def leave(home: Path, ticket: int, run: str) -> None:
    """Remove our entry; it may be gone already, as another process clears away what is old."""
    _entry(home, ticket, run).unlink(missing_ok=True)


def _entry(home: Path, ticket: int, run: str) -> Path:
    return home / "queue" / f"{ticket:09d} {run}"


class Device:
    """The board's lock, for one run."""

    def __init__(self, home: Path, ticket: int, run: str) -> None:
        self._home, self._ticket, self._run = home, ticket, run
        self._lock: Lock | None = None

    def acquire(self, waits: Callable[[str], None], stop: Callable[[], bool], pause_s: float = 0.3) -> bool:
        """Wait until it is our turn and the board is free; False when `stop` said so first.

        `waits` hears for whom we wait, whenever that changes. Our entry stays young meanwhile: not all who wait are runs, whose
        folders say that they live.
        """
        told = None
        while not stop():
            before = self._before_us()
            if before is None and self._try():
                return True
            holder = before or self._holder()
            if holder != told:
                waits(holder)
                told = holder
            with suppress(FileNotFoundError):
                os.utime(_entry(self._home, self._ticket, self._run))
            time.sleep(pause_s)
        return False

    def free(self) -> bool:
        """Whether it is our turn and nobody has the board."""
        if self._before_us() is not None:
            return False
        lock = take_lock(self._home / "device.lock")
        if lock is not None:
            lock.release()
        return lock is not None

    def release(self) -> None:
        """Unlock the board and remove our entry; may be called twice."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        leave(self._home, self._ticket, self._run)

    def _try(self) -> bool:
        lock = take_lock(self._home / "device.lock")
        if lock is None:
            return False
        self._lock = lock
        lock.write(self._run)
        return True

    def _holder(self) -> str:
        try:
            return (self._home / "device.lock").read_text(errors="replace")
        except OSError:
            return ""

    def _before_us(self) -> str | None:
        """The run nearest before us that still wants the board; entries of dead runs are taken away."""
        nearest = None
        for path in sorted((self._home / "queue").glob("*")):
            number, _, run = path.name.partition(" ")
            if not number.isdigit() or int(number) >= self._ticket:
                continue
            if RunDir(self._home / "runs" / run).alive():
                nearest = run
                continue
            try:
                young = 0 <= time.time() - path.stat().st_mtime < GRACE_S  # a clock that was set back makes none young
            except FileNotFoundError:
                continue
            if young:
                nearest = run
            else:
                path.unlink(missing_ok=True)
        return nearest
