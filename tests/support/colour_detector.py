"""A detector with nothing learnt: it finds squares by their colour, and its outputs are a YOLOv8 head's."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from nodes import Net
from onnx import helper
from PIL import Image, ImageDraw

SIZE = 64
COLOURS = {"red": (230, 20, 20), "blue": (20, 20, 230)}
NAMES = tuple(COLOURS)
_CHANNEL = {"red": 0, "blue": 2}


def colour_detector(
    path: Path,
    names: Sequence[str] = NAMES,
    *,
    size: int = SIZE,
    windows: tuple[int, int, int] = (16, 32, 64),
    said: bool = True,
    corners: bool = False,
) -> Path:
    """Squares of `windows` pixels at strides of 8, 16 and 32; `said`: with the metadata that Ultralytics writes; `corners`: the
    outputs are a pose head's, whose keypoints are a square's four corners.
    """
    net = Net()
    image = net.input("images", 1, 3, size, size)
    heads, boxes = [], []
    for stride, window in zip((8, 16, 32), windows, strict=True):
        weight = np.zeros((len(names), 3, window, window), np.float32)
        for n, name in enumerate(names):
            weight[n] = -0.5
            weight[n, _CHANNEL[name]] = 1.0
        pad = (window - stride) // 2
        kernel = net.constant(20 * weight / window**2)
        bias = net.constant(np.full(len(names), -13.0, np.float32))
        found = net.node("Conv", image, kernel, bias, kernel_shape=[window] * 2, strides=[stride] * 2, pads=[pad] * 4)
        cells = size // stride
        heads.append(net.node("Reshape", found, net.constant(np.array([1, len(names), cells**2], np.int64))))
        places = (np.arange(cells) + 0.5) * stride
        down, across = np.meshgrid(places, places, indexing="ij")
        boxes.append(np.stack([across.ravel(), down.ravel(), *[np.full(cells**2, float(window))] * 2]))
    scores = net.node("Sigmoid", net.node("Concat", *heads, axis=2))
    where = net.constant(np.concatenate(boxes, axis=1)[None].astype(np.float32))
    parts = [where, scores]
    if corners:
        ways = [(across, down) for down in (-0.5, 0.5) for across in (-0.5, 0.5)]
        turn = np.zeros((3 * len(ways), 4), np.float32)
        for n, (right, low) in enumerate(ways):
            turn[3 * n], turn[3 * n + 1] = (1, 0, right, 0), (0, 1, 0, low)
        parts.append(net.node("MatMul", net.constant(turn[None]), where))
    model = net.model(net.node("Concat", *parts, axis=1))
    if said:
        told = {"author": "Ultralytics", "task": "detect", "stride": "32", "names": str(dict(enumerate(names)))}
        helper.set_model_props(model, told | ({"task": "pose", "kpt_shape": "[4, 3]"} if corners else {}))
    onnx.save(model, path)
    return path


def scenery(folder: Path, count: int = 24, *, shuffled: bool = False) -> Path:
    """Images with VOC XML beside them; `shuffled`: each has another one's boxes."""
    draw = np.random.default_rng(5)
    folder.mkdir()
    annotations, pictures = [], []
    for _ in range(count):
        picture = Image.new("RGB", (SIZE, SIZE), (90, 100, 95))
        brush, objects = ImageDraw.Draw(picture), ""
        for place in draw.choice(9, int(draw.integers(1, 4)), replace=False):
            name = NAMES[int(draw.integers(0, 2))]
            left, top = (int(v) * 24 + int(draw.integers(-2, 3)) for v in divmod(int(place), 3))
            left, top = (min(max(side, 0), SIZE - 16) for side in (left, top))
            brush.rectangle((left, top, left + 15, top + 15), fill=COLOURS[name])
            objects += (
                f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
                f"<xmax>{left + 16}</xmax><ymax>{top + 16}</ymax></bndbox></object>"
            )
        pictures.append(picture)
        annotations.append(f"<annotation><size><width>{SIZE}</width><height>{SIZE}</height></size>{objects}</annotation>")
    for n, picture in enumerate(pictures):
        out = io.BytesIO()
        picture.save(out, "PNG")
        (folder / f"{n:03}.png").write_bytes(out.getvalue())
        (folder / f"{n:03}.xml").write_text(annotations[(n + 1) % count if shuffled else n])
    return folder


def corners_of_squares(folder: Path, count: int = 24, *, shuffled: bool = False) -> Path:
    """The red squares of `scenery`, as COCO's keypoints: their corners, clockwise from the left but for the last two."""
    from xml.etree.ElementTree import parse

    scenery(folder, count, shuffled=shuffled)
    images, annotations = [], []
    for number, file in enumerate(sorted(folder.glob("*.xml"))):
        images.append({"id": number, "file_name": f"{file.stem}.png", "width": SIZE, "height": SIZE})
        for each in parse(file).iter("object"):  # noqa: S314  (of our own making)
            box = each.find("bndbox")
            assert box is not None
            left, top, right, bottom = (int(box.findtext(side) or 0) for side in ("xmin", "ymin", "xmax", "ymax"))
            spots = [v for y in (top, bottom) for x in (left, right) for v in (x, y, 2)]
            about = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "bbox": [left, top, 16, 16]}
            if each.findtext("name") == "red":
                annotations.append({**about, "area": 256, "iscrowd": 0, "keypoints": spots, "num_keypoints": 4})
        file.unlink()
    categories = [{"id": 1, "name": "red"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "person_keypoints.json").write_text(json.dumps(document))
    return folder
