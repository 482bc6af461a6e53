"""How near one model's poses are to another's, without labels: mean average precision with the other's as the truth."""

from __future__ import annotations

import numpy as np

from .keypoint_precision import PoseMeter
from .likeness import SURE
from .poses import Poses, TruePoses
from .suppression import MOST_BOXES

_SHARE = 0.53
"""Of the box around its keypoints that a person takes."""
_LEAST_AREA = 1.0


class PoseLikeness:
    """Add images, then ask for its figures."""

    def __init__(self) -> None:
        self._meter = PoseMeter(MOST_BOXES)  # as many as are told: a model is like itself

    def add(self, baseline: Poses, candidate: Poses) -> None:
        """What both say of the next image, in the same pixels."""
        sure = baseline.of(baseline.scores >= SURE)
        sides = sure.boxes[:, 2:] - sure.boxes[:, :2]
        truth = TruePoses(
            np.concatenate([sure.points, np.ones((*sure.points.shape[:2], 1))], axis=2),
            np.maximum(sides.prod(axis=1) * _SHARE, _LEAST_AREA),
            sure.boxes,
            sure.classes,
            np.zeros(len(sure.scores), np.bool_),
        )
        self._meter.add(candidate, truth)

    @property
    def poses(self) -> int:
        """Of the baseline that are sure."""
        return self._meter.poses

    def figure(self) -> float | None:
        """Over similarities of 0.50 to 0.95; None: the baseline is sure of nothing."""
        return self._meter.figures().map50_95 if self.poses else None
