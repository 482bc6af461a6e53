"""Weights counted: how many are zero, and how the others spread. One tensor is in memory at a time.

Apart from what prunes, because whoever looks at a pruned model asks the same of the original.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .weights import Weight

BINS = 64
_FINE = 4096
_AT_ONCE = 1 << 20
"""numpy widens what it counts to 8 bytes each."""


def zeros(found: Sequence[Weight]) -> tuple[int, int]:
    """How many weights are zero, and how many there are."""
    total = sum(weight.size for weight in found)
    return total - sum(int(np.count_nonzero(weight.array())) for weight in found), total


def largest(found: Sequence[Weight]) -> float:
    """The largest magnitude of what is finite; 0 where there is nothing."""
    return max((float(np.abs(part).max(initial=0.0)) for part in _parts(found)), default=0.0)


def smallest(found: Sequence[Weight]) -> float:
    """The smallest magnitude of what is finite and not zero; 0 where there is nothing."""
    sizes = (np.abs(part[part != 0]).min() for part in _parts(found) if part.any())
    return float(min(sizes, default=0.0))


def reach(found: Sequence[Weight], share: float = 0.99) -> float:
    """A magnitude that at most 1 - `share` of the weights pass, but for what `_FINE` bins leave open: a few large ones
    would leave all others in two bins of a histogram.
    """
    most, counts = largest(found), np.zeros(_FINE, np.int64)
    for part in _parts(found):
        counts += np.histogram(np.abs(part), bins=_FINE, range=(0.0, most or 1.0))[0]
    enough = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
    return most * min(_FINE, enough + 1) / _FINE


def spread(found: Sequence[Weight], most: float) -> tuple[tuple[int, ...], int]:
    """Counts in `BINS` equal bins from -`most` to `most` of weights that are not zero, and how many are zero; what lies beyond
    is in no bin.
    """
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
