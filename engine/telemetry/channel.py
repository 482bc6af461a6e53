"""One number in one file, with its own errors: a channel that fails stops no other, is said once, and is asked seldom."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import NamedTuple

from ..system.root_files import Files, leading_number, reason

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 5.0
"""A gated sensor can take 30 ms to refuse; asking it ten times a second would cost a third of a core."""
_MOST_NOTES = 64


GPU_LOAD = "GPU load"
POWER_MODE_HANGS = "power mode hangs"
MODULE_POWER = "module power"


class Remark(NamedTuple):
    """Why something cannot be read."""

    text: str
    about: str = ""
    """A channel's name, or one of the words above."""
    mend: str = ""


class Notes:
    """What could not be read, one line each, said once."""

    def __init__(self) -> None:
        self._lines: dict[str, Remark] = {}
        self.faults: dict[str, str] = {}
        """Why a channel cannot be read now, by its name; one that is only switched off is at no fault."""

    def once(self, key: str, text: str, about: str = "", mend: str = "") -> None:
        """Keep `text` unless something was said under `key` before; `about`: what the doctor asks for it by, `mend`: what
        helps.
        """
        if len(self._lines) < _MOST_NOTES:
            self._lines.setdefault(key, Remark(text, about, mend))

    def remark(self, about: str) -> Remark | None:
        """What was said first about something; None: nothing."""
        return next((remark for remark in self._lines.values() if remark.about == about), None)

    def withdraw(self, key: str) -> None:
        """What was said about `key` is no longer true."""
        self._lines.pop(key, None)

    def faults_of(self, values: Mapping[str, object]) -> dict[str, str]:
        """Why those of `values` are None that are not only switched off."""
        if not self.faults:
            return {}
        return {name: self.faults[name] for name, value in values.items() if value is None and name in self.faults}

    def lines(self) -> tuple[str, ...]:
        """Everything said so far, oldest first."""
        return tuple(remark.text for remark in self._lines.values())


class Channel:
    """A file that begins with a number; `scale` turns it into the unit that the caller wants."""

    __slots__ = ("_files", "_next_s", "_notes", "_pause_s", "name", "path", "scale")

    def __init__(self, files: Files, notes: Notes, name: str, path: str, scale: float = 1.0) -> None:
        self.name, self.path, self.scale = name, path, scale
        self._files, self._notes = files, notes
        self._next_s = self._pause_s = 0.0

    def read(self, now_s: float) -> float | None:
        """The value now; None: it cannot be read, or is in its pause after a failure."""
        if now_s < self._next_s:
            return None
        try:
            value = leading_number(self._files.read(self.path))
        except OSError as error:
            self._fail(now_s, reason(error), fault=error.errno not in (errno.EAGAIN, errno.ENODATA))
            return None
        if value is None:
            self._fail(now_s, "no number in it")
            return None
        if self._pause_s:
            self._pause_s = 0.0
            self._notes.faults.pop(self.name, None)
        return value if self.scale == 1.0 else value * self.scale

    def _fail(self, now_s: float, why: str, *, fault: bool = True) -> None:
        self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        self._next_s = now_s + self._pause_s
        self._notes.once(self.path, f"{self.name}: {why} ({self.path})", about=self.name)
        if fault:
            self._notes.faults[self.name] = why
        else:
            self._notes.faults.pop(self.name, None)


class Beat:
    """True when something that is read more seldom than the rest is due."""

    __slots__ = ("_every_s", "_next_s")

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next_s = float("-inf")

    def due(self, now_s: float) -> bool:
        """It is time; asking again before the next beat says no. A hair early counts, so that 5 Hz of 20 Hz is 5 Hz."""
        if now_s < self._next_s - 0.005:
            return False
        self._next_s = now_s + self._every_s
        return True


def unique_name(name: str, taken: set[str]) -> str:
    """`name`, or `name 2` when there is one already: a dictionary would lose the second. What it gives is taken then."""
    candidate, k = name, 2
    while candidate in taken:
        candidate, k = f"{name} {k}", k + 1
    taken.add(candidate)
    return candidate
