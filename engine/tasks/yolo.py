"""Decoders of the exports of Ultralytics: raw heads of YOLOv5 and of YOLOv8 and later, and those with the choice inside.

v8, 9, 11, 12 and 26 without end-to-end: (batch, 4 + classes, places), centre and size in pixels, then a score a class. v5:
(batch, 3 x places, 5 + classes) with a score of there being anything, by which the others are multiplied. v10, 26 and exports
with `nms=True`: (batch, rows, 6), corners, score and class. (ultralytics/nn/modules/head.py, utils/nms.py;
yolov5/models/yolo.py.)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from .boxes import Corners, Detections
from .decoder import Asked, Layout, Outputs, floats, places
from .suppression import LEAST_SCORE, suppressed, surest

MOST_ROWS = 1000
"""Rows that an end-to-end head gives at most; Ultralytics' have 300."""
_SLACK = 0.02
"""By which rounding may take a score past 0 or 1: two steps of eight bits."""


class RawYolo8:
    """See the head of this file."""

    name = "yolov8"

    def __init__(self, output: str, channels: int, *, last: bool, sure: bool) -> None:
        self._output, self._last = output, last
        self.classes: int | None = channels - 4
        self.sure = sure

    @property
    def layout(self) -> Layout:
        """See `decoder.Decoder`."""
        return Layout(self._output, -1 if self._last else -2, (("boxes", 4), ("scores", self.classes or 0)))

    @staticmethod
    def fitting(outputs: Outputs, asked: Asked) -> Iterator[RawYolo8]:
        """Ways in which the outputs can be read so."""
        grids = places(asked.size)
        for name, array in floats(outputs, 3).items():
            for channels, others, last in ((1, 2, False), (2, 1, True)):
                many, rows = array.shape[channels], array.shape[others]
                if many >= 5 and rows > many:
                    yield RawYolo8(name, many, last=last, sure=rows in grids)

    def detections(self, outputs: Outputs, n: int, least: float = LEAST_SCORE) -> list[Detections]:
        """See `decoder.Decoder`."""
        return [self._of(sample, least) for sample in outputs[self._output][:n].astype(np.float64)]

    def _of(self, sample: NDArray[np.float64], least: float) -> Detections:
        rows = sample if self._last else sample.T
        refuse_no_shares(rows[:, 4:], self._output)
        likely = rows[rows[:, 4:].max(axis=1) >= least]
        return suppressed(corners_of(likely[:, :4]), likely[:, 4:], least=least)


class RawYolo5:
    """See the head of this file."""

    name = "yolov5"

    def __init__(self, output: str, channels: int, *, sure: bool) -> None:
        self._output = output
        self.classes: int | None = channels - 5
        self.sure = sure

    @property
    def layout(self) -> Layout:
        """See `decoder.Decoder`."""
        return Layout(self._output, -1, (("boxes", 4), ("scores of there being anything", 1), ("scores", self.classes or 0)))

    @staticmethod
    def fitting(outputs: Outputs, asked: Asked) -> Iterator[RawYolo5]:
        """Ways in which the outputs can be read so."""
        grids = {3 * many for many in places(asked.size)}
        for name, array in floats(outputs, 3).items():
            if array.shape[2] >= 6 and array.shape[1] > array.shape[2]:
                yield RawYolo5(name, array.shape[2], sure=array.shape[1] in grids)

    def detections(self, outputs: Outputs, n: int, least: float = LEAST_SCORE) -> list[Detections]:
        """See `decoder.Decoder`."""
        return [self._of(sample, least) for sample in outputs[self._output][:n].astype(np.float64)]

    def _of(self, rows: NDArray[np.float64], least: float) -> Detections:
        refuse_no_shares(rows[:, 4:], self._output)
        likely = rows[rows[:, 4] >= least]
        return suppressed(corners_of(likely[:, :4]), likely[:, 5:] * likely[:, 4:5], least=least)


class EndToEndYolo:
    """See the head of this file."""

    name = "yolo-end2end"
    classes: int | None = None

    def __init__(self, output: str, *, sure: bool) -> None:
        self._output = output
        self.sure = sure

    @property
    def layout(self) -> Layout:
        """See `decoder.Decoder`."""
        return Layout(self._output, -1, (("boxes", 4), ("scores", 1), ("classes", 1)))

    @staticmethod
    def fitting(outputs: Outputs, asked: Asked) -> Iterator[EndToEndYolo]:
        """Ways in which the outputs can be read so."""
        grids = {times * many for many in places(asked.size) for times in (1, 3)}
        for name, array in floats(outputs, 3).items():
            rows = array.shape[1]
            if array.shape[2] == 6:
                yield EndToEndYolo(name, sure=rows <= MOST_ROWS and rows not in grids)

    def detections(self, outputs: Outputs, n: int, least: float = LEAST_SCORE) -> list[Detections]:
        """See `decoder.Decoder`."""
        found = []
        for rows in outputs[self._output][:n].astype(np.float64):
            refuse_no_shares(rows[:, 4], self._output)
            found.append(surest(Detections(rows[:, :4], numbers(rows[:, 5]), rows[:, 4]), least=least))
        return found


def numbers(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Classes that came as floats; what is none becomes -1."""
    return np.where(np.isfinite(values), np.rint(values), -1.0).astype(np.int64)


def corners_of(boxes: NDArray[np.float64]) -> Corners:
    """Of centre and size."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def refuse_no_shares(scores: NDArray[np.float64], output: str) -> None:
    """Refuse what cannot be scores. What is not finite is left to those who drop it.

    Raises:
        DataRefused: some are far below 0 or above 1.
    """
    low, high = np.min(scores, initial=0.0, where=np.isfinite(scores)), np.max(scores, initial=1.0, where=np.isfinite(scores))
    if low < -_SLACK or high > 1 + _SLACK:
        raise DataRefused(
            f"what should be scores in output {output} reaches from {low:.3g} to {high:.3g}, not from 0 to 1",
            fix="name the right `decoder` in the dataset's TOML file, or export the model with its sigmoid",
        )
