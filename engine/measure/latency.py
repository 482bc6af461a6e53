"""The measured loop of one side: warm-up, blocks of inferences, and when there are enough of them.

Apart from `paired.py`, which takes the blocks of two sides in turn.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..result import Latency
from ..spec import FlatOut, Paced, Preset, Workload
from .statistics import LEAST_SAMPLES, mean_half_width, percentile

Infer = Callable[[], None]


@dataclass(frozen=True)
class Rule:
    """When a preset has seen enough, of either side."""

    half_width: float
    """Half width of the 95 % interval of the mean, as a share of the mean."""
    measured_s: float
    """Least time inside measured blocks."""
    cap_s: float
    """Longest time the loop may take, both sides together."""
    block_s: float
    samples: int = 64


RULES: dict[Preset, Rule] = {
    "quick": Rule(half_width=0.10, measured_s=1.0, cap_s=10.0, block_s=0.1),
    "normal": Rule(half_width=0.05, measured_s=5.0, cap_s=120.0, block_s=0.2),
    "precise": Rule(half_width=0.01, measured_s=5.0, cap_s=120.0, block_s=0.2),
}
WARM_UP_S, WARM_UP_INFERENCES = 2.0, 10
MOST_SAMPLES = 100_000
_LEAST_BLOCK_S = 0.1
_LONG_BLOCK_S = 1.0
"""Where a block is a process that takes seconds to start."""
_LOOK_S = 0.005
_QUIET_S = 0.02
"""Without a sign of life this long: a busy machine may hold a spinning thread off for a moment."""
_LONGEST_AWAKE_S = 0.5
_SPIN_S = 0.0002
"""A sleep ends up to this late here; the rest of a beat is waited for by looking at the clock."""


@dataclass
class Side:
    """One side's plan and everything measured of it."""

    name: str
    infer: Infer
    workload: Workload = field(default_factory=FlatOut)
    by_itself: Callable[[float], NDArray[np.int64]] | None = None
    """Infers for so many seconds and tells the nanoseconds of every inference, where `infer` is not what is to be timed."""
    awake_s: float = 0.0
    """How long its threads stay awake after an inference; see `stays_awake_s`."""
    per_block: int = 1
    blocks: list[NDArray[np.int64]] = field(default_factory=list)
    """Nanoseconds of every inference, an array a block."""
    began_ns: list[int] = field(default_factory=list)
    """Monotonic start of each block."""
    windows_s: float = 0.0
    """Time inside blocks, waiting for beats included."""
    missed: int = 0
    """Paced: inferences that ended after the next beat."""

    def means_ms(self) -> NDArray[np.float64]:
        """Mean of each block."""
        return np.array([block.mean() for block in self.blocks]) / 1e6

    def samples_ms(self) -> NDArray[np.float64]:
        """Every inference."""
        return np.concatenate(self.blocks) / 1e6

    @property
    def n(self) -> int:
        """Inferences measured."""
        return sum(len(block) for block in self.blocks)

    def relative_half_width(self) -> float | None:
        """Half width of the 95 % interval of the mean over blocks, as a share of the mean; None: fewer than two blocks."""
        means = self.means_ms()
        half = mean_half_width(means)
        return None if half is None else half / float(means.mean())


def warm_up(side: Side, rule: Rule) -> None:
    """Infer for 2 s and 10 times at least, then settle how many inferences make a block. Nothing of it is kept.

    A model so slow that ten inferences take longer than half the preset's cap is warmed up for that long only.
    """
    if side.by_itself is not None:
        return
    times: list[int] = []
    began = time.perf_counter()
    while True:
        elapsed = time.perf_counter() - began
        enough = len(times) >= WARM_UP_INFERENCES and elapsed >= WARM_UP_S
        if enough or (times and elapsed > rule.cap_s / 2):
            break
        times.append(_timed_once(side.infer))
    usual_s = float(np.median(times[-WARM_UP_INFERENCES:])) / 1e9
    if isinstance(side.workload, Paced):
        usual_s = max(usual_s, 1 / side.workload.rate_hz)
    side.per_block = max(1, math.ceil(rule.block_s / max(usual_s, 1e-9)))


def stays_awake_s(infer: Infer) -> float:
    """How long this process goes on using the CPU after an inference has ended: threads that wait for work by spinning.

    ONNX Runtime's do so for 30 ms on two cores. A second session measured within that time is 20 % too slow.
    """
    longest = 0.0
    for _ in range(3):
        for _ in range(5):
            infer()
        ended = seen = time.monotonic()
        while (now := time.monotonic()) - seen < _QUIET_S and now - ended < _LONGEST_AWAKE_S:
            used = time.process_time()
            time.sleep(_LOOK_S)
            if time.process_time() - used > 0.1 * _LOOK_S:
                seen = time.monotonic()
        longest = max(longest, seen - ended)
    return longest


