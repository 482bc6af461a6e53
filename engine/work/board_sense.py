"""What sensors say of the board now, for limits that move a threshold: watts and the warmest zone.

Apart from `two_plans.py`, which needs no sensor where it has no such limit.
"""

from __future__ import annotations

from pathlib import Path

from ..telemetry.client import open_telemetry

RATE_HZ = 2.0


class BoardSense:
    """Reads the sampler of this board; it goes with the process."""

    def __init__(self, home: Path) -> None:
        self._telemetry = open_telemetry(home, "auto", RATE_HZ)

    def __call__(self) -> tuple[float | None, float | None]:
        """Watts and °C; None: no sensor tells, or none yet."""
        sample = self._telemetry.newest()
        if sample is None:
            return None, None
        hottest = sample.hottest
        return None if sample.total_mw is None else sample.total_mw / 1000, None if hottest is None else hottest[1]

    def close(self) -> None:
        """Let the sampler end, where nobody else reads it."""
        self._telemetry.close()
