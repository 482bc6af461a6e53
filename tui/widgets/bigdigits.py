"""Large digits out of blocks, for figures that are read from afar or in the sun."""

from __future__ import annotations

from .dots import Graph

_FONT = {
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# .#. .#.",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    ".": ". . . . #",
    "-": "... ... ### ... ...",
    "–": "... ... ### ... ...",
    "/": "..# ..# .#. #.. #..",
    " ": ".. .. .. .. ..",
}
"""Five rows of pixels of each letter."""
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
PLAIN, HALF, WHOLE = 1, 3, 5
"""Rows that a figure takes: one row of text; pixels of half a cell; pixels of two cells."""


def rows_of(text: str, rows: int, graph: Graph = "braille") -> list[str]:
    """A figure in so many rows: WHOLE, HALF or PLAIN, whichever is not more than `rows`."""
    ink = "#" if graph == "ascii" else "█"
    if rows < HALF or (graph == "ascii" and rows < WHOLE):
        return [text]
    pixels = ["", "", "", "", ""]
    for letter in text:
        for n, part in enumerate(_FONT.get(letter, _FONT[" "]).split()):
            pixels[n] += part + "."
    if rows >= WHOLE:
        return ["".join(ink * 2 if pixel == "#" else "  " for pixel in row) for row in pixels]
    pixels.append("." * len(pixels[0]))
    return [
        "".join(_HALVES[above == "#", below == "#"] for above, below in zip(pixels[n], pixels[n + 1], strict=True))
        for n in (0, 2, 4)
    ]


def fitting_rows(texts: list[str], rows: int, columns: int, graph: Graph) -> int:
    """The most rows for each of several figures that all of them have room in."""
    for height in (WHOLE, HALF):
        if height <= rows and all(len(rows_of(text, height, graph)[0]) <= columns for text in texts):
            return height
    return PLAIN
