"""The protocol of a source: what reads sensors."""

from __future__ import annotations

from typing import Protocol

from ...errors import EdgetuiError, Fix, Fixes
from ..channel import Notes, Remark
from ..sample import Sample

_ANOTHER = Fix("let {} choose, and see `edgetui doctor`", "source", "auto")


class SourceRefused(EdgetuiError):
    """A source that cannot be used here; `what` is the reason, shown when `auto` passes it over."""

    def __init__(self, what: str, *, fix: Fixes = _ANOTHER, mend: str = "") -> None:
        """`mend`: the command that would make it usable."""
        super().__init__(what, fix=fix)
        self.mend = mend


class Source(Protocol):
    """Reads all sensors in one sweep. Used by one thread; `read` never raises for a sensor that fails."""

    name: str
    pushed: bool
    """A command or a service reads the sensors and pushes values to us: it is looked at more often than a value is wanted."""

    averaged_s: float | None = None
    """A reading of power is a mean over so many seconds; None: of an instant, as far as is known."""

    gpus: tuple[str, ...] = ()
    """The graphics cards that it reads, as their driver names them."""

    def read(self, now_s: float) -> Sample | None:
        """One sample stamped with `now_s`, monotonic seconds; None: nothing new (of a pushed source)."""

    def set_rate(self, rate_hz: float) -> None:
        """Samples are wanted at this rate from now on: nothing to change where sensors are read when asked; pushed sources pass
        it on to who reads them.
        """
        del rate_hz

    def settle(self, timeout_s: float) -> None:
        """Wait for what is answered late, such as the power mode."""
        del timeout_s

    def notes(self) -> tuple[str, ...]:
        """Channels that could not be read, one line each."""

    def remark(self, about: str) -> Remark | None:
        """What was noted about one of them, by its name or a word of `telemetry.channel`; None: nothing."""

    def close(self) -> None:
        """End what it started."""


class NotedSource(Source, Protocol):
    """A source that keeps one list of what could not be read."""

    _notes: Notes

    def notes(self) -> tuple[str, ...]:
        """See `Source`."""
        return self._notes.lines()

    def remark(self, about: str) -> Remark | None:
        """See `Source`."""
        return self._notes.remark(about)
