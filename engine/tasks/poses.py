"""Poses in images: keypoints that are there, and those that a model says.

Apart from `boxes.py` because a pose is matched by the places of its keypoints, not by an area.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .boxes import Corners, Laid

Points = NDArray[np.float64]


@dataclass(frozen=True)
class TruePoses:
    """What is in one image."""

    points: Points
    """Shape (n, k, 3): x and y in pixels of the image, and whether a keypoint is labelled (0: it is not)."""
    areas: NDArray[np.float64]
    """Shape (n,), square pixels of what the keypoints are of: they set what is near."""
    boxes: Corners
    classes: NDArray[np.int64]
    crowds: NDArray[np.bool_]
    """Shape (n,). Many at once: whoever finds them wins nothing, nor does he lose; those without a keypoint likewise."""

    @property
    def passed_over(self) -> NDArray[np.bool_]:
        """Shape (n,): who must not be found."""
        somebody = np.count_nonzero(self.points[:, :, 2] > 0, axis=1) > 0
        found: NDArray[np.bool_] = self.crowds | ~somebody
        return found


@dataclass(frozen=True)
class Poses:
    """What a model says of one image, the surest first."""

    points: Points
    """Shape (n, k, 2): x and y in pixels."""
    scores: NDArray[np.float64]
    """Shape (n,), 0 to 1."""
    classes: NDArray[np.int64]
    boxes: Corners

    def of(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> Poses:
        """Some of them."""
        return Poses(self.points[kept], self.scores[kept], self.classes[kept], self.boxes[kept])


@dataclass(frozen=True)
class PosedScene:
    """One image that a model is asked about."""

    truth: TruePoses
    laid: Laid


def around(points: Points) -> Corners:
    """The boxes around keypoints (n, k, 2)."""
    if not points.size:
        return np.empty((len(points), 4))
    found: Corners = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return found
