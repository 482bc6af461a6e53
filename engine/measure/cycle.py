"""`cycle`: 30 frames in a cycle of one second, five of them real and 25 interference (Zhang et al., Model Compression in Low
Performance Edge Computing).

Interference skips the model: it is captured, resized and postprocessed, and a random output stands in the model's place. A
frame's rate is one over its own processing time, without the wait for its beat.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..schema.workload_figures import FrameSeries, KindRates, RateSpread, Roc, WorkloadFigures
from ..tasks.decoder import Outputs
from .issuer import Array, Compared, Findings, Floats, Issuer, Means
from .paced import beats, wait_until
from .roc import area, area_interval, best_threshold, curve
from .whole_frames import INFERENCE, PARTS, block_means, frame_times, work_of

FRAMES = 30
REAL = 5
CYCLE_S = 1.0
_RANDOM_OUTPUTS = 8
"""Drawn before anything is timed, and taken by turns."""
_IN_DOCUMENT = 900
"""Frames that the document holds, the first; all of them are in the run's folder."""
_WHISKER = 1.5


class Cycle(NamedTuple):
    """One second of frames."""

    took_ns: NDArray[np.int64]
    """Own processing time of each."""
    real: NDArray[np.bool_]
    late: int
    """Frames that began after their beat, because those before them were not over."""


class CycleIssuer(Issuer):
    """A block is a whole number of cycles; which frames are real is drawn by the seed, alike for all sides."""

    loaded_anew = False

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._work = work_of(means)
        self._draw = np.random.default_rng(means.seed)
        self._random = random_outputs(self._work.outputs(0), np.random.default_rng(means.seed))
        self._cycles: list[Cycle] = []
        self._parts: list[NDArray[np.int64]] = []
        """Of the real frames of each block."""
        self._units: list[int] = []
        """Cycles in each block."""

    def step(self) -> None:
        """A real frame: the longest that there is to do."""
        self._work.frame()

    def unit_s(self, usual_s: float) -> float:
        """A cycle."""
        return max(CYCLE_S, usual_s * REAL)

    def times(self, units: int) -> list[int]:
        """So many cycles; the inferences of their real frames."""
        parts = [row for _ in range(units) for row in self._cycle()]
        self._parts.append(np.array(parts, np.int64))
        self._units.append(units)
        return [row[INFERENCE] for row in parts]

    def issue(self) -> Iterator[int]:
        """A frame at each beat, real ones and interference."""
        beat, kinds = beats(CYCLE_S / FRAMES), self._kinds()
        while True:
            next(beat)
            number, is_real = next(kinds)
            self._work.frame(None if is_real else self._random[number % len(self._random)])
            yield 1

    def _kinds(self) -> Iterator[tuple[int, bool]]:
        """Frame after frame its place in the cycle and whether it is real, drawn anew for each cycle."""
        while True:
            real = np.zeros(FRAMES, np.bool_)
            real[self._draw.choice(FRAMES, REAL, replace=False)] = True
            yield from enumerate(real.tolist())

    def _cycle(self) -> list[list[int]]:
        kinds = list(islice(self._kinds(), FRAMES))
        real = np.array([is_real for _, is_real in kinds], np.bool_)
        start = time.perf_counter_ns()
        took, parts, late = [], [], 0
        for number, is_real in kinds:
            due = start + round(number * 1e9 * CYCLE_S / FRAMES)
            late += time.perf_counter_ns() > due and number > 0
            wait_until(due)
            each = self._work.frame(None if is_real else self._random[number % len(self._random)])
            took.append(sum(each))
            if is_real:
                parts.append(each)
        wait_until(start + round(1e9 * CYCLE_S))
        self._cycles.append(Cycle(np.array(took, np.int64), real, late))
        return parts

    def forget(self, blocks: int) -> None:
        """Their cycles."""
        kept = len(self._units) - blocks
        del self._cycles[sum(self._units[:kept]) :]
        del self._parts[kept:], self._units[kept:]

    def after(self, earlier: Issuer) -> None:
        """Its cycles."""
        assert isinstance(earlier, CycleIssuer)
        self._cycles, self._parts = [*earlier._cycles, *self._cycles], [*earlier._parts, *self._parts]
        self._units = [*earlier._units, *self._units]

    def deciding(self) -> list[Floats]:
        """Whole real frames."""
        return [block_means([block.sum(axis=1) for block in self._parts])]

    def told(self) -> Findings:
        """Rates of all frames, of real ones and interference apart, and how well a threshold tells them apart."""
        figures, reasons = rate_figures(self._cycles)
        whole = [block.sum(axis=1) for block in self._parts]
        frame, missing = frame_times(whole)
        means_ms = (np.concatenate(self._parts).mean(axis=0) / 1e6).tolist()
        raw: dict[str, Array] = {
            "frame_ns": np.concatenate([cycle.took_ns for cycle in self._cycles]),
            "real": np.concatenate([cycle.real for cycle in self._cycles]),
            "cycle": np.repeat(np.arange(len(self._cycles)), FRAMES),
        }
        told = msgspec.structs.replace(
            figures,
            kind=self.kind,
            frame_ms=frame,
            parts_ms=dict(zip(PARTS, means_ms, strict=True)),
            postprocess=self._work.finishing,
            late=sum(cycle.late for cycle in self._cycles),
        )
        return Findings(told, missing | reasons, raw, compared={"frame_ratio": Compared(block_means(whole))})


