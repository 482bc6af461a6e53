"""What every decoder is: outputs of a detector to boxes in pixels of its input.

A decoder is found by the shapes of the outputs (`find_decoder.py`); what each layout means stands in a file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .boxes import Detections
from .suppression import LEAST_SCORE

Array = NDArray[np.generic]
Outputs = Mapping[str, Array]


class Asked(NamedTuple):
    """What is known of a model beside its outputs."""

    size: tuple[int, int]
    """Width and height of its input in pixels."""
    classes: int | None
    """How many it shall tell apart; None: not known."""
    batch: int
    """Length of the outputs' first axis."""
    points: int | None = None
    """Keypoints of a pose; None: not known, or none."""


class Layout(NamedTuple):
    """What lies side by side along one axis of an output."""

    output: str
    axis: int
    """Counted from the last, -1."""
    parts: tuple[tuple[str, int], ...]
    """What it is and how many places of the axis it takes."""


class Decoder(Protocol):
    """One layout of outputs."""

    name: str
    """As a dataset's TOML file says it."""
    classes: int | None
    """How many it tells apart; None: the outputs' shapes do not say."""
    sure: bool
    """The shapes mean this layout and hardly another."""

    @property
    def layout(self) -> Layout | None:
        """Where boxes and scores lie in one output; None: they are outputs of their own."""

    def detections(self, outputs: Outputs, n: int, least: float = LEAST_SCORE) -> list[Detections]:
        """Of each of the first `n` samples, those with a score of `least` or more, the surest first, in pixels of the input.

        Raises:
            DataRefused: the values are no such outputs.
        """


def places(size: tuple[int, int]) -> frozenset[int]:
    """How many places the usual grids over an input have: strides of 8, 16 and 32, with or without 4 or 64."""
    cells = {stride: -(-size[0] // stride) * -(-size[1] // stride) for stride in (4, 8, 16, 32, 64)}
    middle = cells[8] + cells[16] + cells[32]
    return frozenset((middle, middle + cells[64], middle + cells[4], cells[16] + cells[32]))


def floats(outputs: Outputs, rank: int) -> dict[str, Array]:
    """The outputs of floating point with so many axes."""
    return {name: array for name, array in outputs.items() if isinstance(array, np.ndarray) and _fits(array, rank)}


def _fits(array: Array, rank: int) -> bool:
    return array.ndim == rank and array.dtype.kind == "f"
