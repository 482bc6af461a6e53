"""How many columns of a terminal a text takes, and texts broken and cut by that: the one place that counts them."""

from __future__ import annotations

import re
import textwrap

from .sanitize import sanitize

NARROW = re.compile("[ -~\xa0-\xac\xae-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u21ff\u2500-\u25fc\u2713\u2717\u2800-\u28ff]*")
"""Letters of one column each, all that our own words are made of: wcwidth's tables take 10 ms to import."""


def width_of(text: str) -> int:
    """Columns that a text takes; it must draw only (`sanitize.sanitize`), control characters count as none."""
    if NARROW.fullmatch(text):
        return len(text)
    from wcwidth import wcswidth

    whole = wcswidth(text)
    return whole if whole >= 0 else sum(max(0, wcswidth(letter)) for letter in text)


def cut(text: str, room: int) -> str:
    """The beginning of a text that fits into `room` columns; no letter is parted from its accents."""
    if width_of(text) <= room:
        return text
    if NARROW.fullmatch(text):
        return text[: max(0, room)]
    from wcwidth import iter_graphemes

    kept = ""
    for letter in iter_graphemes(text):
        if width_of(kept + letter) > room:
            break
        kept += letter
    return kept


def shortened(text: str, room: int) -> str:
    """A name cut in its middle to `room` columns: what tells names apart is often at the end."""
    text, room = sanitize(text), max(1, room)
    if width_of(text) <= room:
        return text
    tail = text[-max(1, (room - 1) // 2) :]
    while width_of(tail) > (room - 1) // 2:
        tail = tail[1:]
    head = text[: room - 1]
    while width_of(head) + width_of(tail) > room - 1:
        head = head[:-1]
    return f"{head}…{tail}"


def fill(text: str, room: int, first: str = "", following: str = "") -> list[str]:
    """A text over rows of `room` columns: broken at spaces and hyphens, inside words only where one is longer than a row.

    Args:
        text: one line that only draws.
        room: columns of a row, what stands before it included.
        first: what stands before the first row.
        following: what stands before the others.
    """
    if NARROW.fullmatch(text):
        return textwrap.wrap(text, room, initial_indent=first, subsequent_indent=following)
    from wcwidth import wrap

    return wrap(text, room, initial_indent=first, subsequent_indent=following)
