"""A power mode as a value: light, as whatever samples a board knows it."""

from __future__ import annotations

from msgspec import Struct


class PowerMode(Struct, frozen=True):
    """A mode as the board's own file numbers and names it; numbers mean something else on each board."""

    id: int
    name: str
