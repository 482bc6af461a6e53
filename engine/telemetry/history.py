"""A day of many series in bounded memory: minimum, mean and maximum of each bucket, in three widths of bucket.

Buckets lie on absolute times (`floor(t / width)`), so a chart that moves on never changes what it has drawn. The widths
are for a minute at full rate, an hour and a half, and a day and an hour; a span is served from the finest that covers it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

from .quantities import series
from .sample import Sample

LEVELS = ((0.25, 1200), (5.0, 1200), (60.0, 1500))
"""(seconds of a bucket, buckets kept)."""
_MOST_SERIES = 256
_MOST_ROUNDS = 0x7FFFFFFF
"""Of a ring of buckets, as 32 bits hold them: 20 000 years of seconds."""

Bucket = tuple[float, float, float]
"""(min, mean, max)."""
_Place = tuple[int, int, int]
"""Where a time lies in a ring of buckets: its absolute number, how often the ring was gone round before, the place in it."""


class Series:
    """One figure over time."""

    def __init__(self) -> None:
        self._levels = [_Resolution(width_s, count) for width_s, count in LEVELS]

    def add(self, t_s: float, value: float) -> None:
        """One value; times must not go back by more than a bucket."""
        self.put(_places(t_s), value)

    def put(self, places: Sequence[_Place], value: float) -> None:
        """One value at a time whose place in each width is known: all series of a sample have the same."""
        for level, (number, turn, k) in zip(self._levels, places):  # noqa: B905  (asked 100 times a second)
            if level.turns[k] != turn:
                level.begin(number, turn, k, value)
                continue
            if value < level.low[k]:
                level.low[k] = value
            elif value > level.high[k]:
                level.high[k] = value
            level.sum[k] += value
            level.n[k] += 1

    def add_line(self, begin_s: float, long_s: float, bucket: Bucket) -> None:
        """What a stretch of time had, in any order; what is newer stays. Buckets much narrower than it hear nothing of it."""
        for level in self._levels:
            if long_s <= 4 * level.width_s:
                level.add_line(begin_s, long_s, bucket)

    def add_newer(self, newer: Series) -> None:
        """Whatever another series of the same figure has beyond this one."""
        for mine, its in zip(self._levels, newer._levels, strict=True):
            mine.add_newer(its)

    def buckets(self, begin_s: float, end_s: float, count: int) -> list[Bucket | None]:
        """`count` equal buckets over a span, oldest first; None where nothing was seen."""
        width_s = (end_s - begin_s) / count
        level = next((lv for lv in self._levels if lv.width_s <= width_s * 1.001 and lv.covers(begin_s)), None)
        level = level or next((lv for lv in self._levels if lv.covers(begin_s)), self._levels[-1])
        return level.buckets(begin_s, end_s, count)


class History:
    """All series of a telemetry stream, by name: `total_mw`, `rails_mw.VDD_IN`, `cpu_load_pct.0`, `temps_c.GPU-therm`."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Series that have had a value, in the order in which they appeared."""
        return tuple(self._series)

    def add(self, sample: Sample) -> None:
        """Take one sample in. What it does not say leaves a hole."""
        places, known = _places(sample.t_s), self._series
        for name, value in series(sample):
            past = known.get(name) or self._at(name)
            if past is not None:
                past.put(places, value)

    def add_line(self, begin_s: float, long_s: float, figures: Mapping[str, Bucket]) -> None:
        """Take in a stretch of time that was kept as least, mean and largest of each series; in any order."""
        for name, bucket in figures.items():
            if (past := self._at(name)) is not None:
                past.add_line(begin_s, long_s, bucket)

    def add_past(self, past: History) -> None:
        """Take in another history, of the time before this one began; `past` is of no use afterwards."""
        found = {}
        for name, mine in self._series.items():
            before = past._series.pop(name, None)
            if before is not None:
                before.add_newer(mine)
            found[name] = before or mine
        room = _MOST_SERIES - len(found)
        self._series = {**found, **dict(list(past._series.items())[:room])}

    def _at(self, name: str) -> Series | None:
        """The series of a name; None: there are too many."""
        past = self._series.get(name)
        if past is None and len(self._series) < _MOST_SERIES:
            past = self._series[name] = Series()
        return past

    def buckets(self, name: str, begin_s: float, end_s: float, count: int) -> list[Bucket | None]:
        """(min, mean, max) of each of `count` equal parts of a span; None where nothing was seen."""
        past = self._series.get(name)
        return [None] * count if past is None else past.buckets(begin_s, end_s, count)


