"""How far a model's outputs lie from the baseline's, frame by frame, as a controller would feel it.

Apart from `fidelity.py`, whose figures are of all samples together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..tasks.boxes import Detections
from ..tasks.decoder import Outputs
from ..tasks.suppression import overlap
from .fidelity import NEAR_ZERO
from .follow_person import Deviation

_SAME = 0.5
"""Overlap from which on two boxes are of the same thing, as mAP50 has it."""


class FrameDeviation(NamedTuple):
    """Of one frame; see `follow_person.Deviation`."""

    place_factor: float = 1.0
    distance_factor: float = 1.0
    shift: float = 0.0
    lost: bool = False


LOST = FrameDeviation(lost=True)


def of_boxes(baseline: Detections, candidate: Detections, width: int) -> FrameDeviation | None:
    """Where the candidate has the baseline's surest box; None: the baseline has none. Boxes are in pixels of an input so wide.

    The person's place is the middle of the box, the distance goes with one over its height, as in a pinhole camera.
    """
    if not len(baseline.scores):
        return None
    box, kind = baseline.corners[0], baseline.classes[0]
    alike = candidate.corners[candidate.classes == kind]
    if not len(alike):
        return LOST
    shares = overlap(box, alike)
    found = alike[int(shares.argmax())]
    height = found[3] - found[1]
    if shares.max() < _SAME or height <= 0:
        return LOST
    shift = ((found[0] + found[2]) - (box[0] + box[2])) / width
    return FrameDeviation(distance_factor=float((box[3] - box[1]) / height), shift=float(shift))


def of_offsets(baseline: Outputs, candidate: Outputs) -> FrameDeviation | None:
    """By the offset rate of this frame, r = mean of (a - b) / a over elements that are not near zero (Zhang et al.): place and
    distance are felt as b = a (1 - r). None: there is no such element; what is not finite in the candidate is lost.
    """
    rates = []
    for name, array in baseline.items():
        other = candidate.get(name)
        if not _comparable(array) or not _comparable(other) or array.shape != other.shape:
            continue
        a, b = array.astype(np.float64).ravel(), other.astype(np.float64).ravel()
        if not np.isfinite(b).all():
            return LOST
        size = np.abs(a)
        far = np.isfinite(a) & (size > NEAR_ZERO * size.max(initial=0.0))
        rates.append((a[far] - b[far]) / a[far])
    every = np.concatenate([np.zeros(0), *rates])
    if not every.size:
        return None
    factor = 1 - float(every.mean())
    return FrameDeviation(place_factor=factor, distance_factor=factor)


def _comparable(array: object) -> TypeGuard[NDArray[np.floating[Any]]]:
    return isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.size > 0


def deviation_of(frames: Sequence[FrameDeviation]) -> Deviation:
    """All frames together.

    Raises:
        ValueError: there is none.
    """
    if not frames:
        raise ValueError("no frame")
    numbers: NDArray[np.float64] = np.array([each[:3] for each in frames], np.float64)
    return Deviation(numbers[:, 0], numbers[:, 1], numbers[:, 2], np.array([each.lost for each in frames], np.bool_))
