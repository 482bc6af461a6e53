"""How near one detector's boxes are to another's, without labels: mean average precision with the other's as the truth.

A cosine over the outputs says little of it: boxes of 0 to 640 pixels drown scores of 0 to 1.
"""

from __future__ import annotations

import numpy as np

from .average_precision import PrecisionMeter
from .boxes import Detections, TrueBoxes
from .suppression import MOST_BOXES

SURE = 0.25
"""What a detection's score must reach to be taken for true: what Ultralytics shows by default."""


class Likeness:
    """Add images, then ask for its figures."""

    def __init__(self) -> None:
        self._meter = PrecisionMeter(MOST_BOXES)  # as many as are told: a detector is like itself

    def add(self, baseline: Detections, candidate: Detections) -> None:
        """What both say of the next image, in the same pixels."""
        sure = baseline.above(SURE)
        self._meter.add(candidate, TrueBoxes(sure.corners, sure.classes, np.zeros(len(sure.scores), np.bool_)))

    @property
    def detections(self) -> int:
        """Of the baseline that are sure."""
        return self._meter.boxes

    def figures(self) -> tuple[float, float] | None:
        """mAP50 and mAP50-95; None: the baseline is sure of nothing."""
        return tuple(self._meter.figures()) if self._meter.boxes else None  # type: ignore[return-value]
