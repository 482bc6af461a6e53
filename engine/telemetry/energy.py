"""Energy of a window of time: the integral of power over monotonic stamps, and what makes it worth believing.

Trapezoids between samples; the edges of the window are interpolated between the samples around them. A source with an
energy counter (RAPL, NVML) gives the difference of its counter instead. Never from a column of averages.
"""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from math import nan
from typing import Protocol

from msgspec import Struct, structs

from .sample import Sample, Stats

LEAST_DISTINCT = 10
LEAST_COVERAGE = 0.8
_GAP_FACTOR = 3.0
"""A distance of more than this many usual ones is a gap."""
_LONGEST_WAIT_S = 1.0
_ALL_ONES_MW = 65535
"""What 16 bits say when nothing has set them."""
TOTAL_JOULES = "total J"
"""The counter that covers what the total covers."""

Point = tuple[float, float]
"""(monotonic seconds, value)."""


class EnergyFigure(Struct, frozen=True, kw_only=True):
    """Energy and power of a window. `joules`, `mean_w` and `peak_w` are None together, and `reason` says why."""

    joules: float | None = None
    mean_w: float | None = None
    peak_w: float | None = None
    """Largest sample inside the window."""
    seconds: float = 0.0
    coverage: float = 0.0
    """Share of the window that lies between samples without a gap."""
    samples: int = 0
    distinct: int = 0
    """Samples with a time of their own inside the window: a reading that was read twice counts once."""
    changes: int = 0
    """How often the value changed from one sample to the next."""
    gaps: int = 0
    longest_gap_s: float = 0.0
    """The longest distance between samples that counts as a gap; 0: none does."""
    effective_rate_hz: float | None = None
    scope: str | None = None
    """What the power covers, as the samples say."""
    method: str = "trapezoid"
    """`trapezoid`, or `counter` where the sensor counts energy itself."""
    reason: str | None = None

    def per(self, inferences: int) -> float | None:
        """Joules of each of `inferences` in the window."""
        return None if self.joules is None or inferences < 1 else self.joules / inferences


def energy(points: Sequence[Point], begin_s: float, end_s: float) -> EnergyFigure:
    """Integrate watts over [begin_s, end_s]. `points` are in order of time; those around the window serve its edges.

    Within a gap, and between an edge and the nearest sample, power is taken as linear and as constant; both are left
    out of `coverage`.
    """
    points = [point for k, point in enumerate(points) if k == 0 or point[0] > points[k - 1][0]]
    inside = [point for point in points if begin_s <= point[0] <= end_s]
    seconds = end_s - begin_s
    facts = _facts(points, inside, begin_s, end_s)
    if facts.reason is not None:
        return facts
    values = [(begin_s, value_at(points, begin_s)), *inside, (end_s, value_at(points, end_s))]
    joules = sum((t1 - t0) * (w0 + w1) / 2.0 for (t0, w0), (t1, w1) in itertools.pairwise(values))
    return _with(facts, joules, joules / seconds, max(watts for _, watts in inside))


def net_joules(gross: EnergyFigure, idle: EnergyFigure) -> float | None:
    """What was used above idle: gross energy minus idle power times the window; None when either is unknown."""
    if gross.joules is None or idle.mean_w is None:
        return None
    return gross.joules - idle.mean_w * gross.seconds


def value_at(points: Sequence[Point], t_s: float) -> float:
    """Linear between samples, constant before the first and after the last."""
    k = bisect.bisect_left(points, (t_s, float("-inf")))
    if k == 0:
        return points[0][1]
    if k == len(points):
        return points[-1][1]
    (t0, v0), (t1, v1) = points[k - 1], points[k]
    return v0 + (v1 - v0) * (t_s - t0) / (t1 - t0)


