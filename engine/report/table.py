"""Text tables that fit the terminal: columns as wide as needed, the widest wrapped when there is too little room.

Colour is the caller's: `paint` gets a text and a tone and gives it back, with escape codes or without.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Collection, Sequence

from .visible import visible

Paint = Callable[[str, str], str]
"""(text, tone) to text; tones are better, worse, dim, head, accent and the empty one."""
GAP = 2
NARROWEST = 9


def plain(text: str, tone: str) -> str:
    """A paint without colour."""
    del tone
    return text


def table(
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    tones: Sequence[Sequence[str]] = (),
    right: Collection[int] = (),
    paint: Paint = plain,
) -> str:
    """Lay rows out in columns.

    Args:
        rows: the cells; every row has as many.
        width: of the terminal, in characters.
        tones: a tone for every cell, shaped like `rows`; empty: none.
        right: columns whose text stands on the right.
        paint: what makes a tone visible.
    """
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = _fit([max(cells(row[n]) for row in rows) for n in range(len(rows[0]))], width)
    lines = []
    for at, row in enumerate(rows):
        wrapped = [_wrap(cell, room) for cell, room in zip(row, widths, strict=True)]
        for line in range(max(len(cell) for cell in wrapped)):
            parts = []
            for n, cell in enumerate(wrapped):
                text = cell[line] if line < len(cell) else ""
                fill = " " * (widths[n] - cells(text))
                tone = tones[at][n] if tones else ""
                shown = paint(text, tone) if text else ""
                parts.append(fill + shown if n in right else shown + fill)
            lines.append((" " * GAP).join(parts).rstrip())
    return "\n".join(lines)


def cells(text: str) -> int:
    """Columns that a text takes on the terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _fit(natural: list[int], width: int) -> list[int]:
    """Shrink the widest columns until the row fits, none below NARROWEST."""
    widths = list(natural)
    while sum(widths) + GAP * (len(widths) - 1) > width:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _wrap(text: str, room: int) -> list[str]:
    """Break at spaces, keeping a leading indent on every line; a word too long is broken."""
    if cells(text) <= room:
        return [text]
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text, room, subsequent_indent=indent + " ", break_on_hyphens=True) or [""]


def paragraph(text: str, width: int, indent: str = "") -> str:
    """A sentence wrapped to the terminal, following lines indented."""
    return textwrap.fill(visible(text), max(20, width), initial_indent=indent, subsequent_indent=indent + "  ")
