"""A few labelled points over two axes, as rows of styled text: the Pareto front of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .axis import axis_lines, place, ticks
from .chart import nice_range
from .lines import Line

GUTTER = 7
"""Columns for the numbers beside it, at least."""
TICK_ROWS, TICKS = 3, 6
"""Rows that a tick of the axis up wants at least, and how many of them are enough."""
Cells = list[list[tuple[str, str]]]


class Dot(NamedTuple):
    """One point."""

    x: float
    y: float
    name: str
    front: bool


def scatter(dots: Sequence[Dot], width: int, height: int, x_unit: str, y_unit: str) -> list[Line]:
    """Rows of the picture, `height` of them; names are written beside the points where there is room."""
    full = height >= 10  # below that the points need the rows of the unit and the legend
    rows = height - (4 if full else 2)
    if not dots:
        return [((" not enough figures to draw", "dim"),)]
    xs = nice_range(min(d.x for d in dots), max(d.x for d in dots))
    ys = nice_range(min(d.y for d in dots), max(d.y for d in dots))
    marks = {rows - 1 - row: text for row, text in ticks(*ys, rows, max(TICK_ROWS, rows // TICKS))}
    gutter = max(GUTTER, *(len(text) + 1 for text in marks.values())) if marks else GUTTER
    columns = width - gutter - 2
    if rows < 3 or columns < 12:
        return [((" not enough room to draw", "dim"),)]
    cells: Cells = [[(" ", "")] * columns for _ in range(rows)]
    at = {dot: (rows - 1 - place(dot.y, *ys, rows), place(dot.x, *xs, columns)) for dot in dots}
    for dot in sorted(dots, key=lambda dot: dot.front):
        row, column = at[dot]
        cells[row][column] = ("●" if dot.front else "○", "good" if dot.front else "value")
    for dot in sorted(dots, key=lambda dot: not dot.front):
        _write(cells, *at[dot], dot)
    lines: list[Line] = [((f" {y_unit}", "dim"),)] if full else []
    for n, row_cells in enumerate(cells):
        edge = f"{marks[n]:>{gutter - 1}} ┤" if n in marks else f"{' ' * gutter}│"
        lines.append(((edge, "dim"), *row_cells))
    lines += axis_lines(*xs, columns, gutter + 1, x_unit)
    legend = (
        " ● on the front   ○ beaten by another" if any(dot.front for dot in dots) else ""
    )  # of what shares no baseline: none
    return [*lines, ((legend, "dim"),)] if full else lines


def _write(cells: Cells, row: int, column: int, dot: Dot) -> None:
    """The name right of the point, or left of it where the right is taken, or below or above it; else nowhere."""
    room, size = len(cells[row]), len(dot.name)
    beside = max(0, min(room - size, column - size // 2))
    for y, start in ((row, column + 2), (row, column - 1 - size), (row + 1, beside), (row - 1, beside)):
        stop = start + size
        around = range(max(0, start - 1), min(room, stop + 1))  # a gap to what stands there already
        if 0 <= y < len(cells) and start >= 0 and stop <= room and all(cells[y][x][0] == " " for x in around):
            for x, letter in enumerate(dot.name, start):
                cells[y][x] = (letter, "value" if dot.front else "dim")
            return
