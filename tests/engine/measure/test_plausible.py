"""When an accuracy is not to be believed: guessing, and classes in another order; and when nothing may be said."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.measure.plausible import guessing, in_another_order, near_guessing


def told(true: np.ndarray, share: float, classes: int) -> np.ndarray:
    """Predictions of which a share is right and the rest drawn blindly."""
    draw = np.random.default_rng(1)
    return np.where(draw.random(len(true)) < share, true, draw.integers(0, classes, len(true)))


def labels(n: int, classes: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, classes, n)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_blind_predictions_are_guessing_and_good_ones_are_not(classes: int):
    true = labels(3000, classes)
    assert near_guessing(true, told(true, 0.0, classes))
    assert guessing(true, told(true, 0.0, classes)) == pytest.approx(1 / classes, rel=0.1)
    assert not near_guessing(true, told(true, 0.4, classes))


def test_a_model_that_always_says_one_class_is_guessing_however_often_it_is_right():
    true = (np.arange(5000) % 20 == 0).astype(np.int64)
    assert near_guessing(true, np.zeros_like(true))


def test_few_samples_say_nothing():
    true = labels(12, 10)
    assert not near_guessing(true, (true + 1) % 10)


@pytest.mark.parametrize("true", [np.zeros(500, np.int64), np.empty(0, np.int64)])
def test_labels_of_one_class_or_none_say_nothing(true: np.ndarray):
    assert not near_guessing(true, np.arange(len(true)) % 7)
    assert in_another_order(true, np.arange(len(true)) % 7) is None


def test_all_classes_turned_by_some_places_are_told():
    true = labels(2000, 10)
    order = in_another_order(true, (told(true, 0.8, 10) + 3) % 10)
    assert order is not None
    assert order.top1 == pytest.approx(0.82, abs=0.03)
    assert {label for said, label in order.moved if said == 3} == {0}
    assert len(order.moved) == 10


def test_two_classes_that_changed_places_are_told():
    true = labels(2000, 10)
    names = np.array([0, 1, 2, 5, 4, 3, 6, 7, 8, 9])
    order = in_another_order(true, names[told(true, 0.8, 10)])
    assert order is not None
    assert sorted(order.moved) == [(3, 5), (5, 3)]


def test_yes_and_no_the_other_way_round_are_told():
    true = labels(400, 2)
    order = in_another_order(true, 1 - told(true, 0.9, 2))
    assert order is not None
    assert order.top1 > 0.9


@pytest.mark.parametrize(("share", "classes"), [(0.0, 2), (0.0, 10), (0.0, 1000), (0.3, 10), (0.8, 10), (0.8, 1000)])
def test_no_other_order_is_found_where_there_is_none(share: float, classes: int):
    true = labels(2000, classes)
    assert in_another_order(true, told(true, share, classes)) is None
