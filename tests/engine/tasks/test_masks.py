"""mIoU is what scikit-learn's Jaccard score is over all pixels; maps are laid on pixels as frameworks resize them."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.tasks.boxes import letterboxed, stretched
from edgetui.engine.tasks.masks import PASSED_OVER, ClassMap, UnionMeter, class_maps

DRAW = np.random.default_rng(4)
JACCARD = 0.5033187852336789


def made() -> tuple[np.ndarray, np.ndarray]:
    """Masks and what is said, with which scikit-learn's figure below was computed."""
    draw = np.random.default_rng(21)
    truth = draw.integers(0, 4, (3, 8, 8))
    said = np.where(draw.random(truth.shape) < 0.6, truth, draw.integers(0, 5, truth.shape))
    truth[draw.random(truth.shape) < 0.1] = PASSED_OVER
    return truth, said


def metered(truth, said, classes=None) -> UnionMeter:
    meter = UnionMeter()
    for one, other in zip(truth, said, strict=True):
        meter.add(other, one, classes)
    return meter


def test_it_is_scikit_learns_over_the_pixels_of_all_images():
    """jaccard_score(average="macro") of scikit-learn 1.9.1, without the pixels that are passed over."""
    assert metered(*made()).figure() == pytest.approx(JACCARD, abs=1e-12)


def test_the_bootstrap_is_around_it_and_pairs():
    truth = DRAW.integers(0, 3, (40, 6, 6))
    one = np.where(DRAW.random(truth.shape) < 0.8, truth, 0)
    other = np.where(DRAW.random(truth.shape) < 0.7, truth, 0)
    a, b = metered(truth, one), metered(truth, other)
    low, high = np.quantile(a.bootstrap(0), [0.025, 0.975])
    assert low < a.figure() < high
    assert np.quantile(b.bootstrap(0) - a.bootstrap(0), 0.975) < 0
    assert np.array_equal(a.bootstrap(3), metered(truth, one).bootstrap(3))


def test_a_mask_is_like_itself_and_unlabelled_images_say_nothing():
    truth, said = made()
    assert metered(said, said).figure() == 1
    assert metered(np.full_like(truth, PASSED_OVER), said).figure() is None


def test_classes_that_the_model_does_not_have_are_counted_and_passed_over():
    truth, said = made()
    meter = metered(truth, said, classes=3)
    assert meter.unknown == int((truth == 3).sum()) > 0
    assert metered(truth + 60_000, said).unknown == truth.size


def test_scores_are_laid_on_pixels_bilinearly_and_then_chosen():
    """As torch's interpolate(mode="bilinear", align_corners=False): of a row 0, 1 twice as many are 0, .25, .75, 1."""
    row = np.array([[0.0, 1.0]], np.float32)
    scores = np.stack([np.full((1, 2), 0.6, np.float32), row])
    assert ClassMap(scores, None).on(stretched((4, 1), (2, 1)), (2, 1)).tolist() == [[0, 0, 1, 1]]
    assert ClassMap(None, np.array([[3, 7]])).on(stretched((4, 1), (2, 1)), (2, 1)).tolist() == [[3, 3, 7, 7]]


def test_a_letterbox_leads_back():
    """An image of 40 x 20 in the middle of 64 x 64, and a map of 32 x 32 places over it."""
    labels = np.zeros((32, 32), np.int64)
    labels[:8], labels[24:] = 9, 9  # the borders
    labels[8:16, :16] = 1
    laid, _ = letterboxed((40, 20), (64, 64))
    for each in (ClassMap(None, labels), ClassMap(np.eye(10, dtype=np.float32)[labels].transpose(2, 0, 1), None)):
        found = each.on(laid, (64, 64))
        assert found.shape == (20, 40)
        assert (found[:9, :19] == 1).all()
        assert (found[11:, :] == 0).all()
        assert not (found == 9).any()


LABELS = DRAW.integers(0, 3, (2, 5, 6))
SCORES = np.eye(3, dtype=np.float32)[LABELS]


@pytest.mark.parametrize(
    "output",
    [SCORES.transpose(0, 3, 1, 2), SCORES, LABELS, LABELS[:, None], LABELS[..., None].astype(np.int32)],
    ids=["scores", "scores last", "classes", "one channel", "one channel last"],
)
def test_every_way_to_say_the_class_of_a_pixel_is_read(output):
    for classes in (3, None):
        found = class_maps({"y": output}, 2, 2, classes)
        assert [each.chosen().tolist() for each in found] == LABELS.tolist()


def test_one_share_a_pixel_is_two_classes():
    shares = np.array([[[0.2, 0.7], [0.5, 0.49]]], np.float32)
    assert class_maps({"y": shares}, 1, 1, 2)[0].chosen().tolist() == [[0, 1], [0, 0]]
    with pytest.raises(DataRefused, match=r"from 0\.2 to 7, which is no share"):
        class_maps({"y": shares * np.array([1, 10], np.float32)}, 1, 1, 2)


def test_what_has_another_shape_than_the_input_is_no_map():
    rows = {"output0": np.zeros((1, 84, 8400), np.float32)}
    with pytest.raises(DataRefused, match="no output of the model says"):
        class_maps(rows, 1, 1, 2, (640, 640))
    assert class_maps({"y": np.zeros((1, 65, 129), np.float32)}, 1, 1, 2, (1024, 512))


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (np.zeros((1, 10), np.float32), r"no output of the model says the class of each pixel \(y \[1, 10\]\)"),
        (np.zeros((1, 21, 8, 9), np.float32), "4 classes and output y tells 21 apart"),
    ],
)
def test_what_is_no_such_map_is_refused(output, said):
    with pytest.raises(DataRefused, match=said):
        class_maps({"y": output}, 1, 1, 4)
