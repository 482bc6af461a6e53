"""Decoders of Ultralytics' pose exports: raw heads, and those with the choice inside.

(batch, 4 + classes + numbers of keypoints, places): centre and size in pixels, a score a class, then x, y and maybe a
visibility of each keypoint, in pixels of the input. Exports with `nms=True`: (batch, rows, 6 + numbers of keypoints): corners,
score, class, keypoints. (ultralytics/nn/modules/head.py, Pose; utils/nms.py.)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .boxes import Corners, Detections
from .decoder import Asked, Layout, Outputs, floats, places
from .poses import Points, Poses
from .suppression import LEAST_SCORE, suppressed_at
from .yolo import MOST_ROWS, corners_of, numbers, refuse_no_shares

COCO_POINTS = 17


class RawYoloPose:
    """See the head of this file."""

    name = "yolov8-pose"

    def __init__(self, output: str, classes: int, points: int, each: int, *, sure: bool) -> None:
        self._output, self._each = output, each
        self.classes, self.points, self.sure = classes, points, sure

    @property
    def layout(self) -> Layout:
        """See `decoder.Decoder`."""
        return Layout(self._output, -2, (("boxes", 4), ("scores", self.classes), ("keypoints", self.points * self._each)))

    @staticmethod
    def fitting(outputs: Outputs, asked: Asked) -> Iterator[RawYoloPose]:
        """Ways in which the outputs can be read so."""
        grids = places(asked.size)
        for name, array in floats(outputs, 3).items():
            channels, rows = array.shape[1:]
            for points, each in _ways(asked):
                classes = channels - 4 - points * each
                if rows > channels and (classes == asked.classes if asked.classes else classes == 1):
                    yield RawYoloPose(name, classes, points, each, sure=rows in grids)

    def poses(self, outputs: Outputs, n: int) -> list[Poses]:
        """See `pose_decoder.PoseDecoder`."""
        return [self._of(sample.T) for sample in outputs[self._output][:n].astype(np.float64)]

    def _of(self, rows: NDArray[np.float64]) -> Poses:
        scores = rows[:, 4 : 4 + self.classes]
        refuse_no_shares(scores, self._output)
        rows = rows[scores.max(axis=1) >= LEAST_SCORE]
        found, of = suppressed_at(corners_of(rows[:, :4]), rows[:, 4 : 4 + self.classes])
        return _finite(found, _points(rows[of, 4 + self.classes :], self.points, self._each))


class EndToEndYoloPose:
    """See the head of this file."""

    name = "yolov8-pose"
    classes: int | None = None

    def __init__(self, output: str, points: int, each: int, *, sure: bool) -> None:
        self._output, self._each = output, each
        self.points, self.sure = points, sure

    @property
    def layout(self) -> Layout:
        """See `decoder.Decoder`."""
        parts = (("boxes", 4), ("scores", 1), ("classes", 1), ("keypoints", self.points * self._each))
        return Layout(self._output, -1, parts)

    @staticmethod
    def fitting(outputs: Outputs, asked: Asked) -> Iterator[EndToEndYoloPose]:
        """Ways in which the outputs can be read so."""
        for name, array in floats(outputs, 3).items():
            rows, columns = array.shape[1:]
            for points, each in _ways(asked):
                if columns == 6 + points * each:
                    yield EndToEndYoloPose(name, points, each, sure=rows <= MOST_ROWS and rows not in places(asked.size))

    def poses(self, outputs: Outputs, n: int) -> list[Poses]:
        """See `pose_decoder.PoseDecoder`."""
        found = []
        for rows in outputs[self._output][:n].astype(np.float64):
            refuse_no_shares(rows[:, 4], self._output)
            rows = rows[np.argsort(-rows[:, 4], kind="stable")]
            rows = rows[np.isfinite(rows[:, :6]).all(axis=1) & (rows[:, 4] >= LEAST_SCORE)]
            told = Detections(rows[:, :4], numbers(rows[:, 5]), rows[:, 4])
            found.append(_finite(told, _points(rows[:, 6:], self.points, self._each)))
        return found


def _ways(asked: Asked) -> tuple[tuple[int, int], ...]:
    """Keypoints and numbers of each that may be meant."""
    points = asked.points or COCO_POINTS
    return (points, 3), (points, 2)


def _points(values: NDArray[np.float64], points: int, each: int) -> Points:
    return values.reshape(-1, points, each)[:, :, :2]


def _finite(found: Detections, points: Points) -> Poses:
    """What is not finite is no pose."""
    kept = np.isfinite(points).all(axis=(1, 2))
    corners: Corners = found.corners[kept]
    return Poses(points[kept], found.scores[kept], found.classes[kept], corners)
