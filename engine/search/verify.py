"""Finding the cheapest mix that half A of the labelled data bears out, with few checks.

Bisection along the front first: sensitivities rank, accuracy only verifies, for at 5 % of discordant pairs 500 samples know a
difference to one point. Then whatever is expected to save most, on the front or near it: sorting by sensitivity alone leaves 15
to 18 % of the cost where fragile units are fragile to different degrees (ResNet-20, 512 mixes, all evaluated), and changing one
or two units of what was asked wins it back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np

from .asked import AccuracyChecks, Checked, Half
from .front import FrontPoint
from .mixes import Floats, Mix, Places, Prices, mix_of, places, total_effect
from .wanted import Wanted

_CHECKS = 12
"""Up to ten units."""
_NEIGHBOURS = 0.005
"""Points of a front whose costs differ by less than this share are one for bisection."""
_WORTH = 0.001
"""A change that is expected to save less than this share is not worth a pass over the data."""
_UNIFORM = 12**-0.5
"""Standard deviation of what may lie anywhere in an interval of length 1."""
_MOST_CHANGED = 24
"""Of longer chains, only so many of the units whose change alone saves most are changed in pairs."""


def checks_for(units: int) -> int:
    """Accuracy checks that a chain of so many units is given, both halves together."""
    return _CHECKS + 2 * max(0, math.ceil(math.log2(max(units, 1) / 10)))


class Checker:
    """Asks for checks, each mix and half once, and counts them."""

    def __init__(self, checks: AccuracyChecks, wanted: Wanted, budget: int) -> None:
        self._checks, self._wanted = checks, wanted
        self.budget = budget
        self.most = wanted.drop
        """Slack of FP32, that of what loses nothing; None: limits say how good outputs must be."""
        self.told: dict[tuple[Mix, Half], Checked] = {}

    @property
    def count(self) -> int:
        """Checks so far, of both halves."""
        return len(self.told)

    def slack(self, mix: Mix, half: Half) -> float | None:
        """By how much it passes; below 0: it does not. None: it would be one check too many."""
        if (mix, half) not in self.told:
            if self.count >= self.budget:
                return None
            self.told[mix, half] = self._checks.check(mix, half)
        return self._wanted.slack(self.told[mix, half])

    def slacks(self, halves: Sequence[Half] = ("A",)) -> list[tuple[Mix, float]]:
        """What these halves said, in the order of asking."""
        return [(mix, self._wanted.slack(judged)) for (mix, half), judged in self.told.items() if half in halves]

    def scatter(self) -> float:
        """How far the slack of a mix may lie from that of others with its sum of effects: a standard error; positive. With half
        of it 3 of 70 simulated searches stopped 5 to 9 % short of the optimum, with all of it none more than 1.2 %.
        """
        wide = [judged.difference.value - judged.difference.low for judged in self.told.values()]
        return max(1e-6, float(np.median(wide)) / 1.96) if wide else 1e-6


def steps_of(points: Sequence[FrontPoint]) -> list[FrontPoint]:
    """Points of a front that differ enough in cost to be worth telling apart, from the least effect to the least cost."""
    kept: list[FrontPoint] = []
    for point in reversed(points):
        if not kept or point.cost > kept[-1].cost * (1 + _NEIGHBOURS):
            kept.append(point)
    return kept[::-1]


def bisect(points: Sequence[FrontPoint], checker: Checker) -> Mix | None:
    """A point of a front that passes on half A, the cheapest asked first, then by halving what lies before the last that failed
    until one passes; None: none was found to. How narrowly they did or did not tells `cheaper_mix` more than halving on would.
    """
    steps = steps_of(points)
    passes = _passes(steps[-1].mix, checker) if steps else None
    while passes is False and len(steps) > 1:
        steps = steps[: max(1, len(steps) // 2)]
        passes = _passes(steps[-1].mix, checker)
    return steps[-1].mix if passes else None


def _passes(mix: Mix, checker: Checker) -> bool | None:
    slack = checker.slack(mix, "A")
    return None if slack is None else slack >= 0


def cheaper_mix(
    best: Mix,
    points: Sequence[FrontPoint],
    prices: Prices,
    effects: Floats,
    allowed: Callable[[Places], Places],
    checker: Checker,
) -> Mix:
    """The cheapest mix found along the front and by changing one or two units of what was asked.

    Next is whatever is expected to save most: its saving times how likely it passes, by what passed and what did not so far.
    What is at least as far from FP32 in every unit as one that clearly failed is not asked.

    allowed: of mixes, those that keep the goal's limits on other quantities.
    """
    along = places([point.mix for point in points]).reshape(-1, len(best))
    while True:
        told = dict(checker.slacks())
        failed = [mix for mix, slack in told.items() if slack < -2 * checker.scatter()]
        pool = np.concatenate([along, *(_changed(mix, prices) for mix in dict.fromkeys((best, *told)))])
        pool = allowed(np.unique(pool, axis=0))
        saved = 1 - prices.total(pool) / prices.of_mix(best)
        saved *= likely(total_effect(effects, pool), effects, checker) * _not_hopeless(pool, places(failed), effects)
        order = np.argsort(-saved, kind="stable")
        after = next((mix for n in order if saved[n] > _WORTH and (mix := mix_of(pool[n])) not in told), None)
        passes = None if after is None else _passes(after, checker)
        if after is None or passes is None:
            return best
        if passes:
            best = after


def _changed(mix: Mix, prices: Prices) -> Places:
    """A mix with one or two units in other formats, itself among them."""
    row = places([mix])[0]
    singles = [(unit, form) for unit in range(len(row)) for form in _formats(prices, unit) if form != row[unit]]
    made = [row, *(_with(row, (each,)) for each in singles)]
    few = sorted(range(len(singles)), key=lambda n: float(prices.total(made[n + 1][None, :])[0]))[:_MOST_CHANGED]
    pairs = combinations(singles if len(row) <= _MOST_CHANGED else [singles[n] for n in few], 2)
    made += [_with(row, pair) for pair in pairs if pair[0][0] != pair[1][0]]
    return np.asarray(np.stack(made), np.intp)


def _formats(prices: Prices, unit: int) -> Iterator[int]:
    return (int(form) for form in np.flatnonzero(np.isfinite(prices.units[unit])))


def _with(row: Places, changes: Sequence[tuple[int, int]]) -> Places:
    other: Places = row.copy()
    for unit, form in changes:
        other[unit] = form
    return other


def likely(sums: Floats, effects: Floats, checker: Checker, halves: Sequence[Half] = ("A",)) -> Floats:
    """How likely mixes with such sums of effects pass, by how narrowly others did or did not.

    What passes less and less with the sum is the slack: a falling step function of those seen (isotonic regression by pooling
    adjacent violators, Ayer et al. 1955), between them straight in the sum's logarithm. Around it slacks scatter normally, and
    between two that were seen they may lie anywhere.
    """
    seen = sorted((float(total_effect(effects, places([mix]))[0]), slack) for mix, slack in checker.slacks(halves))
    if not seen:
        return np.ones(len(sums))
    pooled: list[tuple[float, int]] = []
    for _, slack in seen:
        pooled.append((slack, 1))
        while len(pooled) > 1 and pooled[-2][0] <= pooled[-1][0]:
            (one, many), (other, more) = pooled[-2:]
            pooled[-2:] = [((one * many + other * more) / (many + more), many + more)]
    at = _log(np.array([each for each, _ in seen]))
    falling = np.array([slack for slack, many in pooled for _ in range(many)])
    right = np.clip(np.searchsorted(at, _log(sums)), 0, len(at) - 1)
    between = falling[np.maximum(right - 1, 0)] - falling[right]
    wide = np.hypot(checker.scatter(), between * _UNIFORM)
    slacks = np.interp(_log(sums), at, falling)
    if (
        checker.most is not None
    ):  # what moves outputs less than all that were seen loses less, down to FP32, which loses nothing
        below = np.clip(sums / max(seen[0][0], 1e-12), 0.0, 1.0)
        slacks = np.where(below < 1, np.maximum(checker.most - (checker.most - slacks) * below, slacks), slacks)
    return np.asarray(1 / (1 + np.exp(np.clip(-1.702 * slacks / wide, -50, 50))), np.float64)


def _log(sums: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(sums, 1e-12)), np.float64)


def _not_hopeless(pool: Places, failed: Places, effects: Floats) -> Floats:
    """0 of mixes whose every unit moves the outputs at least as far as the same unit of a mix that failed, else 1."""
    each = np.arange(len(effects))
    good = np.ones(len(pool))
    for row in failed:
        good[(effects[each, pool] >= effects[each, row]).all(axis=1)] = 0.0
    return good