def _places(t_s: float) -> tuple[_Place, ...]:
    """Where a time lies in the ring of each width."""
    numbers = [(int(t_s / width_s), count) for width_s, count in LEVELS]
    return tuple((number, number // count & _MOST_ROUNDS, number % count) for number, count in numbers)


class _Resolution:
    """A ring of buckets of one width: 24 bytes for each, taken whole at once.

    Which time a bucket is of says how often the ring was gone round before: its whole number would take twice the room.
    """

    __slots__ = ("_count", "high", "low", "n", "newest", "sum", "turns", "width_s")

    def __init__(self, width_s: float, count: int) -> None:
        self.width_s, self._count = width_s, count
        self.newest = -1
        """Number of the newest bucket; -1: nothing was seen."""
        self.turns = array("i", [-1]) * count
        self.low, self.high = array("f", [0.0]) * count, array("f", [0.0]) * count
        self.sum, self.n = array("d", [0.0]) * count, array("I", [0]) * count

    def begin(self, number: int, turn: int, k: int, value: float) -> None:
        """The first value of a bucket."""
        self.turns[k] = turn
        self.low[k] = self.high[k] = self.sum[k] = value
        self.n[k] = 1
        if number > self.newest:
            self.newest = number

    def add_line(self, begin_s: float, long_s: float, bucket: Bucket) -> None:
        """A stretch of time that may be older than what is here: into each bucket that begins in it, or the one it lies in."""
        low, mean, high = bucket
        first = int(begin_s / self.width_s)
        last = max(first, int((begin_s + long_s) / self.width_s - 1e-9))
        last = first if long_s <= self.width_s else last
        if self.newest < 0 or last > self.newest - self._count:
            for number in range(max(first, 0), last + 1):
                self._join_in(number, low, mean, high, 1)

    def add_newer(self, newer: _Resolution) -> None:
        """The buckets of another one of this width."""
        for k, turn in enumerate(newer.turns):
            if turn >= 0:
                self._join_in(turn * self._count + k, newer.low[k], newer.sum[k], newer.high[k], newer.n[k])

    def _join_in(self, number: int, low: float, total: float, high: float, n: int) -> None:
        k, turn = number % self._count, number // self._count & _MOST_ROUNDS
        if self.turns[k] > turn:
            return
        if self.turns[k] == turn:
            low, high = min(low, self.low[k]), max(high, self.high[k])
            total, n = total + self.sum[k], n + self.n[k]
        self.turns[k], self.low[k], self.high[k], self.sum[k], self.n[k] = turn, low, high, total, n
        self.newest = max(self.newest, number)

    def covers(self, begin_s: float) -> bool:
        """Buckets since `begin_s` have not been overwritten."""
        return self.newest >= 0 and int(begin_s / self.width_s) > self.newest - self._count

    def buckets(self, begin_s: float, end_s: float, count: int) -> list[Bucket | None]:
        """Several of ours go into one of the wanted; a wanted one narrower than ours repeats it."""
        wanted_s, width_s, ceil = (end_s - begin_s) / count, self.width_s, math.ceil
        room, turns, lows, highs, sums, many = self._count, self.turns, self.low, self.high, self.sum, self.n
        found: list[Bucket | None] = []
        for wanted in range(count):
            first = int((begin_s + wanted * wanted_s) / width_s + 1e-9)
            last = ceil((begin_s + (wanted + 1) * wanted_s) / width_s - 1e-9) - 1
            low, high, total, n = math.inf, -math.inf, 0.0, 0
            for number in range(max(first, 0), max(first, last) + 1):
                k = number % room
                if turns[k] == number // room & _MOST_ROUNDS:
                    if lows[k] < low:
                        low = lows[k]
                    if highs[k] > high:
                        high = highs[k]
                    total += sums[k]
                    n += many[k]
            found.append((low, total / n, high) if n else None)
        return found
