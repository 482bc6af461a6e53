"""From a histogram of what was seen to the range that shall be kept: percentile, entropy, mean squared error.

It is arithmetic on counts alone: no graph, no forward pass. Minmax needs no histogram and is not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Range = tuple[float, float]

BINS = 2048
"""Bins from zero to the largest |value|, as TensorRT's entropy calibration has them."""
LEVELS = 128
"""Levels that bins are merged into when entropy is compared: int8's positive half."""
STEPS = 255
"""Steps between the ends of an 8-bit range."""

NOISIER = 10**0.2
"""How much more quantization noise (mean squared error) than the least an entropy range may have: 2 dB.

Divergence alone does not see how far a value is moved: a threshold on a spike (the bars of letterboxed images, a saturation,
the lowest value of SiLU) makes cutting all above it nearly free. A detector's first activation was cut to 1.1 of 6.7 so."""
RUINED_DB, RUINED_TIMES = 10.0, 4.0
"""A percentile is widened where its noise is nearer than this to the values' variance and a wider range has a quarter of it.

It counts values, so where nearly all are background (zeros, bars, a score map) it would cut away all that the others say.
Tensors of trained networks keep 20 dB and more at 99.99 %, so theirs stay as they are."""


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
    """The range that holds `percent` of the values; what is left out is shared by both tails when there are two.

    Wider where that would ruin the tensor (RUINED_DB).
    """
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
    return _widened(histogram, (max(low, kept_low), min(high, kept_high)))


def _widened(histogram: Histogram, chosen: Range) -> Range:
    """`chosen`, or the first range on the way from there to the ends whose noise is bearable."""
    ends = histogram.ends()
    way = np.linspace(0.0, 1.0, 129)
    lows, highs = (a + (b - a) * way for a, b in zip(chosen, ends, strict=True))
    noise, spread = _noise(histogram, lows, highs)
    bearable = noise <= max(RUINED_TIMES * float(noise.min()), spread / 10 ** (RUINED_DB / 10))
    first = int(np.argmax(bearable))
    return chosen if first == 0 else (float(lows[first]), float(highs[first]))


def _noise(histogram: Histogram, lows: Floats, highs: Floats) -> tuple[Floats, float]:
    """Squared error of quantizing to each range [lows[k], highs[k]], summed over all values, and the same of their mean alone.

    What lies outside moves to the end, what lies inside by a step's rounding (variance step^2 / 12), zero not at all. From
    running sums, so that hundreds of ranges cost as much as one.
    """
    used = np.flatnonzero(histogram.counts)
    values = (used - histogram.zero) * histogram.step
    weights = histogram.counts[used].astype(np.float64)
    count, total, square = (np.concatenate(([0.0], np.cumsum(weights * values**power, dtype=np.float64))) for power in range(3))
    below = np.searchsorted(values, lows - histogram.step / 2)
    above = np.searchsorted(values, highs + histogram.step / 2)
    cut = square[below] - 2 * lows * total[below] + lows**2 * count[below]
    cut += (square[-1] - square[above]) - 2 * highs * (total[-1] - total[above]) + highs**2 * (count[-1] - count[above])
    zeros = float(histogram.counts[histogram.zero]) if histogram.zero < histogram.counts.size else 0.0
    rounded = np.maximum(count[above] - count[below] - zeros, 0.0)
    spread = float(square[-1] - total[-1] ** 2 / max(count[-1], 1.0))
    return np.maximum(cut, 0.0) + ((highs - lows) / STEPS) ** 2 / 12 * rounded, spread


def entropy(histogram: Histogram) -> Range:
    """The range whose 8-bit version loses least information: Kullback-Leibler divergence over thresholds on |value|.

    As in Migacz, "8-bit Inference with TensorRT" (GTC 2017): bins past the threshold are counted into the last one, the rest
    is merged into 128 levels, and the bins of a level share its mass where they are not empty. Only thresholds whose range is
    nearly as good as the best of them by mean squared error (NOISIER) are asked.
    """
    low, high = histogram.ends()
    counts, step = _rebinned(histogram.magnitudes(), histogram.step)
    if counts.size <= LEVELS:
        return low, high
    mass = counts.astype(np.float64)
    mass[0] = mass[1]  # a spike at zero (ReLU) would drown the rest
    tried = np.arange(LEVELS, counts.size + 1, max(1, (counts.size - LEVELS) // 480))
    if tried[-1] != counts.size:
        tried = np.append(tried, counts.size)
    lows, highs = np.maximum(low, -tried * step), np.minimum(high, tried * step)
    noise, _ = _noise(histogram, lows, highs)
    divergence = np.where(noise <= NOISIER * noise.min(), _divergence(mass, tried), np.inf)
    # The widest of equals: where only few values occur, cutting all of them down to one point loses no information either.
    best = int(np.flatnonzero(divergence <= divergence.min() + 1e-9)[-1])
    return float(lows[best]), float(highs[best])


def _divergence(counts: Floats, tried: NDArray[np.intp]) -> Floats:
    """How far the merged version of so many bins diverges from what was seen; infinite where nothing is kept.

    Written with running sums, so that a threshold costs 128 differences and not a pass over its bins.
    """
    mass = np.concatenate(([0.0], np.cumsum(counts)))
    filled = np.concatenate(([0.0], np.cumsum(counts > 0)))
    self_terms = np.where(counts > 0, counts * np.log(np.maximum(counts, 1e-300)), 0.0)
    logs = np.concatenate(([0.0], np.cumsum(self_terms)))
    total = mass[-1]
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
    whole = max(total, 1e-300)
    divergence: Floats = (own - cross) / whole - np.log(whole) + np.log(np.maximum(kept, 1e-300))
    divergence[kept <= 0] = np.inf
    return divergence


def mse(histogram: Histogram, levels: int = STEPS) -> Range:
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
    values: Floats,
    weights: Floats,
    low: Floats,
    high: Floats,
    levels: int,
) -> Floats:
    """Squared error of each candidate range [low[k], high[k]] over all values."""
    scale = ((high - low) / levels)[:, None]
    zero = np.rint(-low[:, None] / scale)
    codes = np.clip(np.rint(values / scale) + zero, 0, levels)
    found: Floats = (((codes - zero) * scale - values) ** 2) @ weights
    return found


def _thinned(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
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
