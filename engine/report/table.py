"""Text tables that fit the terminal: columns as wide as needed, the widest wrapped when there is too little room.

How a report looks is its reader's: a `Paint` gets texts and rows with their tones. `plain` is for files and pipes; the command
line has another for terminals.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from .sanitize import sanitize
from .width import fill, width_of

GAP = 2
NARROWEST = 9

Cells = Sequence[Sequence[str]]


class Paint(Protocol):
    """What a front makes of a report's parts. Tones are better, worse, bad, dim, head, accent, toml (a value of TOML) and the
    empty one; the words alone say as much.
    """

    def __call__(self, text: str, tone: str) -> str:
        """A text in a tone."""
        ...

    def table(self, rows: Cells, *, width: int, tones: Cells = (), right: Collection[int] = (), heads: bool = False) -> str:
        """Rows in columns, without a newline at the end.

        Args:
            rows: the cells; every row has as many.
            width: of the terminal, in columns.
            tones: a tone for every cell, shaped like `rows`; empty: none.
            right: columns whose text stands on the right.
            heads: the first row names the columns.
        """
        ...


class Plain:
    """Without colours and lines."""

    def __call__(self, text: str, tone: str) -> str:
        """The text as it is."""
        del tone
        return text

    def table(self, rows: Cells, *, width: int, tones: Cells = (), right: Collection[int] = (), heads: bool = False) -> str:
        """Columns two spaces apart."""
        del tones, heads
        return table(rows, width=width, right=right)


plain: Paint = Plain()


def table(rows: Cells, *, width: int, right: Collection[int] = ()) -> str:
    """Rows in columns of letters alone; the arguments are those of `Paint.table`."""
    rows = [[sanitize(cell) for cell in row] for row in rows]
    widths = _fit([max(width_of(row[n]) for row in rows) for n in range(len(rows[0]))], width)
    lines = []
    for row in rows:
        wrapped = [_wrap(cell, room) for cell, room in zip(row, widths, strict=True)]
        for line in range(max(len(cell) for cell in wrapped)):
            parts = []
            for n, cell in enumerate(wrapped):
                text = cell[line] if line < len(cell) else ""
                space = " " * (widths[n] - width_of(text))
                parts.append(space + text if n in right else text + space)
            lines.append((" " * GAP).join(parts).rstrip())
    return "\n".join(lines)


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
    if width_of(text) <= room:
        return [text]
    indent = " " * (len(text) - len(text.lstrip()))
    return fill(text, room, following=indent + " ") or [""]


def paragraph(text: str, width: int, indent: str = "") -> str:
    """A sentence wrapped to the terminal, following lines indented."""
    return "\n".join(fill(sanitize(text), max(20, width), indent, indent + "  "))
