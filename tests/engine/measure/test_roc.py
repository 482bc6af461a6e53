"""Areas under ROC curves beside scikit-learn's (values of 1.9.1), intervals, thresholds; and where nothing is told."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from edgetui.engine.measure.roc import area, area_interval, best_threshold, curve
from hypothesis import given
from hypothesis import strategies as st


def fixture(seed, positives, negatives, shift, step):
    draw = np.random.default_rng(seed)
    kinds = draw.standard_normal(positives) + shift, draw.standard_normal(negatives)
    return tuple(np.round(each / step) * step if step else each for each in kinds)


@pytest.mark.parametrize(
    ("made", "sklearn"),
    [
        ((0, 25, 125, 1.0, 0), 0.7382399999999999),
        ((1, 5, 25, 0.3, 0.5), 0.7160000000000001),
        ((2, 50, 50, 0.0, 0.25), 0.5350000000000001),
        ((3, 10, 200, 2.5, 0), 0.8945000000000001),
        ((4, 3, 3, -1.0, 1.0), 0.4444444444444444),
    ],
)
def test_the_area_is_scikit_learns(made, sklearn):
    assert area(*fixture(*made)) == pytest.approx(sklearn, abs=1e-12)


def test_the_curve_is_scikit_learns():
    wanted = zip(
        [0.0, 0.04, 0.08, 0.32, 0.6, 0.88, 0.92, 0.96, 1.0], [0.0, 0.0, 0.4, 0.8, 0.8, 0.8, 1.0, 1.0, 1.0], strict=True
    )
    assert curve(*fixture(1, 5, 25, 0.3, 0.5)) == [pytest.approx(point) for point in wanted]


SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=20).map(lambda found: np.array(found, np.float64))


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order_and_lies_in_its_interval(positive, negative):
    pairs = [(p > q) + (p == q) / 2 for p in positive for q in negative]
    found = area(positive, negative)
    assert found == pytest.approx(np.mean(pairs))
    assert found == pytest.approx(1 - area(negative, positive))
    low, high = area_interval(found, len(positive), len(negative))
    assert 0 <= low <= found <= high <= 1
    points = curve(positive, negative)
    under = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))
    assert under == pytest.approx(found)  # trapezoids below the curve


def test_all_pairs_in_order_is_still_no_certainty():
    low, high = area_interval(1.0, 5, 25)
    assert 0.7 < low < 0.95
    assert high == 1.0


def test_labels_that_are_shuffled_tell_nothing():
    """The interval holds 0.5 in about 95 % of shuffles, and the mean area is there."""
    draw = np.random.default_rng(7)
    areas, held = [], 0
    for _ in range(400):
        scores = draw.permutation(np.concatenate([np.full(60, 20.0), draw.normal(60, 15, 240)]))
        found = area(scores[:50], scores[50:])
        areas.append(found)
        low, high = area_interval(found, 50, 250)
        held += low <= 0.5 <= high
    assert np.mean(areas) == pytest.approx(0.5, abs=0.01)
    assert 0.92 <= held / 400 <= 0.99


def test_the_interval_holds_the_true_area():
    """Normal scores one apart: the true area is Phi(1 / sqrt 2) = 0.7602."""
    draw = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        low, high = area_interval(area(draw.standard_normal(50) + 1, draw.standard_normal(250)), 50, 250)
        held += low <= 0.7602499 <= high
    assert 0.92 <= held / 400 <= 0.99


def test_a_threshold_lies_between_the_kinds():
    assert best_threshold(np.array([5.0, 6.0]), np.array([1.0, 2.0, 3.0])) == 4.0
    assert best_threshold(np.array([5.0, 6.0, 1.5]), np.array([1.0, 2.0, 3.0])) == pytest.approx(4.0)


def test_no_pairs_have_no_area():
    with pytest.raises(ValueError, match="no pairs"):
        area(np.array([1.0]), np.zeros(0))


def test_a_long_curve_has_few_points_and_both_ends():
    draw = np.random.default_rng(1)
    points = curve(draw.random(2000), draw.random(9000))
    assert len(points) <= 64
    assert (points[0], points[-1]) == ((0.0, 0.0), (1.0, 1.0))
