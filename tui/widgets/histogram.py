"""Histograms in eighths of a cell: one in one row or several; several below each other over one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...engine.advice.words import percent
from .axis import axis_lines, whole_parts
from .dots import Graph
from .lines import Line

EIGHTHS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*%#"
GUTTER = 8
"""Columns for the numbers beside several histograms."""


class Counted(NamedTuple):
    """One series of several."""

    name: str
    tone: str
    counts: Sequence[int]
    """In equal bins from one end of the axis to the other."""
    total: int
    """Samples in all, those past the axis too."""
    note: str = ""
    """What stands behind the name."""


def bars(counts: Sequence[float], width: int, rows: int = 1, graph: Graph = "braille", most: float | None = None) -> list[str]:
    """Rows of characters, the topmost first: `counts` gathered into at most `width` columns. What is not 0 is seen.

    `most` is what fills all rows; None: the highest column.
    """
    if not counts or width < 1:
        return [""] * rows
    sums = fold(counts, min(width, len(counts)))
    most = most or max(sums) or 1
    levels = [max(1, round(value / most * rows * 8)) if value else 0 for value in sums]
    glyphs = ASCII if graph == "ascii" else EIGHTHS
    return ["".join(glyphs[max(0, min(8, level - 8 * below))] for level in levels) for below in reversed(range(rows))]


def fold(counts: Sequence[float], columns: int) -> list[float]:
    """The counts in another number of equal bins. One that lies across an edge is shared out, else columns that have one bin
    more than their neighbours would stand out as teeth.
    """
    per = len(counts) / columns
    sums = []
    for column in range(columns):
        begin, end = column * per, (column + 1) * per
        inside = range(int(begin), min(len(counts), int(end) + 1))
        sums.append(sum(counts[n] * max(0.0, min(end, n + 1) - max(begin, n)) for n in inside))
    return sums


def placed(counts: Sequence[float], own: tuple[float, float], axis: tuple[float, float], columns: int) -> list[float]:
    """The counts, in equal bins over `own`, over the columns of a longer axis; a bin is shared out among those it lies in."""
    wide = (own[1] - own[0]) / max(1, len(counts))
    cell = (axis[1] - axis[0]) / columns
    sums = [0.0] * columns
    for n, count in enumerate(counts):
        begin, end = (own[0] + n * wide - axis[0]) / cell, (own[0] + (n + 1) * wide - axis[0]) / cell
        for column in range(max(0, int(begin)), min(columns, int(end) + 1)):
            part = max(0.0, min(end, column + 1) - max(begin, column))
            sums[column] += count * (part / (end - begin) if end > begin else 1.0)
    return sums


def histograms(
    series: Sequence[Counted], width: int, height: int, low: float, high: float, unit: str, graph: Graph
) -> list[Line]:
    """Rows of the picture, at most `height` of them: each series with its name above, one scale for all, the axis below.

    The number at the left is the share of the samples in the highest column of all.
    """
    plot = width - GUTTER - 1
    rows = min(8, (height - 2) // len(series) - 1) if series else 0
    if rows < 1 or plot < 20:
        return [((" not enough figures or room to draw", "dim"),)]
    columns = min(plot, max(len(each.counts) for each in series))
    shares = [[value / each.total if each.total else 0.0 for value in fold(each.counts, columns)] for each in series]
    most = max((max(one, default=0.0) for one in shares), default=0.0)
    lines: list[Line] = []
    for each, one in zip(series, shares, strict=True):
        lines.append(((f" {each.name}", each.tone), (f"   {whole_parts(each.note, width - len(each.name) - 5)}", "dim")))
        for n, row in enumerate(bars(one, columns, rows, graph, most)):
            number = percent(most) if n == 0 else "0" if n == rows - 1 and rows > 1 else ""
            lines.append(((f"{number:>{GUTTER - 2}} ┤", "dim"), (row, each.tone)))
    return [*lines, *axis_lines(low, high, columns, GUTTER, unit)]
