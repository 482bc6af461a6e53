"""A few labelled points over two axes, as rows of styled text: the Pareto front of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .chart import label, nice_range
from .lines import Line

GUTTER = 7


class Dot(NamedTuple):
    """One point."""

    x: float
    y: float
    name: str
    front: bool


def scatter(dots: Sequence[Dot], width: int, height: int, x_unit: str, y_unit: str) -> list[Line]:
    """Rows of the picture, `height` of them; names are written beside the points where there is room."""
    full = height >= 9  # below that the points need the rows of the unit and the legend
    plot_rows, plot_width = height - (4 if full else 2), width - GUTTER - 2
    if not dots or plot_rows < 3 or plot_width < 12:
        return [((" not enough figures or room to draw", "dim"),)]
    xs = nice_range(min(d.x for d in dots), max(d.x for d in dots))
    ys = nice_range(min(d.y for d in dots), max(d.y for d in dots))
    canvas = [[(" ", "")] * plot_width for _ in range(plot_rows)]
    for dot in sorted(dots, key=lambda d: d.front):
        column = round((dot.x - xs[0]) / (xs[1] - xs[0]) * (plot_width - 1))
        row = round((ys[1] - dot.y) / (ys[1] - ys[0]) * (plot_rows - 1))
        canvas[row][column] = ("●" if dot.front else "○", "good" if dot.front else "value")
    for dot in sorted(dots, key=lambda d: not d.front):
        column = round((dot.x - xs[0]) / (xs[1] - xs[0]) * (plot_width - 1))
        row = round((ys[1] - dot.y) / (ys[1] - ys[0]) * (plot_rows - 1))
        _write(canvas[row], column, dot)
    lines: list[Line] = [((f" {y_unit}", "dim"),)] if full else []
    for n, cells in enumerate(canvas):
        marked = n in (0, plot_rows // 2, plot_rows - 1)
        value = label(ys[1] - (ys[1] - ys[0]) * n / (plot_rows - 1), ys[1] - ys[0]) if marked else ""
        lines.append(((f"{value:>{GUTTER - 1}} ┤", "dim"), *cells))
    lines.append((("       ┼" + "─" * plot_width, "dim"),))
    left, right = label(xs[0], xs[1] - xs[0]), f"{label(xs[1], xs[1] - xs[0])} {x_unit}"
    lines.append(((" " * (GUTTER + 1) + left + right.rjust(plot_width - len(left)), "dim"),))
    legend = (
        " ● on the front   ○ beaten by another" if any(dot.front for dot in dots) else ""
    )  # of what shares no baseline: none
    return [*lines, ((legend, "dim"),)] if full else lines


def _write(cells: list[tuple[str, str]], column: int, dot: Dot) -> None:
    """The name right of the point, or left of it where the right is taken."""
    for start in (column + 2, column - 1 - len(dot.name)):
        place = range(start, start + len(dot.name))
        if place.start >= 0 and place.stop <= len(cells) and all(cells[i][0] == " " for i in place):
            for i, ch in zip(place, dot.name, strict=True):
                cells[i] = (ch, "value" if dot.front else "dim")
            return
