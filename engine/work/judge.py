"""What a judge is: whoever holds both sides' outputs against labels, batch by batch.

Apart from the judges, a file a task: what is right is another matter for classes, boxes, keypoints, masks and numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.samples import Batch, Samples
from ..schema.figures import Difference, Ratio
from ..schema.output_figures import Accuracy
from ..tasks.average_precision import interval
from ..tasks.decoder import Outputs
from .seen import Seen

Floats = NDArray[np.float64]
SIDES = ("baseline", "candidate")


class Judged(Struct, frozen=True, kw_only=True):
    """What labels say of both sides."""

    baseline: Accuracy
    candidate: Accuracy
    difference: Difference
    summary: str
    doubt: str = ""
    """Why the baseline's accuracy is not to be believed."""
    reasons: dict[str, str] = {}


class Judge(Protocol):
    """One task."""

    def add(self, batch: Batch, baseline: Outputs, candidate: Outputs, seen: Seen) -> None:
        """What both sides say of a batch; `seen`: read as what it means.

        Raises:
            DataRefused: the labels do not fit the outputs.
        """

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """What figures follow from, for a report that computes them again; as `kept_of` has it."""

    def judged(self, session: Session, samples: Samples, size: int, seed: int) -> Judged:
        """All figures; `session` of the baseline and batches of `size` are for whoever doubts them."""


class KeepingMeter(Protocol):
    """What a judge gathers of one side."""

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """All that its figures follow from."""


def kept_of(meters: Sequence[KeepingMeter]) -> dict[str, NDArray[np.generic]]:
    """Of both sides, as `SIDE NAME`."""
    return {f"{side} {name}": array for side, meter in zip(SIDES, meters, strict=True) for name, array in meter.kept().items()}


def points(value: float, drawn: Floats) -> Ratio:
    """A paired difference, with the interval of what resamples gave."""
    low, high = interval(value, drawn)
    return Ratio(value=value, low=low, high=high, interleaved=True)


def shares(values: dict[str, float], drawn: dict[str, Floats]) -> dict[str, float]:
    """Fields of an accuracy: each value, and its interval within 0 and 1 from what resamples gave."""
    found: dict[str, float] = {}
    for field, value in values.items():
        low, high = interval(value, drawn[field])
        found |= {field: value, f"{field}_low": max(low, 0.0), f"{field}_high": min(high, 1.0)}
    return found