def random_outputs(outputs: Outputs, draw: np.random.Generator, many: int = _RANDOM_OUTPUTS) -> list[Outputs]:
    """Outputs of the same shapes and values in random places: each channel is moved round by ways of its own.

    As many sure boxes and peaks are to be postprocessed as in a real output, and there is no sense in them. Uniform noise would
    make thousands of boxes of a detector's head; shuffled, a pose's maps of six peaks have thirty, and take four times as long.
    """
    return [{name: _moved_round(array, draw) for name, array in outputs.items()} for _ in range(many)]


def _moved_round(array: Array, draw: np.random.Generator) -> Array:
    """Maps (channels second) along both sides, rows along the longest axis; whatever is no array of numbers stays as it is."""
    rank = getattr(array, "ndim", 0)
    if not rank or not array.size:
        return array
    axes = tuple(range(2, rank)) if rank > 3 else (int(np.argmax(array.shape)),)
    made = np.array(array)
    channels = np.moveaxis(made, axes, range(-len(axes), 0))
    for place in np.ndindex(channels.shape[: -len(axes)]):
        each = channels[place]
        each[...] = np.roll(each, [int(draw.integers(length)) for length in each.shape], range(each.ndim))
    return made


def rate_figures(cycles: Sequence[Cycle]) -> tuple[WorkloadFigures, dict[str, str]]:
    """Rates and how they are told apart, and why figures that are missing are."""
    took_s = np.concatenate([cycle.took_ns for cycle in cycles]) / 1e9
    real = np.concatenate([cycle.real for cycle in cycles])
    rates = 1 / np.maximum(took_s, 1e-9)
    found = area(took_s[real], took_s[~real])
    low, high = area_interval(found, int(real.sum()), int((~real).sum()))
    threshold, why = threshold_of(cycles[::2], low)
    others = cycles[1::2]
    passed: dict[bool, float | None] = {True: None, False: None}
    if threshold is not None and others:
        own = 1e9 / np.concatenate([cycle.took_ns for cycle in others])
        which = np.concatenate([cycle.real for cycle in others])
        passed = {kind: float((own[which == kind] <= threshold).mean()) for kind in (True, False)}
    reasons = {}
    if threshold is None:
        reasons = dict.fromkeys(("roc.threshold_fps", "roc.real_passed", "roc.interference_passed"), why)
    elif not others:
        reasons = dict.fromkeys(("roc.real_passed", "roc.interference_passed"), "needs a cycle beside those it was chosen on")
    shown = rates[:_IN_DOCUMENT]
    roc = Roc(
        low=low,
        high=high,
        points=tuple(curve(took_s[real], took_s[~real])),
        threshold_fps=threshold,
        real_passed=passed[True],
        interference_passed=passed[False],
    )
    figures = WorkloadFigures(
        frames=FrameSeries(
            fps=tuple(float(f"{rate:.4g}") for rate in shown), real=tuple(real[:_IN_DOCUMENT].tolist()), n=len(rates)
        ),
        rates=KindRates(real=rate_spread(rates[real]), interference=rate_spread(rates[~real])),
        roc_auc=found,
        roc=roc,
    )
    return figures, reasons


def threshold_of(cycles: Sequence[Cycle], low: float) -> tuple[float | None, str]:
    """The frame rate up to which a frame is taken for real, chosen on these cycles; None and why: it would tell nothing.

    low: of the area's interval, over all cycles.
    """
    if low <= 0.5:
        return None, "frame rates are not shown to tell real frames from interference"
    took_s = np.concatenate([cycle.took_ns for cycle in cycles]) / 1e9
    real = np.concatenate([cycle.real for cycle in cycles])
    at_s = best_threshold(took_s[real], took_s[~real])
    if not np.isfinite(at_s) or at_s <= 0:
        return None, "frame rates are not shown to tell real frames from interference"
    return 1 / at_s, ""


def rate_spread(rates: NDArray[np.float64]) -> RateSpread:
    """A box plot's figures, quartiles by linear interpolation, whiskers within 1.5 times the box (Tukey 1977)."""
    least, q1, median, q3, most = (float(value) for value in np.percentile(rates, [0, 25, 50, 75, 100]))
    inside = rates[(rates >= q1 - _WHISKER * (q3 - q1)) & (rates <= q3 + _WHISKER * (q3 - q1))]
    return RateSpread(
        n=len(rates),
        mean=float(rates.mean()),
        min=least,
        q1=q1,
        median=median,
        q3=q3,
        max=most,
        iqr=q3 - q1,
        sd=float(rates.std(ddof=1)) if len(rates) > 1 else None,
        low_whisker=float(inside.min()),
        high_whisker=float(inside.max()),
    )
