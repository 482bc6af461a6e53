"""Small pictures as letters: a half block is two pixels, one above the other, so that samples can be seen in any terminal with
colours.

Apart from `lines.py`, whose styles have names: these are colours themselves, two a letter.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.report.width import shortened, width_of
from .lines import Line

UPPER = "▀"


def half_blocks(picture: bytes, width: int) -> list[Line]:
    """Rows of a picture of red, green and blue bytes; its last row is alone where their number is odd."""
    if width < 1:
        return []
    rows = [picture[at : at + 3 * width] for at in range(0, len(picture), 3 * width)]
    drawn = []
    for y in range(0, len(rows), 2):
        above, below = rows[y], rows[y + 1] if y + 1 < len(rows) else b""
        drawn.append(tuple((UPPER, _tone(above[x : x + 3], below[x : x + 3])) for x in range(0, 3 * width, 3)))
    return drawn


def _tone(above: bytes, below: bytes) -> str:
    return f"#{above.hex()} on #{below.hex()}" if below else f"#{above.hex()}"


def gallery(pictures: Sequence[tuple[bytes, int, str]], room: int, cell: int, most_rows: int) -> list[Line]:
    """Pictures (bytes, width, label) side by side in `room` columns, each in a cell of `cell` columns with its label below; as
    many as `most_rows` rows hold.
    """
    each = max(1, room // (cell + 1))
    lines: list[Line] = []
    for start in range(0, len(pictures), each):
        shown = pictures[start : start + each]
        drawn = [half_blocks(picture, width) for picture, width, _ in shown]
        high = max(map(len, drawn))
        if lines and len(lines) + high + 1 > most_rows:
            break
        for y in range(high):
            row: Line = ((" ", ""),)
            for picture, (_, width, _) in zip(drawn, shown, strict=True):
                own = picture[y] if y < len(picture) else ((" " * width, ""),)
                row = (*row, *own, (" " * (cell + 1 - width), ""))
            lines.append(row)
        names = [shortened(label, cell) for _, _, label in shown]
        lines.append(((" ", ""), *((name + " " * (cell + 1 - width_of(name)), "dim") for name in names)))
    return lines
