"""Orders that are balanced, and the loop's decisions on simulated machines; `make bench-statistics` has more of them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import simulated
from edgetui.engine.measure.latency import RULES
from edgetui.engine.measure.paired import within
from edgetui.engine.measure.turns import half_width, orders, share_decided
from simulated import Simulated, by_block, measured, steady

NORMAL = RULES["normal"]


@pytest.mark.parametrize("n", range(1, 8))
def test_each_side_stands_as_often_in_each_place_and_behind_each_other(n):
    rounds = orders(n, 120, 3)
    assert all(sorted(order) == list(range(n)) for order in rounds)
    square = {1: 24, 2: 24, 3: 24, 4: 24, 5: 30, 6: 24, 7: 28}[n]
    for start in range(0, len(rounds) - square + 1, square):
        several = rounds[start : start + square]
        places = Counter((place, side) for order in several for place, side in enumerate(order))
        behind = Counter(pair for order in several for pair in pairwise(order))
        assert len(places) == n * n
        assert len(set(places.values())) == 1
        assert len(behind) == n * (n - 1)
        assert len(set(behind.values())) <= 1


def test_orders_are_those_of_their_seed():
    assert orders(5, 30, 1) == orders(5, 30, 1)[:30] == orders(5, 40, 1)[:30]
    assert orders(5, 30, 1) != orders(5, 30, 2)
    assert orders(3, 0, 0) == []
    with pytest.raises(ValueError, match="no order of 0"):
        orders(0, 4, 0)


def pair(noise, ratio=1.0, ms=5.0):
    return [Simulated("baseline", ms, noise=noise), Simulated("candidate", ms * ratio, noise=noise)]


def test_it_ends_when_the_ratio_is_decided_not_when_each_mean_is():
    """A busy machine slows both sides alike: means known to 15 %, the ratio to 4 %."""
    draw = np.random.default_rng(1)
    busy = draw.lognormal(0, 0.5, 400)
    sides = pair(by_block(0.01, draw))
    rounds = measured(sides, NORMAL, 1, lambda began_s, _: busy[int(began_s / 3)])
    assert share_decided(sides, NORMAL) == 1
    assert half_width(sides) < 0.04
    assert all(side.relative_half_width() > 0.1 for side in sides)
    assert len(rounds) * 0.4 < NORMAL.cap_s / 2


def test_the_widest_of_several_ratios_decides():
    draw = np.random.default_rng(2)
    sides = [*pair(by_block(0.01, draw)), Simulated("guard", 5.0, noise=by_block(0.05, draw))]
    measured(sides, NORMAL, 2)
    assert half_width(sides) > half_width(sides[:2])
    assert half_width(sides) <= NORMAL.half_width
    assert half_width(sides) > half_width(sides[::2])  # corrected for two comparisons


def test_no_interval_is_asked_for_before_there_are_enough_independent_blocks():
    draw = np.random.default_rng(3)
    sides = [Simulated(name, 50.0, noise=simulated.correlated(0.001, draw)) for name in ("baseline", "candidate")]
    assert len(measured(sides, NORMAL, 3)) > 50  # 5 s are 25 blocks


def share(holds, runs):
    """Of so many runs with a generator of their own."""
    return sum(holds(np.random.default_rng([11, run]), run) for run in range(runs)) / runs


@pytest.mark.parametrize(("kind", "size"), [(simulated.white, 0.25), (simulated.correlated, 0.2), (simulated.skewed, 1.0)])
def test_intervals_hold_the_truth_when_they_say_when_to_stop(kind, size):
    held = share(lambda draw, run: simulated.holds(kind(size, draw), kind(size, draw), 2.0, NORMAL, run), 100)
    assert held >= 0.9


def test_what_slows_a_machine_in_time_fakes_no_difference():
    def fakes(machine):
        return lambda draw, run: simulated.shows(pair(by_block(0.02, draw)), NORMAL, run, machine(draw))

    assert share(fakes(lambda _: simulated.drifting(0.2, 10)), 100) <= 0.08
    assert share(fakes(lambda draw: simulated.waving(0.05, 0.6, draw.uniform(0, 6.3))), 300) <= 0.08


def test_a_difference_of_three_percent_is_found_and_drift_fakes_one_where_sides_follow_each_other():
    assert share(lambda draw, run: simulated.shows(pair(by_block(0.02, draw), 1.03), NORMAL, run, steady), 60) >= 0.9
    drift = simulated.drifting(0.2, 10)
    assert share(lambda draw, run: simulated.one_after_the_other(pair(by_block(0.02, draw)), NORMAL, drift), 60) > 0.5


def test_six_alike_claim_no_difference_once_corrected():
    runs = 40
    corrected = share(lambda draw, run: simulated.claims(6, draw, NORMAL, run, correct=True), runs)
    each_alone = share(lambda draw, run: simulated.claims(6, draw, NORMAL, run, correct=False), runs)
    assert corrected <= 0.1
    assert each_alone > 0.15


def test_what_a_workload_compares_decides_too():
    """Latency is known to 1 %, whole frames scatter by 20 %: blocks are taken until they are known as well."""
    draw = np.random.default_rng(5)

    class Framed(Simulated):
        def deciding(self):
            frames = np.random.default_rng(len(self.name)).normal(1, 0.2, len(self.blocks))
            return [*super().deciding(), frames]

    plain, framed = (
        [kind(name, 5.0, noise=by_block(0.01, draw)) for name in ("baseline", "candidate!")] for kind in (Simulated, Framed)
    )
    few, many = (len(measured(sides, NORMAL, 3)) for sides in (plain, framed))
    assert many > 2 * few
    assert half_width(framed) <= NORMAL.half_width


@pytest.mark.parametrize(
    ("half", "shown"),
    [(0.123, "±12.3 %"), (0.1004, "±10.04 %"), (0.0999, "±10.0 %"), (None, "no interval"), (3e6, "more than")],
)
def test_an_interval_that_is_hardly_too_wide_shows_that_it_is(half, shown):
    """`±10.0 % of ±10 % wanted` told of one that missed it."""
    assert within(half, 0.1).startswith(shown)
