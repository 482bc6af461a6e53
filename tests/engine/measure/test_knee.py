"""The knee of a sweep: where a flat curve begins to rise, and that a curve without a bend has none."""

from __future__ import annotations

import pytest
from edgetui.engine.measure.knee import knee

VALUES = tuple(10 ** (n / 2) for n in range(-12, -1))


def test_it_is_the_last_value_before_the_rise():
    effects = [0, 0, 1e-6, 1e-5, 1e-4, 1e-3, 2e-3, 1e-2, 4e-2, 0.6, 1.3]
    assert knee(VALUES, effects) == (VALUES[8], "")


@pytest.mark.parametrize("last", [1.0, 30.0, 1e6])
def test_values_far_beyond_do_not_move_it(last):
    effects = [0, 0, 0, 0, 0, 0, 0, 0, 0.05, 0.9, last]
    assert knee(VALUES, effects)[0] == VALUES[8]


def test_a_straight_line_has_none():
    value, why = knee(VALUES, [n / 10 for n in range(11)])
    assert value is None
    assert "no bend" in why


def test_a_flat_line_has_none():
    assert knee(VALUES, [0.0] * 11)[0] is None
    assert "less than" in knee(VALUES, [0.001] * 11)[1]


def test_values_without_an_effect_are_passed_over():
    effects = [0, None, 0, 0, None, 0, 0, 0, 0.05, 0.9, None]
    assert knee(VALUES, effects)[0] == VALUES[8]
    assert knee(VALUES, [None] * 9 + [0.1, 0.2]) == (None, "a bend needs three values with a known effect")


def test_a_rise_that_bends_down_at_once_has_none():
    assert knee(VALUES, [0, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 1, 1, 1, 1])[0] is None
