"""The dots of a picture: how a cell is cut into them, and the character of each pattern."""

from __future__ import annotations

from typing import Literal, NamedTuple

Graph = Literal["braille", "block", "ascii"]
_LEFT = (0x01, 0x02, 0x04, 0x40)
_RIGHT = (0x08, 0x10, 0x20, 0x80)


class Dots(NamedTuple):
    """How a cell is cut into dots, and the character of each pattern: bits row by row, left dots first."""

    across: int
    down: int
    cells: tuple[str, ...]


def _braille() -> tuple[str, ...]:
    cells = []
    for mask in range(256):
        bits = sum(_LEFT[i] for i in range(4) if mask >> i & 1) + sum(_RIGHT[i] for i in range(4) if mask >> (4 + i) & 1)
        cells.append(chr(0x2800 + bits) if bits else " ")
    return tuple(cells)


DOTS: dict[Graph, Dots] = {
    "braille": Dots(2, 4, _braille()),
    "block": Dots(1, 2, (" ", "▀", "▄", "█")),
    "ascii": Dots(1, 2, (" ", "'", ".", "|")),
}
