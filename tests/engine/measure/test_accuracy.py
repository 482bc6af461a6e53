"""Top-1, precision, recall and F1, by hand and batch by batch; the paired difference of two sides."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.measure.accuracy import AccuracyMeter, Sides
from edgetui.engine.measure.class_averages import averages
from edgetui.engine.measure.statistics import agreement
from hypothesis import given
from hypothesis import strategies as st

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def told(predicted, true, classes=None, size=None):
    """Scores whose largest is at `predicted`, added in batches of `size`."""
    scores = np.eye(4, dtype=np.float32)[np.array(predicted)]
    found = AccuracyMeter(classes)
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
def test_averages_follow_their_definitions(pairs):
    true, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    rows, share = [], []
    for k in sorted(set(true) | set(predicted)):
        hit, said, are = ((true == k) & (predicted == k)).sum(), (predicted == k).sum(), (true == k).sum()
        p, r = (hit / said if said else 0), (hit / are if are else 0)
        rows.append((p, r, 2 * p * r / (p + r) if p + r else 0))
        share.append(are / len(true))
    assert averages(true, predicted) == pytest.approx((*np.mean(rows, axis=0), *(np.array(share) @ np.array(rows))))


def some(seed=3, n=60, c=7):
    """Scores and labels with which scikit-learn's figures below were computed."""
    draw = np.random.default_rng(seed)
    true = draw.integers(0, c, n)
    scores = np.round(draw.standard_normal((n, c)) + 2.0 * np.eye(c)[true] * (draw.random((n, 1)) < 0.6), 6)
    true[true == 6] = 2
    return draw, scores, true


def test_figures_are_scikit_learns():
    """precision_recall_fscore_support(zero_division=0) and top_k_accuracy_score of scikit-learn 1.9.1."""
    _, scores, true = some()
    found = AccuracyMeter(7)
    found.add({"logits": scores}, true)
    told = found.figures(0)
    assert (told.top1, told.top5) == pytest.approx((0.5333333333333333, 0.9))
    assert (told.precision, told.recall, told.f1) == pytest.approx(
        (0.4972222222222223, 0.47662337662337656, 0.47666721150702845), abs=1e-12
    )
    assert (told.precision_weighted, told.recall_weighted, told.f1_weighted) == pytest.approx(
        (0.5643981481481483, 0.5333333333333333, 0.535912471395881), abs=1e-12
    )
    for field in ("top1", "top5", "precision", "recall", "f1", "precision_weighted", "recall_weighted", "f1_weighted"):
        low, value, high = (getattr(told, f"{field}{end}") for end in ("_low", "", "_high"))
        assert 0 <= low < value < high <= 1


def test_one_sigmoid_output_tells_two_classes():
    draw, _, _ = some()
    shares = np.round(draw.random(40), 3)
    true = (draw.random(40) < shares).astype(int)
    found = AccuracyMeter(2)
    found.add({"p": shares.reshape(40, 1).astype(np.float32)}, true)
    told = found.figures(0)
    assert (told.top1, told.precision, told.recall, told.f1) == pytest.approx((0.8, *[0.797979797979798] * 3))
    assert told.top5 is None
    assert "2 classes apart" in found.ranked
    with pytest.raises(DataRefused, match=r"from -3 to 4, which is no share"):
        AccuracyMeter().add({"p": np.array([[-3.0], [4.0]])}, np.array([0, 1]))
    with pytest.raises(DataRefused, match="3 classes and the model has 2"):
        AccuracyMeter().add({"p": np.array([[0.3], [0.4]])}, np.array([0, 2]))


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1)])
def test_a_model_with_argmax_inside_says_the_class_alone(shape):
    found = AccuracyMeter(9)
    found.add({"label": np.array([3, 0, 8, 1], np.int64).reshape(shape)}, np.array([3, 0, 2]))
    told = found.figures(0)
    assert (told.top1, told.top5, told.n) == (pytest.approx(2 / 3), None, 3)
    assert found.ranked == "the model says the class alone, no scores"


def test_a_number_of_boxes_is_no_class():
    with pytest.raises(DataRefused, match="tells classes apart"):
        AccuracyMeter().add({"many": np.array([[3]]), "boxes": np.zeros((1, 5, 4), np.float32)}, np.array([0]))


