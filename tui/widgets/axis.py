"""The axis below still pictures: round numbers, a tick each, the unit at the right end."""

from __future__ import annotations

import math

from .lines import Line

_STEPS = (1.0, 2.0, 5.0, 10.0)
TICK_ROOM = 10
"""Columns that a tick wants for its number."""


def ticks(low: float, high: float, width: int, room: int = TICK_ROOM) -> list[tuple[int, str]]:
    """Place and number of each tick on an axis of `width` columns, or rows, from `low` to `high`, one in `room`."""
    if high <= low or width < 2:
        return []
    least = (high - low) / max(1, width // room)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * k for k in _STEPS if power * k >= least * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(place(n * step, low, high, width), f"{n * step:.{places}f}") for n in range(first, last + 1)]


def place(value: float, low: float, high: float, width: int) -> int:
    """The column of a value; one past an end is at the end."""
    return max(0, min(width - 1, round((value - low) / (high - low) * (width - 1)))) if high > low else 0


def axis_lines(low: float, high: float, width: int, gutter: int, unit: str) -> list[Line]:
    """Two rows: the line with its ticks, and their numbers."""
    marks = ["─"] * width
    numbers = [" "] * (width + gutter)
    for column, text in ticks(low, high, width):
        marks[column] = "┴"
        start = max(0, gutter + column - len(text) // 2)
        taken = numbers[max(0, start - 1) : start + len(text) + 1]
        if start + len(text) <= gutter + width - len(unit) - 1 and not "".join(taken).strip():
            numbers[start : start + len(text)] = text
    numbers[-len(unit) :] = unit
    return [((" " * gutter, ""), ("".join(marks), "dim")), (("".join(numbers), "dim"),)]


def whole_parts(text: str, room: int) -> str:
    """As many of the parts of a text, three blanks between them, as fit into `room` columns; never half a part."""
    if len(text) <= room:
        return text
    return text[: max(0, text.rfind("   ", 0, room + 3))]
