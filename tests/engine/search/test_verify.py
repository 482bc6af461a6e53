"""Few checks find what checking every mix would."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.advice.goals import parse_goal
from edgetui.engine.search.front import FrontPoint, front
from edgetui.engine.search.mixes import total_effect
from edgetui.engine.search.verify import Checker, bisect, cheaper_mix, likely, steps_of
from edgetui.engine.search.wanted import wanted
from simulated_mixes import WORD, SimulatedNet

DROP = 0.02


def searched(net, budget=11):
    """The cheapest mix found, the first that passed on the front, and who counted."""
    table, effects = net.table(), net.effects()
    prices, checker = table.prices(WORD), Checker(net, wanted(parse_goal(f"fastest drop<={DROP}"), table), budget)
    points = front(prices, effects).points
    first = bisect(points, checker)
    return cheaper_mix(first or table.baseline, points, prices, effects, lambda rows: rows, checker), first, checker


@pytest.mark.parametrize("seed", range(20))
def test_fragile_units_are_ranked_first(seed):
    net = SimulatedNet(seed, samples=10)
    ranked = np.argsort(-net.effects()[:, 2])
    assert sorted(ranked[: len(net.fragile)]) == list(net.fragile)


def gaps(nets):
    """Cost above that of the exhaustive optimum, of what was found and of the front alone; and most checks."""
    found = [searched(net) for net in nets]
    best = np.array([net.optimum(DROP)[0] for net in nets])
    costs, firsts = (np.array([net.true_cost(one[n]) for net, one in zip(nets, found, strict=True)]) for n in (0, 1))
    assert all(checker.count == len(net.asked) for net, (*_, checker) in zip(nets, found, strict=True))
    return costs / best - 1, firsts / best - 1, max(checker.count for *_, checker in found)


def test_it_ends_within_two_percent_of_the_optimum_of_all_mixes_with_few_checks():
    gap, first, checks = gaps([SimulatedNet(seed, units=7) for seed in range(6)])
    assert gap.max() <= 0.02
    assert first.max() > 0.02  # the front's first that passes is not enough
    assert checks <= 12


@pytest.mark.long
@pytest.mark.parametrize(
    ("units", "formats"),
    [(9, ("fp32", "int8")), (7, ("fp32", "fp16", "int8")), (10, ("fp32", "int8")), (10, ("fp32", "fp16", "int8"))],
    ids=["512 mixes", "2187 mixes", "1024 mixes", "59049 mixes"],
)
def test_twenty_networks_each_with_all_mixes_checked(units, formats):
    gap, _, checks = gaps([SimulatedNet(seed, units, formats) for seed in range(20)])
    assert gap.max() <= 0.02
    assert checks <= 12


def test_all_in_int8_is_asked_first_and_is_enough_where_it_passes():
    net = SimulatedNet(1, fragile=0)
    best, first, checker = searched(net)
    assert best == first == ("int8",) * 9
    assert checker.count == 1


def test_no_check_is_made_past_the_budget():
    net = SimulatedNet(2)
    _, _, checker = searched(net, budget=3)
    assert checker.count == len(net.asked) == 3
    assert checker.slack(("int8",) * 9, "A") is not None  # one that was made is remembered
    assert checker.slack(("int8",) * 8 + ("fp32",), "B") is None


@pytest.mark.long
def test_a_search_over_a_hundred_units_spends_few_checks():
    net = SimulatedNet(5, units=100, fragile=5, samples=1000)
    net.noise[:, 2] /= 10
    best, _, checker = searched(net, budget=20)
    assert checker.count <= 20
    assert net.true_cost(best) < 0.8 * net.true_cost(("fp32",) * 100)
    assert checker.slack(best, "A") >= 0


def test_points_of_nearly_one_cost_are_one_step():
    mixes = [("fp32",), ("fp16",), ("int8",)]
    points = [FrontPoint(mix, effect, cost) for mix, effect, cost in zip(mixes, (0, 1, 2), (10.0, 9.02, 9.0), strict=True)]
    assert [point.cost for point in steps_of(points)] == [10.0, 9.0]


def test_what_moves_outputs_more_is_less_likely_to_pass():
    net = SimulatedNet(3)
    _, _, checker = searched(net)
    effects = net.effects()
    rows, _ = net.every_mix()
    sums = np.sort(total_effect(effects, rows))
    chances = likely(sums, effects, checker)
    assert (np.diff(chances) <= 1e-9).mean() > 0.99
    assert chances[0] > 0.95
    assert chances[-1] < 0.05