def _facts(points: Sequence[Point], inside: Sequence[Point], begin_s: float, end_s: float) -> EnergyFigure:
    """Everything but the energy, with the reason against it if there is one."""
    seconds = end_s - begin_s
    distances = [b[0] - a[0] for a, b in itertools.pairwise(points)]
    limit_s = _GAP_FACTOR * statistics.median(distances) if distances else 0.0
    covered_s, gaps = 0.0, []
    for (t0, _), distance in zip(points, distances, strict=False):
        overlap = min(t0 + distance, end_s) - max(t0, begin_s)
        if overlap > 0 and distance > limit_s:
            gaps.append(distance)
        elif overlap > 0:
            covered_s += overlap
    coverage = min(covered_s / seconds, 1.0) if seconds > 0 else 0.0
    span = inside[-1][0] - inside[0][0] if inside else 0.0
    return EnergyFigure(
        seconds=seconds,
        coverage=round(coverage, 6),
        samples=len(inside),
        distinct=len(inside),
        changes=sum(a[1] != b[1] for a, b in itertools.pairwise(inside)),
        gaps=len(gaps),
        longest_gap_s=max(gaps, default=0.0),
        effective_rate_hz=(len(inside) - 1) / span if span > 0 else None,
        reason=_reason(len(inside), coverage, seconds),
    )


def _reason(distinct: int, coverage: float, seconds: float) -> str | None:
    if seconds <= 0:
        return "the window has no length"
    if distinct < LEAST_DISTINCT:
        return f"only {distinct} distinct power samples in {seconds:.3g} s; {LEAST_DISTINCT} are needed"
    if coverage < LEAST_COVERAGE:
        return f"power was seen during {100 * coverage:.0f} % of the window only"
    return None


def _with(facts: EnergyFigure, joules: float, mean_w: float, peak_w: float, method: str = "trapezoid") -> EnergyFigure:
    return structs.replace(facts, joules=joules, mean_w=mean_w, peak_w=peak_w, method=method)


class Readings(Protocol):
    """What a window reads from: a sampler's client, or a recording that plays."""

    def newest(self) -> Sample | None:
        """The newest sample."""

    def newest_number(self) -> int:
        """Its number."""

    def since(self, n: int) -> Iterable[tuple[int, Sample]]:
        """Samples after number `n`; to be gone through once."""

    def stats(self) -> Stats:
        """What the sampler says about itself."""


class Window:
    """Energy between now and `end()`. In a window longer than the ring (a minute at 20 Hz) call `poll()` now and then."""

    def __init__(self, readings: Readings, rail: str | None = None) -> None:
        self._readings, self._rail = readings, rail
        self._seen = max(readings.newest_number() - 1, 0)
        self._past = PowerPast()
        self.begin_s = time.monotonic()

    def poll(self) -> None:
        """Take over what the ring has, before it is overwritten."""
        for n, sample in self._readings.since(self._seen):
            self._seen = n
            self._past.add(sample, _power(sample, self._rail))

    def end(self, end_s: float | None = None) -> EnergyFigure:
        """The figure for `begin_s` to `end_s` (None: now). Waits up to a second for a sample after the end."""
        end_s = time.monotonic() if end_s is None else end_s
        give_up_s = time.monotonic() + _LONGEST_WAIT_S
        self.poll()
        while self._past.newest_s < end_s and time.monotonic() < give_up_s:
            time.sleep(0.005)
            self.poll()
        figure = self._past.figure(self.begin_s, end_s, self._rail)
        if figure.samples == 0 and not any(True for _ in self._past.points()):
            notes = " (" + "; ".join(self._readings.stats().notes) + ")" if self._readings.stats().notes else ""
            return EnergyFigure(seconds=figure.seconds, reason=f"no power reading on this board{notes}")
        return figure


