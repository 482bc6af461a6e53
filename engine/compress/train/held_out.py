"""How well a model does on samples that it is not trained on, and whether training is shown to have helped there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST = 16
"""Fewer samples tell nothing of an epoch: then none are held out."""


@dataclass(frozen=True)
class HeldOut:
    """Marks of the samples held out, in their order."""

    losses: NDArray[np.float64]
    """Shape (n,)."""
    right: NDArray[np.bool_] | None
    """Shape (n,), whether the class is right; None: nobody says."""

    @property
    def loss(self) -> float:
        """Their mean; infinite where one is no number."""
        mean = float(self.losses.mean())
        return mean if math.isfinite(mean) else math.inf

    @property
    def accuracy(self) -> float | None:
        """The share that is right."""
        return None if self.right is None else float(self.right.mean())


class Gain(NamedTuple):
    """What training has won on the samples held out: in accuracy, or, where nobody says what is right, in loss (the less, the
    more is won).
    """

    value: float
    half_width: float
    """Of the 95 % interval, from paired differences."""

    @property
    def shown(self) -> bool:
        """Whether the interval lies above 0."""
        return self.value > self.half_width


def gain(before: HeldOut, after: HeldOut) -> Gain:
    """The difference of two looks at the same samples: normal interval of the mean of paired differences. The epoch was chosen
    by these samples, so that it is a little too good.
    """
    if before.right is not None and after.right is not None:
        differences = after.right.astype(np.float64) - before.right.astype(np.float64)
    else:
        differences = before.losses - after.losses
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else math.inf
    return Gain(float(differences.mean()), 1.96 * spread / math.sqrt(len(differences)))
