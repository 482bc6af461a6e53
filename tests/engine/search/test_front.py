"""The front against all mixes, one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from edgetui.engine.search import front as room
from edgetui.engine.search.front import Bound, front, unbeaten
from edgetui.engine.search.mixes import CostTable, Prices, Reformat, UnitCost, mix_of, places, total_effect
from hypothesis import given, settings
from hypothesis import strategies as st


def chain(seed, units, formats=3, coarse=False):
    draw = np.random.default_rng(seed)
    costs, borders = draw.uniform(0.1, 2, (units, 3)), draw.uniform(0, 0.8, (max(0, units - 1), 3, 3))
    effects = draw.exponential(1, (units, 3))
    if coarse:  # ties
        costs, borders, effects = np.round(costs), np.round(borders), np.round(effects)
    borders[:, range(3), range(3)] = 0
    effects[:, 0] = 0
    costs[draw.random((units, 3)) < 0.1] = np.inf
    costs[:, 0] = np.where(np.isinf(costs[:, 0]), 3.0, costs[:, 0])
    costs[:, formats:] = np.inf
    return Prices(units=costs, borders=borders, fixed=0.5), effects


def every_mix(units):
    return np.array(list(itertools.product(range(3), repeat=units)), np.intp)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from([2, 3]), st.booleans())
def test_the_front_is_that_of_all_mixes(seed, units, formats, coarse):
    prices, effects = chain(seed, units, formats, coarse)
    mixes = every_mix(units)
    sums = np.stack([total_effect(effects, mixes), prices.total(mixes)], axis=1)
    sums = sums[np.isfinite(sums).all(axis=1)]
    found = front(prices, effects)
    assert found.exact
    np.testing.assert_allclose([point[1:] for point in found.points], sums[unbeaten(sums)], rtol=1e-9, atol=1e-9)
    for point in found.points:  # and the mixes are what they are said to be
        assert prices.of_mix(point.mix) == pytest.approx(point.cost)
        assert total_effect(effects, places([point.mix]))[0] == pytest.approx(point.effect)


@pytest.mark.long
@settings(max_examples=10)
@given(st.integers(0, 10**6), st.floats(0, 10))
def test_the_least_cost_for_a_bound_is_exact_up_to_ten_units(seed, most):
    prices, effects = chain(seed, 10)
    mixes = every_mix(10)
    within = total_effect(effects, mixes) <= most
    costs = prices.total(mixes)[within]
    found = front(prices, effects).cheapest(most)
    assert found is not None
    assert found.cost == pytest.approx(costs.min(), rel=1e-9)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 5), st.floats(0.5, 8))
def test_a_bound_on_another_quantity_is_kept_exactly(seed, units, most):
    prices, effects = chain(seed, units)
    other, _ = chain(seed + 1, units)
    mixes = every_mix(units)
    sums = np.stack([total_effect(effects, mixes), prices.total(mixes)], axis=1)
    sums = sums[np.isfinite(sums).all(axis=1) & (other.total(mixes) <= most)]
    found = front(prices, effects, [Bound(other, most)])
    np.testing.assert_allclose(
        np.array([point[1:] for point in found.points]).reshape(-1, 2),
        sums[unbeaten(sums)].reshape(-1, 2),
        rtol=1e-9,
        atol=1e-9,
    )


def test_a_border_is_dearer_than_what_int8_saves():
    def unit(name):
        return UnitCost(name=name, costs={"fp32": {"latency_ms": 1.0}, "int8": {"latency_ms": 0.8}})

    both = {"latency_ms": 0.45}
    border = Reformat(costs={("fp32", "int8"): both, ("int8", "fp32"): both})
    table = CostTable(units=(unit("a"), unit("b"), unit("c")), borders=(border, border), fixed={"latency_ms": 0.1})
    effects = np.array([[0, 0, 0.01], [0, 0, 5.0], [0, 0, 0.02]])
    found = front(table.prices("latency_ms"), effects)
    assert [point.mix for point in found.points] == [("fp32",) * 3, ("int8",) * 3]
    assert [point.cost for point in found.points] == pytest.approx([3.1, 2.5])
    assert found.cheapest(1.0).mix == table.baseline


def test_what_is_thinned_for_want_of_room_says_so_and_stays_near(monkeypatch):
    prices, effects = chain(3, 12)
    whole = front(prices, effects)
    monkeypatch.setattr(room, "MOST_PREFIXES", 12)
    thinned = front(prices, effects)
    assert whole.exact
    assert not thinned.exact
    for most in np.linspace(0.5, whole.points[-1].effect, 20):
        room_for = most + 12 / 12 * effects.max(axis=1).sum()
        assert thinned.cheapest(room_for).cost <= whole.cheapest(most).cost + 1e-9


def test_a_table_that_does_not_fit_is_refused():
    unit = UnitCost(name="a", costs={"fp32": {"latency_ms": 1.0, "energy_j": 1.0}, "int8": {"latency_ms": 1.0}})
    with pytest.raises(ValueError, match="energy_j is not known"):
        CostTable(units=(unit,)).prices("energy_j")
    with pytest.raises(ValueError, match="1 borders between 1 units"):
        CostTable(units=(unit,), borders=(Reformat(),)).prices("latency_ms")


def test_a_mix_survives_its_numbers():
    mix = ("fp32", "int8", "fp16")
    assert mix_of(places([mix])[0]) == mix
