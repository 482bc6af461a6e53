"""A bar for each value of a sweep, the knee named below: where a curve stays flat and where it rises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .dots import Graph
from .histogram import ASCII, EIGHTHS
from .lines import Line

GUTTER = 9
_LEAST = 3
"""Columns of a bar with the gap beside it."""


class SweepBar(NamedTuple):
    """One value."""

    label: str
    effect: float | None
    """None: not known, or not yet."""
    marked: bool = False
    """The knee."""


def sweep_bars(shown: Sequence[SweepBar], width: int, height: int, top: str, name: str, graph: Graph) -> list[Line]:
    """Rows of the picture, `height` of them, its last two the values and the mark. `top`: what the longest bar stands for; it
    fills all rows. `name`: what is drawn.
    """
    rows, room = height - 2, (width - GUTTER) // max(1, len(shown))
    if rows < 2 or room < _LEAST:
        return [((" not enough room to draw", "dim"),)]
    room = min(room, 12)
    most = max((bar.effect for bar in shown if bar.effect is not None), default=0.0) or 1.0
    glyphs = ASCII if graph == "ascii" else EIGHTHS
    lines: list[Line] = []
    for below in reversed(range(rows)):
        number = top if below == rows - 1 else "0" if below == 0 else ""
        line: Line = ((f"{number:>{GUTTER - 2}} ", "dim"),)
        for bar in shown:
            level = 0 if not bar.effect else max(1, round(bar.effect / most * rows * 8)) - 8 * below
            glyph = glyphs[max(0, min(8, level))]
            line = (*line, (" " + glyph * (room - 1), "warn" if bar.marked else "accent"))
        lines.append(line)
    labels: Line = ((" " * (GUTTER - 1), ""), *((f" {bar.label:<{room - 1}}"[:room], "dim") for bar in shown))
    knees = tuple((f" {'^knee' if bar.marked else '':<{room - 1}}", "warn") for bar in shown)
    return [*lines, labels, ((f"{name:<{GUTTER - 1}}"[: GUTTER - 1], "dim"), *knees)]
