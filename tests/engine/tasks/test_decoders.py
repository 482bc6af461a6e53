"""Every layout of outputs gives the boxes that were drawn, and outputs that are none of them are refused in words."""

from __future__ import annotations

import heads
import numpy as np
import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.tasks.boxes import Detections, letterboxed, stretched
from edgetui.engine.tasks.decoder import Asked
from edgetui.engine.tasks.detector import Detector, image_size
from edgetui.engine.tasks.find_decoder import find_decoder, recognised
from edgetui.engine.tasks.suppression import overlap, suppressed

SIZE = (640, 480)
PLACES = heads.grid(*SIZE)
BOXES: list[heads.Box] = [
    (10, 20, 110, 220, 2, 0.9),
    (300, 40, 420, 90, 0, 0.6),
    (12, 22, 112, 222, 2, 0.4),
    (5, 5, 9, 9, 1, 0.0004),
]
KEPT = [0, 1]
"""The third is suppressed by the first, the last is too unlikely."""


def ssd(*, background: bool = True, share: bool = True) -> dict[str, np.ndarray]:
    boxes = np.array([box[:4] for box in BOXES], np.float32)[None]
    scores = np.zeros((1, len(BOXES), 3 + background), np.float32)
    for n, box in enumerate(BOXES):
        scores[0, n, box[4] + background] = box[5]
    if background:
        scores[..., 0] = 1 - scores.sum(axis=-1)
    return {"scores": scores, "boxes": boxes / np.array(SIZE * 2, np.float32) if share else boxes}


def chosen() -> dict[str, np.ndarray]:
    rows = [BOXES[n] for n in KEPT]
    return {
        "num_dets": np.array([[2]], np.int32),
        "det_boxes": np.array([[row[:4] for row in rows]], np.float32),
        "det_scores": np.array([[row[5] for row in rows]], np.float32),
        "det_classes": np.array([[row[4] for row in rows]], np.int32),
    }


def without_a_batch() -> dict[str, np.ndarray]:
    return {name: array[0] for name, array in chosen().items() if name != "num_dets"}


def transformed() -> dict[str, np.ndarray]:
    made = chosen()
    boxes = made["det_boxes"][..., [1, 0, 3, 2]] / np.array([480, 640, 480, 640], np.float32)
    return {"detection_boxes": boxes, "detection_scores": made["det_scores"], "detection_classes": made["det_classes"] * 1.0}


LAYOUTS = {
    "yolov8": ("yolov8", {"output0": heads.yolov8(BOXES, 3, PLACES)}),
    "yolov8, places first": ("yolov8", {"output0": heads.yolov8(BOXES, 3, PLACES).transpose(0, 2, 1)}),
    "yolov5": ("yolov5", {"output0": heads.yolov5(BOXES, 3, PLACES)}),
    "end to end": ("yolo-end2end", {"output0": heads.end_to_end([BOXES[n] for n in KEPT])}),
    "ssd, shares": ("ssd", ssd()),
    "ssd, pixels": ("ssd", ssd(share=False)),
    "ssd, no background": ("ssd", ssd(background=False)),
    "ssd, one box a class": ("ssd", {name: array[:, :, None] if name == "boxes" else array for name, array in ssd().items()}),
    "chosen inside": ("ssd", chosen()),
    "without a batch": ("ssd", without_a_batch()),
    "TensorFlow's": ("ssd", transformed()),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_drawn_boxes_come_out(layout: str):
    name, outputs = LAYOUTS[layout]
    assert find_decoder(outputs, Asked(SIZE, 3, 1)).name == name
    (found,) = Detector(SIZE, 3).look(outputs, 1, 1)
    assert found.corners == pytest.approx(np.array([BOXES[n][:4] for n in KEPT]), abs=1e-3)
    assert found.classes.tolist() == [BOXES[n][4] for n in KEPT]
    assert found.scores == pytest.approx([BOXES[n][5] for n in KEPT], abs=1e-6)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "ssd, no background"])
def test_they_are_found_without_the_number_of_classes_too(layout: str):
    name, outputs = LAYOUTS[layout]
    found = recognised(outputs, Asked(SIZE, None, 1))
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("classes", [1, 2])
def test_few_classes_are_no_other_layout(classes: int):
    """Heads of one and two classes are six wide, as end-to-end rows are."""
    drawn = [(10, 20, 110, 220, 0, 0.9)]
    for name, head in (("yolov5", heads.yolov5(drawn, classes, PLACES)), ("yolov8", heads.yolov8(drawn, classes, PLACES))):
        assert find_decoder({"output0": head}, Asked(SIZE, classes, 1)).name == name
        told = recognised({"output0": head}, Asked(SIZE, None, 1))
        assert told is not None
        assert told.name == name


def test_a_batch_is_told_sample_by_sample_and_padding_is_none():
    head = np.concatenate([heads.yolov8(BOXES[:1], 3, PLACES), heads.yolov8([], 3, PLACES), heads.yolov8(BOXES, 3, PLACES)])
    found = Detector(SIZE, 3).look({"output0": head}, 2, 3)
    assert [len(each.scores) for each in found] == [1, 0]


