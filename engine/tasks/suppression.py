"""Non-maximum suppression: of boxes of one class that overlap, the surest stays.

As Ultralytics' validation does it (utils/nms.py, called by models/yolo/detect/val.py): every class of a place above a low score
is a detection of its own, boxes of other classes never suppress each other, and the surest 300 of an image are kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .boxes import Corners, Detections

LEAST_SCORE = 0.001
MOST_OVERLAP = 0.7
MOST_BOXES = 300
_MOST_BEFORE = 30_000
"""Candidates of an image that are looked at, the surest."""


def overlap(one: Corners, others: Corners) -> NDArray[np.float64]:
    """Intersection over union: (4,) with (n, 4) gives (n,); boxes without area overlap nothing."""
    width = np.minimum(one[2], others[:, 2]) - np.maximum(one[0], others[:, 0])
    height = np.minimum(one[3], others[:, 3]) - np.maximum(one[1], others[:, 1])
    shared = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    union = (one[2] - one[0]) * (one[3] - one[1]) + areas - shared
    share: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def suppressed(
    corners: Corners, scores: NDArray[np.float64], *, most: int = MOST_BOXES, least: float = LEAST_SCORE
) -> Detections:
    """Of `corners` (n, 4) with `scores` (n, classes), those of `least` or more, what stays, the surest first. What is not
    finite is no detection.
    """
    return suppressed_at(corners, scores, most=most, least=least)[0]


def suppressed_at(
    corners: Corners, scores: NDArray[np.float64], *, most: int = MOST_BOXES, least: float = LEAST_SCORE
) -> tuple[Detections, NDArray[np.intp]]:
    """As `suppressed`; and of which row of `corners` each is."""
    whole = np.isfinite(corners).all(axis=1).reshape(-1, 1)
    place, classes = np.nonzero((scores >= least) & whole & np.isfinite(scores))
    sure = scores[place, classes]
    order = np.argsort(-sure, kind="stable")[:_MOST_BEFORE]
    place, classes, sure = place[order], classes[order], sure[order]
    boxes, left = corners[place], np.arange(len(place))
    kept: list[np.intp] = []
    while len(left) and len(kept) < most:  # once as many are kept, those that are left are less sure
        first, left = left[0], left[1:]
        kept.append(first)
        left = left[(classes[left] != classes[first]) | (overlap(boxes[first], boxes[left]) <= MOST_OVERLAP)]
    found = np.array(kept, np.intp)
    return Detections(boxes[found], classes[found].astype(np.int64), sure[found]), place[found]


def surest(found: Detections, *, most: int = MOST_BOXES, least: float = LEAST_SCORE) -> Detections:
    """Detections that were suppressed already, the surest first; what is not finite is none."""
    whole = np.isfinite(found.corners).all(axis=1) & (found.scores >= least) & np.isfinite(found.scores)
    order = np.flatnonzero(whole)
    order = order[np.argsort(-found.scores[order], kind="stable")][:most]
    return Detections(found.corners[order], found.classes[order], found.scores[order])
