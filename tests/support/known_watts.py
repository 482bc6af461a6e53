"""A board whose power at every moment is known, and a clock that passes only where it is waited for."""

from __future__ import annotations

import math
from collections.abc import Callable

from edgetui.engine.measure.issuer import Infer
from edgetui.engine.telemetry.sample import Sample, Stats
from msgspec.structs import replace

IDLE_W = 4.0
BEAT_S = 0.05


class Clock:
    """Time that passes only where it is waited for or worked."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += max(seconds, 1e-4)


class Board:
    """Readings at 20 Hz of a power that the test sets; `said`: what the sensor makes of true watts, seconds from the start."""

    def __init__(
        self,
        clock: Clock,
        said: Callable[[float, float], float | None] = lambda _, watts: watts,
        more: Callable[[float], dict[str, object]] = lambda _: {},
        stats: Stats | None = None,
    ) -> None:
        """`more`: what else samples tell at so many seconds from the start."""
        self._stats = stats or Stats()
        self._clock, self._said, self._more = clock, said, more
        self.began_s = clock.now_s
        self._steps = [(self.began_s - 1, IDLE_W)]
        self._samples: list[tuple[int, Sample]] = []

    def infers(self, watts: float, seconds: Callable[[], float] | float) -> Infer:
        """What takes so many watts above idle, for so many seconds."""

        def infer() -> None:
            self._steps.append((self._clock.now_s, IDLE_W + watts))
            self._clock.now_s += seconds if isinstance(seconds, float) else seconds()
            self._steps.append((self._clock.now_s, IDLE_W))

        return infer

    def newest(self) -> Sample | None:
        self._catch_up()
        return self._samples[-1][1] if self._samples else None

    def newest_number(self) -> int:
        self._catch_up()
        return len(self._samples)

    def since(self, n: int) -> list[tuple[int, Sample]]:
        self._catch_up()
        return self._samples[n:]

    def stats(self) -> Stats:
        return self._stats

    def _catch_up(self) -> None:
        """Means over each beat, as a converter that integrates gives them."""
        while (end_s := self.began_s + (len(self._samples) + 1) * BEAT_S) < self._clock.now_s:
            watts = self._said(end_s - self.began_s, self._mean(end_s - BEAT_S, end_s))
            milliwatts = None if watts is None else round(watts * 1000)
            sample = Sample(t_s=end_s - BEAT_S / 2, total_mw=milliwatts, total_scope="module", rails_mw={"VDD_IN": milliwatts})
            sample = replace(sample, **self._more(end_s - self.began_s))
            self._samples.append((len(self._samples) + 1, sample))

    def _mean(self, begin_s: float, end_s: float) -> float:
        joules = 0.0
        later = [t for t, _ in self._steps[1:]] + [math.inf]
        for (t, watts), until in zip(self._steps, later, strict=True):
            joules += watts * max(0.0, min(end_s, until) - max(begin_s, t))
        self._steps = [step for step, until in zip(self._steps, later, strict=True) if until > begin_s]
        return joules / (end_s - begin_s)
