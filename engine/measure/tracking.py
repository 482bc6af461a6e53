"""`tracking`: frames as `cycle` has them, then a robot that follows a person by them, simulated (Zhang et al.).

Apart from `cycle.py`, whose frames it takes, and `follow_person.py`, which knows no measurement: here what was measured becomes
the stream that the controller sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..schema.figures import Ratio
from ..schema.workload_figures import Tracking
from .cycle import FRAMES, Cycle, CycleIssuer, rate_figures
from .follow_person import EXACT, LONGEST_S, Deviation, Stream, seconds_to_reach
from .issuer import Compared, Findings, Issuer, Means
from .output_deviation import FrameDeviation, deviation_of
from .statistics import as_ratio, t_quantile

REPLICATES = 16
"""Times that the measured cycles are drawn anew: what the figures are not known to is how these differ."""
RUNS = 64
"""Starts in each, the same for all sides."""
_FEWEST_PAIRS = 8
"""Runs of a replicate in which both sides arrive, below which it tells no ratio."""


class TrackingIssuer(CycleIssuer):
    """Each variant's own latencies, its own filter and its own deviations."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        assert means.camera is not None
        self._deviates, self._frames = means.camera.deviates, len(means.camera.frames)
        self._errs, self._felt = means.camera.errs, means.camera.felt
        self._seed = means.seed
        self._deviation: Deviation | None = None
        self._unknown = "outputs cannot be compared where plans are loaded one at a time"
        """Why there is no deviation."""
        self._seconds: NDArray[np.float64] | None = None
        """(replicates, runs) until arrival; None: not simulated yet."""

    def beside(self, baseline: Issuer) -> None:
        """Compare the outputs of every frame with what is truly there; else with the baseline's, which count as right."""
        assert isinstance(baseline, TrackingIssuer)
        if self._errs is None and baseline is self:
            self._deviation = EXACT
            return
        known = [each for number in range(self._frames) if (each := self._felt_in(number, baseline)) is not None]
        self._deviation = deviation_of(known) if known else None
        self._unknown = "there is nothing that could be followed in any frame"

    def _felt_in(self, number: int, baseline: TrackingIssuer) -> FrameDeviation | None:
        outputs = self._work.outputs(number)
        return self._deviates(baseline._work.outputs(number), outputs) if self._errs is None else self._errs(number, outputs)

    def told(self) -> Findings:
        """What `cycle` tells, and the time to reach the person."""
        found = super().told()
        figures, why = self._tracked()
        found.figures = msgspec.structs.replace(found.figures, tracking_s=figures)
        found.reasons |= {f"tracking_s.{field}": text for field, text in why.items()}
        if self._seconds is not None:
            found.raw["tracking_s"] = self._seconds
        seconds = np.zeros((0, RUNS)) if self._seconds is None else self._seconds
        found.compared["tracking_ratio"] = Compared(seconds, ratio_of)
        return found

    def _tracked(self) -> tuple[Tracking, dict[str, str]]:
        others = self._cycles[1::2]
        if len(others) < 2:
            return _nothing("needs two cycles beside those that the threshold was chosen on")
        if self._deviation is None:
            return _nothing(self._unknown)
        threshold = _threshold(self._cycles)
        draw = np.random.default_rng(self._seed)
        seconds = []
        for replicate in range(REPLICATES):
            drawn = draw.integers(0, len(others), len(others))  # alike for all sides, whose cycles were measured in turns
            stream = stream_of([others[n] for n in drawn], threshold)
            seconds.append(seconds_to_reach(stream, self._deviation, RUNS, self._seed + replicate))
        self._seconds = np.array(seconds)
        figures, why = figures_of(self._seconds)
        return msgspec.structs.replace(figures, felt=self._felt), why


def _nothing(why: str) -> tuple[Tracking, dict[str, str]]:
    return Tracking(), dict.fromkeys(("mean", "low", "high", "never"), why)


def _threshold(cycles: Sequence[Cycle]) -> float | None:
    roc = rate_figures(cycles)[0].roc
    return roc.threshold_fps if roc else None


def stream_of(cycles: Sequence[Cycle], threshold_fps: float | None) -> Stream:
    """What the controller sees of these cycles. Without a threshold every frame passes."""
    took_s = np.array([cycle.took_ns for cycle in cycles]).reshape(-1, FRAMES) / 1e9
    real = np.array([cycle.real for cycle in cycles]).reshape(-1, FRAMES)
    passes = np.ones_like(real) if threshold_fps is None else 1 / np.maximum(took_s, 1e-9) <= threshold_fps
    return Stream(took_s, real, passes)


def figures_of(seconds: NDArray[np.float64]) -> tuple[Tracking, dict[str, str]]:
    """Mean over the runs that arrive, its 95 % interval from replicate to replicate, and how many never do.

    A mean of all replicates is no better known than one of them: they all rest on the same measurement.
    """
    arrives = np.isfinite(seconds)
    never = int((~arrives).sum())
    if not arrives.any():
        gone = dict.fromkeys(("mean", "low", "high"), f"no run reached the person within {LONGEST_S:g} s")
        return Tracking(never=never, runs=seconds.size), gone
    mean = float(seconds[arrives].mean())
    each = np.array([row[np.isfinite(row)].mean() for row in seconds if np.isfinite(row).any()])
    if len(each) < 2:
        return Tracking(mean=mean, never=never, runs=seconds.size), dict.fromkeys(("low", "high"), "only one replicate arrived")
    half = t_quantile(0.975, len(each) - 1) * float(each.std(ddof=1))
    return Tracking(mean=mean, low=max(0.0, mean - half), high=mean + half, never=never, runs=seconds.size), {}


def ratio_of(baseline: NDArray[np.float64], other: NDArray[np.float64], confidence: float = 0.95) -> tuple[Ratio, str]:
    """The other over the baseline, of the runs in which both arrive, and its interval between replicates; or why not."""
    if not baseline.size or not other.size:
        return Ratio(), "one of the sides has no time to reach the person"
    logs = []
    for one, two in zip(baseline, other, strict=True):
        both = np.isfinite(one) & np.isfinite(two)
        if both.sum() >= _FEWEST_PAIRS:
            logs.append(math.log(two[both].mean() / one[both].mean()))
    if len(logs) < REPLICATES // 2:
        return Ratio(), f"both reach the person in too few runs ({_FEWEST_PAIRS} of {RUNS} are needed)"
    middle = float(np.mean(logs))
    half = t_quantile(0.5 + confidence / 2, len(logs) - 1) * float(np.std(logs, ddof=1))
    value, low, high = as_ratio(middle, half)
    return Ratio(value=value, low=low, high=high, interleaved=True), ""
