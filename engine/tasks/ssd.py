"""Decoder of detectors that give boxes and scores as two outputs: SSD and its kin, before or after suppression.

Boxes (batch, n, 4) or (batch, n, 1, 4), corners in pixels of the input or as shares of it. With scores (batch, n, classes), a
first column more than there are classes being the background, the boxes still overlap; with scores (batch, n) and classes
(batch, n) they were chosen inside (EfficientNMS, TensorFlow, torchvision, which leaves the batch out).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .boxes import Corners, Detections
from .decoder import Array, Asked, Outputs
from .suppression import LEAST_SCORE, suppressed, surest
from .yolo import numbers, refuse_no_shares

_SHARES = 2.0
"""Boxes that nowhere reach past this are shares of the input: a little past its border is usual."""
_LABELS = ("class", "label")
_ACROSS_LAST = "detection_boxes"
"""TensorFlow's name: its boxes are top, left, bottom, right."""


class BoxesAndScores:
    """See the head of this file."""

    name = "ssd"

    def __init__(self, boxes: str, scores: str, labels: str, *, asked: Asked, classes: int | None, background: bool) -> None:
        self._boxes, self._scores, self._labels = boxes, scores, labels
        self._size = asked.size
        self._background = background
        self.classes = classes
        self.sure = True

    layout = None

    @staticmethod
    def fitting(outputs: Outputs, asked: Asked) -> Iterator[BoxesAndScores]:
        """Ways in which the outputs can be read so."""
        flat = {name: laid for name, array in outputs.items() if (laid := _rows(array, asked.batch)) is not None}
        boxes = [name for name, array in flat.items() if array.ndim == 3 and array.shape[2] == 4 and array.dtype.kind == "f"]
        boxes.sort(key=lambda name: "box" not in name.lower())
        for name in boxes[:1]:
            alike = {other: array for other, array in flat.items() if other != name and array.shape[1] == flat[name].shape[1]}
            labels = next((other for other, array in alike.items() if array.ndim == 2 and _is_labels(other, array)), "")
            for other, array in alike.items():
                if array.dtype.kind != "f" or other == labels:
                    continue
                if array.ndim == 2 and labels:
                    yield BoxesAndScores(name, other, labels, asked=asked, classes=None, background=False)
                elif array.ndim == 3:
                    many = array.shape[2]
                    background = many == asked.classes + 1 if asked.classes else many > 1 and _adds_up(array)
                    yield BoxesAndScores(name, other, "", asked=asked, classes=many - background, background=background)

    def detections(self, outputs: Outputs, n: int, least: float = LEAST_SCORE) -> list[Detections]:
        """See `decoder.Decoder`."""
        batch = outputs[self._boxes].shape[0] if outputs[self._boxes].ndim > 2 else 1
        boxes = self._pixels(_taken(outputs[self._boxes], batch))
        scores = _taken(outputs[self._scores], batch)
        refuse_no_shares(scores, self._scores)
        if not self._labels:
            told = scores[..., 1:] if self._background else scores
            return [suppressed(*pair, least=least) for pair in zip(boxes[:n], told[:n], strict=True)]
        labels = numbers(_taken(outputs[self._labels], batch))
        return [surest(Detections(*each), least=least) for each in zip(boxes[:n], labels[:n], scores[:n], strict=True)]

    def _pixels(self, boxes: Corners) -> Corners:
        if self._boxes == _ACROSS_LAST:
            boxes = boxes[..., [1, 0, 3, 2]]
        if np.abs(boxes).max(initial=0.0, where=np.isfinite(boxes)) <= _SHARES:
            boxes = boxes * np.array(self._size * 2, np.float64)
        return boxes


def _rows(array: Array, batch: int) -> Array | None:
    """(batch, n, ...) of an output; None: it is laid otherwise."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or not 1 <= array.ndim <= 4:
        return None
    if array.ndim == 4:
        return array[:, :, 0] if array.shape[0] == batch and array.shape[2] == 1 else None
    if array.ndim > 1 and array.shape[0] == batch and not (array.ndim == 2 and batch == 1 and array.shape[1] == 4):
        return array
    return array[None] if batch == 1 and array.ndim < 3 else None


def _taken(array: Array, batch: int) -> NDArray[np.float64]:
    found = _rows(array, batch)
    assert found is not None
    return found.astype(np.float64)


def _is_labels(name: str, array: Array) -> bool:
    return array.dtype.kind in "iu" or any(word in name.lower() for word in _LABELS)


def _adds_up(scores: Array) -> bool:
    """Whether each row is shares of one, as a softmax over classes and background gives."""
    return bool(np.allclose(scores.sum(axis=-1), 1.0, atol=0.02))
