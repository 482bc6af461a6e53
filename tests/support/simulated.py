"""Machines that exist as numbers: blocks of simulated latencies go through the product's own turns, by a clock of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from edgetui.engine.measure.latency import Record, Rule
from edgetui.engine.measure.statistics import corrected, paired_ratio, serial_half_width
from edgetui.engine.measure.turns import in_turns
from edgetui.engine.system.reporter import NullReporter
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Noise = Callable[[int], Floats]
"""Factors of mean 1 for so many inferences, one after the other."""
Machine = Callable[[float, float], float]
"""What slows every side alike in a block that begins at so many seconds and takes so many."""

PHI = 0.9


def white(sd: float, draw: np.random.Generator) -> Noise:
    return lambda n: 1 + sd * draw.standard_normal(n)


def correlated(sd: float, draw: np.random.Generator) -> Noise:
    """A first-order autoregressive series, correlation 0.9 from one inference to the next, from block to block as well."""
    decay = PHI ** np.arange(1, 1001)
    last = draw.standard_normal()

    def noise(n: int) -> Floats:
        nonlocal last
        parts = []
        for start in range(0, n, len(decay)):
            size = min(len(decay), n - start)
            steps = math.sqrt(1 - PHI**2) * draw.standard_normal(size)
            series = decay[:size] * last + np.convolve(steps, np.concatenate([[1.0], decay[: size - 1]]))[:size]
            last = series[-1]
            parts.append(series)
        return 1 + sd * np.concatenate(parts)

    return noise


def skewed(sigma: float, draw: np.random.Generator) -> Noise:
    """Lognormal: at sigma 1 one inference in a hundred takes six times the mean."""
    return lambda n: np.exp(sigma * draw.standard_normal(n) - sigma**2 / 2)


def by_block(sd: float, draw: np.random.Generator) -> Noise:
    """Blocks differ, inferences within one hardly do."""
    return lambda n: (1 + sd * draw.standard_normal()) * (1 + 0.01 * draw.standard_normal(n))


def steady(_began_s: float, _took_s: float) -> float:
    return 1.0


def drifting(share: float, over_s: float) -> Machine:
    """Slower and slower: by `share` within `over_s`, and on."""
    return lambda began_s, took_s: 1 + share * (began_s + took_s / 2) / over_s


def waving(share: float, period_s: float, phase: float) -> Machine:
    return lambda began_s, took_s: 1 + share * math.sin(2 * math.pi * (began_s + took_s / 2) / period_s + phase)


@dataclass
class Simulated(Record):
    """A side that takes `ms` an inference, times noise."""

    ms: float
    noise: Noise


def block_s(ms: float, rule: Rule) -> float:
    """What a block takes without noise."""
    return math.ceil(rule.block_s / (ms / 1e3)) * ms / 1e3


def measured(sides: Sequence[Simulated], rule: Rule, seed: int, machine: Machine = steady) -> list[tuple[int, ...]]:
    """Have blocks taken in turns until the rule holds; the order of each round."""
    clock = Clock()
    return in_turns(sides, clock.taker(rule, machine), rule, seed, NullReporter(), clock.monotonic)


class Clock:
    """Time that passes only where blocks are taken, or it is slept."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def taker(self, rule: Rule, machine: Machine) -> Callable[[Simulated], None]:
        """What adds a block to a side."""

        def take(side: Simulated) -> None:
            self.now_s += block_into(side, rule, machine, self.now_s)

        return take


def block_into(side: Simulated, rule: Rule, machine: Machine, now_s: float) -> float:
    """Add a block that begins at `now_s`; the seconds that it took."""
    n = math.ceil(rule.block_s / (side.ms / 1e3))
    times_ms = side.ms * side.noise(n) * machine(now_s, n * side.ms / 1e3)
    took_s = float(times_ms.sum()) / 1e3
    side.add(np.maximum(1, np.round(1e6 * times_ms)).astype(np.int64), round(1e9 * now_s), took_s)
    return took_s


def holds(first: Noise, second: Noise | None, ms: float, rule: Rule, seed: int) -> bool:
    """Whether, of two sides that are alike, the ratio's interval holds 1; of one alone, the mean's the mean."""
    sides = [Simulated("baseline", ms, noise) for noise in (first, second) if noise is not None]
    measured(sides, rule, seed)
    if second is not None:
        return not differ(*sides)
    mean, half = float(sides[0].samples_ms().mean()), serial_half_width(sides[0].means_ms())
    return half is not None and abs(mean - ms) <= half


def shows(sides: Sequence[Simulated], rule: Rule, seed: int, machine: Machine) -> bool:
    """Whether two sides, measured in turns, are said to differ."""
    measured(sides, rule, seed, machine)
    return differ(*sides)


def one_after_the_other(sides: Sequence[Simulated], rule: Rule, machine: Machine) -> bool:
    """Whether two sides are said to differ when all blocks of the second come after those of the first: what others do."""
    now_s = 0.0
    for side in sides:
        while side.windows_s < rule.measured_s:
            now_s += block_into(side, rule, machine, now_s)
    first, second = (side.means_ms()[: min(len(side.blocks) for side in sides)] for side in sides)
    _, low, high = paired_ratio(first, second)
    return low is not None and high is not None and not low <= 1 <= high


def differ(first: Record, second: Record, confidence: float = 0.95) -> bool:
    """Whether the ratio's interval leaves out 1."""
    _, low, high = paired_ratio(first.means_ms(), second.means_ms(), confidence)
    return low is not None and high is not None and not low <= 1 <= high


def claims(n: int, draw: np.random.Generator, rule: Rule, seed: int, *, correct: bool) -> bool:
    """Whether any two of `n` sides that are alike are said to differ."""
    sides = [Simulated(str(k), 5.0, by_block(0.02, draw)) for k in range(n)]
    measured(sides, rule, seed)
    pairs = list(combinations(sides, 2))
    confidence = corrected(len(pairs)) if correct else 0.95
    return any(differ(*two, confidence) for two in pairs)
