"""How far runs are that this machine has asked boards for: who waits for them writes it, screens in other terminals read it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..errors import DAMAGED
from ..schema.fleet import BoardAsked
from ..schema.ready import ready
from ..system.locks import Lock, is_held, take_lock

if TYPE_CHECKING:
    from typing_extensions import Self

_LEFT_S = 60.0
"""After which the file of one who was killed goes."""


def _folder(fleet: Path) -> Path:
    return fleet / "carried"


class Carried:
    """Counts the runs that were asked for, and those that are done, for as long as it is entered. A full disk stops nothing."""

    def __init__(self, fleet: Path, what: str, asked: Iterable[tuple[str, int]]) -> None:
        """`fleet`: its folder. `what`: what the runs are of, e.g. `study qin2018`. `asked`: where each goes, with its runs."""
        self._file = _folder(fleet) / f"{os.getpid()}-{time.monotonic_ns()}.json"
        self._what = what
        self._of: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        for on, runs in asked:
            self._of[on] += runs
        self._lock: Lock | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = take_lock(self._file, patience_s=0.1)
        self._write()
        return self

    def done(self, on: str, runs: int) -> None:
        """So many more."""
        self._done[on] += runs
        self._write()

    def _write(self) -> None:
        told = [BoardAsked(on=on, what=self._what, done=self._done[on], of=of) for on, of in self._of.items() if of]
        if self._lock is not None:
            with suppress(OSError):
                self._lock.write(msgspec.json.encode(told).decode())

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._file.unlink(missing_ok=True)
            self._lock.release()


def carried(fleet: Path) -> tuple[BoardAsked, ...]:
    """Of all who wait."""
    found: list[BoardAsked] = []
    with suppress(OSError):
        for file in sorted(_folder(fleet).glob("*.json")):
            with suppress(OSError, *DAMAGED):  # gone, or just being written
                if is_held(file):
                    found += msgspec.json.decode(file.read_bytes(), type=ready(list[BoardAsked]))
                elif time.time() - file.stat().st_mtime > _LEFT_S:
                    file.unlink()
    return tuple(found)
