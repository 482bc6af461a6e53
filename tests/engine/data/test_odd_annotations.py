"""Annotations as exporters and scripts write them beside the formats: sizes that nobody said, ids that stand twice, values
that are no numbers.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.errors import DataRefused
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.boxes import Scene
from edgetui.engine.tasks.exporter import ExportNotes
from PIL import Image

WIDTH, HEIGHT = 40, 30
INPUT = TensorFacts(name="images", dtype="float", shape=(1, 3, 64, 64))
NOTES = ExportNotes("detect", ("cell", "plate"), ultralytics=True)
BOXES = {"1": [("cell", 4, 6, 20, 18), ("plate", 0, 0, 40, 30)], "2": [("plate", 8, 3, 12, 27)]}
Zipped = Callable[..., Path]


def opened(path: Path, say: NullReporter | None = None) -> Samples:
    dataset = Dataset(kind="detection", path=str(path), task="detection")
    return open_samples(dataset, [INPUT], {"images": (1, 3, 64, 64)}, "all", 0, say or NullReporter(), NOTES)


def scenes(samples: Samples) -> list[Scene]:
    return [scene for batch in samples.batches(2) for scene in batch.truths.scenes]


def pictures() -> dict[str, bytes]:
    out = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (200, 10, 10)).save(out, "PNG")
    return {f"{n}.png": out.getvalue() for n in BOXES}


def voc(boxes: list[tuple[str, int, int, int, int]], size: str = "") -> bytes:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in boxes
    )
    return f"<annotation>{size}{objects}</annotation>".encode()


def as_voc(**others: bytes) -> dict[str, bytes]:
    return pictures() | {f"{n}.xml": voc(boxes) for n, boxes in BOXES.items()} | {f"{n[1:]}.xml": d for n, d in others.items()}


def document() -> dict[str, list[dict[str, object]]]:
    names = {"cell": 7, "plate": 90}
    return {
        "categories": [{"id": number, "name": name} for name, number in names.items()],
        "images": [{"id": n, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT} for n, name in enumerate(BOXES)],
        "annotations": [
            {"image_id": n, "category_id": names[label], "bbox": [a, b, c - a, d - b]}
            for n, boxes in enumerate(BOXES.values())
            for label, a, b, c, d in boxes
        ],
    }


def as_coco(said: object, before: bytes = b"") -> dict[str, bytes]:
    return pictures() | {"instances.json": before + json.dumps(said).encode()}


def without_sizes() -> dict[str, bytes]:
    said = document()
    for image in said["images"]:
        image["width"] = None
    return as_coco(said)


@pytest.mark.parametrize("made", [as_voc, without_sizes])
def test_boxes_of_images_whose_size_nobody_said_are_pixels(made: Callable[[], dict[str, bytes]], zipped: Zipped):
    for scene, boxes in zip(scenes(opened(zipped(made()))), BOXES.values(), strict=True):
        assert scene.truth.corners == pytest.approx(np.array([box[1:] for box in boxes], float))


def test_a_box_past_the_border_of_such_an_image_is_cut(zipped: Zipped):
    content = as_voc(_1=voc([("cell", 4, 6, 99, 99)]))
    assert scenes(opened(zipped(content)))[0].truth.corners.tolist() == [[4, 6, WIDTH, HEIGHT]]


BROKEN = {
    "outside, no size said": (voc([("cell", 41, 1, 50, 9)]), "a box of its annotation lies outside it"),
    "no size of an image": (
        voc(BOXES["1"], "<size><width>inf</width><height>30</height></size>"),
        "its annotation is of 2147483648 x 30 pixels",
    ),
    "entities in UTF-16": ("<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>&b;</annotation>".encode("utf-16"), "declares entities"),
    "an encoding of no name": (b"<?xml version='1.0' encoding='bogus'?><annotation/>", "unknown encoding: bogus"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_annotation_leaves_its_image_out(name: str, zipped: Zipped):
    data, words = BROKEN[name]
    heard = NullReporter()
    samples = opened(zipped(as_voc(_1=data)), heard)
    assert (len(scenes(samples)), samples.skipped) == (1, ["1.png"])
    assert words in heard.warnings[-1]


@pytest.mark.parametrize(
    ("part", "key", "words"),
    [
        ("images", "id", "2 images have the id 0"),
        ("images", "file_name", "2 images are called 1.png"),
        ("categories", "id", "2 categories have the id 7"),
    ],
)
def test_what_stands_twice_in_a_document_is_refused(part: str, key: str, words: str, zipped: Zipped):
    said = document()
    said[part][1][key] = said[part][0][key]
    with pytest.raises(DataRefused, match=words):
        opened(zipped(as_coco(said)))


def test_what_exporters_write_beside_the_standard_is_read(zipped: Zipped):
    said = document()
    said["images"][0] |= {"id": 0.0, "width": float(WIDTH)}
    said["annotations"][0] |= {"iscrowd": None, "area": float("nan"), "keypoints": None}
    said["annotations"][1] |= {"iscrowd": False, "bbox": [float("nan"), 0, 1, 1]}
    said["annotations"][2] |= {"bbox": None}
    heard = NullReporter()
    found = scenes(opened(zipped(as_coco(said, b"\xef\xbb\xbf")), heard))
    assert [len(scene.truth.classes) for scene in found] == [1, 0]
    assert heard.warnings == ["set.zip: boxes are passed over: 2 with values that are no numbers (1.png, 2.png)"]


def test_names_of_classes_stay_in_one_short_line(zipped: Zipped):
    heard = NullReporter()
    opened(zipped(as_voc(_2=voc([("long\n" + 5000 * "x", 1, 1, 9, 9)]))), heard)
    assert "\n" not in heard.warnings[0]
    assert len(heard.warnings[0]) < 250
