"""How alike poses are (object keypoint similarity), and mean average precision by it, equal to pycocotools' to 1e-6.

Apart from `average_precision.py`, whose matches and sums are the same for boxes: only what is near is another matter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .average_precision import Floats, MeanPrecision, PrecisionMeter, taken
from .poses import Poses, TruePoses

MOST_POSES = 20
"""Poses of one class in one image that count, the surest, as COCO has it."""


def sigmas(points: int) -> Floats:
    """How far people's own marks of each keypoint spread: COCO's 17, from pycocotools; of others 1/k each, as Ultralytics
    does it.
    """
    from pycocotools.cocoeval import Params

    coco: Floats = np.asarray(Params(iouType="keypoints").kpt_oks_sigmas)
    return coco if points == len(coco) else np.full(points, 1 / points)


def similarity(said: Poses, truth: TruePoses) -> Floats:
    """Object keypoint similarity of each pose with each that is there, shape (d, t), as `COCOeval.computeOks` has it: over
    labelled keypoints; of who has none, by how far keypoints lie outside twice the box.
    """
    if not len(said.scores) or not len(truth.areas):
        return np.zeros((len(said.scores), len(truth.areas)))
    labelled = truth.points[:, :, 2] > 0  # (t, k)
    apart = said.points[:, None] - truth.points[None, :, :, :2]  # (d, t, k, 2)
    low, size = truth.boxes[:, :2], truth.boxes[:, 2:] - truth.boxes[:, :2]
    first, last = (low - size)[None, :, None], (low + 2 * size)[None, :, None]
    outside = np.maximum(0.0, first - said.points[:, None]) + np.maximum(0.0, said.points[:, None] - last)
    some = np.count_nonzero(labelled, axis=1) > 0
    squares = (np.where(some[None, :, None, None], apart, outside) ** 2).sum(axis=3)
    spread = (2 * sigmas(truth.points.shape[1])) ** 2
    near = np.exp(-squares / spread / (truth.areas + np.spacing(1))[None, :, None] / 2)
    counted = np.where(some[:, None], labelled, True)
    found: Floats = (near * counted).sum(axis=2) / counted.sum(axis=1)
    return found


class PoseMeter:
    """Add images, then ask for `figures()` and `bootstrap()`."""

    def __init__(self, most: int = MOST_POSES) -> None:
        """`most`: poses of one class in one image that count, the surest."""
        self._meter = PrecisionMeter()
        self._most = most

    @property
    def images(self) -> int:
        """That were added."""
        return self._meter.images

    @property
    def poses(self) -> int:
        """That were to be found."""
        return self._meter.boxes

    def add(self, said: Poses, truth: TruePoses) -> None:
        """What a model said of the next image, and what is in it."""
        by_class = {}
        for each in np.union1d(said.classes, truth.classes).tolist():
            there = truth.classes == each
            mine = said.of(said.classes == each)
            mine = mine.of(np.argsort(-mine.scores, kind="stable")[: self._most])
            some = TruePoses(
                truth.points[there], truth.areas[there], truth.boxes[there], truth.classes[there], truth.crowds[there]
            )
            by_class[each] = taken(similarity(mine, some), mine.scores, some.passed_over, some.crowds)
        self._meter.add_matches(by_class)

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """See `PrecisionMeter.kept`."""
        return self._meter.kept()

    @classmethod
    def again(cls, kept: Mapping[str, NDArray[np.float64]]) -> PoseMeter:
        """See `PrecisionMeter.again`."""
        made = cls()
        made._meter = PrecisionMeter.again(kept)
        return made

    def figures(self) -> MeanPrecision:
        """At a similarity of 0.50, and the mean over 0.50 to 0.95."""
        return self._meter.figures()

    def bootstrap(self, seed: int) -> NDArray[np.float64]:
        """Both, of sets of images drawn with replacement; see `PrecisionMeter.bootstrap`."""
        return self._meter.bootstrap(seed)
