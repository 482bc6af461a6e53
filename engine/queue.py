"""Who may use the board: one run at a time, in the order submitted.

A run's entry in `queue/` is made when it is submitted; the one that works holds `device.lock` with flock, so a kill frees it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .rundir import RunDir, run_paths, ticket

GRACE_S = 20.0
"""How long an entry without a living supervisor counts: it may be about to start."""


def draw_ticket(home: Path) -> int:
    """The next number of the order of submission."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(home / "tickets", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        text = os.read(fd, 32).decode(errors="replace").strip()
        known = int(text) if text.isdigit() else max(map(ticket, run_paths(home)), default=0)
        number = known + 1
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(number).encode(), 0)
    finally:
        os.close(fd)
    return number


def enter(home: Path, ticket: int, run: str) -> None:
    """Stand in the queue."""
    (home / "queue").mkdir(mode=0o700, exist_ok=True)
    _entry(home, ticket, run).touch(mode=0o600)


def leave(home: Path, ticket: int, run: str) -> None:
    """Go out of the queue."""
    _entry(home, ticket, run).unlink(missing_ok=True)


def _entry(home: Path, ticket: int, run: str) -> Path:
    return home / "queue" / f"{ticket:09d} {run}"


class Device:
    """The board's lock, for one run."""

    def __init__(self, home: Path, ticket: int, run: str) -> None:
        self._home, self._ticket, self._run = home, ticket, run
        self._fd: int | None = None

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

    def release(self) -> None:
        """Let the next one work."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        leave(self._home, self._ticket, self._run)

    def _try(self) -> bool:
        fd = os.open(self._home / "device.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, self._run.encode(), 0)
        self._fd = fd
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
