"""A share as a short bar in one row: what a table shows beside a figure."""

from __future__ import annotations

from .dots import Graph

EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def share_bar(share: float, width: int, graph: Graph = "braille") -> str:
    """`share` (0..1) of `width` cells, filled up with blanks; what is not 0 is seen."""
    if graph == "braille":
        eighths = max(1 if share > 0 else 0, round(share * width * 8))
        bar = "█" * (eighths // 8) + EIGHTHS[eighths % 8]
    else:
        bar = ("#" if graph == "ascii" else "█") * max(1 if share > 0 else 0, round(share * width))
    return f"{bar:<{width}}"
