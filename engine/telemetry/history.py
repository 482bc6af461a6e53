"""A day of many series in bounded memory: minimum, mean and maximum of each bucket, in three widths of bucket.

Buckets lie on absolute times (`floor(t / width)`), so a chart that moves on never changes what it has drawn. The widths
are for a minute at full rate, an hour and a half, and a day and an hour; a span is served from the finest that covers it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping

from .quantities import series
from .sample import Sample

LEVELS = ((0.25, 1200), (5.0, 1200), (60.0, 1500))
"""(seconds of a bucket, buckets kept)."""
_MOST_SERIES = 256

Bucket = tuple[float, float, float]
"""(min, mean, max)."""


class Series:
    """One figure over time."""

    def __init__(self) -> None:
        self._levels = [_Resolution(width_s, count) for width_s, count in LEVELS]

    def add(self, t_s: float, value: float) -> None:
        """One value; times must not go back by more than a bucket."""
        for level in self._levels:
            level.add(t_s, value)

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
        for name, value in series(sample):
            if (past := self._at(name)) is not None:
                past.add(sample.t_s, value)

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


class _Resolution:
    """A ring of buckets of one width: 32-bit floats, and the absolute number of the bucket in each place."""

    __slots__ = ("_count", "_high", "_low", "_n", "_number", "_sum", "newest", "width_s")

    def __init__(self, width_s: float, count: int) -> None:
        self.width_s, self._count = width_s, count
        self.newest: int | None = None
        self._number = array("q", [-1]) * count
        self._low, self._high = array("f", [0.0]) * count, array("f", [0.0]) * count
        self._sum, self._n = array("d", [0.0]) * count, array("L", [0]) * count

    def add(self, t_s: float, value: float) -> None:
        number = int(t_s / self.width_s)
        k = number % self._count
        if self._number[k] != number:
            self._number[k] = number
            self._low[k] = self._high[k] = self._sum[k] = value
            self._n[k] = 1
        else:
            if value < self._low[k]:
                self._low[k] = value
            if value > self._high[k]:
                self._high[k] = value
            self._sum[k] += value
            self._n[k] += 1
        if self.newest is None or number > self.newest:
            self.newest = number

    def add_line(self, begin_s: float, long_s: float, bucket: Bucket) -> None:
        """A stretch of time that may be older than what is here: into each bucket that begins in it, or the one it lies in."""
        low, mean, high = bucket
        first = int(begin_s / self.width_s)
        last = max(first, int((begin_s + long_s) / self.width_s - 1e-9))
        last = first if long_s <= self.width_s else last
        if self.newest is None or last > self.newest - self._count:
            for number in range(max(first, 0), last + 1):
                self._join_in(number, low, mean, high, 1)

    def add_newer(self, newer: _Resolution) -> None:
        """The buckets of another one of this width."""
        for k, number in enumerate(newer._number):
            if number >= 0:
                self._join_in(number, newer._low[k], newer._sum[k], newer._high[k], newer._n[k])

    def _join_in(self, number: int, low: float, total: float, high: float, n: int) -> None:
        k = number % self._count
        if self._number[k] > number:
            return
        if self._number[k] == number:
            low, high = min(low, self._low[k]), max(high, self._high[k])
            total, n = total + self._sum[k], n + self._n[k]
        self._number[k], self._low[k], self._high[k], self._sum[k], self._n[k] = number, low, high, total, n
        if self.newest is None or number > self.newest:
            self.newest = number

    def covers(self, begin_s: float) -> bool:
        """Buckets since `begin_s` have not been overwritten."""
        return self.newest is not None and int(begin_s / self.width_s) > self.newest - self._count

    def buckets(self, begin_s: float, end_s: float, count: int) -> list[Bucket | None]:
        """Several of ours go into one of the wanted; a wanted one narrower than ours repeats it."""
        wanted_s = (end_s - begin_s) / count
        found: list[Bucket | None] = []
        for k in range(count):
            first = int((begin_s + k * wanted_s) / self.width_s + 1e-9)
            last = max(math.ceil((begin_s + (k + 1) * wanted_s) / self.width_s - 1e-9) - 1, first)
            found.append(self._join(first, last))
        return found

    def _join(self, first: int, last: int) -> Bucket | None:
        low, high, total, n = math.inf, -math.inf, 0.0, 0
        for number in range(max(first, 0), last + 1):
            k = number % self._count
            if self._number[k] == number:
                low, high = min(low, self._low[k]), max(high, self._high[k])
                total, n = total + self._sum[k], n + self._n[k]
        return (low, total / n, high) if n else None
