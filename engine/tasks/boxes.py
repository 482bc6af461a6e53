"""Boxes in images: what is right, what a detector says, and how an image was laid into the model's input.

Apart from the readers and the decoders because both speak of boxes in the same way: corners in pixels of the image as it was
taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Corners = NDArray[np.float64]
"""Shape (n, 4): left, top, right, bottom."""


@dataclass(frozen=True)
class TrueBoxes:
    """What is in one image."""

    corners: Corners
    """In pixels of the image."""
    classes: NDArray[np.int64]
    """Shape (n,)."""
    passed_over: NDArray[np.bool_]
    """Shape (n,). Crowds of COCO and what VOC calls difficult: whoever finds them wins nothing, nor does he lose."""


@dataclass(frozen=True)
class Detections:
    """What a model says of one image, the surest first."""

    corners: Corners
    classes: NDArray[np.int64]
    """Shape (n,)."""
    scores: NDArray[np.float64]
    """Shape (n,), 0 to 1."""

    def above(self, score: float) -> Detections:
        """Those that are at least so sure."""
        kept = self.scores >= score
        return Detections(self.corners[kept], self.classes[kept], self.scores[kept])


@dataclass(frozen=True)
class Laid:
    """How an image became the input: a pixel of it at x lies at `x * scale + shift` there."""

    size: tuple[int, int]
    """The image's width and height in pixels."""
    scale: tuple[float, float]
    """Across and down."""
    shift: tuple[float, float] = (0.0, 0.0)

    def back(self, corners: Corners) -> Corners:
        """Corners in pixels of the input as those of the image, cut at its borders."""
        found = (corners - np.array(self.shift * 2)) / np.array(self.scale * 2)
        width, height = self.size
        cut: Corners = np.clip(found, 0.0, np.array([width, height, width, height], np.float64))
        return cut

    def back_points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same of points (..., 2), which may lie outside the image."""
        found: NDArray[np.float64] = (points - np.array(self.shift)) / np.array(self.scale)
        return found


def stretched(size: tuple[int, int], into: tuple[int, int]) -> Laid:
    """The image fills the input; both sizes are (width, height)."""
    return Laid(size, (into[0] / size[0], into[1] / size[1]))


def letterboxed(size: tuple[int, int], into: tuple[int, int]) -> tuple[Laid, tuple[int, int, int, int]]:
    """The image keeps its shape in the middle of the input, as Ultralytics' LetterBox lays it (data/augment.py: rounded sizes,
    the odd pixel of the border below and on the right). Beside it the part that it fills: left, top, width, height.
    """
    ratio = min(into[0] / size[0], into[1] / size[1])
    width, height = (max(round(side * ratio), 1) for side in size)
    left, top = (round((whole - part) / 2 - 0.1) for whole, part in zip(into, (width, height), strict=True))
    return Laid(size, (width / size[0], height / size[1]), (float(left), float(top))), (left, top, width, height)


@dataclass(frozen=True)
class Scene:
    """One image that a detector is asked about."""

    truth: TrueBoxes
    laid: Laid

    def mirrored(self, width: int) -> Scene:
        """The same left to right, in an input of `width` pixels."""
        laid, corners = self.laid, self.truth.corners.copy()
        corners[:, [0, 2]] = laid.size[0] - self.truth.corners[:, [2, 0]]
        left = width - laid.shift[0] - laid.size[0] * laid.scale[0]
        return Scene(replace(self.truth, corners=corners), replace(laid, shift=(left, laid.shift[1])))

    def moved(self, across: int, down: int) -> Scene:
        """The same where the input is moved by so many pixels."""
        left, top = self.laid.shift
        return replace(self, laid=replace(self.laid, shift=(left + across, top + down)))
