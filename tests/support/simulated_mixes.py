"""A network that never was: what each mix of formats does to its outputs and costs is known in closed form.

Each sample has a margin, normal around 0.915 standard deviations, so that 82 % are right. A unit in a format adds noise of its
own variance to every margin, and neighbours add some together, so that effects do not quite add up. A few units are fragile.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from edgetui.engine.measure.statistics import paired_difference
from edgetui.engine.search.asked import Bounds, Checked, CostFigures
from edgetui.engine.search.mixes import FORMATS, CostTable, Prices, Reformat, UnitCost, mix_of, places

MARGIN = 0.915
WORD = "latency_ms"


class SimulatedNet:
    """The parts of the search's questions that would run models, and the truth."""

    def __init__(
        self,
        seed,
        units=9,
        formats=("fp32", "int8"),
        fragile=3,
        samples=2500,
        *,
        cost_noise=0.0,
        gain=(0.35, 0.65),
        graded=True,
    ):
        """`graded`: fragile units are so to different degrees, and the bound lies among them; else each alone is beyond it."""
        self.draw = np.random.default_rng(seed)
        self.seed, self.formats, self.cost_noise, self.count = seed, formats, cost_noise, units
        self.fragile = np.sort(self.draw.choice(units, fragile, replace=False))
        self.noise = np.zeros((units, 3))
        self.noise[:, 2] = np.exp(self.draw.uniform(np.log(1e-4), np.log(2e-3), units))
        self.noise[self.fragile, 2] = np.exp(
            self.draw.uniform(np.log(0.02 if graded else 1.0), np.log(0.8 if graded else 4.0), fragile)
        )
        self.noise[:, 1] = self.noise[:, 2] * 1e-3
        self.coupling = self.draw.uniform(0, 0.6, units - 1)
        self.halves = {half: self._samples(samples) for half in "AB"}
        self.work = np.exp(self.draw.uniform(np.log(0.3), np.log(2.0), units))
        self.cost = np.stack([np.ones(units), self.draw.uniform(0.5, 0.8, units), self.draw.uniform(*gain, units)], axis=1)
        self.cost *= self.work[:, None]
        self.border = 0.08
        self.asked = []
        self.built = []
        self.beside = []

    def retrained(self):
        """The same layers with other weights: they cost the same, and move the outputs otherwise."""
        other = SimulatedNet(self.seed, units=self.count, cost_noise=self.cost_noise, formats=self.formats)
        draw = np.random.default_rng(self.seed + 5000)
        other.noise = self.noise * np.exp(draw.normal(0, 0.3, self.noise.shape))
        other.coupling, other.work, other.cost, other.border = self.coupling, self.work, self.cost, self.border
        other.seed, other.draw = self.seed + 9000, np.random.default_rng(self.seed + 7000)
        other.halves = {half: other._samples(len(self.halves[half][0])) for half in "AB"}
        return other

    def _samples(self, many):
        margins = self.draw.normal(MARGIN, 1, many)
        return margins, self.draw.normal(size=(many, self.count)), self.draw.normal(size=(many, self.count - 1))

    # what the search knows beforehand

    def table(self, wrong=None):
        """Costs as a profile would tell them; `wrong`: factors on single entries, {(unit, format): factor}."""
        told = self.cost * np.exp(self.draw.normal(0, self.cost_noise, self.cost.shape))
        for (unit, form), factor in (wrong or {}).items():
            told[unit, FORMATS.index(form)] *= factor
        borders = {(a, b): {WORD: self.border} for a in self.formats for b in self.formats if a != b}
        units = [
            UnitCost(name=f"unit{n}", costs={form: {WORD: float(told[n, FORMATS.index(form)])} for form in self.formats})
            for n in range(self.count)
        ]
        return CostTable(units=tuple(units), borders=(Reformat(costs=borders),) * (self.count - 1), fixed={WORD: 0.2})

    def effect(self, unit, form):
        """Half the variance, as KL is of small noise; measured on a few hundred samples."""
        n = int(unit.removeprefix("unit"))
        told = np.random.default_rng([self.seed, n, FORMATS.index(form)]).normal(0, 0.05)
        return float(self.noise[n, FORMATS.index(form)] / 2 * np.exp(told))

    def effects(self):
        return np.array([[self.effect(f"unit{n}", form) for form in FORMATS] for n in range(self.count)])

    # what it asks

    def check(self, mix, half):
        self.asked.append((mix, half))
        before, after = self.right(mix, half)
        mean = after.mean()
        wide = 1.96 * math.sqrt(mean * (1 - mean) / len(after))
        return Checked(
            difference=Bounds(*paired_difference(before, after, seed=7)),
            qualities={"top1": Bounds(float(mean), float(mean - wide), float(mean + wide))},
        )

    def measure(self, mix, beside=()):
        self.built.append(mix)
        self.beside += beside
        ratio = (
            self.true_cost(mix) / self.true_cost(("fp32",) * self.count) * math.exp(self.draw.normal(0, self.cost_noise / 3))
        )
        wide = 1.96 * max(self.cost_noise / 3, 0.003)
        told = {WORD: Bounds(ratio, ratio * math.exp(-wide), ratio * math.exp(wide))}
        others = {other: {WORD: self._over(other, mix, wide)} for other in beside}
        return CostFigures(ratios=told, figures={WORD: ratio * self.true_cost(("fp32",) * self.count)}, beside=others)

    def _over(self, mix, other, wide):
        ratio = self.true_cost(mix) / self.true_cost(other) * math.exp(self.draw.normal(0, self.cost_noise / 3))
        return Bounds(ratio, ratio * math.exp(-wide), ratio * math.exp(wide))

    def right(self, mix, half):
        margins, own, shared = self.halves[half]
        variance, between = self._variances(places([mix]))
        moved = margins + own @ np.sqrt(variance[0]) + shared @ np.sqrt(between[0])
        return (margins > 0).astype(float), (moved > 0).astype(float)

    # the truth

    def _variances(self, rows):
        variance = self.noise[np.arange(self.count), rows]
        return variance, self.coupling * np.sqrt(variance[:, :-1] * variance[:, 1:])

    def true_drop(self, mix):
        """Share of right answers that is lost, over all samples there could be."""
        variance, between = self._variances(places([mix]))
        all_of_it = float(variance.sum() + between.sum())
        return _below(MARGIN) - _below(MARGIN / math.sqrt(1 + all_of_it))

    def true_prices(self):
        units = np.where([form in self.formats for form in FORMATS], self.cost, np.inf)
        borders = np.where(np.eye(3, dtype=bool), 0.0, self.border)
        return Prices(units=units, borders=np.repeat(borders[None], self.count - 1, axis=0), fixed=0.2)

    def true_cost(self, mix):
        return self.true_prices().of_mix(mix)

    def every_mix(self):
        """By rising cost."""
        which = [FORMATS.index(form) for form in self.formats]
        rows = np.array(list(itertools.product(which, repeat=self.count)), np.intp)
        costs = self.true_prices().total(rows)
        order = np.argsort(costs, kind="stable")
        return rows[order], costs[order]

    def optimum(self, drop):
        """The least cost of all mixes that a check of half A would bear out, each of them checked."""
        rows, costs = self.every_mix()
        margins, own, shared = self.halves["A"]
        before = margins > 0
        for start in range(0, len(rows), 200):
            variance, between = self._variances(rows[start : start + 200])
            moved = margins[:, None] + own @ np.sqrt(variance).T + shared @ np.sqrt(between).T
            lost = before.mean() - (moved > 0).mean(axis=0)
            for n in np.flatnonzero(lost <= drop):  # the rest cannot pass
                before_n, after_n = before.astype(float), (moved[:, n] > 0).astype(float)
                apart = after_n - before_n
                if apart.mean() - 1.9 * apart.std() / math.sqrt(len(apart)) + drop < -0.002:
                    continue
                if paired_difference(before_n, after_n, seed=7)[1] >= -drop:
                    return float(costs[start + n]), mix_of(rows[start + n])
        raise AssertionError("FP32 passes always")


def _below(z):
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))
