"""What is asked of the screens that show telemetry alone; apart from both, which open each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ...engine.api import Player


class Shown(NamedTuple):
    """What `edgetui monitor` asks the screen for."""

    player: Player | None = None
    """A recording to show instead of the sensors."""
    rate_hz: float | None = None
    source: str = "auto"
    record: Path | None = None
    """A recording to begin with the first sample."""
    field: bool = False
    """Field mode in place of all."""
