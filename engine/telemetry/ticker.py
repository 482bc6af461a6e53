"""When the next sample is due, on the monotonic clock, and what a sampler's own figures are."""

from __future__ import annotations

import time
from collections import deque

_CATCH_UP_S = 0.05
"""A beat that is this late is still taken, with its true time; later ones are gaps."""
_WINDOW = 11
"""Marks one second apart: rates are over the last ten seconds."""


class Ticker:
    """Equal distances from a start. A late beat does not move the ones after it."""

    def __init__(self, rate_hz: float, start_s: float) -> None:
        self.rate_hz = rate_hz
        self.gaps = 0
        self._start_s, self._k = start_s, 0

    @property
    def due_s(self) -> float:
        """Monotonic second of the next beat."""
        return self._start_s + self._k / self.rate_hz

    def done(self, now_s: float) -> None:
        """A beat was taken; those that `now_s` has already left behind by more than the catch-up are gaps."""
        self._k += 1
        late_s = now_s - self.due_s
        if late_s > _CATCH_UP_S:
            missed = int(late_s * self.rate_hz) + 1
            self._k += missed
            self.gaps += missed

    def set_rate(self, rate_hz: float, now_s: float) -> None:
        """Another rate from now on."""
        self.rate_hz, self._start_s, self._k = rate_hz, now_s, 0


class RateMeter:
    """Rates and cost over the last ten seconds, from marks set once a second."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int, int, float]] = deque(maxlen=_WINDOW)

    def mark(self, now_s: float, samples: int, distinct: int) -> None:
        """Note how far the counts are."""
        self._marks.append((now_s, samples, distinct, time.process_time()))

    def per_second(self) -> tuple[float | None, float | None, float | None]:
        """(samples a second, changes a second, share of a core); None before there are two marks."""
        if len(self._marks) < 2:
            return None, None, None
        first, last = self._marks[0], self._marks[-1]
        span = last[0] - first[0]
        samples, distinct, cpu = ((last[k] - first[k]) / span for k in (1, 2, 3))
        return round(samples, 3), round(distinct, 3), round(cpu, 5)