def test_one_place_may_be_of_several_classes():
    head = heads.yolov8(BOXES[:1], 3, PLACES)
    head[0, 4, 0] = 0.5
    (found,) = Detector(SIZE, 3).look({"output0": head}, 1, 1)
    assert found.classes.tolist() == [2, 0]


def test_values_that_are_no_numbers_are_no_detections_and_are_counted():
    head = heads.yolov8(BOXES, 3, PLACES)
    head[0, 0, 1] = np.nan
    detector = Detector(SIZE, 3)
    (found,) = detector.look({"output0": head}, 1, 1)
    assert found.classes.tolist() == [2]
    assert detector.not_finite == 1


def test_classes_that_the_model_does_not_have_are_no_detections():
    (found,) = Detector(SIZE, 3).look({"output0": heads.end_to_end([(1, 1, 9, 9, 7, 0.5), (1, 1, 9, 9, 1, 0.4)])}, 1, 1)
    assert found.classes.tolist() == [1]


@pytest.mark.parametrize(
    ("outputs", "classes", "name", "words"),
    [
        ({"output0": heads.yolov8(BOXES, 80, PLACES)}, 3, "auto", "has 3 classes and the model's output tells 80 apart"),
        ({"y": np.zeros((1, 1000), np.float32)}, 3, "auto", r"no decoder fits the model's outputs \(y \[1, 1000\]\)"),
        ({"y": np.zeros((1, 1000), np.float32)}, 3, "yolov8", "decoder yolov8 does not fit"),
        ({"output0": heads.yolov8(BOXES, 3, PLACES)}, 3, "ssd", "decoder ssd does not fit"),
        ({"output0": 9 * heads.yolov8(BOXES, 3, PLACES)}, 3, "auto", "reaches from 0 to 8.1, not from 0 to 1"),
    ],
    ids=["other classes", "a classifier", "a classifier, named", "another", "logits"],
)
def test_what_cannot_be_read_is_refused(outputs, classes, name, words):
    with pytest.raises(DataRefused, match=words):
        Detector(SIZE, classes, name).look(outputs, 1, 1)


def test_classifiers_and_class_maps_are_not_taken_for_detectors():
    for shape in ((1, 1000), (1, 21, 480, 640), (1, 128, 768), (1, 300, 4)):
        assert recognised({"y": np.zeros(shape, np.float32)}, Asked(SIZE, None, 1)) is None


def test_suppression_keeps_the_surest_of_each_class_and_no_more_than_the_most():
    corners = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10.0]])
    found = suppressed(corners, np.array([[0.5, 0.0], [0.9, 0.0], [0.0, 0.3]]))
    assert found.scores.tolist() == [0.9, 0.3]
    draw = np.random.default_rng(0)
    first = draw.uniform(0, 1e5, (1000, 2))
    many = suppressed(np.concatenate([first, first + 1], axis=1), draw.random((1000, 1)))
    assert len(many.scores) == 300
    assert (np.diff(many.scores) <= 0).all()


def test_overlap_is_intersection_over_union():
    assert overlap(
        np.array([0.0, 0, 2, 2]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6], [0, 0, 2, 2], [1, 1, 1, 1]])
    ) == pytest.approx([1 / 3, 0, 1, 0])


@pytest.mark.parametrize(
    ("size", "into", "part"),
    [
        ((640, 480), (640, 640), (0, 80, 640, 480)),
        ((480, 640), (640, 640), (80, 0, 480, 640)),
        ((1280, 721), (640, 640), (0, 140, 640, 360)),
        ((333, 500), (640, 640), (107, 0, 426, 640)),
        ((10, 10), (64, 32), (16, 0, 32, 32)),
    ],
)
def test_an_image_is_laid_as_the_exporter_does_it(size, into, part):
    """Values of Ultralytics' LetterBox (auto=False, scaleup=True)."""
    laid, where = letterboxed(size, into)
    assert where == part
    whole = np.array([[0.0, 0, *size]])
    inside = whole * np.array(laid.scale * 2) + np.array(laid.shift * 2)
    assert inside[0] == pytest.approx([where[0], where[1], where[0] + where[2], where[1] + where[3]])
    assert laid.back(inside) == pytest.approx(whole)


def test_boxes_past_the_border_are_cut_there():
    assert stretched((200, 100), (20, 20)).back(np.array([[-5.0, 2, 30, 19]])) == pytest.approx(np.array([[0.0, 10, 200, 95]]))


def test_only_images_have_a_size():
    assert image_size((1, 3, 48, 64)) == (64, 48)
    assert image_size((1, 48, 64, 3)) == (64, 48)
    assert image_size((1, 128)) is None
    assert image_size((1, 7, 48, 64)) is None


def test_the_unsure_are_left_out():
    found = Detections(np.zeros((2, 4)), np.zeros(2, np.int64), np.array([0.9, 0.1]))
    assert found.above(0.5).scores.tolist() == [0.9]
