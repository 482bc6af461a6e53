"""Annotations as YOLO is trained with: a text file for each image, a line a box, `class x y width height` as shares of the
image.

A longer line is the outline of a segment, whose box is meant, as Ultralytics takes it.
"""

from __future__ import annotations

import re

import numpy as np

from .annotation import ImageAnnotation

_LAST_CLASS = 1_000_000
"""Beyond, it is no number of a class."""


def read_yolo(data: bytes) -> ImageAnnotation:
    """One file; an empty one says that there is nothing in the image.

    Raises:
        ValueError: a line is none of that, in words.
    """
    names, corners = [], []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            label, values = _class(words[0]), [float(word) for word in words[1:]]
        except (ValueError, OverflowError):
            raise ValueError(f"line {number} is not `class x y width height`") from None
        if len(values) == 4:
            x, y, width, height = values
            corners.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        elif len(values) >= 6 and len(values) % 2 == 0:
            across, down = values[::2], values[1::2]
            corners.append([min(across), min(down), max(across), max(down)])
        else:
            raise ValueError(f"line {number} has {len(values)} numbers behind the class, not 4")
        names.append(str(label))
    return ImageAnnotation(tuple(names), np.array(corners, np.float64).reshape(-1, 4), (False,) * len(names), None, shares=True)


def read_yolo_poses(data: bytes, shape: tuple[int, int]) -> ImageAnnotation:
    """One file of `class x y width height` and then keypoints, `shape` (how many, numbers of each: 3 with a visibility).

    Raises:
        ValueError: a line is none of that, in words.
    """
    points, each = shape
    names, corners, found = [], [], []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            label, values = _class(words[0]), [float(word) for word in words[1:]]
        except (ValueError, OverflowError):
            raise ValueError(f"line {number} is not `class x y width height` and keypoints") from None
        if len(values) != 4 + points * each:
            wanted = f"{4 + points * each} ({points} keypoints of {each})"
            raise ValueError(f"line {number} has {len(values)} numbers behind the class, not {wanted}")
        x, y, width, height = values[:4]
        corners.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        spots = np.array(values[4:]).reshape(points, each)
        seen = spots[:, 2:] if each == 3 else (spots != 0).any(axis=1, keepdims=True)
        found.append(np.concatenate([spots[:, :2], seen], axis=1))
        names.append(str(label))
    return ImageAnnotation(
        tuple(names),
        np.array(corners, np.float64).reshape(-1, 4),
        (False,) * len(names),
        None,
        shares=True,
        points=np.array(found, np.float64).reshape(len(names), points, 3),
        areas=np.full(len(names), np.nan),
    )


def _class(word: str) -> int:
    number = int(float(word))
    if abs(number) > _LAST_CLASS:
        raise ValueError
    return number


def pose_shape(data: bytes) -> tuple[int, int] | None:
    """`kpt_shape: [17, 3]` of a `data.yaml`; None: it does not say."""
    found = re.search(rb"(?m)^kpt_shape: *\[ *(\d{1,4}) *, *([23]) *\]", data)
    return (int(found[1]), int(found[2])) if found else None


def class_names(data: bytes) -> tuple[str, ...]:
    """Of `classes.txt`, `obj.names` and the like, a name a line; or of the `names` in a `data.yaml`, as a list or by number."""
    lines = [line.rstrip() for line in data.decode("utf-8-sig", "replace").splitlines()]
    start = next((n for n, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        return () if any(":" in line for line in lines) else tuple(line.strip() for line in lines if line.strip())
    inline = lines[start].removeprefix("names:").strip()
    if inline.startswith("[") and inline.endswith("]"):
        return tuple(_bare(part) for part in inline[1:-1].split(",") if part.strip())
    found = []
    for line in lines[start + 1 :]:
        number, colon, name = line.strip().partition(":")
        if line.strip().startswith("- "):
            found.append(_bare(line.strip()[2:]))
        elif line.startswith((" ", "\t")) and colon and number == str(len(found)):
            found.append(_bare(name))
        elif line.strip() and not line.lstrip().startswith("#"):
            break
    return tuple(found)


def _bare(text: str) -> str:
    return text.partition(" #")[0].strip().strip("'\"")