class PowerPast:
    """What samples said of power, oldest first: 25 bytes each, where a sample takes 2.5 kB."""

    def __init__(self) -> None:
        self._times_s, self._mw, self._joules = array("d"), array("d"), array("d")
        self._silent = bytearray()
        """1: it told neither a total nor what the counter says."""
        self._scopes: list[tuple[int, str | None]] = []
        """What a total covers, and from which sample on."""

    def __len__(self) -> int:
        return len(self._times_s)

    @property
    def newest_s(self) -> float:
        """Of the newest sample, also of one without power; before all times: there is none."""
        return self._times_s[-1] if self._times_s else -math.inf

    def add(self, sample: Sample, mw: int | None) -> None:
        """A sample, and the power that is taken from it; None: none."""
        if not self._scopes or self._scopes[-1][1] != sample.total_scope:
            self._scopes.append((len(self), sample.total_scope))
        joules = sample.counters.get(TOTAL_JOULES)
        self._times_s.append(sample.t_s)
        self._mw.append(nan if mw is None else mw)
        self._joules.append(nan if joules is None else joules)
        self._silent.append(joules is None and sample.total_mw is None)

    def points(self, begin_s: float = -math.inf, end_s: float = math.inf) -> Iterator[tuple[float, int]]:
        """(seconds, milliwatts) where power was told."""
        for t_s, mw in zip(self._times_s, self._mw, strict=True):
            if begin_s <= t_s <= end_s and not math.isnan(mw):
                yield t_s, int(mw)

    @property
    def newest(self) -> tuple[float, int]:
        """(seconds, milliwatts) of the newest that told power; before all times: none did."""
        pairs = zip(reversed(self._times_s), reversed(self._mw), strict=True)
        return next(((t_s, int(mw)) for t_s, mw in pairs if not math.isnan(mw)), (-math.inf, 0))

    def told(self, newest: int) -> list[bool]:
        """Whether power was told by each of so many samples, the newest ones."""
        return [not math.isnan(mw) for mw in self._mw[-newest:]]

    def figure(self, begin_s: float, end_s: float, rail: str | None = None, around_s: float = math.inf) -> EnergyFigure:
        """Energy over a window, of the total or of one rail, of samples so far around it."""
        first_s, last_s = begin_s - around_s, end_s + around_s
        points = [(t_s, mw / 1000.0) for t_s, mw in self.points(first_s, last_s)]
        figure = energy(points, begin_s, end_s)
        counted = self._counted(begin_s, end_s, first_s, last_s) if rail is None else None
        if counted is not None and figure.joules is not None and figure.peak_w is not None:
            figure = _with(figure, counted, counted / figure.seconds, figure.peak_w, "counter")
        return structs.replace(figure, scope=self._scope(first_s, last_s) if rail is None else rail)

    def _scope(self, first_s: float, last_s: float) -> str | None:
        """The first that is said between."""
        for n, (begin, scope) in enumerate(self._scopes):
            end = self._scopes[n + 1][0] if n + 1 < len(self._scopes) else len(self)
            if scope and any(first_s <= t_s <= last_s for t_s in self._times_s[begin:end]):
                return scope
        return None

    def _counted(self, begin_s: float, end_s: float, first_s: float, last_s: float) -> float | None:
        """Joules by the source's own counter; None: it has none, or it began again in between, or was silent for a time."""
        around = [
            (t_s, joules, silent)
            for t_s, joules, silent in zip(self._times_s, self._joules, self._silent, strict=True)
            if first_s <= t_s <= last_s
        ]
        points = [(t_s, joules) for t_s, joules, _ in around if not math.isnan(joules)]
        if len(points) < 2 or points[0][0] > begin_s or points[-1][0] < end_s:
            return None
        before_s, after_s = max(t_s for t_s, _ in points if t_s <= begin_s), min(t_s for t_s, _ in points if t_s >= end_s)
        if any(silent and before_s < t_s < after_s for t_s, _, silent in around):
            return None
        if any(b[1] < a[1] for a, b in itertools.pairwise(points)):
            return None
        return value_at(points, end_s) - value_at(points, begin_s)


def energy_of(samples: Iterable[Sample], begin_s: float, end_s: float, rail: str | None = None) -> EnergyFigure:
    """Energy of the total, or of one rail, over a window of samples."""
    past = PowerPast()
    for sample in samples:
        past.add(sample, _power(sample, rail))
    return past.figure(begin_s, end_s, rail)


def disbelieved(sample: Sample) -> str:
    """What the total says that cannot be; empty: it may be true, or there is none."""
    total = sample.total_mw
    if total is not None and total < 0:
        return "less than 0 W"
    if total == _ALL_ONES_MW or (total is not None and total > _ALL_ONES_MW and _ALL_ONES_MW in sample.rails_mw.values()):
        return f"{_ALL_ONES_MW} mW, which is 16 bits that nothing has set"
    return ""


def believed_mw(sample: Sample) -> int | None:
    """The total; None: there is none, or it cannot be."""
    return None if disbelieved(sample) else sample.total_mw


def _power(sample: Sample, rail: str | None) -> int | None:
    return believed_mw(sample) if rail is None else sample.rails_mw.get(rail)
