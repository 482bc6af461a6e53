"""The threshold below which an input runs again: how it is fitted, and how limits move it. Numbers in, numbers out.

Apart from whatever runs plans, so that both can be tested on numbers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..schema.escalation import RunTimeLimits

Bools = NDArray[np.bool_]
WINDOW = 16
"""Inferences whose mean is held against a deadline."""
FALLS_BY = 0.7
RISES_BY = 0.02
SLACK = 0.95
"""Of a limit, below which the threshold rises again; between, it stays."""


class SmallestThreshold(NamedTuple):
    """A threshold and what follows from it, on the samples it was fitted on."""

    threshold: float
    share: float
    """Of samples that run again."""
    kept: float
    """Of the higher precision's right outputs, how many there are with it."""
    kept_without: float
    """The same of the first plan alone."""


def smallest_threshold(sure: NDArray[np.float64], narrow: Bools, wide: Bools, wanted: float) -> SmallestThreshold:
    """The smallest threshold with which as many outputs are right as `wanted` times those of the higher precision.

    sure: how sure the first plan is of each sample, shape (n,), 0 to 1. narrow, wide: whether each plan's output is right, by
    labels; or whether the first agrees with the second, and True. A sample runs again where it is less sure than the threshold:
    all of the same sureness run again together, and past the largest that is every one, so there always is such a threshold.
    """
    order = np.argsort(sure, kind="stable")
    ranked = sure[order]
    again = np.concatenate([[0], np.cumsum(wide[order])])
    first = np.concatenate([[0], np.cumsum(narrow[order])])
    right = again + first[-1] - first
    """With the 0, 1, 2, ... least sure run again."""
    possible = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])
    enough = possible & (right >= wanted * again[-1] - 1e-9)
    count = int(np.argmax(enough))
    threshold = 0.0 if count == 0 else min(1.0, float(np.nextafter(ranked[count - 1], 2.0)))
    most = max(int(again[-1]), 1)
    return SmallestThreshold(threshold, count / len(sure), float(right[count]) / most, float(right[0]) / most)


class MovingThreshold:
    """A fitted threshold, lowered while a limit is exceeded: multiplicative decrease, additive increase, which neither swings
    up nor stays down (Chiu and Jain 1989, for congestion).
    """

    def __init__(self, fitted: float, limits: RunTimeLimits) -> None:
        self._fitted, self._limits, self._level = fitted, limits, 1.0
        self._times_ms: list[float] = []
        self._sensed: list[tuple[float, float]] = []
        self.unheard: set[str] = set()
        """RunTimeLimits that no sensor has told anything of."""

    @property
    def now(self) -> float:
        """The threshold."""
        return self._fitted * self._level

    def sensed(self, power_w: float | None, temperature_c: float | None) -> None:
        """What sensors say; None: nothing."""
        told = (("power_w", power_w), ("temperature_c", temperature_c))
        limits = {name: limit for name, _ in told if (limit := getattr(self._limits, name)) is not None}
        self._sensed = [(value, limits[name]) for name, value in told if name in limits and value is not None]
        self.unheard = {name for name, value in told if name in limits and value is None}

    def took(self, latency_ms: float) -> bool:
        """One inference is over; returns whether the threshold was looked at, which it is after each `WINDOW` of them."""
        self._times_ms.append(latency_ms)
        if len(self._times_ms) < WINDOW:
            return False
        mean = sum(self._times_ms) / len(self._times_ms)
        self._times_ms.clear()
        deadline = self._limits.deadline_ms
        self._move([*self._sensed, *([(mean, deadline)] if deadline is not None else [])])
        return True

    def _move(self, known: Sequence[tuple[float, float]]) -> None:
        if any(value > limit for value, limit in known):
            self._level *= FALLS_BY
        elif all(value <= SLACK * limit for value, limit in known):
            self._level = min(1.0, self._level + RISES_BY)
