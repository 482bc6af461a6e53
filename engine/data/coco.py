"""Annotations as COCO has them: one JSON document for all images."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ..schema.ready import ready
from .annotation import ImageAnnotation, said_size

LARGEST_BYTES = 64_000_000
"""COCO's own validation set takes 20 MB. A document is read whole, and what is made of it takes as much again."""

_BOM = b"\xef\xbb\xbf"
_NO_NUMBER = re.compile(rb"(?<=[\[:,\s])(?:NaN|-?Infinity)(?=[\],}\s])")
"""What Python's json writes beside the standard."""


class _Image(Struct):
    id: int | float | str
    file_name: str
    width: float | None = None
    height: float | None = None


class _Box(Struct):
    image_id: int | float | str
    category_id: int | float
    bbox: list[float | None] | None = None
    iscrowd: int | float | bool | None = None
    keypoints: list[float | None] | None = None
    area: float | None = None


class _Category(Struct):
    id: int | float
    name: str


class _Document(Struct):
    images: list[_Image]
    annotations: list[_Box]
    categories: list[_Category]


class CocoSet(NamedTuple):
    """A document."""

    images: dict[str, ImageAnnotation]
    """By `file_name`."""
    classes: tuple[str, ...]
    """By ascending id."""
    orphans: int
    """Boxes of images that the document does not list."""


def read_coco(data: bytes) -> CocoSet:
    """The document; keys that are not needed are passed over.

    Raises:
        ValueError: it is none, in words.
    """
    document = _decoded(data.removeprefix(_BOM))
    _refuse_twice("images have the id", (each.id for each in document.images))
    _refuse_twice("images are called", (each.file_name for each in document.images))
    _refuse_twice("categories have the id", (each.id for each in document.categories))
    names = {each.id: each.name for each in document.categories}
    by_image: dict[int | float | str, list[_Box]] = defaultdict(list)
    for box in document.annotations:
        by_image[box.image_id].append(box)
    found = {}
    for image in document.images:
        boxes = by_image.pop(image.id, [])
        found[image.file_name] = ImageAnnotation(
            tuple(names.get(box.category_id, f"category {box.category_id}") for box in boxes),
            np.array([_corners(box) for box in boxes], np.float64).reshape(-1, 4),
            tuple(bool(box.iscrowd) for box in boxes),
            said_size(image.width, image.height),
            points=_points(boxes),
            areas=np.array([float("nan") if box.area is None else box.area for box in boxes], np.float64),
        )
    classes = tuple(names[number] for number in sorted(names))
    return CocoSet(found, classes, sum(map(len, by_image.values())))


def _decoded(data: bytes) -> _Document:
    try:
        return msgspec.json.decode(data, type=ready(_Document))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        tamed = _NO_NUMBER.sub(b"null", data)
        if tamed != data:
            return _decoded(tamed)
        raise ValueError(f"it is no COCO document ({error})") from None


def _refuse_twice(what: str, keys: Iterable[int | float | str]) -> None:
    """Boxes of one would become the other's."""
    key, many = next(iter(Counter(keys).most_common(1)), ("", 0))
    if many > 1:
        raise ValueError(f"{many} {what} {str(key)[:60]}")


def _points(boxes: list[_Box]) -> NDArray[np.float64] | None:
    """Shape (n, k, 3); None: not each has as many keypoints as the others."""
    listed = [box.keypoints or [] for box in boxes]
    lengths = set(map(len, listed))
    if len(lengths) > 1 or any(length % 3 for length in lengths):
        return None
    values = [[float("nan") if value is None else value for value in each] for each in listed]
    return np.array(values, np.float64).reshape(len(boxes), next(iter(lengths), 0) // 3, 3)


def _corners(box: _Box) -> list[float]:
    """Of left, top, width and height; what is not four numbers is no box."""
    values = [float("nan") if value is None else value for value in box.bbox or []]
    if len(values) != 4:
        return [float("nan")] * 4
    return [values[0], values[1], values[0] + values[2], values[1] + values[3]]
