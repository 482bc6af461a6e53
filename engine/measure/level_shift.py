"""Whether a machine changed its pace while it was measured: a limit that sets in, a virtual machine's cores that come to lie on
other cores of the host. What comes before and after are two machines, and a ratio of both together is of neither.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST = 1.15
"""Times that one pace is the other's, at least; a slow drift of 20 % in all does not reach it."""
_FEWEST = 4
"""Blocks on either side."""
_APART = 0.9
"""Share of blocks that must lie nearer to their own side's median than to the other's."""


class Shift(NamedTuple):
    """From which block on, counted from 0, and the median of the blocks before and from it."""

    block: int
    before: float
    after: float


def level_shift(means: NDArray[np.float64]) -> Shift | None:
    """The one place where the means of blocks, in the order of time, move to another level and stay there; None: there is none.

    The split that leaves the least absolute deviation from the medians of its sides: least absolute deviations, as a single
    block that something disturbed must not be taken for a level.
    """
    splits = range(_FEWEST, len(means) - _FEWEST + 1)
    if not splits:
        return None
    logs = np.log(means)
    block = min(splits, key=lambda n: _scatter(logs[:n]) + _scatter(logs[n:]))
    before, after = float(np.median(means[:block])), float(np.median(means[block:]))
    if max(before, after) < LEAST * min(before, after):
        return None
    middle = (np.log(before) + np.log(after)) / 2
    low, high = (logs[:block], logs[block:]) if before < after else (logs[block:], logs[:block])
    return Shift(block, before, after) if min((low < middle).mean(), (high > middle).mean()) >= _APART else None


def _scatter(logs: NDArray[np.float64]) -> float:
    return float(np.abs(logs - np.median(logs)).sum())
