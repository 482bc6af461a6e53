"""A chart of a series out of a store: from a minute to a day, drawn anew from buckets as wide as a dot."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from .chart import Chart, Graph, Pair

Buckets = Sequence[tuple[float, float, float] | None]
"""(min, mean, max) of equal parts of a span."""


class PastChart(Chart):
    """Shows the span that `look` gives it: (begin, end, hold) in seconds; `read` gives buckets of a span."""

    def __init__(self, *, graph: Graph, id: str | None = None) -> None:  # noqa: A002
        super().__init__("", graph=graph, id=id)
        self.name_of_it = ""
        self.span = (0.0, 1.0)
        self.hold_s = 0.0
        """A value stands for so long after it was read; longer silence is a hole."""
        self.scale = 1.0
        self.still = False
        """The span does not move: it is cut into exactly as many parts as there are dots."""
        self.read: Callable[[float, float, int], Buckets] = lambda _begin, _end, count: [None] * count

    def become_series(self, title: str, *, scale: float, low: float | None, high: float | None) -> None:
        """Show another series from now on."""
        self.name_of_it, self.scale = title, scale
        self.become(title, low=low, high=high)

    def draw(self) -> None:
        """Read the span again and bring the picture up to date."""
        if self._shape == (self.size.width - 6, self.size.height - 1):
            self._rebuild()
        super().draw()

    def _rebuild(self) -> None:
        across = self.dots.across
        columns = max(1, self._shape[0]) * across
        begin, end = self.span
        width_s = (end - begin) / columns
        if self.still:
            newest, first, count = columns - 1, begin, columns
        else:
            newest = int(end / width_s)
            count = columns + across
            first = (newest - count + 1) * width_s
        found = self.read(first, first + count * width_s, count)
        self._per, self.count = 1, newest + 1
        self._buckets = [deque(self._held(found, width_s))]
        self._say_range(found)

    def _held(self, found: Buckets, width_s: float) -> list[Pair | None]:
        """Pairs of (min, max); a hole that is shorter than `hold_s` shows the value before it."""
        pairs: list[Pair | None] = []
        last, age = 0.0, float("inf")
        for bucket in found:
            age += width_s
            if bucket is not None:
                low, last, high = (value * self.scale for value in bucket)
                age = 0.0
                pairs.append((low, high))
            else:
                pairs.append((last, last) if age <= self.hold_s else None)
        return pairs

    def _say_range(self, found: Buckets) -> None:
        """Least and most of the span, beside the name."""
        known = [bucket for bucket in found if bucket is not None]
        if not known:
            self.title = self.name_of_it
            return
        least, most = (end * self.scale for end in (min(b[0] for b in known), max(b[2] for b in known)))
        places = 0 if most >= 100 else 1
        self.title = f"{self.name_of_it}  {least:.{places}f} … {most:.{places}f}"