def settle(side: Side, awake_s: float) -> None:
    """Infer without measuring until the threads of another plan, awake for `awake_s`, have fallen asleep beside ours.

    It takes them twice as long as alone, because they share the cores with us meanwhile.
    """
    if side.by_itself is not None:
        return
    until = time.perf_counter() + 2 * awake_s
    side.infer()
    while time.perf_counter() < until:
        side.infer()


def take_block(side: Side) -> None:
    """Measure one block and add it to `side`. The garbage collector is held off meanwhile."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        side.began_ns.append(time.monotonic_ns())
        began = time.perf_counter()
        times = _times(side)
        window_s = time.perf_counter() - began
    finally:
        if collecting:
            gc.enable()
    side.blocks.append(np.array(times, np.int64))
    side.windows_s += window_s
    if window_s < _LEAST_BLOCK_S and side.by_itself is None:  # faster than while it warmed up: the next blocks are larger
        side.per_block = math.ceil(side.per_block * _LEAST_BLOCK_S / window_s)


def _times(side: Side) -> list[int]:
    if side.by_itself is not None:
        return [int(time_ns) for time_ns in side.by_itself(_LONG_BLOCK_S)]
    return _paced(side) if isinstance(side.workload, Paced) else [_timed_once(side.infer) for _ in range(side.per_block)]


def _timed_once(infer: Infer) -> int:
    began = time.perf_counter_ns()
    infer()
    return time.perf_counter_ns() - began


def _paced(side: Side) -> list[int]:
    """One inference at each beat. Beats are counted from the start, so that nothing drifts; those that go by during an
    inference are dropped, as a camera's frames are. The first one waits for its beat like all others: threads and caches have
    cooled down by then, which doubles the time of a small model.
    """
    assert isinstance(side.workload, Paced)
    beat_ns = 1e9 / side.workload.rate_hz
    start = time.perf_counter_ns()
    times: list[int] = []
    beat = 1
    while len(times) < side.per_block:
        due = start + round(beat * beat_ns)
        _wait_until(due)
        times.append(_timed_once(side.infer))
        ended = time.perf_counter_ns()
        if ended - due > beat_ns:
            side.missed += 1
        beat = max(beat + 1, math.ceil((ended - start) / beat_ns))
    return times


def _wait_until(due_ns: int) -> None:
    left_s = (due_ns - time.perf_counter_ns()) / 1e9
    if left_s > _SPIN_S:
        time.sleep(left_s - _SPIN_S)
    while time.perf_counter_ns() < due_ns:
        pass


def enough(side: Side, rule: Rule) -> bool:
    """Whether the preset's rule holds for this side."""
    return share_done(side, rule) >= 1


def share_done(side: Side, rule: Rule) -> float:
    """How much of what the preset wants is there, 0..1: samples, time, and the blocks an interval that narrow needs.

    With `MOST_SAMPLES` it is enough, whatever they say.
    """
    return 1.0 if side.n >= MOST_SAMPLES else _share_reached(side, rule)


def _share_reached(side: Side, rule: Rule) -> float:
    """The same without that limit; so many samples do for the time that a model of microseconds does not take."""
    width = side.relative_half_width()
    narrow = 0.0 if width is None else (rule.half_width / max(width, 1e-12)) ** 2
    long = max(side.windows_s / rule.measured_s, side.n / MOST_SAMPLES)
    return min(side.n / rule.samples, long, narrow, 1.0)


def summarise(side: Side, rule: Rule) -> tuple[Latency, dict[str, str]]:
    """The figures of one side, and why those that are missing are (by field name)."""
    samples, means = side.samples_ms(), side.means_ms()
    reasons = {
        f"p{q}": f"needs {least} samples, has {len(samples)}" for q, least in LEAST_SAMPLES.items() if len(samples) < least
    }
    half = mean_half_width(means)
    if half is None:
        reasons["half_width"] = "needs two blocks, has one"
    quarters = np.percentile(samples, [25, 75])
    latency = Latency(
        mean=float(samples.mean()),
        half_width=half,
        p50=percentile(samples, 50),
        p90=percentile(samples, 90),
        p95=percentile(samples, 95),
        p99=percentile(samples, 99),
        min=float(samples.min()),
        max=float(samples.max()),
        sd=float(samples.std(ddof=1)) if len(samples) > 1 else None,
        iqr=float(quarters[1] - quarters[0]),
        n=len(samples),
        blocks=len(means),
        capped=_share_reached(side, rule) < 1,
        wanted_half_width=rule.half_width,
        missed_deadlines=side.missed if isinstance(side.workload, Paced) else None,
    )
    return latency, reasons
