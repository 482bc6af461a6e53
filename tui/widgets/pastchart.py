"""A chart of a series out of a store: from a minute to a day, drawn anew from buckets as wide as a dot."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...engine.advice.words import DASH
from ...engine.report.width import shortened
from .chart import GUTTER, Chart, Columns, Pair, label, nice_range
from .dots import DOTS, Graph
from .uplines import CURSOR, DIM, UpLine

if TYPE_CHECKING:
    from ...engine.api import Bucket, History


LEAST_NAME = 6
"""Letters of a second series' name where there is no room."""
Marked = tuple[float, float, int]
"""Begin and end in seconds, and `SOLID` or `DOTTED`."""


class Over(NamedTuple):
    """A series that is drawn over another one."""

    series: str
    title: str
    scale: float
    fixed: tuple[float | None, float | None]
    value: str
    """The last in words."""


class PastChart(Chart):
    """Shows a span of one series of a `History`; `look` says which span, `draw` reads and draws it."""

    grows: ClassVar[bool] = False

    def __init__(self, *, graph: Graph, id: str | None = None) -> None:  # noqa: A002
        super().__init__("", graph=graph, id=id)
        self.series = ""
        """The name of the series."""
        self._words = ""
        self._scale_by = 1.0
        self._history: History | None = None
        self._span = (0.0, 1.0)
        self._hold_s = 0.0
        self._still = False
        self._marked: Sequence[Marked] = ()
        self.over: Over | None = None
        """A second series in the same picture, with an axis of its own."""
        self.cursor_s: float | None = None
        """The moment whose values stand in the title."""
        self.named: Sequence[tuple[float, str]] = ()
        """Moments with a name: a stage that began, a mark."""
        self._first_s, self._width_s = 0.0, 1.0
        """Where the first bucket begins, and how long each is."""
        self._over_range: Pair = (0.0, 1.0)

    def become_series(self, title: str, scale: float, low: float | None, high: float | None) -> None:
        """What is shown from now on: its name, the factor to what is shown, the ends of the axis that are given."""
        if (title, scale, (low, high)) != (self._words, self._scale_by, self.fixed):
            self._words, self._scale_by = title, scale
            self.become(title, low=low, high=high)

    def look(
        self,
        history: History,
        begin_s: float,
        end_s: float,
        *,
        hold_s: float,
        still: bool,
        marked: Sequence[Marked] = (),
    ) -> None:
        """Where to read from now on.

        Args:
            history: the store.
            begin_s: left edge.
            end_s: right edge.
            hold_s: a value stands for so long after it was read; longer silence is a hole.
            still: the span does not move, and is cut into exactly as many parts as there are dots; otherwise parts lie on
                absolute times, so that a picture that moves never shimmers.
            marked: what is marked along the foot.
        """
        self._marked = marked
        self._history, self._span, self._hold_s, self._still = history, (begin_s, end_s), hold_s, still

    def draw(self) -> None:
        """Read the span again and bring the picture up to date."""
        if self._shape == (self.size.width - GUTTER, self.size.height - 1):
            self._rebuild()
        super().draw()

    def _rebuild(self) -> None:
        if self._history is None:
            super()._rebuild()
            return
        across = self.dots.across
        columns = max(1, self._shape[0]) * across
        begin, end = self._span
        width_s = (end - begin) / columns
        newest, count, first = columns - 1, columns, begin
        if not self._still:
            newest, count = int(end / width_s), columns + across
            first = (newest - count + 1) * width_s
        found = self._history.buckets(self.series, first, first + count * width_s, count)
        self._per, self.count = 1, newest + 1
        self._first_s, self._width_s = first, width_s
        self._buckets = [deque(self._held(found, width_s, self._scale_by))]
        if self.over is not None:
            beside = self._history.buckets(self.over.series, first, first + count * width_s, count)
            self._buckets.append(deque(self._held(beside, width_s, self.over.scale)))
        self._bars = deque(self._feet(first, width_s, count))
        self._say_range(found)

    def _feet(self, first_s: float, width_s: float, count: int) -> list[int]:
        """How the foot of each bucket is marked: as the middle of it is."""
        found = [0] * count
        for begin_s, end_s, mark in self._marked:
            begin = max(0, math.ceil((begin_s - first_s) / width_s - 0.5))
            end = min(count, math.ceil((min(end_s, self._span[1]) - first_s) / width_s - 0.5))
            found[begin:end] = [mark] * max(0, end - begin)
        return found

    def _scale(self) -> None:
        """Each series has its axis: that of the first stands at the left, that of the second in its words."""
        both = self._buckets
        self._buckets = both[:1]
        super()._scale()
        self._buckets = both
        if self.over is not None and len(both) > 1:
            seen = [pair for pair in both[1] if pair is not None]
            low, high = self.over.fixed
            if seen:
                self._over_range = nice_range(min(pair[0] for pair in seen), max(pair[1] for pair in seen), low, high)
            self.second = self._over_words()

    def _masks(self, buckets: deque[Pair | None]) -> list[Columns]:
        """The second series lies on its own axis."""
        if len(self._buckets) < 2 or buckets is not self._buckets[1]:
            return super()._masks(buckets)
        own, self.range = self.range, self._over_range
        try:
            return super()._masks(buckets)
        finally:
            self.range = own

    def _over_words(self) -> str:
        assert self.over is not None
        span = self._over_range[1] - self._over_range[0]
        ends = f"{label(self._over_range[0], span)}…{label(self._over_range[1], span)}"
        at = self.cursor_s
        value, own = (self.over.value, self.value) if at is None else (self.at_cursor(1), self.at_cursor(0))
        room = self.size.width - len(f"{self._words.replace('  ', ' ')} {own} ")
        title = self.over.title
        if len(f"{title} {value} ({ends})") <= room:
            return f"{title} {value} ({ends})"
        # both names come before the ends of an axis; where even they have no room, that of the second loses its middle
        return f"{shortened(title, max(LEAST_NAME, room - len(value) - 1))} {value}"

    def _values(self) -> str:
        """At the cursor, where there is one."""
        if self.cursor_s is None or self._history is None:
            return super()._values()
        kept, self.value = self.value, self.at_cursor(0)
        try:
            return super()._values()
        finally:
            self.value = kept

    @property
    def cell_s(self) -> float:
        """Seconds of a cell: what the cursor moves by."""
        return self._width_s * self.dots.across

    def at_cursor(self, series: int) -> str:
        """What a series says there: its value, or the least and most of a cell; a dash where it says nothing."""
        if self.cursor_s is None or series >= len(self._buckets):
            return DASH
        first = int((self.cursor_s - self._first_s) / self._width_s)
        buckets = self._buckets[series]
        pairs = [buckets[n] for n in range(max(0, first), min(first + self.dots.across, len(buckets)))]
        known = [pair for pair in pairs if pair is not None]
        if not known:
            return DASH
        low, high = min(pair[0] for pair in known), max(pair[1] for pair in known)
        places = 0 if high >= 1000 else 1 if high >= 10 else 2
        ends = [f"{value:.{places}f}" for value in (low, high)]
        return ends[0] if ends[0] == ends[1] else f"{ends[0]}…{ends[1]}"

    def up_lines(self) -> Sequence[UpLine]:
        """The cursor, and moments with a name."""
        plain = self.dots is DOTS["ascii"]
        lines = [UpLine(self._cell(t_s), ":" if plain else "┊", DIM, name) for t_s, name in self.named]
        if self.cursor_s is not None:
            at = min(max(self._cell(self.cursor_s), 0), max(1, self._shape[0]) - 1)  # at an end half a cell may be out of sight
            lines.insert(0, UpLine(at, "|" if plain else "│", CURSOR))
        return lines

    def _cell(self, t_s: float) -> int:
        """The cell of the picture that shows a moment; outside of it where it shows none."""
        if not self._buckets:
            return -1
        across = self.dots.across
        newest = self.count - 1
        number = newest - len(self._buckets[0]) + 1 + math.floor((t_s - self._first_s) / self._width_s)
        return (number - (newest // across - max(1, self._shape[0]) + 1) * across) // across

    def _held(self, found: Sequence[Bucket | None], width_s: float, scale: float) -> list[Pair | None]:
        """Pairs of (min, max); a hole that is shorter than the hold shows the value before it."""
        pairs: list[Pair | None] = []
        last, age_s = 0.0, float("inf")
        for bucket in found:
            age_s += width_s
            if bucket is not None:
                low, last, high = (value * scale for value in bucket)
                age_s = 0.0
                pairs.append((low, high))
            else:
                pairs.append((last, last) if age_s <= self._hold_s else None)
        return pairs

    def _say_range(self, found: Sequence[Bucket | None]) -> None:
        """Least and most of the span, beside the name."""
        known = [bucket for bucket in found if bucket is not None]
        self.title = self._words
        if known:
            least, most = min(b[0] for b in known) * self._scale_by, max(b[2] for b in known) * self._scale_by
            places = 0 if most >= 100 or self.fixed[1] == 100 else 1
            ends = f"   {least:.{places}f} … {most:.{places}f}"
            self.title += ends if len(self._words + ends + self._values()) + 1 < self.size.width else ""
