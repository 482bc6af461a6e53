"""A table that is wrong, and mixes that were built and tell so."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.search.asked import Bounds
from edgetui.engine.search.corrected import BuiltMix, corrected_table
from edgetui.engine.search.mixes import FORMATS
from simulated_mixes import WORD, SimulatedNet

INT8 = ("int8",) * 9


def built(net, *mixes):
    return [BuiltMix(mix, net.measure(mix).ratios[WORD]) for mix in mixes]


def one_in_fp32(unit):
    return tuple("fp32" if n == unit else "int8" for n in range(9))


def test_a_right_table_stays_as_it_is():
    net = SimulatedNet(0)
    table = net.table()
    right = corrected_table(table, WORD, built(net, INT8, one_in_fp32(2)))
    assert right.liars == ()
    assert right.residual < 1e-6
    mix = one_in_fp32(5)
    assert right.table.prices(WORD).of_mix(mix) == pytest.approx(table.prices(WORD).of_mix(mix), rel=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_an_entry_that_is_wrong_by_ten_is_named_and_set_right(seed):
    net = SimulatedNet(seed, cost_noise=0.03)
    net.cost[4, 2] *= 10
    halves = (INT8[:5] + ("fp32",) * 4, ("fp32",) * 4 + INT8[:5], one_in_fp32(4))
    right = corrected_table(net.table({(4, "int8"): 0.1}), WORD, built(net, INT8, *halves))
    (liar,) = right.liars
    assert (liar.unit, liar.form) == ("unit4", "int8")
    assert liar.suspects == (("unit4", "int8"),)
    assert liar.factor == pytest.approx(10, rel=0.25)
    mix = (*INT8[:6], "fp32", "int8", "int8")  # nobody built this one
    base = ("fp32",) * 9
    told = right.table.prices(WORD).of_mix(mix) / right.table.prices(WORD).of_mix(base)
    assert told == pytest.approx(net.true_cost(mix) / net.true_cost(base), rel=0.04)


def test_who_was_always_built_together_is_suspected_together():
    net = SimulatedNet(1)
    net.cost[4, 2] *= 10
    (liar,) = corrected_table(net.table({(4, "int8"): 0.1}), WORD, built(net, INT8)).liars
    assert ("unit4", "int8") in liar.suspects
    assert len(liar.suspects) > 3


def test_small_errors_of_many_are_nobodys_lie():
    net = SimulatedNet(2, cost_noise=0.03)
    right = corrected_table(net.table(), WORD, built(net, INT8, one_in_fp32(1), one_in_fp32(7)))
    assert right.liars == ()
    assert right.residual < 0.03


def test_reformatting_that_is_dearer_than_told_is_found():
    net = SimulatedNet(3)
    table = net.table()
    net.border *= 8
    turns = tuple(FORMATS[0] if n % 2 else FORMATS[2] for n in range(9))
    swapped = tuple(FORMATS[2] if n % 2 else FORMATS[0] for n in range(9))
    mixes = built(net, INT8, turns, swapped, INT8[:5] + ("fp32",) * 4)
    (liar,) = corrected_table(table, WORD, mixes).liars
    assert liar.unit == ""
    assert liar.factor == pytest.approx(8, rel=0.2)


def test_other_quantities_are_left_alone():
    net = SimulatedNet(4)
    table = net.table()
    for unit in table.units:
        for costs in unit.costs.values():
            costs["size_mb"] = 2.0
    mixes = [BuiltMix(INT8, Bounds(2.0, 1.9, 2.1))]
    right = corrected_table(table, WORD, mixes).table
    np.testing.assert_array_equal(right.prices("size_mb").units, table.prices("size_mb").units)
    assert right.prices(WORD).of_mix(INT8) > 1.5 * table.prices(WORD).of_mix(INT8)


def test_without_measurements_the_table_is_the_table():
    table = SimulatedNet(5).table()
    assert corrected_table(table, WORD, []).table is table