def test_labels_in_another_order_are_chance():
    """Shuffled labels of 7 classes: every figure is near what guessing gives, and no interval leaves it out."""
    draw, scores, true = some(n=3000)
    found = AccuracyMeter(7)
    found.add({"logits": scores}, draw.permutation(true))
    told, chance = found.figures(0), float(np.bincount(true) @ np.bincount(scores.argmax(1))[:6]) / 3000**2
    assert told.top1_low < chance < told.top1_high
    assert told.recall_low < 1 / 7 < told.recall_high + 0.02


@given(LABELS, st.integers(1, 9))
def test_how_samples_are_batched_changes_nothing(pairs, size):
    true, predicted = zip(*pairs, strict=True)
    parted, whole = told(predicted, true, size=size), told(predicted, true)
    assert (parted.predicted.tolist(), parted.true.tolist()) == (whole.predicted.tolist(), whole.true.tolist())


def test_axes_of_length_one_and_padding_are_looked_through():
    found = AccuracyMeter(4)
    found.add({"boxes": np.zeros((3, 5, 2), np.float32), "p": np.eye(4)[[2, 1, 0]].reshape(3, 4, 1, 1)}, np.array([2, 1]))
    assert found.figures(0).top1 == 1.0
    assert found.figures(0).n == 2


def test_nothing_added_is_nothing_known():
    assert AccuracyMeter().figures(0).top1 is None


@pytest.mark.parametrize(("classes", "label", "what"), [(10, 0, "10 classes and the model has 4"), (None, 4, "5 classes")])
def test_classes_that_do_not_fit_the_model_are_refused(classes, label, what):
    with pytest.raises(DataRefused, match=what):
        told([0], [label], classes)


def test_a_model_that_tells_no_classes_apart_is_refused():
    with pytest.raises(DataRefused, match=r"boxes \[1, 5, 2\]"):
        AccuracyMeter().add({"boxes": np.zeros((1, 5, 2), np.float32)}, np.array([0]))


def test_the_paired_difference_and_its_p():
    true = [0] * 100
    baseline, candidate = told([0] * 80 + [1] * 20, true), told([0] * 70 + [1] * 28 + [0] * 2, true)
    difference = Sides(baseline, candidate, seed=0).difference()
    points, p = difference.top1_points, difference.mcnemar_p
    assert points.value == pytest.approx(-0.08)
    assert points.low < -0.08 < points.high < 0
    assert p == pytest.approx(2 * (1 + 12 + 66 / 2) / 2**12)


def test_equal_sides_show_no_difference():
    side = told([0, 1, 2], [0, 1, 1])
    found = Sides(side, side, seed=0).difference()
    for points in (found.top1_points, found.f1_points):
        assert points.value == 0.0
        assert points.low <= 0.0 <= points.high
    assert found.mcnemar_p == 1.0


@pytest.mark.parametrize(("samples", "at_least"), [(10, 0.1), (100, 0.02), (1000, 0.002)])
def test_few_samples_that_stay_as_they_were_say_little_of_others(samples, at_least):
    side = told([0] * samples, [0] * samples)
    points = Sides(side, side, seed=0).difference().top1_points
    assert points.low < -at_least
    assert points.high > at_least
    value, low, high = agreement(np.ones(samples), seed=0)
    assert (value, high) == (1.0, 1.0)
    assert low < 1 - at_least


def test_f1_and_top5_have_paired_differences():
    draw, scores, true = some(n=400)
    one, other = AccuracyMeter(7), AccuracyMeter(7)
    one.add({"logits": scores}, true)
    other.add({"logits": scores + 1.5 * draw.standard_normal(scores.shape)}, true)
    sides = Sides(one, other, seed=0)
    found, (a, b) = sides.difference(), sides.figures
    assert found.f1_points.value == pytest.approx(b.f1 - a.f1)
    assert found.f1_points.low < found.f1_points.value < found.f1_points.high < 0
    assert found.top5_points.value == pytest.approx(b.top5 - a.top5)
    assert found.f1_points.high - found.f1_points.low < (a.f1_high - a.f1_low) + (b.f1_high - b.f1_low)


def test_different_samples_are_not_compared():
    with pytest.raises(DataRefused, match="different samples"):
        Sides(told([0], [0]), told([0], [1]), seed=0)
