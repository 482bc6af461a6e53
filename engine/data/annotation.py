"""What a file says of one image, whatever its format, and how it becomes boxes of known classes inside the image.

Apart from the formats (`voc.py`, `yolo_text.py`, `coco.py`) because boxes are wrong in the same ways in all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..tasks.boxes import Corners, TrueBoxes
from ..tasks.poses import Points, TruePoses

_NAMED = 3
_WIDEST = 2**31
_FARTHEST = 1e100
"""Of corners: the area of what reaches farther is no number."""
POSE_SHARE = 0.53
"""Of its box that a person takes, where nobody says the area (Ultralytics, models/yolo/pose/val.py)."""


@dataclass(frozen=True)
class ImageAnnotation:
    """Boxes of one image as they are written."""

    names: tuple[str, ...]
    """The class of each."""
    corners: Corners
    passed_over: tuple[bool, ...]
    size: tuple[int, int] | None
    """Width and height of the image that was annotated; None: not said."""
    shares: bool = False
    """Corners are shares of the image's width and height, not pixels."""
    points: Points | None = None
    """Keypoints, shape (n, k, 3): x, y and whether they are labelled; None: the file has none."""
    areas: NDArray[np.float64] | None = None
    """Shape (n,), in square pixels (or shares); NaN: not said."""


def said_size(width: float | None, height: float | None) -> tuple[int, int] | None:
    """Width and height as a file says them; None: it does not. What no image has is larger than any."""
    if not (width and height and width >= 1 and height >= 1):
        return None
    return int(min(width, _WIDEST)), int(min(height, _WIDEST))


def unmarked(size: tuple[int, int] | None = None) -> ImageAnnotation:
    """Of an image in which there is nothing."""
    return ImageAnnotation((), np.empty((0, 4)), (), size)


def with_points(said: ImageAnnotation, points: int) -> ImageAnnotation:
    """The same where each is said to have `points` keypoints, also where there is nobody."""
    return said if said.names else replace(said, points=np.empty((0, points, 3)), areas=np.empty(0))


@dataclass
class BoxFaults:
    """Boxes that are passed over, and why; counted over a whole set."""

    counts: Counter[str] = field(default_factory=Counter)
    where: dict[str, list[str]] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    """Classes that the model does not have."""
    cut: int = 0
    """Boxes that reach past their image and are cut at its border."""
    kept: int = 0

    def words(self) -> str:
        """In a sentence; empty: there are none."""
        parts = []
        for why, many in self.counts.items():
            named = ", ".join(self.where[why])
            parts.append(f"{many} {why} ({named}{', ...' if many > len(self.where[why]) else ''})")
        return "; ".join(parts)

    def note(self, why: str, name: str) -> None:
        """One more box of the image `name`."""
        self.counts[why] += 1
        named = self.where.setdefault(why, [])
        if name not in named and len(named) < _NAMED:
            named.append(name)


def true_boxes(said: ImageAnnotation, name: str, numbers: Mapping[str, int], faults: BoxFaults) -> TrueBoxes:
    """The boxes that can be found, corners as they are written (pixels or shares), cut at the image's border
    where its size is said (`in_image` does it where it is not).

    numbers: class to its number among the model's outputs.
    """
    corners, classes, passed_over = [], [], []
    right, bottom = (1.0, 1.0) if said.shares else said.size or (np.inf, np.inf)
    for label, box, crowd in zip(said.names, said.corners, said.passed_over, strict=True):
        inside = np.clip(box, 0.0, [right, bottom, right, bottom])
        if not np.isfinite(box).all():
            faults.note("with values that are no numbers", name)
        elif not (box[2] > box[0] and box[3] > box[1]):
            faults.note("of no area", name)
        elif not (inside[2] > inside[0] and inside[3] > inside[1]):
            faults.note("outside the image", name)
        elif label not in numbers:
            faults.unknown[label] += 1
            faults.note("of a class that is not the model's", name)
        else:
            faults.cut += bool((np.abs(inside - box) > 1e-3 * max(right, bottom)).any())
            faults.kept += 1
            corners.append(inside)
            classes.append(numbers[label])
            passed_over.append(crowd)
    return TrueBoxes(np.array(corners, np.float64).reshape(-1, 4), np.array(classes, np.int64), np.array(passed_over, np.bool_))


def in_image(truth: TrueBoxes, width: int, height: int) -> TrueBoxes | None:
    """Boxes in pixels cut at the border of an image whose size nobody said; None: one lies outside."""
    inside = np.clip(truth.corners, 0.0, [width, height, width, height])
    whole = (inside[:, 2:] > inside[:, :2]).all()
    return replace(truth, corners=inside) if whole else None


def true_poses(said: ImageAnnotation, name: str, numbers: Mapping[str, int], faults: BoxFaults) -> TruePoses:
    """The poses that can be found, places as they are written (pixels or shares). One whose keypoints are no numbers, or all
    outside the image, is left out; one without a labelled keypoint stays, for COCO passes over whoever finds it.
    """
    assert said.points is not None
    assert said.areas is not None
    right, bottom = (1.0, 1.0) if said.shares or said.size is None else map(float, said.size)
    kept, boxes = [], said.corners.copy()
    for place, (label, points, box) in enumerate(zip(said.names, said.points, boxes, strict=True)):
        labelled = points[points[:, 2] > 0]
        if len(labelled) and not np.isfinite(box).any():  # nobody says it
            box[:] = np.concatenate([labelled[:, :2].min(axis=0), labelled[:, :2].max(axis=0)])
        inside = (labelled[:, :2] >= 0) & (labelled[:, :2] <= [right, bottom])
        if not (np.isfinite(points).all() and (np.abs(box) < _FARTHEST).all()):
            faults.note("with values that are no numbers", name)
        elif len(labelled) and said.size is not None and not inside.all(axis=1).any():
            faults.note("outside the image", name)
        elif label not in numbers:
            faults.unknown[label] += 1
            faults.note("of a class that is not the model's", name)
        else:
            faults.kept += bool(len(labelled))
            kept.append(place)
    boxes = boxes[kept]
    whole = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    areas = said.areas[kept]
    return TruePoses(
        said.points[kept],
        np.where(np.isfinite(areas) & (areas > 0), areas, whole * POSE_SHARE),
        boxes,
        np.array([numbers[said.names[place]] for place in kept], np.int64),
        np.array([said.passed_over[place] for place in kept], np.bool_),
    )
