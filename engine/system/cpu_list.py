"""The kernel's list form of core numbers."""

from __future__ import annotations

import re

_PART = re.compile(r"[0-9]{1,9}(-[0-9]{1,9})?")
_MOST = 4096


def cpus(text: str | None) -> list[int]:
    """`0,3-5` is 0, 3, 4, 5; what is no list gives none."""
    numbers: list[int] = []
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if _PART.fullmatch(part):
            numbers.extend(range(int(first), min(int(last or first), int(first) + _MOST) + 1))
    return numbers
