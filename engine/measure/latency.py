"""Blocks of inferences of one side: what a preset wants of them, the warm-up, the timed loop, and the figures.

Apart from `turns.py`, which says whose block is next and when there are enough, and knows of no plan.
"""

from __future__ import annotations

import gc
import math
import os
import re
import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..schema.figures import Latency
from ..schema.settings import Preset
from ..schema.spec import CAPS_S
from ..system.reporter import Reporter
from .issuer import Infer, Issuer, timed_once
from .statistics import LEAST_SAMPLES, percentile, serial_half_width


@dataclass(frozen=True)
class Rule:
    """When a preset has seen enough."""

    half_width: float
    """Half width of the 95 % interval of the ratio; of the mean, as a share of it, where one plan is measured alone."""
    measured_s: float
    """Least time inside measured blocks."""
    cap_s: float
    """Longest time the loop may take, both sides together."""
    block_s: float
    samples: int = 64
    warm_up_s: float = 2.0
    least_block_s: float = 0.1
    """A block that was shorter makes the next ones larger."""
    independent: float = 16.0
    """Least number of independent blocks that those measured are worth (`statistics.effective`): ten blocks cannot tell that
    they resemble each other, and `quick`'s interval then holds the mean in 91 % of runs where noise lasts as long as a block.
    """


RULES: dict[Preset, Rule] = {
    "quick": Rule(half_width=0.10, measured_s=1.0, cap_s=CAPS_S["quick"], block_s=0.1),
    "normal": Rule(half_width=0.05, measured_s=5.0, cap_s=CAPS_S["normal"], block_s=0.2),
    "precise": Rule(half_width=0.01, measured_s=5.0, cap_s=CAPS_S["precise"], block_s=0.2),
}
WARM_UP_INFERENCES = 10
MOST_SAMPLES = 100_000
_LOOK_S = 0.005
_QUIET_S = 0.02
"""Without a sign of life this long: a busy machine may hold a spinning thread off for a moment."""
_LONGEST_AWAKE_S = 0.5


def rule_of(preset: Preset, say: Reporter, least_s: float = 0.0) -> Rule:
    """When a preset has seen enough; EDGETUI_MEASURE_S puts so many seconds in its place, and any interval will do.

    That is for tests of what stands around the loop, and said in the run: such figures mean nothing. least_s: what the cap is
    at least, for workloads that take their time.
    """
    wanted = os.environ.get("EDGETUI_MEASURE_S", "")
    if not re.fullmatch(r"\d+(\.\d+)?", wanted) or not (seconds := float(wanted)):
        return replace(RULES[preset], cap_s=max(RULES[preset].cap_s, least_s))
    say.warn(f"EDGETUI_MEASURE_S={wanted}: measured for so many seconds only, too short to decide on")
    return Rule(5.0, seconds, 40 * seconds, seconds / 5, warm_up_s=seconds / 2, least_block_s=seconds / 10, independent=0)


@dataclass
class Record:
    """What was measured of one side, and nothing of how."""

    name: str
    blocks: list[NDArray[np.int64]] = field(default_factory=list, init=False)
    """Nanoseconds of every inference, an array a block."""
    began_ns: list[int] = field(default_factory=list, init=False)
    """Monotonic start of each block."""
    block_s: list[float] = field(default_factory=list, init=False)
    """How long each block took, waiting for beats included."""
    _means_ns: list[float] = field(default_factory=list, init=False)

    def add(self, times_ns: NDArray[np.int64], began_ns: int, window_s: float) -> None:
        """One more block: nanoseconds of its inferences, its monotonic start, and the seconds it took."""
        self.blocks.append(times_ns)
        self.began_ns.append(began_ns)
        self.block_s.append(window_s)
        self._means_ns.append(float(times_ns.mean()))

    def drop(self, blocks: int) -> None:
        """Take so many of the last blocks back: they are measured again."""
        for values in (self.blocks, self.began_ns, self.block_s, self._means_ns):
            del values[len(values) - blocks :]

    @property
    def windows_s(self) -> float:
        """Time inside blocks."""
        return sum(self.block_s)

    def means_ms(self) -> NDArray[np.float64]:
        """Mean of each block."""
        return np.array(self._means_ns) / 1e6

    def deciding(self) -> list[NDArray[np.float64]]:
        """Values of each block, of all that must be known before there are enough of them."""
        return [self.means_ms()]

    def samples_ms(self) -> NDArray[np.float64]:
        """Every inference."""
        return np.concatenate(self.blocks) / 1e6

    @property
    def n(self) -> int:
        """Inferences measured."""
        return sum(len(block) for block in self.blocks)

    @property
    def apart(self) -> bool:
        """Whether each block is a process of its own, which knows nothing of the one before."""
        return False

    def relative_half_width(self) -> float | None:
        """Half width of the 95 % interval of the mean over blocks, as a share of the mean; None: fewer than two blocks."""
        means = self.means_ms()
        half = serial_half_width(means)
        return None if half is None else half / float(means.mean())


