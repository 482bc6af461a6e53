"""Keypoints in COCO JSON and YOLO text files become the same truth; what cannot be used is left out, counted and named."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.data.yolo_text import pose_shape, read_yolo_poses
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.exporter import ExportNotes, notes_in
from edgetui.engine.tasks.poses import PosedScene
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

WIDTH, HEIGHT = 40, 30
INPUT = TensorFacts(name="images", dtype="float", shape=(1, 3, 64, 64))
NOTES = ExportNotes("pose", ("person",), ultralytics=True, points=(3, 3))
Zipped = Callable[..., Path]
Points = list[tuple[float, float, int]]
BOX = (4.0, 6.0, 20.0, 18.0)
SPOTS: Points = [(5, 7, 2), (10, 12, 1), (0, 0, 0)]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (200, 10, 10)).save(out, "PNG")
    return out.getvalue()


def coco(poses: list[Points], **more: object) -> bytes:
    left, top, right, bottom = BOX
    document = {
        "categories": [{"id": 1, "name": "person", "keypoints": ["a", "b", "c"]}],
        "images": [{"id": 5, "file_name": "1.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": [
            {"id": n, "image_id": 5, "category_id": 1, "bbox": [left, top, right - left, bottom - top], "area": 99.0}
            | {"keypoints": [v for spot in spots for v in spot], "num_keypoints": 2, **more}
            for n, spots in enumerate(poses)
        ],
    }
    return json.dumps(document).encode()


def yolo(spots: Points, label: int = 0) -> bytes:
    left, top, right, bottom = BOX
    box = [(left + right) / 2 / WIDTH, (top + bottom) / 2 / HEIGHT, (right - left) / WIDTH, (bottom - top) / HEIGHT]
    values = [*box, *(v for x, y, seen in spots for v in (x / WIDTH, y / HEIGHT, seen))]
    return f"{label} {' '.join(map(str, values))}".encode()


def opened(path: Path, say: NullReporter | None = None, task: str = "keypoints") -> Samples:
    dataset = Dataset(kind="keypoints", path=str(path), task=task)  # type: ignore[arg-type]
    return open_samples(dataset, [INPUT], {"images": (1, 3, 64, 64)}, "all", 0, say or NullReporter(), NOTES)


def posed(samples: Samples) -> list[PosedScene]:
    return [scene for batch in samples.batches(2) for scene in batch.truths.poses]


def as_coco() -> dict[str, bytes]:
    return {"val/1.png": picture(), "annotations/person_keypoints_val.json": coco([SPOTS])}


def as_yolo() -> dict[str, bytes]:
    return {"images/1.png": picture(), "labels/1.txt": yolo(SPOTS), "data.yaml": b"kpt_shape: [3, 3]\nnames: [person]\n"}


@pytest.mark.parametrize(("form", "area"), [(as_coco, 99.0), (as_yolo, 16 * 12 * 0.53)])
def test_both_formats_say_the_same(form, area: float, zipped: Zipped):
    heard = NullReporter()
    samples = opened(zipped(form()), heard)
    assert heard.warnings == []
    assert (samples.truth, samples.points, samples.classes) == ("keypoints", 3, ("person",))
    (scene,) = posed(samples)
    assert scene.truth.points[0, :2] == pytest.approx(np.array(SPOTS[:2], float))
    assert scene.truth.points[0, 2, 2] == 0
    assert scene.truth.areas == pytest.approx([area])
    assert scene.truth.boxes == pytest.approx(np.array([BOX]))
    assert scene.laid.back_points(np.array([[0.0, 8], [64, 56]])) == pytest.approx(np.array([[0, 0], [40, 30]]))


def test_the_boxes_of_poses_are_read_for_detectors(zipped: Zipped):
    """Their lines have as many numbers as the outline of a segment may have."""
    heard = NullReporter()
    content = as_yolo() | {"data.yaml": b"kpt_shape: [3, 2]\n", "labels/1.txt": b"0 0.5 0.5 0.2 0.2 0.9 0.9 0.1 0.1 0.3 0.3"}
    dataset = Dataset(kind="detection", path=str(zipped(content)), task="detection")
    samples = open_samples(dataset, [INPUT], {"images": (1, 3, 64, 64)}, "all", 0, heard, NOTES)
    (batch,) = samples.batches(2)
    assert batch.truths.scenes[0].truth.corners == pytest.approx(np.array([[16.0, 12, 24, 18]]))
    assert heard.notes == ['set.zip: its keypoints are left aside; a TOML file with kind = "keypoints" uses them']


def test_a_document_of_keypoints_is_told_by_its_name(zipped: Zipped):
    dataset = read_dataset(str(zipped(as_coco())), {})
    assert (dataset.kind, dataset.task) == ("keypoints", "keypoints")


def test_without_labels_the_images_alone_are_read(zipped: Zipped):
    samples = opened(zipped(as_coco()), task="none")
    assert (samples.truth, samples.points, posed(samples)) == ("", None, [])


def test_crowds_and_nobody_are_passed_over(zipped: Zipped):
    (scene,) = posed(opened(zipped({"1.png": picture(), "coco.json": coco([SPOTS, [(0, 0, 0)] * 3])})))
    assert scene.truth.passed_over.tolist() == [False, True]
    with pytest.raises(DataRefused, match="there is no pose in"):
        opened(zipped({"1.png": picture(), "coco.json": coco([[(0, 0, 0)] * 3])}, "b.zip"))
    (scene,) = posed(opened(zipped({"1.png": picture(), "coco.json": coco([SPOTS], iscrowd=1)}, "c.zip")))
    assert scene.truth.passed_over.all()


@pytest.mark.parametrize(
    ("spots", "words"),
    [
        ([(float("nan"), 7, 2), *SPOTS[1:]], "1 with values that are no numbers (1.png)"),
        ([(90, 70, 2), (80, 90, 2), (0, 0, 0)], "1 outside the image (1.png)"),
    ],
)
def test_poses_that_cannot_be_are_passed_over_counted_and_named(spots: Points, words: str, zipped: Zipped):
    heard = NullReporter()
    data = coco([SPOTS, spots]).replace(b"NaN", b"null")
    assert len(posed(opened(zipped({"1.png": picture(), "coco.json": data}), heard))[0].truth.areas) == 1
    assert heard.warnings == [f"set.zip: poses are passed over: {words}"]


def test_a_pose_without_a_box_has_that_around_its_keypoints(zipped: Zipped):
    (scene,) = posed(opened(zipped({"1.png": picture(), "coco.json": coco([SPOTS], bbox=[], area=None)})))
    assert scene.truth.boxes.tolist() == [[5, 7, 10, 12]]
    assert scene.truth.areas == pytest.approx([25 * 0.53])


def test_a_class_that_the_model_does_not_have_is_passed_over(zipped: Zipped):
    heard = NullReporter()
    data = b"\n".join([yolo(SPOTS), yolo(SPOTS, label=3)])
    samples = opened(zipped({"1.png": picture(), "1.txt": data, "data.yaml": b"kpt_shape: [3, 3]"}), heard)
    assert len(posed(samples)[0].truth.areas) == 1
    assert "1 of a class that is not the model's" in heard.warnings[0]


REFUSED = {
    "boxes alone": ({"1.png": picture(), "coco.json": coco([[]])}, "hold no keypoints"),
    "differing": ({"1.png": picture(), "coco.json": coco([SPOTS, SPOTS[:2]])}, "hold no keypoints"),
    "VOC": ({"1.png": picture(), "1.xml": b"<annotation/>"}, "VOC XML, which has no keypoints"),
    "outlines": ({"1.png": picture(), "coco.json": coco([SPOTS * 400])}, "poses of 1200 keypoints; up to 1000"),
    "nobody says how many": ({"1.png": picture(), "1.txt": yolo(SPOTS)}, "how many keypoints a line has"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_poses_is_refused(name: str, zipped: Zipped):
    content, words = REFUSED[name]
    with pytest.raises(DataRefused, match=words):
        opened(zipped(content))


def test_a_line_that_is_no_pose_is_a_broken_sample(zipped: Zipped):
    heard = NullReporter()
    samples = opened(zipped(as_yolo() | {"images/2.png": picture(), "labels/2.txt": b"0 0.5 0.5 0.1 0.1 0.3"}), heard)
    assert len(posed(samples)) == 1
    assert "line 1 has 5 numbers behind the class, not 13 (3 keypoints of 3)" in heard.warnings[-1]


@given(st.binary(max_size=120) | st.text("0123456789. -\n\te", max_size=80).map(str.encode), st.integers(1, 3))
def test_whatever_is_in_a_text_file_it_is_poses_or_said(data: bytes, points: int):
    try:
        read = read_yolo_poses(data, (points, 2))
    except ValueError as error:
        assert "line" in str(error)  # noqa: PT017
    else:
        assert read.points.shape == (len(read.names), points, 3)


@pytest.mark.parametrize(("text", "shape"), [("[17, 3]", (17, 3)), ("(4, 2)", (4, 2)), ("[17, 9]", None), ("x", None)])
def test_what_an_exporter_says_of_keypoints(text: str, shape: object):
    assert notes_in({"kpt_shape": text}).points == shape
    assert pose_shape(f"nc: 1\nkpt_shape: {text.replace('(', '[').replace(')', ']')}\n".encode()) == shape
