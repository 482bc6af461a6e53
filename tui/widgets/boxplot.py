"""Box plots of several series over one axis: whiskers, quartiles, median, mean, and how many samples lie past the whiskers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...engine.report.width import shortened, width_of
from .axis import axis_lines, place, whole_parts
from .lines import Line, Span

GUTTER = 16
"""Columns for names, at least; long ones get more, up to a fifth of the width."""


class Box(NamedTuple):
    """One series."""

    name: str
    tone: str
    low: float
    """Where the left whisker ends."""
    q1: float
    median: float
    q3: float
    high: float
    """Where the right whisker ends."""
    mean: float | None = None
    beyond: str = ""
    """The figures in words, what matters most first."""


def boxplot(boxes: Sequence[Box], width: int, height: int, low: float, high: float, unit: str) -> list[Line]:
    """Rows of the picture, at most `height` of them: a name above or beside each box, as room allows, and the axis below."""
    gutter = max(GUTTER, min(width // 5, max((width_of(box.name) for box in boxes), default=0) + 2))
    plot = width - gutter - 1
    if not boxes or plot < 20 or height < len(boxes) + 2:
        return [((" not enough figures or room to draw", "dim"),)]
    spare = height - 2
    tall = spare >= 4 * len(boxes)
    lines: list[Line] = []
    for box in boxes:
        body = _tall(box, plot, low, high) if tall else [_flat(box, plot, low, high)]
        middle = len(body) // 2
        for n, spans in enumerate(body):
            shown = shortened(box.name, gutter - 2)
            name = f" {shown}{' ' * (gutter - 1 - width_of(shown))}" if n == middle else " " * gutter
            lines.append(((name, box.tone if n == middle else ""), *spans))
        if box.beyond and (tall or spare >= 2 * len(boxes)):
            lines.append(((" " * gutter, ""), (whole_parts(box.beyond, plot), "dim")))
    return [*lines, *axis_lines(low, high, plot, gutter, unit)]


def _places(box: Box, width: int, low: float, high: float) -> tuple[int, int, int, int, int]:
    left, q1, median, q3, right = (place(v, low, high, width) for v in (box.low, box.q1, box.median, box.q3, box.high))
    return left, q1, median, q3, right


def _flat(box: Box, width: int, low: float, high: float) -> tuple[Span, ...]:
    """One row: `├────▐███┃██▌─────┤`."""
    left, q1, median, q3, right = _places(box, width, low, high)
    cells = [" "] * width
    cells[left : right + 1] = "─" * (right + 1 - left)
    cells[left], cells[right] = "├", "┤"
    cells[q1 : q3 + 1] = "█" * (q3 + 1 - q1)
    row = "".join(cells)
    return (row[:median], box.tone), ("┃", "value"), (row[median + 1 :], box.tone)


def _tall(box: Box, width: int, low: float, high: float) -> list[tuple[Span, ...]]:
    """Three rows: a frame from quartile to quartile with the median across it, the mean as a dot of its own."""
    left, q1, median, q3, right = _places(box, width, low, high)
    rows = [[" "] * width for _ in range(3)]
    rows[1][left : right + 1] = "─" * (right + 1 - left)
    rows[1][left], rows[1][right] = "├", "┤"
    rows[1][q1 : q3 + 1] = " " * (q3 + 1 - q1)
    for row, (first, across, last) in ((0, "┌─┐"), (2, "└─┘")):
        rows[row][q1 : q3 + 1] = across * (q3 + 1 - q1)
        rows[row][q1], rows[row][q3] = first, last
    rows[1][q1] = "┤" if left < q1 else "│"
    rows[1][q3] = "├" if right > q3 else "│"
    for row in range(3):
        rows[row][median] = "┃"
    if box.mean is not None and low <= box.mean <= high and (mean := place(box.mean, low, high, width)) != median:
        rows[1][mean] = "◆"
    return [_toned("".join(row), box.tone) for row in rows]


def _toned(row: str, tone: str) -> tuple[Span, ...]:
    """Median and mean bright."""
    spans: list[Span] = []
    at = 0
    for n, cell in enumerate(row):
        if cell in "┃◆":
            spans += [(row[at:n], tone), (cell, "value")]
            at = n + 1
    return (*spans, (row[at:], tone))
