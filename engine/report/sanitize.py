"""Text from elsewhere made safe to show: names and messages may hold characters that a terminal obeys instead of drawing."""

from __future__ import annotations

import re
from functools import cache

REPLACED = "\N{REPLACEMENT CHARACTER}"
_SPACES = "\t\n\v\f\r\x85\u2028\u2029"
_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks that turn the direction of what follows: the end of a name could be drawn as its beginning."""
_TABLE: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(32)},
    **dict.fromkeys((*range(0x7F, 0xA0), *range(0xD800, 0xE000), *map(ord, _TURNING)), REPLACED),
    **dict.fromkeys(map(ord, _SPACES), " "),
}
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


def sanitize(text: str, *, keep: str = "") -> str:
    """One line that only draws: control characters as their pictures, line ends and tabs as spaces, the rest that a terminal
    obeys as a replacement character. `keep`: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return text.translate(_table(keep))


@cache
def _table(keep: str) -> dict[int, str]:
    return {code: shown for code, shown in _TABLE.items() if chr(code) not in keep}


def printed_lines(text: str) -> list[str]:
    """What a tool printed, line by line as its terminal would have been left: without colours, a rewritten line as it was last,
    tabs as spaces.
    """
    lines = _COLOURS.sub("", text).replace("\r\n", "\n").split("\n")
    last = (line.rstrip("\r").rpartition("\r")[2].expandtabs() for line in lines)
    return [sanitize(line) for line in last]
