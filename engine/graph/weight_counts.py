"""Weights counted: how many are zero, and how the others spread. One tensor is in memory at a time.

Apart from what prunes, because whoever looks at a pruned model asks the same of the original.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .weights import Weight

BINS = 64
_AT_ONCE = 1 << 20
"""numpy widens what it counts to 8 bytes each."""


def zeros(found: Sequence[Weight]) -> tuple[int, int]:
    """How many weights are zero, and how many there are."""
    total = sum(weight.size for weight in found)
    return total - sum(int(np.count_nonzero(weight.array())) for weight in found), total


def largest(found: Sequence[Weight]) -> float:
    """The largest magnitude of what is finite; 0 where there is nothing."""
    return max((float(np.abs(part).max(initial=0.0)) for part in _parts(found)), default=0.0)


def spread(found: Sequence[Weight], most: float) -> tuple[tuple[int, ...], int]:
    """Counts in `BINS` equal bins from -`most` to `most` of weights that are not zero, and how many are zero."""
    counts, none = np.zeros(BINS, np.int64), 0
    for part in _parts(found):
        there = part[part != 0]
        none += part.size - there.size
        counts += np.histogram(there, bins=BINS, range=(-most, most) if most > 0 else (-1.0, 1.0))[0]
    return tuple(int(count) for count in counts), none


def _parts(found: Sequence[Weight]) -> Iterator[NDArray[np.float64]]:
    for weight in found:
        flat = weight.array().reshape(-1)
        for start in range(0, flat.size, _AT_ONCE):
            part = flat[start : start + _AT_ONCE].astype(np.float64)
            yield part[np.isfinite(part)]
