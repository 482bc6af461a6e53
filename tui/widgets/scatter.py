"""A few labelled points over two axes, as rows of styled text: the Pareto front of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...engine.report.width import width_of
from .axis import axis_lines, place, ticks
from .chart import nice_range
from .lines import Line

GUTTER = 7
"""Columns for the numbers beside it, at least."""
TICK_ROWS, TICKS = 3, 6
"""Rows that a tick of the axis up wants at least, and how many of them are enough."""
Cells = list[list[tuple[str, str]]]
Place = tuple[int, int]
"""Row and column of a point."""


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
    places = list(at.values())
    unnamed = [dot.name for dot in sorted(dots, key=lambda dot: not dot.front) if not _write(cells, places, at[dot], dot)]
    lines: list[Line] = [((f" {y_unit}", "dim"),)] if full else []
    for n, row_cells in enumerate(cells):
        edge = f"{marks[n]:>{gutter - 1}} ┤" if n in marks else f"{' ' * gutter}│"
        lines.append(((edge, "dim"), *row_cells))
    lines += axis_lines(*xs, columns, gutter + 1, x_unit)
    legend = _legend(any(dot.front for dot in dots), unnamed, width) if full else ""
    return [*lines, ((legend, "dim"),)] if full else lines


def _legend(front: bool, unnamed: Sequence[str], width: int) -> str:
    """What the marks mean, and which points have no name: as much as fits. Of what shares no baseline there is no front."""
    meant = [("● on the front", "○ beaten, intervals aside"), ("● front", "○ beaten, intervals aside")] if front else [(), ()]
    names = f"no room for: {', '.join(unnamed)}" if unnamed else ""
    count = f"{len(unnamed)} without {'a name' if len(unnamed) == 1 else 'names'}" if unnamed else ""
    ways = [(*meant[0], names), (*meant[0], count), (*meant[1], count), meant[0], meant[1]]
    told = (f" {'   '.join(filter(None, parts))}" for parts in ways)
    return next((text for text in told if width_of(text) <= width), "")


def _write(cells: Cells, dots: Sequence[Place], own: Place, dot: Dot) -> bool:
    """The name right of the point, or left of it where the right is taken, or below or above it; False: nowhere. Only where no
    other point is as near as its own: it would be read as that one's.
    """
    row, column = own
    room, size = len(cells[row]), len(dot.name)
    beside = max(0, min(room - size, column - size // 2))
    around = [(y, start) for y in (row + 1, row - 1) for start in (beside, column, column - size + 1)]
    for y, start in ((row, column + 2), (row, column - 1 - size), *around):
        stop = start + size
        if not 0 <= y < len(cells) or start < 0 or stop > room:
            continue
        gaps = range(max(0, start - 1), min(room, stop + 1))  # a gap to what stands there already
        nearest = _far(own, y, start, stop)
        if all(cells[y][x][0] == " " for x in gaps) and all(_far(at, y, start, stop) > nearest for at in dots if at != own):
            for x, letter in enumerate(dot.name, start):
                cells[y][x] = (letter, "value" if dot.front else "dim")
            return True
    return False


def _far(at: Place, y: int, start: int, stop: int) -> int:
    """How far a point lies from a name, in half columns; a row is two and a half of them high."""
    row, column = at
    return 5 * abs(row - y) + 2 * max(0, start - column, column - stop + 1)
