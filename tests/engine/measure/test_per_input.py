"""Samples timed one by one on simulated machines: when they are known, how they spread, and when no spread is claimed."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.measure.per_input import (
    InputRule,
    figures_of,
    in_passes,
    ratio_over_inputs,
    rule_here,
    spread_of,
    spread_p,
)
from edgetui.engine.system.reporter import NullReporter

RULE = InputRule(block_s=0.1)


class Machine:
    """Blocks of 0.1 s whose means scatter by `sd`; inputs take `ms`, and the machine slows by `drift` a second."""

    def __init__(self, ms, seed=0, sd=0.02, drift=0.0):
        self.ms, self.sd, self.drift = ms, sd, drift
        self.draw, self.now, self.taken = np.random.default_rng(seed), 0.0, []

    def take(self, name, number):
        self.now += 0.1
        self.taken.append((name, number))
        return self.ms[name][number] * (1 + self.drift * self.now) * (1 + self.sd * self.draw.uniform(-1.7, 1.7))

    def blocks(self, rule=RULE, seed=0):
        names = tuple(self.ms)
        return in_passes(names, len(self.ms[names[0]]), self.take, rule, seed, NullReporter(), lambda: self.now)


def alike(inputs=12, ms=2.0):
    return {"baseline": [ms] * inputs, "candidate": [ms / 2] * inputs}


def test_each_input_is_timed_until_its_interval_is_narrow():
    ms = {"baseline": np.linspace(1, 3, 10), "candidate": np.linspace(0.5, 1.5, 10)}
    found = figures_of(Machine(ms).blocks(), RULE)
    for name, told in found.figures.items():
        assert told.reached == told.n == 10
        assert told.wanted_half_width == 0.05
        assert (found.raw[name]["input_half_ms"] <= 0.05 * found.raw[name]["input_ms"]).all()
        assert told.median_ms == pytest.approx(np.median(ms[name]), rel=0.03)
        assert told.p < 0.001
        kept = np.split(found.raw[name]["input_block_ms"], np.cumsum(found.raw[name]["input_blocks"])[:-1])
        assert [block.mean() for block in kept] == pytest.approx(found.raw[name]["input_ms"])
        assert spread_p([block.tolist() for block in kept])[0] == told.p
    ratio = found.ratios["candidate", "baseline"]
    assert ratio.low < 0.5 < ratio.high


def test_noisy_inputs_get_more_blocks_and_those_that_are_known_none():
    few, many = (len(Machine(alike(), sd=sd).blocks()["baseline"][0]) for sd in (0.01, 0.1))
    assert few == RULE.passes
    assert many > few


def test_when_time_is_up_it_says_how_many_are_known():
    rule = InputRule(block_s=0.1, cap_s=2.0)
    told = figures_of(Machine(alike(4), sd=0.5).blocks(rule), rule).figures["baseline"]
    assert told.reached < told.n == 4


def test_variants_and_inputs_come_in_an_order_that_is_drawn():
    one, again, other = Machine(alike(6)), Machine(alike(6)), Machine(alike(6))
    one.blocks(seed=1)
    again.blocks(seed=1)
    other.blocks(seed=2)
    assert one.taken[:12] == again.taken[:12] != other.taken[:12]
    assert sorted(one.taken[:12]) == sorted((name, n) for name in ("baseline", "candidate") for n in range(6))


@pytest.mark.parametrize("drift", [0.0, 0.02])
def test_inputs_that_take_equally_long_are_not_shown_to_spread(drift):
    """In 5 % of runs by chance; with a drift of 2 % a second too, which reads as spread where inputs come one after another."""
    claimed = sum(spread_p(Machine(alike(), seed=seed, drift=drift).blocks()["baseline"])[0] < 0.05 for seed in range(100))
    assert claimed <= 12
    if drift:
        machine = Machine(alike(), drift=drift)
        in_a_row = [[machine.take("baseline", n) for _ in range(8)] for n in range(12)]
        assert spread_p(in_a_row)[0] < 0.001


def test_the_same_plan_twice_has_no_ratio_but_one():
    held = 0
    for seed in range(50):
        machine = Machine({"baseline": [2.0] * 10, "candidate": [2.0] * 10}, seed=seed)
        ratio = figures_of(machine.blocks(), RULE).ratios["candidate", "baseline"]
        held += ratio.low <= 1 <= ratio.high
    assert held >= 43


def test_five_numbers_by_hand():
    told = spread_of(np.array([1.0, 2, 3, 4, 10]), 5, 0.05, 0.01)
    assert (told.min_ms, told.q1_ms, told.median_ms, told.q3_ms, told.max_ms, told.iqr_ms) == (1, 2, 3, 4, 10, 2)
    assert told.mean_ms == 4
    assert told.sd_ms == pytest.approx(3.5355339)


def test_the_analysis_of_variance_by_hand():
    """Logs of three inputs in two passes; F has 2 and 2 degrees of freedom."""
    logs = np.array([[0.0, 0.2], [1.0, 1.4], [2.0, 2.0]])
    rows, columns, middle = logs.mean(1), logs.mean(0), logs.mean()
    between = 2 * ((rows - middle) ** 2).sum() / 2
    rest = ((logs - rows[:, None] - columns + middle) ** 2).sum() / 2
    p_value, why = spread_p(np.exp(logs).tolist())
    assert not why
    assert p_value == pytest.approx(1 / (1 + between / rest))  # of F with 2 and 2: P(F > f) = 1 / (1 + f)


def test_one_input_has_neither_spread_nor_interval():
    found = figures_of(Machine({"baseline": [2.0], "candidate": [1.0]}).blocks(), RULE)
    assert found.figures["baseline"].sd_ms is None
    assert found.reasons["baseline"] == {"p": "needs two inputs and two passes", "sd_ms": "one input has no spread"}
    assert ratio_over_inputs(np.array([2.0]), np.array([1.0])).low is None


def test_blocks_are_shorter_where_tests_ask_for_it(monkeypatch):
    assert rule_here() == InputRule()
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.1")
    assert rule_here().block_s == pytest.approx(0.01)
