"""A window of a sweep. Apart from `sweep.py`: events carry it, and whoever reads events need not know what a sweep asks."""

from __future__ import annotations

from msgspec import Struct


class Shot(Struct, frozen=True, kw_only=True):
    """One window in which one point had the board to itself."""

    point: int
    round: int = 0
    begin_s: float | None = None
    """On the machine's monotonic clock, as samples have it; null: nothing was measured, or in processes of their own."""
    end_s: float | None = None
    fps: float | None = None
    """Samples a second."""
    latency_ms: float | None = None
    """Of an inference, the mean."""
    power_w: float | None = None
    hidden_w: float = 0.0
    """Half width of what the sensor's step hides of it."""
    idle_w: float | None = None
    """In this mode, with no plan loaded."""
    scope: str = ""
    """What the power covers."""
    held_back: str = ""
    """Why the machine was held back meanwhile, each time that it was tried; empty: it was not."""
    why_no_power: str = ""
    reason: str = ""
    """Why nothing was measured; empty: it was. The point is not tried again."""
