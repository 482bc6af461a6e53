"""Who may use the board: one run at a time, in the order submitted.

A run's entry in `queue/` is made when it is submitted; the one that works holds `device.lock` with flock, so a kill frees it.
An entry's number is its place: who waits reads his own each time, so that others may move it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from ..schema.events import Queued
from ..system.locks import Lock, is_held, take_lock, wait_for_lock
from .folder import RunDir, run_paths, ticket

GRACE_S = 20.0
"""How long an entry without a living supervisor counts: it may be about to start."""

BETWEEN_LOOKS = 3
"""So often one looks before it is said that nobody has the board: whoever is next may be about to take it."""


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
    leave(home, run)
    _entry(home, ticket, run).touch(mode=0o600)


def leave(home: Path, run: str) -> None:
    """Remove our entry; it may be gone already, as another process clears away what is old."""
    for entry in entries(home):
        if entry.run == run:
            entry.path.unlink(missing_ok=True)


class QueueEntry(NamedTuple):
    """Who has asked for the board."""

    number: int
    run: str
    path: Path


def entries(home: Path) -> list[QueueEntry]:
    """All of them, in their order."""
    found = []
    for path in (home / "queue").glob("*"):
        number, _, run = path.name.partition(" ")
        if number.isdigit() and run:
            found.append(QueueEntry(int(number), run, path))
    return sorted(found)


class Waiting(Struct, frozen=True, kw_only=True):
    """Who has the board, and who waits for it."""

    holder: str = ""
    """A run, or what else has it; empty: nobody."""
    waiting: tuple[str, ...] = ()
    """In their order. Of a group the first of its runs; sweeps and questions wait as well."""
    after: dict[str, tuple[str, ...]] = {}
    """Runs that come into the queue once others have ended well, and which those are."""


def holder_of(home: Path) -> str:
    """Who has the board; empty: nobody, or it has not said so yet."""
    if is_held(home / "device.lock"):
        with suppress(OSError):
            return (home / "device.lock").read_text(errors="replace")
    return ""


def waiting(home: Path) -> Waiting:
    """The queue as it is now."""
    holder = holder_of(home)
    return Waiting(holder=holder, waiting=tuple(entry.run for entry in entries(home) if entry.run != holder))


def arrange(home: Path, order: Sequence[str]) -> None:
    """Give those who wait their places in this order; who is not named keeps his own.

    Each entry is renamed once, so that none is lost whenever this is killed. Two that have one number for a moment are both
    next, and the lock of the board decides.
    """
    lock = wait_for_lock(home / "queue.lock")
    try:
        there = {entry.run: entry for entry in entries(home) if entry.run in order}
        numbers = sorted(entry.number for entry in there.values())
        for number, run in zip(numbers, [run for run in order if run in there], strict=True):
            if there[run].number != number:
                with suppress(FileNotFoundError):  # its turn has come, or it was cancelled
                    there[run].path.rename(_entry(home, number, run))
    finally:
        lock.release()


def _entry(home: Path, number: int, run: str) -> Path:
    return home / "queue" / f"{number:09d} {run}"


class Device:
    """The board's lock, for one run."""

    def __init__(self, home: Path, ticket: int, run: str) -> None:
        self._home, self._number, self._run = home, ticket, run
        self._lock: Lock | None = None

    def acquire(self, waits: Callable[[Queued], None], stop: Callable[[], bool], pause_s: float = 0.3) -> bool:
        """Wait until it is our turn and the board is free; False when `stop` said so first.

        `waits` hears for whom we wait, whenever that changes; not of the moment in which one goes and the next comes. Our entry
        stays young meanwhile: not all who wait are runs, whose folders say that they live.
        """
        told, looks = None, 0
        while not stop():
            looks += 1
            before = self._before_us()
            if not before and self._try():
                return True
            holder = holder_of(self._home)
            others = [run for run in before if run != holder]
            now = Queued(waiting_for=before[-1] if before else holder, holder=holder, before=len(others))
            if now != told and (holder or (told is None and looks > BETWEEN_LOOKS)):
                waits(now)
                told = now
            with suppress(FileNotFoundError):
                os.utime(_entry(self._home, self._number, self._run))
            time.sleep(pause_s)
        return False

    def free(self) -> bool:
        """Whether it is our turn and nobody has the board."""
        if self._before_us():
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
        leave(self._home, self._run)

    def _try(self) -> bool:
        lock = take_lock(self._home / "device.lock")
        if lock is None:
            return False
        self._lock = lock
        lock.write(self._run)
        return True

    def _before_us(self) -> list[str]:
        """Runs before us that still want the board, or have it, the nearest last; entries of dead runs are taken away."""
        wanting = []
        there = entries(self._home)
        self._number = next((entry.number for entry in there if entry.run == self._run), self._number)
        for number, run, path in there:
            if number >= self._number:
                continue
            if RunDir(self._home / "runs" / run).alive():
                wanting.append(run)
                continue
            try:
                young = 0 <= time.time() - path.stat().st_mtime < GRACE_S  # a clock that was set back makes none young
            except FileNotFoundError:
                continue
            if young:
                wanting.append(run)
            else:
                path.unlink(missing_ok=True)
                self._tell(run)
        return wanting

    def _tell(self, run: str) -> None:
        from .tell_crashed import tell_group_crashed  # who seldom finds a dead one need not know how

        tell_group_crashed(self._home, run)
