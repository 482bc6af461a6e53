"""Lines across a chart from top to bottom, where nothing is drawn: a stage that begins, the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

DIM, CURSOR = "d", "c"
"""What a cell shows, beside `1` and `2` of the two series."""


class UpLine(NamedTuple):
    """One line."""

    column: int
    """A cell of the picture."""
    glyph: str
    kind: str
    name: str = ""
    """Written beside its top where there is room."""


def overlaid(rows: Sequence[tuple[str, str]], gutter: int, lines: Sequence[UpLine]) -> list[tuple[str, str]]:
    """Rows of characters, and for each character what it shows, with the lines in their blank cells."""
    if not lines or not rows:
        return list(rows)
    drawn = []
    for y, (text, who) in enumerate(rows):
        cells = list(text[gutter:])
        kinds = list(who or "1" * len(cells))
        for line in lines:
            if 0 <= line.column < len(cells) and cells[line.column] == " ":
                cells[line.column], kinds[line.column] = line.glyph, line.kind
        for line in lines if y == 0 else ():
            at, end = line.column + 1, line.column + 1 + len(line.name)
            if line.name and line.column >= 0 and end < len(cells) and not "".join(cells[at : end + 1]).strip():
                cells[at:end], kinds[at:end] = list(line.name), [DIM] * len(line.name)
        drawn.append((text[:gutter] + "".join(cells), "".join(kinds)))
    return drawn
