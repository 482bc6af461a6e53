"""The search for the mix of formats that serves a goal: the parts of this room in their order.

1. Few built mixes set the table of costs right. 2. The exact front of cost over sensitivity. 3. Bisection along it and cheaper
mixes near it, borne out by half A of the data. 4. The best is built and measured, the table set right again, until the best is
a mix that was measured. 5. Half B, which chose nothing, is asked of the best, and of one more where it refutes it: two
intervals, each wrong on its lower side in 2.5 % of cases, so a claim breaks the bound in 5 % at most. 6. A new measurement says
what it costs.

What other searches learnt of the same layers may stand for 1 (`EarlierSearch`): one built mix and each best one are held
against it, and where they differ by more than noise it is let go, and all is as if nothing had been known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..advice.goals import Goal
from .asked import Answerers, Bounds, Checked, CostFigures, EarlierSearch, effects_of
from .corrected import BuiltMix, Liar, corrected_table
from .front import CostFront, front
from .mix_answer import MixAnswer, Why
from .mixes import FORMATS, CostTable, Mix, Places, Prices, mix_of, places, total_effect
from .verify import Checker, bisect, cheaper_mix, checks_for, likely
from .wanted import wanted

_ON_B = 2
"""Mixes that half B may be asked of."""
_ROUNDS = 4
_STRANGE = 3.0
"""Standard deviations by which a built mix may differ from what a learnt table foretells."""
_TABLE_NOISE = 0.02
"""That of a table which is right, as a logarithm: errors of many entries, which mostly cancel."""


def find_mix(
    table: CostTable,
    goal: Goal,
    asked: Answerers,
    checks: int | None = None,
    builds: int = 12,
    learnt: EarlierSearch | None = None,
) -> MixAnswer:
    """The mix that serves the goal best within its limits.

    checks, builds: how many of each may be asked for at most; `checks_for` where none is said.

    Raises:
        UsageError: what shall be least is not known of every unit.
        ValueError: a sensitivity is negative or no number, or there is no unit.
    """
    if not table.units:
        raise ValueError("a chain of no units")
    return _Search(table, goal, asked, checks or checks_for(len(table.units)), builds, learnt or EarlierSearch()).answer()


class _Search:
    """A search that is going on."""

    def __init__(
        self,
        table: CostTable,
        goal: Goal,
        asked: Answerers,
        checks: int,
        builds: int,
        learnt: EarlierSearch,
    ) -> None:
        self.asked, self.told_table = asked, table
        self.anew, self.first = learnt
        self.wanted = wanted(goal, table)
        self.effects = effects_of(table, asked.effects)
        self.checker = Checker(asked.checks, self.wanted, max(1, checks - 1))
        self.built: list[tuple[Mix, CostFigures]] = []
        self.checks, self.builds = max(2, checks), builds
        self.table = table
        """As measurements so far leave it."""
        self.liars: tuple[Liar, ...] = ()
        self.refuted: list[Mix] = []
        self.last: list[Mix] = []
        """Mixes that were measured for the answer."""

    @property
    def prices(self) -> Prices:
        """Of what shall be least."""
        return self.table.prices(self.wanted.quantity)

    # the order of things

    def answer(self) -> MixAnswer:
        """All of it."""
        self.set_table_right()
        if self.found_front(bounded=False).points[-1].mix == self.table.baseline and self.keeps_limits(self.table.baseline):
            return self.told(self.table.baseline, "dearer")
        best = self.measured_best()
        if best is None:
            return self.nearest()
        if best == self.table.baseline:
            return self.told(best, "none passes")
        return self.claimed(best)

    def set_table_right(self) -> None:
        """Build each format throughout, and one half and half; then what tells apart who is suspected of lying."""
        uniform = self.uniform
        if not uniform:
            return
        last, half = uniform[-1], len(self.table.units) // 2
        if self.anew is not None:
            self.measure(last)
            if self.holds():
                return
        for mix in dict.fromkeys((*uniform, last[:half] + self.table.baseline[half:])):
            if mix not in dict(self.built):
                self.measure(mix)
        while self.builds > len(self.built) + _ROUNDS:
            parted = self.parting(last)
            if parted is None:
                return
            self.measure(parted)

    def holds(self) -> bool:
        """Whether a table that was learnt elsewhere foretells what was built since; where it does not, one is made here."""
        if self.anew is None or not any(map(self.strange, self.built)):
            return True
        self.told_table, self.anew = self.anew(), None
        self.set_right()
        return False

    def strange(self, built: tuple[Mix, CostFigures]) -> bool:
        """Whether the table that was given does not foretell what was measured, by more than noise."""
        mix, figures = built
        for quantity in self.quantities:
            if (ratio := figures.ratios.get(quantity)) is not None:
                prices = self.told_table.prices(quantity)
                off = math.log(ratio.value * prices.of_mix(self.told_table.baseline) / prices.of_mix(mix))
                noise = math.log(max(ratio.high / ratio.low, 1.0)) / (2 * 1.96)
                if abs(off) > _STRANGE * math.hypot(noise, _TABLE_NOISE):
                    return True
        return False

    @property
    def uniform(self) -> list[Mix]:
        """Mixes that have one format wherever a unit has it."""
        lowest: list[Mix] = [tuple(form if form in unit.costs else "fp32" for unit in self.table.units) for form in FORMATS[1:]]
        return [mix for mix in dict.fromkeys(lowest) if mix != self.table.baseline]

    def parting(self, mix: Mix) -> Mix | None:
        """A mix with every other suspect in FP32; None: nobody is suspected with others, or it was built."""
        doubtful = next((liar for liar in self.liars if len(liar.suspects) > 1), None)
        if doubtful is None:
            return None
        spared = {unit for unit, _ in doubtful.suspects[::2]}
        parted = tuple("fp32" if unit.name in spared else form for unit, form in zip(self.table.units, mix, strict=True))
        return None if parted in dict(self.built) or parted == self.table.baseline else parted

    def measured_best(self) -> Mix | None:
        """The cheapest mix that half A bears out and whose cost was measured; None: none keeps the limits."""
        best = None
        for _ in range(_ROUNDS):
            best = self.borne_out()
            if best is None or best == self.table.baseline or best in dict(self.built) or len(self.built) + 1 >= self.builds:
                break
            self.measure(best)
            if not self.holds():
                self.set_table_right()
        if self.first in self.passed() and self.first not in dict(self.built) and len(self.built) + 1 < self.builds:
            self.measure(self.first)  # a table that tells it from the best by less than it errs kept it from being the answer
        return self.measured_less(best)

    def measured_less(self, best: Mix | None) -> Mix | None:
        """A mix that was measured to cost less than the one that the table holds to be best, if half A bears it out too."""
        costs = {mix: self.measured_cost(mix) for mix in dict.fromkeys(mix for mix, _ in self.built)}
        for mix in sorted(costs, key=lambda each: costs[each]):
            if best is None or mix == best or costs[mix] >= costs.get(best, 1.0):
                return best
            slack = self.checker.slack(mix, "A") if self.keeps_limits(mix) else None
            if slack is not None and slack >= 0:
                return mix
        return best

    def measured_cost(self, mix: Mix) -> float:
        """Over FP32's, from all measurements of a mix, each as much as its interval is narrow."""
        told = [figures.ratios[self.wanted.quantity] for each, figures in self.built if each == mix]
        weights = [1 / max(math.log(ratio.high / ratio.low), 1e-3) ** 2 for ratio in told]
        return math.exp(sum(w * math.log(ratio.value) for w, ratio in zip(weights, told, strict=True)) / sum(weights))

    def borne_out(self) -> Mix | None:
        """The cheapest mix by the table of now that half A bears out; None: there is none."""
        points = self.found_front(bounded=True).points
        if self.first is not None and self.first != self.table.baseline and self.keeps_limits(self.first):
            self.checker.slack(self.first, "A")
        if not any(map(self.keeps_limits, self.passed())):
            bisect([point for point in points if point.mix != self.table.baseline], self.checker)
        passed = list(filter(self.keeps_limits, self.passed()))
        if self.baseline_serves():
            passed.append(self.table.baseline)
        if not passed:
            return None
        best = min(passed, key=self.prices.of_mix)
        return cheaper_mix(best, points, self.prices, self.effects, self.within, self.checker)

    def claimed(self, best: Mix) -> MixAnswer:
        """The answer that half B bears out and a new measurement shows."""
        self.checker.budget = min(self.checks, self.checker.count + _ON_B)
        candidate: Mix | None = best
        while candidate is not None:
            slack = self.checker.slack(candidate, "B")
            if slack is not None and slack >= 0:
                return self.shown(candidate)
            if slack is not None:
                self.refuted.append(candidate)
            candidate = None if slack is None else self.step_back()
        return self.told(self.table.baseline, "refuted") if self.baseline_serves() else self.nearest()

    def step_back(self) -> Mix | None:
        """The mix to ask half B of after one that it refuted: on the front, or borne out by half A, of less effect on outputs,
        and of these the one that is expected to save most of FP32's cost, by all that both halves said.
        """
        least = min(self.effect(mix) for mix in self.refuted)
        points = self.found_front(bounded=True).points
        left = [mix for mix in dict.fromkeys((*(point.mix for point in points), *self.passed())) if self.effect(mix) < least]
        rows = self.within(places(left).reshape(-1, len(self.table.units)))
        saved = 1 - self.prices.total(rows) / self.prices.of_mix(self.table.baseline)
        saved *= likely(total_effect(self.effects, rows), self.effects, self.checker, ("A", "B"))
        return mix_of(rows[saved.argmax()]) if saved.max(initial=0.0) > 0 else None

    def shown(self, mix: Mix) -> MixAnswer:
        """A mix that half B bore out, measured once more, in turns with those of one format throughout that are good enough.
        What is shown to be cheaper is the answer, if half B bears it out too.
        """
        self.last.append(mix)
        figures = self.measure(mix, self.rivals(mix))
        if not self.keeps_limits(mix):
            return self.told(self.table.baseline, "not shown") if self.baseline_serves() else self.nearest()
        ratio = figures.ratios[self.wanted.quantity]
        if ratio.high >= 1 and self.baseline_serves():
            return self.shown_before() or self.told(self.table.baseline, "not shown")
        for rival, ratios in figures.beside.items():
            cheaper = self.wanted.quantity in ratios and ratios[self.wanted.quantity].high < 1
            if cheaper and self.keeps_limits(rival) and self.may_show(rival) and self.may_claim(rival):
                slack = self.checker.slack(rival, "B")
                if slack is not None and slack >= 0:
                    return self.shown(rival)
        return self.told(mix, "found", figures)

    def shown_before(self) -> MixAnswer | None:
        """Where the last measurement of the best shows nothing, as beside other work: the cheapest of what was shown to cost
        less than FP32 and both halves bear out, measured once more where that is allowed. None: there is none.
        """
        last = dict(self.built)
        shown = {mix: last[mix] for mix in last if last[mix].ratios[self.wanted.quantity].high < 1 and self.keeps_limits(mix)}
        for mix in sorted(shown, key=self.measured_cost):
            self.checker.budget = min(self.checks, self.checker.count + _ON_B)
            if mix in self.refuted or (self.checker.slack(mix, "A") or 0.0) < 0 or not self.may_claim(mix):
                continue
            slack = self.checker.slack(mix, "B")
            if slack is not None and slack >= 0:
                return self.shown(mix) if self.may_show(mix) else self.told(mix, "found", shown[mix])
            self.refuted += [] if slack is None else [mix]
        return None

    def may_show(self, mix: Mix) -> bool:
        """Whether it may be measured once more, at last, which has not been done."""
        return mix not in self.last and len(self.built) < self.builds

    def may_claim(self, mix: Mix) -> bool:
        """Whether half B was asked of it, or may still be asked of one more."""
        asked = [each for each, half in self.checker.told if half == "B"]
        return mix in asked or len(asked) < _ON_B

    def rivals(self, mix: Mix) -> list[Mix]:
        """Mixes of one format throughout, as far as units have it, that were built and that half A bears out."""
        passed = set(self.passed())
        return [each for each in self.uniform if each in passed and each != mix and each in dict(self.built)]

    # what is asked, and how it is judged

    def measure(self, mix: Mix, beside: Sequence[Mix] = ()) -> CostFigures:
        """Build and measure a mix, and set the table right by all that was."""
        figures = self.asked.costs.measure(mix, beside) if beside else self.asked.costs.measure(mix)
        self.built.append((mix, figures))
        self.set_right()
        return figures

    @property
    def quantities(self) -> tuple[str, ...]:
        """What the table has to foretell: what is limited, and last what shall be least."""
        return tuple(dict.fromkeys((*(limit.key for limit in self.wanted.foretold), self.wanted.quantity)))

    def set_right(self) -> None:
        """The table by all that was measured."""
        self.table = self.told_table
        for quantity in self.quantities:
            built = [BuiltMix(each, told.ratios[quantity]) for each, told in self.built if quantity in told.ratios]
            right = corrected_table(self.table, quantity, built)
            self.table, self.liars = right.table, right.liars

    def found_front(self, *, bounded: bool) -> CostFront:
        """Of the table as it is now."""
        return front(self.prices, self.effects, self.wanted.bounds(self.table) if bounded else ())

    def passed(self) -> list[Mix]:
        """What half A bore out so far."""
        return [mix for mix, slack in self.checker.slacks() if slack >= 0]

    def effect(self, mix: Mix) -> float:
        """The sum of what its units do alone."""
        return float(total_effect(self.effects, places([mix]))[0])

    def within(self, rows: Places) -> Places:
        """Of mixes those that keep all limits on costs, as far as they are known."""
        return rows[[self.keeps_limits(mix_of(row)) for row in rows]] if self.wanted.foretold or self.wanted.measured else rows

    def keeps_limits(self, mix: Mix) -> bool:
        """Whether it keeps the limits that are not about quality, as measured, else as foretold."""
        return self.wanted.beyond(self.table, mix, None, dict(self.built).get(mix)) == 0

    def baseline_serves(self) -> bool:
        """Whether all FP32 keeps the goal. Where limits say how good outputs must be, that is a check; where no table foretells
        what is limited, a measurement.
        """
        base = self.table.baseline
        if self.wanted.measured and base not in dict(self.built) and len(self.built) < self.builds:
            self.measure(base)
        if not self.keeps_limits(base):
            return False
        slack = self.checker.slack(base, "A") if self.wanted.qualities else 0.0
        return slack is not None and slack >= 0

    # the answer

    def nearest(self) -> MixAnswer:
        """Of all that was asked, of FP32, and of the mix that comes nearest to limits on costs: of those that are
        shown to be good enough, else of all, whichever is least beyond.
        """
        asked: dict[Mix, Checked | None] = {}
        if self.wanted.foretold:
            self.towards_limits()
        asked.update((mix, told) for (mix, half), told in self.checker.told.items() if half == "A" and mix not in self.refuted)
        asked.setdefault(self.table.baseline, None)
        built = dict(self.built)

        def rank(mix: Mix) -> tuple[bool, float, float]:
            told = asked[mix]
            far = self.wanted.beyond(self.table, mix, told, built.get(mix))
            unknown = bool(self.wanted.measured) and mix not in built
            return unknown or (told is not None and self.wanted.slack(told) < 0), far, self.prices.of_mix(mix)

        mix = min(asked, key=rank)
        judged = asked[mix]
        short = self.wanted.short_of(self.table, mix, judged, built.get(mix))
        return self.told(None, "none", nearest=mix, beyond=rank(mix)[1], short_of=short)

    def towards_limits(self) -> None:
        """Ask half A for what it bears out with the least of what limits ask for, each as a share of its limit."""
        bounds = self.wanted.bounds(self.table)
        shares = Prices(
            units=np.sum([bound.prices.units / max(bound.most, 1e-12) for bound in bounds], axis=0),
            borders=np.sum([bound.prices.borders / max(bound.most, 1e-12) for bound in bounds], axis=0),
        )
        bisect(front(shares, self.effects).points, self.checker)

    def beside(self, figures: CostFigures) -> tuple[tuple[Mix, Bounds], ...]:
        """What others cost over a mix that was measured in turns with them."""
        known = ((mix, ratios.get(self.wanted.quantity)) for mix, ratios in figures.beside.items())
        return tuple((mix, ratio) for mix, ratio in known if ratio is not None)

    def told(
        self,
        mix: Mix | None,
        why: Why,
        figures: CostFigures | None = None,
        nearest: Mix | None = None,
        beyond: float = 0.0,
        short_of: tuple[str, ...] = (),
    ) -> MixAnswer:
        """The answer with all that led to it."""
        found = self.found_front(bounded=False)
        return MixAnswer(
            mix=mix,
            why=why,
            quantity=self.wanted.quantity,
            nearest=nearest,
            beyond=beyond,
            short_of=short_of,
            cost=None if figures is None else figures.ratios[self.wanted.quantity],
            figures={} if figures is None else figures.figures,
            beside=() if figures is None else self.beside(figures),
            held_out=None if mix is None else self.checker.told.get((mix, "B")),
            refuted=tuple(self.refuted),
            front=found.points,
            table=self.table,
            exact=found.exact,
            liars=self.liars,
            checks=self.checker.count,
            builds=len(self.built),
        )
