"""The protocol of a source: what reads sensors."""

from __future__ import annotations

from typing import Protocol

from ...errors import EdgetuiError
from ..sample import Sample


class SourceRefused(EdgetuiError):
    """A source that cannot be used here; `what` is the reason, shown when `auto` passes it over."""

    def __init__(self, what: str, *, fix: str = "let `--source auto` choose, and see `edgetui doctor`") -> None:
        super().__init__(what, fix=fix)


class Source(Protocol):
    """Reads all sensors in one sweep. Used by one thread; `read` never raises for a sensor that fails."""

    name: str
    told: bool
    """It is told values when somebody else reads the sensors, so it is looked at oftener than a value is wanted."""

    def read(self, now_s: float) -> Sample | None:
        """One sample stamped with `now_s`, monotonic seconds; None: nothing new (a source that is told, not asked)."""

    def pace(self, rate_hz: float) -> None:
        """The beat is now this; for sources that are told rather than asked."""

    def settle(self, timeout_s: float) -> None:
        """Wait for what is answered late, such as the power mode."""

    def notes(self) -> tuple[str, ...]:
        """Channels that could not be read, one line each."""

    def close(self) -> None:
        """End what it started."""
