"""Outputs as heads of detectors give them, for boxes that a test draws."""

from __future__ import annotations

import numpy as np

Box = tuple[float, float, float, float, int, float]
"""Left, top, right, bottom, class, score."""


def grid(width: int, height: int) -> int:
    return sum(-(-width // stride) * -(-height // stride) for stride in (8, 16, 32))


def yolov8(boxes: list[Box], classes: int, places: int) -> np.ndarray:
    """(1, 4 + classes, places)."""
    head = np.zeros((1, 4 + classes, places), np.float32)
    for n, (left, top, right, bottom, each, score) in enumerate(boxes):
        head[0, :4, n] = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        head[0, 4 + each, n] = score
    return head


def yolov5(boxes: list[Box], classes: int, places: int) -> np.ndarray:
    """(1, 3 * places, 5 + classes): half of the score is that of there being anything."""
    head = np.zeros((1, 3 * places, 5 + classes), np.float32)
    for n, (left, top, right, bottom, each, score) in enumerate(boxes):
        head[0, n, :5] = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top, np.sqrt(score)
        head[0, n, 5 + each] = np.sqrt(score)
    return head


def end_to_end(boxes: list[Box], rows: int = 300) -> np.ndarray:
    """(1, rows, 6)."""
    head = np.zeros((1, rows, 6), np.float32)
    for n, (left, top, right, bottom, each, score) in enumerate(boxes):
        head[0, n] = left, top, right, bottom, score, each
    return head
