"""Whole searches: what is claimed is true, what lies is named, and where nothing is better that is said."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.advice.goals import parse_goal
from edgetui.engine.errors import UsageError
from edgetui.engine.search.asked import Answerers, Bounds, CostFigures, EarlierSearch
from edgetui.engine.search.find_mix import find_mix
from edgetui.engine.search.mixes import CostTable, UnitCost
from edgetui.engine.search.verify import checks_for
from msgspec import structs
from simulated_mixes import WORD, SimulatedNet

FP32 = ("fp32",) * 9
ALL_INT8 = ("int8",) * 9
DROP = 0.02


def search(net, goal=f"fastest drop<={DROP}", wrong=None, **limits):
    return find_mix(net.table(wrong), parse_goal(goal), Answerers(net, net, net), **limits)


def test_it_finds_what_is_claimed_on_the_other_half_alone():
    net = SimulatedNet(0)
    found = search(net)
    assert found.why == "found"
    assert net.true_cost(found.mix) <= 1.02 * net.optimum(DROP)[0]
    assert found.checks == len(net.asked) <= 12
    assert found.builds == len(net.built)
    assert net.built[-1] == found.mix  # measured once more, at last
    assert [half for _, half in net.asked] == ["A"] * (found.checks - 1) + ["B"]
    assert found.held_out == net.check(found.mix, "B")
    assert found.cost.value == pytest.approx(net.true_cost(found.mix) / net.true_cost(FP32), rel=1e-6)
    units = f"{found.mix.count('fp32')} units FP32, {found.mix.count('int8')} units INT8"
    cost = f"{found.cost.value:.3g} of FP32's latency_ms (95 %: {found.cost.low:.3g} to {found.cost.high:.3g})"
    assert found.sentence == f"{units}: {cost}"


def test_the_same_answers_bring_the_same_questions():
    one, other = SimulatedNet(3), SimulatedNet(3)
    assert search(one) == search(other)
    assert (one.asked, one.built) == (other.asked, other.built)


@pytest.mark.parametrize("samples", [pytest.param(600, marks=pytest.mark.long), pytest.param(2500, marks=pytest.mark.rare)])
def test_of_200_searches_5_percent_at_most_claim_what_is_not_so(samples):
    nets = [SimulatedNet(seed, samples=samples) for seed in range(200)]
    found = [search(net) for net in nets]
    assert max(each.checks for each in found) <= 12
    claimed = [net.true_drop(each.mix) for net, each in zip(nets, found, strict=True)]
    assert sum(drop > DROP for drop in claimed) <= 10
    # it is no empty claim: most find something, and half A alone would have been wrong more often
    assert sum(each.why == "found" for each in found) > 120
    on_a = [net.true_drop((*each.refuted, each.mix)[0]) for net, each in zip(nets, found, strict=True)]
    assert sum(drop > DROP for drop in on_a) >= sum(drop > DROP for drop in claimed)


@pytest.mark.long
def test_a_lying_layer_is_named_and_the_search_ends_within_three_percent():
    for seed in range(20):
        net = SimulatedNet(seed, cost_noise=0.03, graded=False)
        lying = int(net.draw.integers(9))
        net.cost[lying, 2] *= 10
        found = search(net, wrong={(lying, "int8"): 0.1})
        rows, costs = net.every_mix()
        best = next(cost for row, cost in zip(rows, costs, strict=True) if net.true_drop(_mix(row)) <= DROP)
        assert found.why == "found"
        assert net.true_cost(found.mix) <= 1.03 * best, seed
        assert [(liar.unit, liar.form) for liar in found.liars] == [(f"unit{lying}", "int8")]
        assert len(found.liars[0].suspects) == 1
        assert found.checks <= 12
        assert found.builds <= 12


class Hasty(SimulatedNet):
    """All in INT8 looks slower than it is the first time, as where something else worked meanwhile."""

    in_turns = True

    def measure(self, mix, beside=()):
        told = super().measure(mix, beside)
        if mix == ALL_INT8 and self.built.count(mix) == 1:
            seen = told.ratios[WORD].value * 1.4
            told = structs.replace(told, ratios={WORD: Bounds(seen, seen * 0.8, seen * 1.25)})
        return told if self.in_turns else structs.replace(told, beside={})


@pytest.mark.parametrize(("in_turns", "found_all"), [(True, True), (False, False)])
def test_what_is_found_is_not_slower_than_all_in_int8_where_that_is_good_enough(in_turns: bool, found_all: bool):
    net = Hasty(8, fragile=1, cost_noise=0.03)
    net.noise[:, 2] *= 0.1
    net.in_turns = in_turns
    found = search(net)
    assert found.why == "found"
    assert net.beside == [ALL_INT8], "it was measured in turns with what the table had chosen"
    assert (found.mix == ALL_INT8) == found_all
    assert [half for _, half in net.asked].count("B") == (2 if found_all else 1)


class Disturbed(SimulatedNet):
    """All in INT8 looks cheapest whenever it is measured, and something else works then: nothing is shown of it."""

    always = False

    def measure(self, mix, beside=()):
        told = super().measure(mix, beside)
        if mix == ALL_INT8 or self.always:
            seen = told.ratios[WORD].value * 0.7
            told = structs.replace(told, ratios={WORD: Bounds(seen, seen / 4, max(seen * 4, 1.01))}, beside={})
        return told


@pytest.mark.parametrize("builds", [4, 12])
def test_what_was_shown_to_be_cheaper_is_the_answer_where_what_looks_cheapest_is_not(builds: int):
    net = Disturbed(8, fragile=1, cost_noise=0.03)
    net.noise[:, 2] *= 0.1
    found = search(net, builds=builds)
    assert ALL_INT8 in net.built
    assert found.why == "found"
    assert found.mix not in (ALL_INT8, FP32)
    assert found.cost.high < 1
    assert found.held_out is not None
    assert found.builds <= builds
    assert [half for _, half in net.asked].count("B") <= 2


def test_where_no_measurement_shows_anything_fp32_stays():
    net = Disturbed(8, fragile=1, cost_noise=0.03)
    net.noise[:, 2] *= 0.1
    net.always = True
    found = search(net)
    assert (found.mix, found.why) == (FP32, "not shown")


def test_the_answer_says_what_it_costs_beside_all_in_int8():
    net = SimulatedNet(0)
    found = structs.replace(search(net), beside=((ALL_INT8, Bounds(1.25, 1.0, 2.0)),))
    assert found.sentence.endswith(", 0.8 of that of all INT8 (0.5 to 1)")


class Taught:
    """What a search left, and how often a table had to be made here all the same."""

    def __init__(self, net, found):
        self.net, self.table, self.first, self.made = net, found.table, found.mix if found.why == "found" else None, 0

    def search(self, table=None, first=None):
        asked = Answerers(self.net, self.net, self.net)
        learnt = EarlierSearch(self.anew, first or self.first)
        return find_mix(table or self.table, parse_goal(f"fastest drop<={DROP}"), asked, learnt=learnt)

    def anew(self):
        self.made += 1
        return self.net.table()


def poisoned(table, seed, factor):
    """A third of the layers said to be so much slower in INT8 than they are, a third so much faster."""
    draw, units = np.random.default_rng(seed), []
    for unit in table.units:
        by = draw.choice([factor, 1 / factor, 1.0])
        units.append(structs.replace(unit, costs=unit.costs | {"int8": {WORD: unit.costs["int8"][WORD] * by}}))
    return structs.replace(table, units=tuple(units))


@pytest.mark.long
def test_what_was_learnt_of_layers_saves_builds_and_checks_of_a_model_that_was_trained_again():
    """And where it is false the answer is as good as if nothing had been known."""
    cold, warm, lied, believed = [], [], [], []
    for seed in range(30):
        before = SimulatedNet(seed, cost_noise=0.03)
        found = search(before)
        one, other, third, fourth = (before.retrained() for _ in range(4))
        optimum = one.optimum(DROP)[0]
        cold.append((search(one), one, optimum))
        taught = Taught(other, found)
        warm.append((taught.search(), other, optimum))
        assert taught.made == 0, "noise is no reason to begin anew"
        wrong, against = poisoned(found.table, seed, 4.0), tuple("fp32" if form == "int8" else "int8" for form in found.mix)
        lied.append((Taught(third, found).search(wrong, against), third, optimum))
        asked = Answerers(fourth, fourth, fourth)
        believed.append((find_mix(wrong, parse_goal(f"fastest drop<={DROP}"), asked), fourth, optimum))

    def of(found, what):
        return sum(what(*each) for each in found) / len(found)

    def builds(found, _net, _optimum):
        return found.builds

    def checks(found, _net, _optimum):
        return found.checks

    def dearer(found, net, optimum):
        return net.true_cost(found.mix) / optimum

    assert of(warm, builds) < of(cold, builds) - 0.8
    assert of(warm, checks) < of(cold, checks)
    assert of(lied, builds) <= of(cold, builds) + 0.2
    assert of(lied, checks) <= of(cold, checks) + 1.5, "a mix that was found elsewhere costs one check"
    assert of(warm, dearer) < 1.03
    assert of(lied, dearer) < 1.03
    assert of(believed, dearer) > 1.05, "a table that is held against nothing misleads"
    for found, net, _ in (*warm, *lied):
        assert net.true_drop(found.mix) <= DROP * 1.25


def test_what_was_learnt_is_asked_first_and_never_claimed_without_both_halves():
    before = SimulatedNet(3)
    found = search(before)
    net = before.retrained()
    again = Taught(net, found).search()
    assert net.asked[0] == (found.mix, "A")
    assert net.asked[-1] == (again.mix, "B")
    assert net.built[0] == ("int8",) * 9, "the table is held against a mix of its own"


def test_a_table_of_another_world_is_let_go_at_the_first_build():
    before = SimulatedNet(3)
    found = search(before)
    net = before.retrained()
    slow = structs.replace(
        found.table,
        units=tuple(
            structs.replace(unit, costs=unit.costs | {"int8": {WORD: 5 * unit.costs["fp32"][WORD]}})
            for unit in found.table.units
        ),
    )
    taught = Taught(net, found)
    again = taught.search(slow)
    assert taught.made == 1
    assert again.why == "found"
    assert "int8" in again.mix


def _mix(row):
    return tuple(("fp32", "fp16", "int8")[n] for n in row)


def test_a_table_that_is_believed_would_have_kept_the_lying_layer():
    net = SimulatedNet(0, graded=False)
    lying = next(n for n in range(9) if n not in net.fragile)
    net.cost[lying, 2] *= 10
    assert search(net, wrong={(lying, "int8"): 0.1}).mix[lying] == "fp32"
    honest = SimulatedNet(0, graded=False)
    assert search(honest).mix[lying] == "int8"


def test_where_int8_is_nowhere_faster_the_answer_is_fp32_and_says_so():
    net = SimulatedNet(0, cost_noise=0.03, gain=(1.1, 1.3))
    found = search(net)
    assert (found.mix, found.why, found.checks) == (FP32, "dearer", 0)
    assert found.sentence == "all FP32: by the table of costs no other mix has less latency_ms"


@pytest.mark.parametrize("seed", range(5))
def test_where_only_the_table_says_that_int8_is_faster_nothing_is_claimed(seed):
    net = SimulatedNet(seed, fragile=0, gain=(1.0, 1.0))
    net.border = 0.0
    wrong = {(n, "int8"): 0.9 for n in range(9)}
    found = search(net, wrong=wrong)
    assert found.mix == FP32
    assert found.why in ("dearer", "not shown")


def test_where_every_unit_is_fragile_fp32_stays():
    found = search(SimulatedNet(1, fragile=9, graded=False))
    assert (found.mix, found.why) == (FP32, "none passes")
    assert found.sentence.endswith("no mix with less latency_ms is shown to be as good as the goal wants")


def test_what_half_b_refutes_is_not_claimed():
    class Unlucky(SimulatedNet):
        def check(self, mix, half):
            told = super().check(mix, half)
            return type(told)(difference=Bounds(-0.1, -0.12, -0.08)) if half == "B" else told

    net = Unlucky(0)
    found = search(net)
    assert (found.mix, found.why, found.cost) == (FP32, "refuted", None)
    assert len(found.refuted) == 2
    effects = [sum(net.effect(f"unit{n}", form) for n, form in enumerate(mix)) for mix in found.refuted]
    assert effects[1] < effects[0]


def test_none_is_good_enough():
    found = search(SimulatedNet(3), "fastest top1>=0.95")
    assert (found.mix, found.why, found.nearest, found.short_of) == (None, "none", FP32, ("top1",))
    assert found.sentence == f"none reaches it; nearest is all FP32, {100 * found.beyond:.3g} % beyond top1"


def test_none_is_fast_enough_and_the_nearest_is_the_fastest_that_is_good_enough():
    net = SimulatedNet(3)
    found = search(net, f"fastest latency_ms<=0.5 drop<={DROP}")
    assert (found.mix, found.why, found.short_of) == (None, "none", (WORD,))
    assert "int8" in found.nearest
    assert net.true_drop(found.nearest) <= DROP
    assert found.beyond == pytest.approx(net.true_cost(found.nearest) / 0.5 - 1, rel=0.05)
    assert "none reaches it; nearest is " in found.sentence


def test_a_limit_on_quality_is_kept_by_the_lower_end_of_its_interval():
    found = search(SimulatedNet(3), "fastest top1>=0.79")
    assert found.why == "found"
    assert found.held_out.qualities["top1"].low >= 0.79


def test_a_limit_that_only_a_measurement_can_tell_rules_out():
    class Hot(SimulatedNet):
        def measure(self, mix, beside=()):
            told = super().measure(mix, beside)
            return CostFigures(ratios=told.ratios, figures=told.figures | {"power_w": 20.0})

    found = search(Hot(0), f"fastest power_w<=15 drop<={DROP}")
    assert found.why == "none"
    assert found.short_of == ("power_w",)


def test_a_limit_on_another_quantity_is_kept():
    class Sized(SimulatedNet):
        def table(self, wrong=None):
            told = super().table(wrong)
            for unit in told.units:
                for form, costs in unit.costs.items():
                    costs["size_mb"] = {"fp32": 4.0, "int8": 1.0}[form]
            return told

    free = search(Sized(0))
    most = 4.0 * 9 - 3.0 * free.mix.count("int8") + 3.0  # one unit fewer than it found would do
    found = search(Sized(0), f"fastest size_mb<={most} drop<={DROP}")
    assert found.why == "found"
    assert 36 - 3 * found.mix.count("int8") <= most


def test_what_no_sensor_told_cannot_be_least():
    with pytest.raises(UsageError, match="energy_j is not known here"):
        search(SimulatedNet(0), "least-energy")


def test_a_chain_of_nothing_and_a_sensitivity_that_is_none_are_refused():
    net = SimulatedNet(0)
    with pytest.raises(ValueError, match="no units"):
        find_mix(CostTable(units=()), parse_goal(""), Answerers(net, net, net))
    net.noise[3, 2] = np.nan
    with pytest.raises(ValueError, match="no number"):
        search(net)


def test_one_unit_alone_is_searched_too():
    net = SimulatedNet(2, units=1, fragile=0)
    assert search(net).mix == ("int8",)
    only = CostTable(units=(UnitCost(name="unit0", costs={"fp32": {WORD: 1.0}}),))
    assert find_mix(only, parse_goal(""), Answerers(net, net, net)).mix == ("fp32",)


@pytest.mark.parametrize(("units", "checks"), [(1, 12), (10, 12), (20, 14), (100, 20)])
def test_longer_chains_have_more_checks(units, checks):
    assert checks_for(units) == checks
