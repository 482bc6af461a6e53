"""A histogram in eighths of a cell: one row or several."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .chart import Graph

EIGHTHS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*%#"


def bars(counts: Sequence[int], width: int, rows: int = 1, graph: Graph = "braille") -> list[str]:
    """Rows of characters, the topmost first: `counts` gathered into at most `width` columns. What is not 0 is seen."""
    if not counts or width < 1:
        return [""] * rows
    columns = min(width, len(counts))
    edges = [n * len(counts) // columns for n in range(columns + 1)]
    sums = [sum(counts[a:b]) for a, b in pairwise(edges)]
    most = max(sums) or 1
    levels = [max(1, round(value / most * rows * 8)) if value else 0 for value in sums]
    glyphs = ASCII if graph == "ascii" else EIGHTHS
    return ["".join(glyphs[max(0, min(8, level - 8 * below))] for level in levels) for below in reversed(range(rows))]
