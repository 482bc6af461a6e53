"""How sure outputs are: the margin between two classes, the best box."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.schema.escalation import Sureness
from edgetui.engine.tasks.sureness import asked, margins, one_margin
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

SCORES = arrays(np.float64, (5, 4), elements=st.floats(-50, 50))


@given(scores=SCORES)
def test_a_margin_is_that_of_the_softmax(scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    first, second = np.sort(shares, axis=1)[:, [-1, -2]].T
    assert margins(scores, shares=False) == pytest.approx(first - second, abs=1e-9)
    assert margins(shares, shares=True) == pytest.approx(first - second, abs=1e-9)
    for row, share, expected in zip(scores, shares, first - second, strict=True):
        assert one_margin(row, shares=False) == pytest.approx(expected, abs=1e-9)
        assert one_margin(share, shares=True) == pytest.approx(expected, abs=1e-9)
        assert one_margin(row.astype(np.float32), shares=False) == pytest.approx(expected, abs=1e-4)


def test_what_is_no_number_is_not_sure():
    odd = np.array([[np.nan, 1.0], [np.inf, np.inf], [-np.inf, -np.inf]])
    assert margins(odd, shares=False).tolist() == [0.0, 0.0, 0.0]
    assert [one_margin(row, shares=False) for row in odd] == [0.0, 0.0, 0.0]
    assert one_margin(np.array([2.0, -np.inf, -np.inf], np.float32), shares=False) == 1.0


def test_a_batch_is_as_sure_as_its_least_sure_sample():
    outputs = {"y": np.array([[9.0, 0.0, 0.0], [1.0, 1.0, 0.0]], np.float32)}
    assert asked(Sureness(), 2)(outputs) == pytest.approx(0.0)


def test_a_detector_is_as_sure_as_its_best_box():
    """YOLOv8's layout: four of a box and a score for each class, over all places of the grids."""
    places = 8400
    head = np.zeros((1, 6, places), np.float32)
    head[0, :4] = [[100.0], [100.0], [20.0], [20.0]]
    head[0, 5, 7] = 0.62
    sure = asked(Sureness(by="score", decoder="yolov8", classes=2, size=(640, 640)), 1)
    assert sure({"out": head}) == pytest.approx(0.62, abs=1e-6)
    assert sure({"out": head * 0}) == 0.0


def test_an_output_that_is_no_class_says_nothing():
    with pytest.raises(DataRefused, match="no output says how sure"):
        asked(Sureness(), 1)({"y": np.zeros((1, 3, 8, 8), np.float32)})
