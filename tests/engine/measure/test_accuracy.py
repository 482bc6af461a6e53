"""Top-1, precision, recall and F1, by hand and batch by batch; the paired difference of two sides."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.measure.accuracy import Accuracy, compare, macro
from hypothesis import given
from hypothesis import strategies as st

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def told(predicted, true, classes=None, size=None):
    """Scores whose largest is at `predicted`, added in batches of `size`."""
    scores = np.eye(4, dtype=np.float32)[np.array(predicted)]
    found = Accuracy(classes)
    for start in range(0, len(true), size or len(true)):
        rows = slice(start, start + (size or len(true)))
        found.add({"logits": scores[rows]}, np.array(true)[rows])
    return found


def test_figures_by_hand():
    figures = told([0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 0, 2]).figures(seed=0)
    assert figures.top1 == pytest.approx(4 / 6)
    assert figures.precision == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert figures.recall == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert figures.f1 == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert figures.n == 6
    assert figures.top1_low < figures.top1 < figures.top1_high


@given(LABELS)
def test_macro_averages_follow_their_definitions(pairs):
    true, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    rows = []
    for k in sorted(set(true) | set(predicted)):
        hit, said, are = ((true == k) & (predicted == k)).sum(), (predicted == k).sum(), (true == k).sum()
        p, r = (hit / said if said else 0), (hit / are if are else 0)
        rows.append((p, r, 2 * p * r / (p + r) if p + r else 0))
    assert macro(true, predicted) == pytest.approx(tuple(np.mean(rows, axis=0)))


@given(LABELS, st.integers(1, 9))
def test_how_samples_are_batched_changes_nothing(pairs, size):
    true, predicted = zip(*pairs, strict=True)
    assert told(predicted, true, size=size).figures(1) == told(predicted, true).figures(1)


def test_axes_of_length_one_and_padding_are_looked_through():
    found = Accuracy(4)
    found.add({"boxes": np.zeros((3, 5, 2), np.float32), "p": np.eye(4)[[2, 1, 0]].reshape(3, 4, 1, 1)}, np.array([2, 1]))
    assert found.figures(0).top1 == 1.0
    assert found.figures(0).n == 2


def test_nothing_added_is_nothing_known():
    assert Accuracy().figures(0).top1 is None


@pytest.mark.parametrize(("classes", "label", "what"), [(10, 0, "10 classes and the model tells 4"), (None, 4, "5 classes")])
def test_classes_that_do_not_fit_the_model_are_refused(classes, label, what):
    with pytest.raises(DataRefused, match=what):
        told([0], [label], classes)


def test_a_model_that_tells_no_classes_apart_is_refused():
    with pytest.raises(DataRefused, match=r"boxes \[1, 5, 2\]"):
        Accuracy().add({"boxes": np.zeros((1, 5, 2), np.float32)}, np.array([0]))


def test_the_paired_difference_and_its_p():
    true = [0] * 100
    baseline, candidate = told([0] * 80 + [1] * 20, true), told([0] * 70 + [1] * 28 + [0] * 2, true)
    points, p = compare(baseline, candidate, seed=0)
    assert points.value == pytest.approx(-0.08)
    assert points.low < -0.08 < points.high < 0
    assert p == pytest.approx(2 * (1 + 12 + 66 / 2) / 2**12)


def test_equal_sides_show_no_difference():
    side = told([0, 1, 2], [0, 1, 1])
    points, p = compare(side, side, seed=0)
    assert (points.value, points.low, points.high, p) == (0.0, 0.0, 0.0, 1.0)


def test_different_samples_are_not_compared():
    with pytest.raises(DataRefused, match="different samples"):
        compare(told([0], [0]), told([0], [1]), seed=0)