@dataclass
class Side(Record):
    """One side's plan and everything measured of it."""

    issuer: Issuer
    awake_s: float = 0.0
    """How long its threads stay awake after an inference; see `stays_awake_s`."""
    per_block: int = 1
    """Units of work in a block."""

    def drop(self, blocks: int) -> None:
        """And what the workload knows of them."""
        super().drop(blocks)
        self.issuer.forget(blocks)

    def deciding(self) -> list[NDArray[np.float64]]:
        """And what the workload compares."""
        return [*super().deciding(), *self.issuer.deciding()]

    @property
    def apart(self) -> bool:
        """Whether it is timed by itself."""
        return self.issuer.apart


def warm_up(side: Side, rule: Rule) -> None:
    """Infer for 2 s and 10 times at least, then settle how many units make a block. Nothing of it is kept.

    A model so slow that ten inferences take longer than half the preset's cap is warmed up for that long only.
    """
    if side.apart:
        return
    times: list[int] = []
    began = time.perf_counter()
    while True:
        elapsed = time.perf_counter() - began
        enough = len(times) >= WARM_UP_INFERENCES and elapsed >= rule.warm_up_s
        if enough or (times and elapsed > rule.cap_s / 2):
            break
        times.append(timed_once(side.issuer.step))
    usual_s = float(np.median(times[-WARM_UP_INFERENCES:])) / 1e9
    side.per_block = max(1, math.ceil(rule.block_s / max(side.issuer.unit_s(usual_s), 1e-9)))


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


def wait_for_threads_to_sleep(side: Side, awake_s: float) -> None:
    """Infer without measuring until the threads of another plan, awake for `awake_s`, have fallen asleep beside ours.

    It takes them twice as long as alone, because they share the cores with us meanwhile.
    """
    if side.apart:
        return
    until = time.perf_counter() + 2 * awake_s
    side.issuer.infer()
    while time.perf_counter() < until:
        side.issuer.infer()


def take_block(side: Side, rule: Rule) -> None:
    """Measure one block and add it to `side`. The garbage collector is held off meanwhile."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        began_ns, began = time.monotonic_ns(), time.perf_counter()
        times = side.issuer.times(side.per_block)
        window_s = time.perf_counter() - began
    finally:
        if collecting:
            gc.enable()
    side.add(np.array(times, np.int64), began_ns, window_s)
    if window_s < rule.least_block_s and not side.apart:  # faster than while it warmed up: the next blocks are larger
        side.per_block = math.ceil(side.per_block * rule.least_block_s / window_s)


def summarise(side: Record, rule: Rule, *, capped: bool) -> tuple[Latency, dict[str, str]]:
    """The figures of one side, and why those that are missing are (by field name)."""
    samples, means = side.samples_ms(), side.means_ms()
    reasons = {
        f"p{q}": f"needs {least} samples, has {len(samples)}" for q, least in LEAST_SAMPLES.items() if len(samples) < least
    }
    half = serial_half_width(means)
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
        capped=capped,
        wanted_half_width=rule.half_width,
    )
    return latency, reasons
