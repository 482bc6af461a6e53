"""A detector is like itself, however much it sees, and unlike one that sees other things."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.tasks.boxes import Detections
from edgetui.engine.tasks.likeness import Likeness


def seen(seed: int, many: int = 250) -> Detections:
    """Boxes of one class on a grid, none upon another."""
    draw = np.random.default_rng(seed)
    places = draw.permutation(900)[:many]
    first = np.stack([places % 30, places // 30], axis=1) * 20.0
    scores = np.sort(draw.uniform(0.01, 1, many))[::-1]
    return Detections(np.concatenate([first, first + 15], axis=1), np.zeros(many, np.int64), scores.copy())


def test_a_detector_is_like_itself():
    like = Likeness()
    for seed in range(3):
        like.add(seen(seed), seen(seed))
    assert like.figures() == (pytest.approx(1), pytest.approx(1))
    assert like.detections == sum(int((seen(seed).scores >= 0.25).sum()) for seed in range(3)) > 300


def test_it_is_unlike_another():
    like = Likeness()
    like.add(seen(0), seen(1))
    found = like.figures()
    assert found is not None
    assert found[0] < 0.5


def test_who_is_sure_of_nothing_cannot_be_likened():
    like = Likeness()
    sure = seen(0)
    like.add(Detections(sure.corners, sure.classes, sure.scores * 0.2), sure)
    assert (like.detections, like.figures()) == (0, None)
