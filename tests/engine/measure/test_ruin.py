"""When outputs are ruined, and when a lost channel is nobody's loss."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.graph.output_meaning import Meaning, Part
from edgetui.engine.measure.ruin import Ruin, Ruined

DRAW = np.random.default_rng(7)


def judged(a: np.ndarray, b: np.ndarray, meaning: Meaning | None = None, **settings: bool) -> list[Ruined]:
    ruin = Ruin({"y": meaning} if meaning else None, **settings)
    for one, other in zip(np.array_split(a, 2), np.array_split(b, 2), strict=True):
        ruin.add({"y": one.astype(np.float32)}, {"y": other.astype(np.float32)})
    return ruin.found()


def detections(objects: int = 30) -> np.ndarray:
    """Boxes in pixels and 3 scores for 500 places of 4 samples, one class never there."""
    boxes = DRAW.uniform(5, 320, (4, 4, 500))
    scores = DRAW.uniform(0, 0.004, (4, 3, 500))
    scores[:, 0, :objects] = DRAW.uniform(0.4, 0.95, (4, objects))
    scores[:, 1, objects : 2 * objects] = DRAW.uniform(0.4, 0.9, (4, objects))
    return np.concatenate((boxes, scores), axis=1)


def test_noise_as_strong_as_the_output_is_ruin() -> None:
    a = DRAW.standard_normal((4, 10))
    (found,) = judged(a, a + 0.8 * DRAW.standard_normal(a.shape))
    assert (found.output, found.slice) == ("y", "")
    assert found.sqnr_db < 5
    assert judged(a, a + 0.3 * DRAW.standard_normal(a.shape)) == []


@pytest.mark.parametrize("axis", [1, 2])
def test_scores_lost_beside_boxes_are_ruin(axis: int) -> None:
    a = detections()
    b = np.round(a / 2.5) * 2.5  # one grid for boxes and scores
    if axis == 2:
        a, b = a.transpose(0, 2, 1), b.transpose(0, 2, 1)
    (found,) = judged(a, b)
    assert "4 to 5" in found.slice
    assert found.sqnr_db < 1


def test_what_a_concat_puts_there_is_named() -> None:
    a = detections()
    meaning = Meaning(parts=(Part("boxes", 4, False), Part("scores", 3, False)), parts_axis=-2)
    (found,) = judged(a, np.round(a / 2.5) * 2.5, meaning)
    assert "scores" in found.slice


def test_a_class_that_never_came_is_no_ruin() -> None:
    a = detections()
    b = a.copy()
    b[:, 6] = DRAW.uniform(0, 0.004, b[:, 6].shape)
    assert judged(a, b) == []


def test_one_of_two_classes_lost_is_ruin() -> None:
    face = np.where(DRAW.uniform(size=(4, 500, 1)) < 0.02, DRAW.uniform(0.6, 1, (4, 500, 1)), 0.001)
    a = np.concatenate((1 - face, face), axis=2)
    b = np.concatenate((np.ones_like(face), np.zeros_like(face)), axis=2)
    (found,) = judged(a, b)
    assert "place 1 " in found.slice


def test_pictures_without_objects_ruin_nothing() -> None:
    a = detections(objects=0)
    b = a.copy()
    b[:, 4:] = DRAW.uniform(0, 0.004, b[:, 4:].shape)
    assert judged(a, b) == []
    assert judged(a[:, 4:], b[:, 4:]) == []


def test_scores_that_are_invented_are_ruin() -> None:
    a = detections(objects=0)
    b = a.copy()
    b[:, 4:] = DRAW.uniform(0.5, 1, b[:, 4:].shape)
    assert len(judged(a, b)) == 1


def test_a_dead_feature_among_others_is_no_ruin() -> None:
    a = DRAW.standard_normal((4, 64, 8, 8)) * np.geomspace(5, 0.05, 64)[:, None, None]
    b = a + 0.1 * DRAW.standard_normal(a.shape)
    assert judged(a, b) == []


def test_labels_and_ranked_rows_are_not_judged_place_by_place() -> None:
    a = DRAW.uniform(0, 9, (4, 10))
    assert judged(a, a[:, ::-1], Meaning(labels=True)) == []
    ruin = Ruin()
    ruin.add({"y": np.arange(9)}, {"y": np.arange(9)[::-1]})
    assert ruin.found() == []


def test_made_up_inputs_are_judged_as_a_whole_only() -> None:
    a = detections()
    assert judged(a, np.round(a / 2.5) * 2.5, slices=False) == []


def test_what_is_not_finite_is_left_to_others() -> None:
    a = DRAW.standard_normal((4, 10))
    b = a.copy()
    b[0, 0], a[1, 1] = np.nan, np.inf
    assert judged(a, b) == []


def test_small_values_that_are_no_scores_are_judged_like_others() -> None:
    a = DRAW.uniform(0, 0.01, (80, 4))
    b = np.abs(a + 0.01 * DRAW.standard_normal(a.shape))
    assert judged(a, b, Meaning(share=True)) == []
    assert len(judged(a, b, Meaning())) == 1
    a[:, :2] *= 2
    b = np.where(np.arange(4) == 1, a[::-1], a)
    assert judged(a, b, Meaning(share=True)) == []
    (found,) = judged(a, b, Meaning())
    assert "place 1 " in found.slice
