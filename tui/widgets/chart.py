"""A live line chart in dots, drawn so that a slow link carries four of them.

Buckets lie on absolute sample numbers and are drawn a whole cell at a time, so a picture that moves shifts by cells and never
shimmers; only the changed span of each row is repainted. Measured beside libraries: `make bench-screen`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip

from ...engine.report.width import shortened
from .axis import ticks
from .chart_past import ChartPast, Values
from .dots import DOTS, Graph
from .tones import Toned
from .uplines import CURSOR, DIM, UpLine, overlaid

Pair = tuple[float, float]
Columns = tuple[int, int]
"""Of a cell the dots of its left and right column, as bits from the top of the picture."""

GUTTER = 6
TICK_ROWS = 4
"""Rows that a number beside a picture wants at least."""
_TONES = {"1": "accent", "2": "second", DIM: "dim", CURSOR: "value"}
"""Of what a cell shows."""
SOLID, DOTTED = 1, 2
"""How a stretch is marked along the foot."""


def nice_range(low: float, high: float, floor: float | None = None, ceiling: float | None = None) -> Pair:
    """A range with round ends around low..high; `floor` and `ceiling` are ends that are given."""
    bottom = low if floor is None else floor
    top = high if ceiling is None else ceiling
    span = max(top - bottom, abs(top) * 0.02)
    span = span if span > 1e-9 else 1.0  # all 0: no eleventh decimal
    step = 10.0 ** math.floor(math.log10(span))
    step = next(step * k for k in (0.2, 0.5, 1.0, 2.0) if step * k * 5 >= span * (1 - 1e-9))
    bottom = math.floor(bottom / step) * step if floor is None else floor
    top = math.ceil(top / step) * step if ceiling is None else ceiling
    return (bottom, top if top > bottom else bottom + step)


def label(value: float, span: float) -> str:
    """A number for an axis that is `span` long, so exact that its ends differ; mostly at most five characters."""
    if abs(value) >= 10_000:
        return f"{value / 1000:.0f}k"
    places = max(0, 1 - math.floor(math.log10(span))) if span > 0 else 2
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def axis_numbers(bottom: float, top: float, rows: int) -> dict[int, str]:
    """Numbers beside a picture, by the row that each stands at: both ends, and round ones between where it is tall."""
    span = top - bottom
    found = {rows - 1: label(bottom, span), 0: label(top, span)}
    for row, text in ticks(bottom, top, rows, TICK_ROWS) if rows > 2 * TICK_ROWS else []:
        if min(abs(rows - 1 - row - other) for other in (0, rows - 1)) >= TICK_ROWS - 1:
            found[rows - 1 - row] = label(float(text), span)
    return found


class Chart(Toned):
    """One or two series over the last samples; the title and the last value stand above the picture."""

    grows: ClassVar[bool] = True
    """Samples come one after another: what lies before the last cell stays as it was drawn."""

    def __init__(
        self,
        title: str,
        *,
        graph: Graph = "braille",
        series: int = 1,
        points: int = 300,
        kept: int = 0,
        low: float | None = None,
        high: float | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.title = title
        self.value = ""
        """What stands at the right of the title: the last reading of the first series in words."""
        self.second = ""
        """The last reading of the second series, in its colour."""
        self.hint = ""
        """What stands beside the title as long as nothing has been read."""
        self.dots = DOTS[graph]
        self.points = points
        self._kept = kept
        """So many samples are kept where fewer are shown, for a window that is made longer."""
        self.fixed = (low, high)
        self.samples = ChartPast(max(points, kept), series)
        self.count = 0
        self.range: Pair = (low or 0.0, high or 1.0)
        self._series = series
        self._per = 1
        self._buckets: list[deque[Pair | None]] = []
        self._bars: deque[int] = deque()
        """What is marked along the foot, a value for each bucket: 1 every dot, 2 every other one."""
        self._rows: list[tuple[str, str]] = []
        self._plain: list[tuple[str, str]] = []
        """Rows without lines across them, as they were made for `_made_for`."""
        self._made_for: tuple[object, ...] = ()
        self._rebuilt = 0
        self._head = ""
        self._shape = (0, 0)
        self._marked_rows: tuple[object, dict[int, str]] = (None, {})
        """Numbers at rows of the axis, and for which range and height."""

    def push(self, *values: float | None, mark: int = 0) -> None:
        """Take one sample of every series (None: a gap). Nothing is drawn until `draw`. `mark`: how the foot is marked."""
        self.samples.append(values, mark)
        self._bucket(self.count, values, mark)
        self.count += 1

    def begin_with(self, samples: Sequence[Values], marks: Sequence[int]) -> None:
        """In place of what was pushed before, these, oldest first; what stands beside the title stays."""
        self.samples.clear()
        self.samples.extend(zip(samples, marks, strict=True))
        self.count = len(self.samples)
        self._rebuild()

    def clear(self) -> None:
        """Forget all samples."""
        self.samples.clear()
        self.count = 0
        self.value = self.second = ""
        self._rebuild()

    def become(self, title: str, *, series: int = 1, low: float | None = None, high: float | None = None) -> None:
        """Show another quantity from now on."""
        self.title, self.hint, self.fixed, self._series = title, "", (low, high), series
        self.range = (low or 0.0, high or (low or 0.0) + 1.0)
        self.samples = ChartPast(max(self.points, self._kept), series)
        self.clear()

    def window(self, points: int) -> None:
        """Show this many samples from now on."""
        self.points = points
        self.samples = self.samples.of(max(points, self._kept), self._series)
        self._rebuild()

    def _rebuild(self) -> None:
        """Sort the samples into buckets again: the width or the window has changed."""
        self._rebuilt += 1
        columns = max(1, self._shape[0]) * self.dots.across
        self._per = max(1, -(-self.points // columns))
        self._buckets = [deque(maxlen=columns + self.dots.across) for _ in range(self._series)]
        self._bars = deque(maxlen=columns + self.dots.across)
        first = self.count - len(self.samples)
        for number, (values, mark) in enumerate(self.samples, first):
            self._bucket(number, values, mark)

    def _bucket(self, number: int, values: Values, mark: int) -> None:
        fresh = number % self._per == 0
        self._bars.append(mark if fresh or not self._bars else self._bars.pop() | mark)
        for buckets, value in zip(self._buckets, values, strict=False):
            last = None if fresh or not buckets else buckets.pop()
            if value is None:
                buckets.append(last)
            else:
                buckets.append((value, value) if last is None else (min(last[0], value), max(last[1], value)))

    @property
    def size(self) -> Size:
        """Of its picture: it has neither border nor padding, and Textual would look for it on the whole screen."""
        return self.outer_size

    def draw(self) -> None:
        """Bring the picture up to date; what has changed is repainted."""
        width, height = self.size.width, self.size.height
        if width < GUTTER + 4 or height < 1:
            return
        if self._shape != (width - GUTTER, height - 1):
            self._shape = (width - GUTTER, height - 1)
            self._rows = []
            self._rebuild()
        head = self._title_row(width)
        rows = (
            overlaid(self._latest_picture(), GUTTER, self.up_lines())
            if height > 2 and (self.count or not self.hint)
            else [(" " * width, "")] * (height - 1)
        )  # in less than two rows nothing can be seen; without a sample an axis would be made up
        old, self._rows = self._rows, rows
        dirty: list[Region] = []
        if head != self._head:
            self._head = head
            dirty.append(Region(0, 0, width, 1))
        if len(old) != len(rows):
            self.refresh()
            return
        for y, (before, after) in enumerate(zip(old, rows, strict=True), 1):
            if before != after:
                dirty.append(_changed(before, after, y))
        if dirty:
            self.refresh(*dirty)

    def up_lines(self) -> Sequence[UpLine]:
        """Lines across the picture; asked for after it was made."""
        return ()

    def _title_row(self, width: int) -> str:
        """Title and last values; where room is short they stand closer."""
        if not self.count and self.hint:
            return shortened(f"{self.title}  {self.hint}", width).ljust(width)
        title, value = self.title, self._values()
        if len(title) + 2 + len(value) > width:
            title = title.replace("  ", " ")
        room = max(0, width - len(value) - 1)
        return f"{shortened(title, room) if room else '':<{room}} {value}"

    def _values(self) -> str:
        apart = "  " if len(self.title) + len(self.value) + len(self.second) + 4 <= self.size.width else " "
        return self.value + (f"{apart}{self.second}" if self.second else "")

    def _scale(self) -> None:
        """Widen at once, narrow only when less than a third is used: a steady axis is a cheap axis."""
        low, high = self.fixed
        if low is not None and high is not None:
            return
        seen = [pair for buckets in self._buckets for pair in buckets if pair is not None]
        if not seen:
            return
        least, most = min(pair[0] for pair in seen), max(pair[1] for pair in seen)
        bottom, top = self.range
        used = most - (least if low is None else low)
        if least < bottom or most > top or used < (top - bottom) / 3:
            self.range = nice_range(least, most, low, high)

    @property
    def _newest(self) -> int:
        """The number of the newest bucket; -1: there is none."""
        return (self.count - 1) // self._per if self.count else -1

    def _latest_picture(self) -> list[tuple[str, str]]:
        """The picture; of one that was made before only the last cell is made again while nothing else can have changed."""
        last = [buckets[-1] for buckets in self._buckets if buckets]
        bottom, top = self.range
        within = all(pair is None or (bottom <= pair[0] and pair[1] <= top) for pair in last)
        marked = any(self._bars)
        made_for = (self._rebuilt, self._shape, self._newest // self.dots.across, marked, self.range)
        if not self.grows or not within or marked or made_for != self._made_for:
            self._plain = self._picture()
            self._made_for = (*made_for[:-1], self.range)
            return self._plain
        begin = self._newest // self.dots.across * self.dots.across
        layers = []
        for buckets in self._buckets:
            near = [buckets[-k] for k in range(min(len(buckets), self._newest - begin + 2), 0, -1)]
            layers.append(self._cells_of(near, begin, 1))
        for y, (text, who) in enumerate(self._plain):
            cell, whose = self._row(layers, y)
            self._plain[y] = text[:-1] + cell, who[:-1] + whose
        return self._plain

    def _picture(self) -> list[tuple[str, str]]:
        """Rows of characters, and for each character which series it shows: `1` the first, `2` the second alone."""
        self._scale()
        columns, rows = self._shape
        layers = [self._masks(buckets) for buckets in self._buckets] or [[(0, 0)] * columns]
        foot = self._foot(columns) if any(self._bars) else []
        picture = []
        for y in range(rows):
            last = y == rows - 1
            text, who = self._row(layers, y, foot if last else [])
            picture.append((self._axis(y, rows) + text, who))
        return picture

    def _row(self, layers: list[list[Columns]], y: int, foot: Sequence[int] = ()) -> tuple[str, str]:
        """Characters of a row of cells, and what each shows; empty: all show the first series."""
        down, cells = self.dots.down, self.dots.cells
        shift, full = y * down, (1 << down) - 1
        first = [(left >> shift & full) | (right >> shift & full) << down for left, right in layers[0]]
        if len(layers) == 1:
            if not foot:
                return "".join([cells[mask] for mask in first]), ""
            who = "".join(["1" if mask else "2" for mask in first])
            return "".join([cells[mask | mark] for mask, mark in zip(first, foot, strict=True)]), who
        second = [(left >> shift & full) | (right >> shift & full) << down for left, right in layers[1]]
        who = "".join(["2" if b and not a else "1" for a, b in zip(first, second, strict=True)])
        marks = foot or [0] * len(first)
        return "".join([cells[a | b | mark] for a, b, mark in zip(first, second, marks, strict=True)]), who

    def _foot(self, columns: int) -> list[int]:
        """For each cell from left to right, the dots that marks add to the last row: the lowest ones."""
        across, down = self.dots.across, self.dots.down
        start = (self._newest // across - columns + 1) * across
        cells = [0] * columns
        for number, bar in enumerate(self._bars, self._newest - len(self._bars) + 1):
            if number >= start and (bar & SOLID or (bar and number % 2 == 0)):
                place = number - start
                cells[place // across] |= 1 << (down - 1 + (down if place % across else 0))
        return cells

    def _axis(self, y: int, rows: int) -> str:
        if self._marked_rows[0] != (self.range, rows):
            self._marked_rows = (self.range, rows), axis_numbers(*self.range, rows)
        return f"{self._marked_rows[1].get(y, ''):>{GUTTER - 1}} "

    def _masks(self, buckets: deque[Pair | None]) -> list[Columns]:
        """The cells of the whole picture, from left to right."""
        across = self.dots.across  # the first column's bucket lies on a whole cell
        return self._cells_of(buckets, (self._newest // across - self._shape[0] + 1) * across, self._shape[0])

    def _cells_of(self, buckets: Sequence[Pair | None], start: int, columns: int) -> list[Columns]:
        """So many cells from bucket `start` on, of buckets up to the newest, those before them left of it."""
        across = self.dots.across
        bottom, top = self.range
        most = self._shape[1] * self.dots.down - 1
        scale = most / ((top - bottom) or 1.0)
        masks = [0] * (columns * across)
        before: tuple[int, int] | None = None
        for number, pair in enumerate(buckets, self._newest - len(buckets) + 1):
            if pair is None:
                before = None
                continue
            high = min(most, max(0, round((top - pair[1]) * scale)))
            low = min(most, max(0, round((top - pair[0]) * scale)))
            here = (high, low)
            if before is not None:  # join to the neighbour, so that the line has no holes
                high, low = min(high, before[1]), max(low, before[0])
            before = here
            if number >= start:
                masks[number - start] = ((1 << (low - high + 1)) - 1) << high
        if before is not None and 0 <= self._newest + 1 - start < len(masks):
            # the newest stands to the end of its cell: a flat line stands still
            high, low = before
            masks[self._newest + 1 - start] = ((1 << (low - high + 1)) - 1) << high
        if across == 1:
            return [(mask, 0) for mask in masks]
        return list(zip(masks[0::2], masks[1::2], strict=True))

    def render_line(self, y: int) -> Strip:
        """Draw one row of the screen."""
        width = self.size.width
        dim = self.style_of("dim")
        if y == 0:
            return self._head_strip(self._head or self._title_row(width), dim)
        if y - 1 >= len(self._rows):
            return Strip.blank(width, self.style_of(""))
        text, who = self._rows[y - 1]
        body = text[GUTTER:]
        segments = self._spans(body, who) if who.strip("1") else [Segment(body, self.style_of("accent"))]
        return Strip([Segment(text[:GUTTER], dim), *segments]).adjust_cell_length(width, self.style_of(""))

    def _head_strip(self, head: str, dim: Style) -> Strip:
        """Title dim, values bright; of two series each in its colour."""
        second = len(self.second)
        first = len(self._values())
        kind = "accent" if second else "value"
        at = len(head)
        segments = [
            Segment(head[: at - first], dim),
            Segment(head[at - first : at - second], self.style_of(kind)),
            Segment(head[at - second :] if second else "", self.style_of("second")),
        ]
        return Strip(segments).adjust_cell_length(self.size.width, self.style_of(""))

    def _spans(self, body: str, who: str) -> list[Segment]:
        segments, at = [], 0
        for kind, run in groupby(who):
            size = len(list(run))
            segments.append(Segment(body[at : at + size], self.style_of(_TONES[kind])))
            at += size
        return segments

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.draw()


def _changed(before: tuple[str, str], after: tuple[str, str], y: int) -> Region:
    """The span of a row in which characters or their series differ."""
    (old, old_who), (new, new_who) = before, after
    if len(old) != len(new) or (old_who != new_who and len(old_who) != len(new_who)):
        return Region(0, y, max(len(old), len(new)), 1)
    pad = " " * GUTTER
    a, b = old_who and pad + old_who, new_who and pad + new_who
    differs = [i for i in range(len(new)) if old[i] != new[i] or (b and a[i] != b[i])]
    return Region(differs[0], y, differs[-1] - differs[0] + 1, 1)
