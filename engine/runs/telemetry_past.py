"""What telemetry.jsonl of a run tells of the time before anybody looked, for charts that begin later than the run.

Read in one pass into a history of fixed size: a day of lines takes no more memory than a minute of them.
"""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import msgspec

from ..schema.ready import ready
from ..telemetry.history import LEVELS, History
from ..telemetry.run_clock import RunClock
from .telemetry_log import LINE_S

_TAIL = 1 << 16
_AT_ONCE = 200
LONGEST_S = max(width_s * count for width_s, count in LEVELS)
"""A history reaches no further back."""


class _At(msgspec.Struct):
    t: float


def read_past(folder: Path, clock: RunClock, until_s: float, into: History) -> RunClock:
    """Put the lines before the monotonic second `until_s` into a history, for a thread; returns the clock, put right by when
    the last line was written. What is damaged is passed over.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        file = (folder / "telemetry.jsonl").open("rb")
    except FileNotFoundError:
        return clock
    with file:
        clock = _put_right(file.fileno(), clock)
        since_s = until_s - LONGEST_S
        line_of, at_of = msgspec.json.Decoder(dict), msgspec.json.Decoder(ready(_At))
        gathered, within = _Gathered(into, until_s), False
        for number, line in enumerate(file):
            if number % _AT_ONCE == 0:
                time.sleep(0)  # the screen's thread may draw
            try:
                if not within:  # of a run of a week, six days are passed over for the price of one number a line
                    t = at_of.decode(line).t
                    within = t > clock.from_t and clock.zero_s + t > since_s
                    if not within:
                        continue
                said = line_of.decode(line)
            except msgspec.DecodeError:
                continue
            at = said.get("t")
            if not isinstance(at, int | float):
                continue
            if clock.zero_s + at >= until_s:
                break
            gathered.add(clock.zero_s + at - LINE_S, said)
        gathered.flush()
    return clock


class _Gathered:
    """Lines that are so old that the history has wide buckets alone for them are put in together: a day of 23 series takes
    0.9 s of a processor where line after line takes 13.
    """

    def __init__(self, into: History, until_s: float) -> None:
        self._into, self._until_s = into, until_s
        self._begin_s, self._long_s = 0.0, LINE_S
        self._cells: dict[str, list[float]] = {}
        """(least, sum, largest, lines) by series."""

    def add(self, begin_s: float, said: dict[str, object]) -> None:
        """One line."""
        long_s = LINE_S
        for (finer_s, count), (width_s, _) in pairwise(LEVELS):
            if self._until_s - begin_s > finer_s * count + width_s:
                long_s = width_s
        if long_s != self._long_s or long_s == LINE_S or begin_s >= self._begin_s + long_s or begin_s < self._begin_s:
            self.flush()
            self._long_s = long_s
            self._begin_s = begin_s if long_s == LINE_S else begin_s // long_s * long_s
        cells = self._cells
        for name, value in said.items():
            if type(value) is not list or len(value) != 3:
                continue
            low, mean, high = value
            cell = cells.get(name)
            try:
                if cell is None:
                    cells[name] = [low + 0.0, mean + 0.0, high + 0.0, 1]
                    continue
                cell[1] += mean
                if low < cell[0]:
                    cell[0] = low
                if high > cell[2]:
                    cell[2] = high
                cell[3] += 1
            except TypeError:
                continue

    def flush(self) -> None:
        """Put in what is here."""
        figures = {name: (low, total / n, high) for name, (low, total, high, n) in self._cells.items()}
        self._into.add_line(self._begin_s, self._long_s, figures)
        self._cells.clear()


def _put_right(fd: int, clock: RunClock) -> RunClock:
    """A run's events tell its clock to how long ago the last of them is; a line comes every second."""
    if clock.exact:
        return clock
    said = os.fstat(fd)
    for line in reversed(os.pread(fd, _TAIL, max(0, said.st_size - _TAIL)).splitlines()):
        try:
            t = msgspec.json.decode(line, type=ready(_At)).t
        except msgspec.DecodeError:
            continue
        if t > clock.from_t:
            ago_s = max(0.0, time.time() - said.st_mtime)
            clock = clock._replace(zero_s=min(clock.zero_s, time.monotonic() - ago_s - t))
        break
    return clock
