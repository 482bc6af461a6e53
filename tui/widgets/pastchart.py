"""A chart of a series out of a store: from a minute to a day, drawn anew from buckets as wide as a dot."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .chart import GUTTER, Chart, Graph, Pair

if TYPE_CHECKING:
    from ...engine.api import Bucket, History


Marked = tuple[float, float, int]
"""Begin and end in seconds, and `SOLID` or `DOTTED`."""


class PastChart(Chart):
    """Shows a span of one series of a `History`; `look` says which span, `draw` reads and draws it."""

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
        self._buckets = [deque(self._held(found, width_s))]
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

    def _held(self, found: Sequence[Bucket | None], width_s: float) -> list[Pair | None]:
        """Pairs of (min, max); a hole that is shorter than the hold shows the value before it."""
        pairs: list[Pair | None] = []
        last, age_s = 0.0, float("inf")
        for bucket in found:
            age_s += width_s
            if bucket is not None:
                low, last, high = (value * self._scale_by for value in bucket)
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
            self.title += ends if len(self._words + ends + self.value) + 1 < self.size.width else ""
