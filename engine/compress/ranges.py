"""From a histogram of what was seen to the range that shall be kept: percentile, entropy, mean squared error.

Apart because it is arithmetic on counts alone: no graph, no forward pass. Minmax needs no histogram and is not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Range = tuple[float, float]

BINS = 2048
"""Bins from zero to the largest |value|, as TensorRT's entropy calibration has them."""
LEVELS = 128
"""Levels that bins are merged into when entropy is compared: int8's positive half."""


@dataclass(frozen=True)
class Histogram:
    """Counts of values: bin i holds what rounds to (i - zero) * step."""

    counts: Counts
    zero: int
    """The bin of 0.0."""
    step: float

    def ends(self) -> Range:
        """Least and largest value seen, to a bin, 0 included."""
        used = np.flatnonzero(self.counts)
        if not used.size:
            return 0.0, 0.0
        return min(int(used[0]) - self.zero, 0) * self.step, max(int(used[-1]) - self.zero, 0) * self.step

    def magnitudes(self) -> Counts:
        """Counts of |value|: bin i holds what rounds to i * step."""
        up, down = self.counts[self.zero :], self.counts[: self.zero + 1][::-1]
        both = np.zeros(max(up.size, down.size), np.int64)
        both[: up.size] += up
        both[1 : down.size] += down[1:]
        return np.trim_zeros(both, "b")


def percentile(histogram: Histogram, percent: float) -> Range:
    """The range that holds `percent` of the values; what is left out is shared by both tails when there are two."""
    low, high = histogram.ends()
    outside = 1.0 - percent / 100.0
    if low < 0 < high:
        outside /= 2
    total = np.cumsum(histogram.counts)
    allowed = outside * float(total[-1]) if total.size else 0.0
    first = int(np.searchsorted(total, allowed, side="right"))
    last = int(np.searchsorted(total, float(total[-1]) - allowed, side="left")) if total.size else 0
    kept_low = min((first - histogram.zero) * histogram.step, 0.0)
    kept_high = max((last - histogram.zero) * histogram.step, 0.0)
    return max(low, kept_low), min(high, kept_high)


def entropy(histogram: Histogram) -> Range:
    """The range whose 8-bit version loses least information: Kullback-Leibler divergence over thresholds on |value|.

    As in Migacz, "8-bit Inference with TensorRT" (GTC 2017): bins past the threshold are counted into the last one, the rest
    is merged into 128 levels, and the bins of a level share its mass where they are not empty. Written with running sums, so
    that a threshold costs 128 differences and not a pass over its bins.
    """
    low, high = histogram.ends()
    counts, step = _rebinned(histogram.magnitudes(), histogram.step)
    if counts.size <= LEVELS:
        return low, high
    mass = counts.astype(np.float64)
    mass[0] = mass[1]  # a spike at zero (ReLU) would drown the rest
    threshold = _least_divergence(mass) * step
    return max(low, -threshold), min(high, threshold)


def _least_divergence(counts: NDArray[np.float64]) -> int:
    """Number of bins, LEVELS..len(counts), whose merged version diverges least from what was seen."""
    mass = np.concatenate(([0.0], np.cumsum(counts)))
    filled = np.concatenate(([0.0], np.cumsum(counts > 0)))
    self_terms = np.where(counts > 0, counts * np.log(np.maximum(counts, 1e-300)), 0.0)
    logs = np.concatenate(([0.0], np.cumsum(self_terms)))
    total = mass[-1]
    if total <= 0:
        return counts.size
    tried = np.arange(LEVELS, counts.size + 1, max(1, (counts.size - LEVELS) // 480))
    if tried[-1] != counts.size:
        tried = np.append(tried, counts.size)
    edges = (tried[:, None] * np.arange(LEVELS + 1)) // LEVELS
    level_mass = np.diff(mass[edges], axis=1)
    level_filled = np.diff(filled[edges], axis=1)
    mean = np.where(level_filled > 0, level_mass / np.maximum(level_filled, 1), 1.0)
    kept, outliers = mass[tried], total - mass[tried]
    last = counts[tried - 1]
    # P has the outliers in its last bin, Q has not; where that bin was empty, Q gets the least it can have there.
    own = logs[tried] - np.where(last > 0, last * np.log(np.maximum(last, 1e-300)), 0.0)
    last_now = last + outliers
    own = own + np.where(last_now > 0, last_now * np.log(np.maximum(last_now, 1e-300)), 0.0)
    last_mean = np.where(last > 0, mean[:, -1], 1e-9 * np.maximum(kept, 1.0))
    cross = np.sum(level_mass * np.log(mean), axis=1) + outliers * np.log(np.maximum(last_mean, 1e-300))
    divergence = (own - cross) / total - np.log(total) + np.log(np.maximum(kept, 1e-300))
    divergence[kept <= 0] = np.inf
    # The widest of equals: where only few values occur, cutting all of them down to one point loses no information either.
    return int(tried[np.flatnonzero(divergence <= divergence.min() + 1e-9)[-1]])


def mse(histogram: Histogram, levels: int = 255) -> Range:
    """The range whose rounding and clipping errors, squared and weighted by what was seen, are least.

    First one factor for both ends (100 % down to 1/64), then each end alone around it; zero stays on the grid, so that the
    zeros after a ReLU count as exact.
    """
    low, high = histogram.ends()
    used = np.flatnonzero(histogram.counts)
    if low == high or not used.size:
        return low, high
    values = (used - histogram.zero).astype(np.float64) * histogram.step
    weights = histogram.counts[used].astype(np.float64)
    values, weights = _thinned(values, weights)
    shares = np.concatenate((np.linspace(1.0, 0.3, 36), np.geomspace(0.28, 1 / 64, 12)))
    best = float(shares[np.argmin(_errors(values, weights, shares * low, shares * high, levels))])
    low, high = low * best, high * best
    if low < 0 < high:
        fine = np.linspace(0.5, 1.0, 26)
        low *= float(fine[::-1][np.argmin(_errors(values, weights, low * fine[::-1], np.full(26, high), levels))])
        high *= float(fine[::-1][np.argmin(_errors(values, weights, np.full(26, low), high * fine[::-1], levels))])
    return low, high


def _errors(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    levels: int,
) -> NDArray[np.float64]:
    """Squared error of each candidate range [low[k], high[k]] over all values."""
    scale = ((high - low) / levels)[:, None]
    zero = np.rint(-low[:, None] / scale)
    codes = np.clip(np.rint(values / scale) + zero, 0, levels)
    found: NDArray[np.float64] = (((codes - zero) * scale - values) ** 2) @ weights
    return found


def _thinned(values: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most twice BINS values: neighbours become their weighted mean (the tail of a range that grew has many empty bins)."""
    if values.size <= 2 * BINS:
        return values, weights
    group = np.arange(values.size) * (2 * BINS) // values.size
    mass = np.bincount(group, weights).astype(np.float64)
    return np.bincount(group, values * weights) / mass, mass


def _rebinned(counts: Counts, step: float) -> tuple[Counts, float]:
    """At most BINS bins: whole numbers of neighbours are added up."""
    each = -(-counts.size // BINS)
    if each <= 1:
        return counts, step
    padded = np.zeros(-(-counts.size // each) * each, np.int64)
    padded[: counts.size] = counts
    return padded.reshape(-1, each).sum(axis=1), step * each
