"""Whether the machine was held back while something was measured: a busy clock below its start, or an alert that was on.

Samples in, spans of time out; when to measure again is up to whoever asks (`energy_rounds.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..telemetry.alerts import DEFAULT_RULES, AlertRule, Alerts
from ..telemetry.sample import Sample

BELOW_START = 0.05
"""A clock that is further below its start is throttled."""
BUSY_PCT = 80.0
"""A governor lowers the clock of what has less to do, which is no throttling."""
UNTOLD = "no sensor here tells of clocks under load, or of what holds them down"
_START_READINGS = 3
"""Of which the largest is a clock's start: a governor may still be raising it at the first."""
_LOW_IN_A_ROW = 2
"""One low reading may be an instant of the governor's."""


@dataclass
class _Span:
    """A stretch of time in which the machine was held back, edges included."""

    begin_s: float
    end_s: float
    why: str


class ThrottleWatch:
    """Sees every sample of a measurement, in their order."""

    def __init__(self, rules: tuple[AlertRule, ...] = DEFAULT_RULES) -> None:
        self._alerts = Alerts(rules)
        self._first: dict[str, list[float]] = {}
        self._low: dict[str, int] = {}
        """How often in a row each clock was low that is busy now."""
        self._by_clock = False
        """A clock was what held it back, and only a busy one can say that it is over."""
        self._calm_s = -math.inf
        """When a sample last found nothing."""
        self._span: _Span | None = None
        self._spans: list[_Span] = []
        self.told = False
        """A sample told of a busy clock, or what holds clocks down: only then is no throttling known to be none."""

    def see(self, sample: Sample) -> None:
        """Take a sample in."""
        self.told = self.told or sample.throttled is not None
        self._alerts.update(sample)
        alerts, low = [event.about for event in self._alerts.slowing], self._low_clocks(sample)
        if alerts or low:
            self._by_clock = bool(low)
            self._hold(sample.t_s, [*alerts, *low][0])
        elif not (any(self._low.values()) if self._low else self._by_clock):  # where nothing has to do, clocks tell nothing
            self._by_clock = False
            self._release(sample.t_s)

    def why(self, begin_s: float, end_s: float) -> str:
        """Why the machine was held back at some time between; empty: nothing says so."""
        return next((span.why for span in self._spans if span.begin_s < end_s and begin_s < span.end_s), "")

    def _low_clocks(self, sample: Sample) -> list[str]:
        """Those that have been low for some readings, in words."""
        before, self._low = self._low, {}
        found = []
        for name, mhz in busy_clocks(sample):
            self.told = True
            first = self._first.setdefault(name, [])
            if len(first) < _START_READINGS:
                first.append(mhz)
            below = 1 - mhz / max(first)
            self._low[name] = before.get(name, 0) + 1 if below > BELOW_START else 0
            if self._low[name] >= _LOW_IN_A_ROW:
                found.append(f"{name} clock {100 * below:.0f} % below its start")
        return found

    def _hold(self, t_s: float, why: str) -> None:
        """What happened since the last calm sample counts: nobody knows when between the two it began."""
        if self._span is None:
            self._span = _Span(self._calm_s if math.isfinite(self._calm_s) else t_s, math.inf, why)
            self._spans.append(self._span)

    def _release(self, t_s: float) -> None:
        if self._span is not None:
            self._span.end_s = t_s
            self._span = None
        self._calm_s = t_s


def busy_clocks(sample: Sample) -> Iterator[tuple[str, float]]:
    """(name, MHz) of each clock whose unit has something to do."""
    cores = zip(sample.cpu_freq_mhz, sample.cpu_load_pct, strict=False)
    gpu_mhz = max(sample.gpu_freq_mhz, default=None)
    for name, mhz, load_pct in (
        *((f"core {n}", mhz, load_pct) for n, (mhz, load_pct) in enumerate(cores)),
        ("GPU", gpu_mhz, sample.gpu_load_pct),
        ("EMC", sample.clocks_mhz.get("EMC"), sample.emc_load_pct),
    ):
        if mhz and load_pct is not None and load_pct >= BUSY_PCT:
            yield name, mhz
