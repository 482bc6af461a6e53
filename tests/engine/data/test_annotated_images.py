"""Boxes in VOC XML, YOLO text files and COCO JSON become the same truth; what cannot be used is left out, counted and named."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.data.annotated import find_annotated
from edgetui.engine.data.coco import LARGEST_BYTES
from edgetui.engine.data.decoding import decode
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.data.yolo_text import class_names, read_yolo
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import kind_of, read_dataset
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.boxes import Scene
from edgetui.engine.tasks.exporter import ExportNotes
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

CLASSES = ("cell", "plate")
WIDTH, HEIGHT = 40, 30
INPUT = TensorFacts(name="images", dtype="float", shape=(1, 3, 64, 64))
NOTES = ExportNotes("detect", CLASSES, ultralytics=True)
Zipped = Callable[..., Path]
Boxes = list[tuple[str, float, float, float, float]]


def picture(width: int = WIDTH, height: int = HEIGHT, kind: str = "PNG", **how: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(out, kind, **how)
    return out.getvalue()


def voc(boxes: Boxes, size: tuple[int, int] | None = (WIDTH, HEIGHT), difficult: int = 0) -> bytes:
    said = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    objects = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in boxes
    )
    return f"<annotation>{said}{objects}</annotation>".encode()


def yolo(boxes: Boxes) -> bytes:
    lines = [
        f"{CLASSES.index(name)} {(a + c) / 2 / WIDTH} {(b + d) / 2 / HEIGHT} {(c - a) / WIDTH} {(d - b) / HEIGHT}"
        for name, a, b, c, d in boxes
    ]
    return "\n".join(lines).encode()


def coco(images: dict[str, Boxes], *, crowd: int = 0, **more: object) -> bytes:
    document = {
        "categories": [{"id": 7, "name": "cell"}, {"id": 90, "name": "plate"}],
        "images": [{"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT} for n, name in enumerate(images)],
        "annotations": [
            {"id": 1, "image_id": n, "category_id": {"cell": 7, "plate": 90}.get(label, 3), "iscrowd": crowd}
            | {"bbox": [a, b, c - a, d - b], "segmentation": [[1, 2, 3]], "area": 1.5}
            for n, boxes in enumerate(images.values())
            for label, a, b, c, d in boxes
        ],
    }
    return json.dumps(document | more).encode()


BOXES: dict[str, Boxes] = {"1": [("cell", 4, 6, 20, 18), ("plate", 0, 0, 40, 30)], "2": [("plate", 8, 3, 12, 27)]}


def opened(path: Path, say: NullReporter | None = None, notes: ExportNotes = NOTES, **described: object) -> Samples:
    dataset = Dataset(kind="detection", path=str(path), task="detection", **described)  # type: ignore[arg-type]
    return open_samples(dataset, [INPUT], {"images": (1, 3, 64, 64)}, "all", 0, say or NullReporter(), notes)


def scenes(samples: Samples) -> list[Scene]:
    return [scene for batch in samples.batches(2) for scene in batch.truths.scenes]


def as_voc(folder: str = "annotations/") -> dict[str, bytes]:
    return {f"images/{n}.png": picture() for n in BOXES} | {f"{folder}{n}.xml": voc(boxes) for n, boxes in BOXES.items()}


def as_yolo() -> dict[str, bytes]:
    return {f"train/images/{n}.png": picture() for n in BOXES} | {
        f"train/labels/{n}.txt": yolo(boxes) for n, boxes in BOXES.items()
    }


def as_coco() -> dict[str, bytes]:
    return {f"val/{n}.png": picture() for n in BOXES} | {
        "annotations/instances_val.json": coco({f"{n}.png": boxes for n, boxes in BOXES.items()})
    }


FORMS = {"VOC": as_voc, "YOLO": as_yolo, "COCO": as_coco, "VOC, one folder": lambda: as_voc("images/")}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zip_it", [True, False])
def test_all_formats_say_the_same(form: str, zip_it: bool, zipped: Zipped, tmp_path: Path):
    content = FORMS[form]()
    if zip_it:
        path = zipped(content)
    else:
        path = tmp_path / "folder"
        for name, data in content.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    assert kind_of(path) == "detection"
    heard = NullReporter()
    samples = opened(path, heard)
    assert heard.warnings == []
    assert (samples.truth, samples.labels, samples.classes, len(samples)) == ("boxes", False, CLASSES, 2)
    for scene, boxes in zip(scenes(samples), BOXES.values(), strict=True):
        assert scene.truth.corners == pytest.approx(np.array([box[1:] for box in boxes], float))
        assert scene.truth.classes.tolist() == [CLASSES.index(box[0]) for box in boxes]
        assert not scene.truth.passed_over.any()
        assert scene.laid.size == (WIDTH, HEIGHT)


def test_a_bare_path_is_a_detection_set_and_class_folders_are_none(zipped: Zipped, two_classes: dict[str, bytes]):
    dataset = read_dataset(str(zipped(as_voc())), {})
    assert (dataset.kind, dataset.task) == ("detection", "detection")
    plain = zipped({**two_classes, "README.txt": b"cats and dogs", "info.json": b"{}", "cat/about.xml": b"<a/>"}, "plain.zip")
    assert read_dataset(str(plain), {}).kind == "image-folder"


def test_a_toml_file_says_classes_decoder_and_letterbox(zipped: Zipped, tmp_path: Path):
    zipped(as_voc())
    (tmp_path / "cells.toml").write_text(
        'kind = "detection"\npath = "set.zip"\nclasses = ["plate", "cell"]\ndecoder = "yolov8"\n[input]\nletterbox = false\n'
    )
    dataset = read_dataset(str(tmp_path / "cells.toml"), {})
    assert (dataset.task, dataset.classes, dataset.decoder) == ("detection", ("plate", "cell"), "yolov8")
    samples = open_samples(dataset, [INPUT], {"images": (1, 3, 64, 64)}, "all", 0, NullReporter(), NOTES)
    first = scenes(samples)[0]
    assert first.truth.classes.tolist() == [1, 0]
    assert first.laid.scale == (64 / WIDTH, 64 / HEIGHT)


@pytest.mark.parametrize(
    "line", ['task = "classification"', 'decoder = "yolo"', 'classes = "cell"', '[input]\nletterbox = "yes"']
)
def test_values_that_do_not_fit_are_refused(line: str, zipped: Zipped, tmp_path: Path):
    zipped(as_voc())
    (tmp_path / "cells.toml").write_text(f'kind = "detection"\npath = "set.zip"\n{line}\n')
    with pytest.raises(DataRefused, match=r"cells\.toml"):
        read_dataset(str(tmp_path / "cells.toml"), {})


def test_without_labels_the_images_alone_are_read(zipped: Zipped):
    dataset = Dataset(kind="detection", path=str(zipped(as_voc())), task="none")
    samples = open_samples(dataset, [INPUT], {"images": (1, 3, 64, 64)}, "all", 0, NullReporter(), NOTES)
    assert not samples.truth
    assert [batch.truths.scenes for batch in samples.batches(2)] == [()]


def test_a_letterbox_is_grey_and_its_boxes_lead_back(zipped: Zipped):
    samples = opened(zipped(as_voc()))
    (batch,) = samples.batches(2)
    pixels = batch.feeds["images"][0]
    assert pixels[:, 0, 0] == pytest.approx([114 / 255] * 3)
    assert pixels[:, 32, 32] == pytest.approx([200 / 255, 10 / 255, 10 / 255], abs=1e-6)
    assert pixels[:, 7, 32] == pytest.approx([114 / 255] * 3)
    assert pixels[0, 8, 32] == pytest.approx(200 / 255)
    laid = batch.truths.scenes[0].laid
    assert laid.back(np.array([[0.0, 8, 64, 56]])) == pytest.approx(np.array([[0.0, 0, 40, 30]]))


def test_a_letterbox_takes_the_nearest_four_pixels_as_opencv_does():
    """Values of cv2.resize(..., INTER_LINEAR) of a ramp to a third: no averaging over what falls between."""
    ramp = np.zeros((30, 30, 3), np.uint8)
    ramp[:, ::2] = 200
    out = io.BytesIO()
    Image.fromarray(ramp).save(out, "PNG")
    pixels, own = decode(out.getvalue(), (10, 10), gray=False, letterbox=True)
    assert own == (30, 30)
    assert pixels[0, :, 0].tolist() == [0, 200] * 5  # columns 1, 4, 7, ... of the ramp


def test_a_photograph_on_its_side_is_set_upright_as_whoever_drew_the_boxes_saw_it(zipped: Zipped):
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = picture(HEIGHT, WIDTH, "JPEG", exif=exif)
    path = zipped({"1.jpg": sideways, "1.xml": voc(BOXES["1"])})
    assert scenes(opened(path))[0].laid.size == (WIDTH, HEIGHT)


def test_difficult_objects_and_crowds_are_passed_over(zipped: Zipped):
    content = {"1.png": picture(), "1.xml": voc(BOXES["1"], difficult=1)}
    assert scenes(opened(zipped(content)))[0].truth.passed_over.all()
    content = {"1.png": picture(), "coco.json": coco({"1.png": BOXES["1"]}, crowd=1)}
    assert scenes(opened(zipped(content, "b.zip")))[0].truth.passed_over.all()


WRONG = [
    (("cell", 50, 6, 60, 18), "1 outside the image (1.png)"),
    (("cell", 9, 6, 9, 18), "1 of no area (1.png)"),
    (("cell", 20, 6, 4, 18), "1 of no area (1.png)"),
    (("nut", 4, 6, 20, 18), "1 of a class that is not the model's (1.png); not the model's: nut"),
    (("cell", float("nan"), 6, 20, 18), "1 with values that are no numbers (1.png)"),
]


@pytest.mark.parametrize(("box", "words"), WRONG, ids=[words for _, words in WRONG])
def test_boxes_that_cannot_be_are_passed_over_counted_and_named(box, words: str, zipped: Zipped):
    heard = NullReporter()
    samples = opened(zipped({"1.png": picture(), "1.xml": voc([*BOXES["1"], box])}), heard)
    assert heard.warnings == [f"set.zip: boxes are passed over: {words}"]
    assert len(scenes(samples)[0].truth.classes) == 2


def test_a_box_past_the_border_is_cut_there_and_said(zipped: Zipped):
    heard = NullReporter()
    samples = opened(zipped({"1.png": picture(), "1.xml": voc([("cell", -4, 6, 50, 18)])}), heard)
    assert scenes(samples)[0].truth.corners.tolist() == [[0, 6, 40, 18]]
    assert heard.notes == ["set.zip: 1 boxes reach past their image and are cut at its border"]


def test_images_without_annotation_and_annotations_without_image_are_counted(zipped: Zipped):
    heard = NullReporter()
    samples = opened(zipped(as_voc() | {"images/3.png": picture(), "annotations/9.xml": voc(BOXES["1"])}), heard)
    assert len(samples) == 2
    assert heard.warnings == [
        "set.zip: 1 image is not annotated and left out (3.png)",
        "set.zip: 1 annotation is of images that are not there (9.xml)",
    ]


def test_an_image_without_a_text_file_has_nothing_in_it_as_yolo_takes_it(zipped: Zipped):
    heard = NullReporter()
    samples = opened(zipped(as_yolo() | {"train/images/3.png": picture(), "train/labels/4.txt": b""}), heard)
    assert [len(scene.truth.classes) for scene in scenes(samples)] == [2, 1, 0]
    assert heard.notes == ["set.zip: 1 images have no text file, so there is nothing in them"]


def test_coco_counts_images_and_boxes_that_lead_nowhere(zipped: Zipped):
    heard = NullReporter()
    document = json.loads(coco({"1.png": BOXES["1"], "gone.png": []}))
    document["annotations"].append({"id": 9, "image_id": 77, "category_id": 7, "bbox": [1, 1, 5, 5]})
    document["annotations"].append({"id": 9, "image_id": 0, "category_id": 7, "bbox": [None, 1, 5, 5]})
    content = {"1.png": picture(), "3.png": picture(), "coco.json": json.dumps(document).encode()}
    assert len(opened(zipped(content), heard)) == 1
    assert heard.warnings == [
        "set.zip: 1 image is annotated and not there (gone.png)",
        "set.zip: 1 boxes are of images that the document does not list",
        "set.zip: 1 image is not annotated and left out (3.png)",
        "set.zip: boxes are passed over: 1 with values that are no numbers (1.png)",
    ]


BROKEN = {
    "no XML": (b"<annotation>", "is no XML"),
    "entities": (b"<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>&b;</annotation>", "declares entities"),
    "no number": (voc([("cell", "x", 1, 2, 3)]), "`xmin` is 'x', no number"),  # type: ignore[list-item]
    "no box": (b"<annotation><object><name>a</name></object></annotation>", "no name or no bndbox"),
    "another size": (voc(BOXES["1"], (80, 60)), "its annotation is of 80 x 60 pixels, and it has 40 x 30"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_annotation_is_a_broken_sample(name: str, zipped: Zipped):
    data, words = BROKEN[name]
    heard = NullReporter()
    samples = opened(zipped(as_voc() | {"images/3.png": picture(), "annotations/3.xml": data}), heard)
    assert len(scenes(samples)) == 2
    assert samples.skipped == ["images/3.png"]
    assert words in heard.warnings[-1]


@pytest.mark.parametrize(
    "line", ["cell 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.1", "0 0.5 0.5 0.1 x", "0 1 2 3 4 5", "1e300 0.5 0.5 0.1 0.1"]
)
def test_lines_that_are_no_boxes_are_named(line: str):
    with pytest.raises(ValueError, match="line 2"):
        read_yolo(f"0 0.5 0.5 0.1 0.1\n{line}\n".encode())


def test_the_outline_of_a_segment_means_its_box():
    assert read_yolo(b"1 0.1 0.2 0.5 0.9 0.3 0.1").corners.tolist() == [[0.1, 0.1, 0.5, 0.9]]


@given(st.binary(max_size=200) | st.text("0123456789. -\n\te", max_size=80).map(str.encode))
def test_whatever_is_in_a_text_file_it_is_boxes_or_said(data: bytes):
    try:
        read = read_yolo(data)
    except ValueError as error:
        assert "line" in str(error)  # noqa: PT017
    else:
        assert read.corners.shape == (len(read.names), 4)


@pytest.mark.parametrize(
    "text",
    [
        "cell\nplate\n",
        "path: x\nnames: [cell, 'plate']\nnc: 2",
        'names:\n  - cell\n  - "plate"\nnc: 2',
        "names:\n  0: cell\n  1: plate # flat\ntrain: a",
    ],
)
def test_names_of_a_yolo_set_are_read(text: str):
    assert class_names(text.encode()) == CLASSES


def test_a_yolo_sets_own_names_lead_to_the_models_order(zipped: Zipped):
    content = as_yolo() | {"data.yaml": b"names: ['plate', 'cell']"}
    assert scenes(opened(zipped(content)))[0].truth.classes.tolist() == [1, 0]


REFUSED = {
    "none": ({"1.png": picture()}, "nothing says what is in them"),
    "two formats": (
        as_voc() | {f"labels/{n}.txt": yolo(b) for n, b in BOXES.items()},
        r"VOC XML \(2\) and YOLO text files \(2\)",
    ),
    "no class": (
        {"1.png": picture(), "1.xml": voc([("nut", 1, 1, 9, 9)])},
        r"no class in set.zip \(nut\) is one of the model's",
    ),
    "no box": ({"1.png": picture(), "1.xml": voc([])}, "there is no box in"),
    "two documents": (
        as_coco() | {"annotations/more.json": coco({"1.png": BOXES["1"]})},
        "several documents for the same images",
    ),
    "no document": ({"1.png": picture(), "coco.json": b"{}"}, "coco.json: it is no COCO document"),
    "other images": ({"1.png": picture(), "coco.json": coco({"x.png": BOXES["1"]})}, "names none of the images"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_sets_that_cannot_serve_are_refused(name: str, zipped: Zipped):
    content, words = REFUSED[name]
    with pytest.raises(DataRefused, match=words):
        opened(zipped(content))


def test_a_document_too_large_to_be_read_is_refused_with_its_size(tmp_path: Path):
    (tmp_path / "1.png").write_bytes(picture())
    with (tmp_path / "coco.json").open("wb") as file:
        file.truncate(500_000_000)
    with pytest.raises(DataRefused, match=f"takes 500 MB; up to {LARGEST_BYTES / 1e6:.0f} MB are read"):
        opened(tmp_path)


def test_an_order_that_nobody_says_is_assumed_aloud(zipped: Zipped):
    heard = NullReporter()
    samples = opened(zipped(as_voc()), heard, notes=ExportNotes(), input=ImageInput(color="RGB"))
    assert samples.classes == CLASSES
    assert "cell, plate is assumed" in heard.warnings[0]


def test_bccd_is_read_as_it_is(shared: Path):
    heard = NullReporter()
    found = find_annotated(shared / "bccd" / "bccd.zip", ["RBC", "WBC", "Platelets"], [], heard)
    assert len(found.images) == 273
    assert not any(isinstance(each, str) for each in found.images)
    assert sum(len(each.truth.classes) for each in found.images if not isinstance(each, str)) == 3621
    assert heard.warnings == ["bccd.zip: boxes are passed over: 1 of no area (images/BloodImage_00338.jpg)"]


def test_a_calibration_set_of_its_own_needs_no_boxes(zipped: Zipped):
    zipped({"1.png": picture(), "2.png": picture(), "1.xml": voc([("nut", 1, 1, 9, 9)])}, "train.zip")
    path = zipped(as_voc())
    dataset = Dataset(kind="detection", path=str(path), calibration=str(path.with_name("train.zip")), task="detection")
    samples = open_samples(dataset, [INPUT], {"images": (1, 3, 64, 64)}, "calibration", 0, NullReporter(), NOTES)
    assert (len(samples), samples.truth) == (2, "")
    (batch,) = samples.batches(2)
    assert batch.feeds["images"][0, :, 0, 0] == pytest.approx([114 / 255] * 3)


def test_the_share_that_calibrates_is_left_out_of_evaluation(zipped: Zipped):
    content = {f"{n}.png": picture() for n in range(10)} | {f"{n}.xml": voc(BOXES["1"]) for n in range(8)}
    dataset = Dataset(kind="detection", path=str(zipped(content)), task="detection")
    parts = [
        open_samples(dataset, [INPUT], {"images": (1, 3, 64, 64)}, part, 0, NullReporter(), NOTES)
        for part in ("calibration", "evaluation")
    ]
    assert [len(part) for part in parts] == [4, 4]
