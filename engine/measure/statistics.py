"""Intervals and percentiles, without scipy: what turns samples into figures that can be trusted.

Apart from the loops that take the samples, so that a report can be computed again from stored ones.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_SAMPLES = {50: 11, 90: 64, 95: 130, 99: 662}
"""Samples below which a percentile is not given: with one sample over the latency allowed, MLPerf Inference's early stopping
(loadgen, early_stopping.cc; confidence 99 %) needs as many before it accepts the percentile."""


_LEAST_WORTH = 3
_LEAST_BATCHES = 64

_SAYS_NOTHING = 46.0
"""Half an interval of a logarithm: 20 powers of ten up and down."""


def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t: x with P(T <= x) = p, for `df` > 0 degrees of freedom and 0 < p < 1.

    By bisection on the distribution function, which is 1 - I_{df/(df+x^2)}(df/2, 1/2) / 2 for x >= 0 (Abramowitz and Stegun
    26.7.1).

    Raises:
        ValueError: `p` or `df` is out of range.
    """
    if not 0 < p < 1 or df <= 0:
        raise ValueError(f"no quantile {p} with {df} degrees of freedom")
    if p < 0.5:
        return -t_quantile(1 - p, df)
    return _upper_quantile(p, df)


@lru_cache(maxsize=1024)
def _upper_quantile(p: float, df: float) -> float:
    tail = 2 * (1 - p)
    high = 1.0
    while _two_tails(high, df) > tail and high < 1e150:
        high *= 2
    low = 0.0
    while (middle := (low + high) / 2) not in (low, high):
        if _two_tails(middle, df) > tail:
            low = middle
        else:
            high = middle
    return high


def _two_tails(x: float, df: float) -> float:
    """P(|T| > x) of Student's t."""
    return incomplete_beta(df / 2, 0.5, df / (df + x * x))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), 0 <= x <= 1: DLMF 8.17.22, its continued fraction, evaluated by
    Lentz's method; on the far side of the mean through I_x(a, b) = 1 - I_{1-x}(b, a), where the fraction converges fast.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, 1 - x)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    return front * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def mean_half_width(values: Floats, confidence: float = 0.95) -> float | None:
    """Half width of the t interval of the mean of independent `values`; None for fewer than two."""
    n = len(values)
    if n < 2:
        return None
    return t_quantile(0.5 + confidence / 2, n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)


def effective(values: Floats) -> float:
    """How many independent values a series in the order of time is worth.

    n (1 - r) / (1 + r), r being the correlation from one value to the next, as in a first-order autoregressive series
    (Zwiers and von Storch 1995, J. Climate 8:336). The sample's own r is too low by (1 + 4 r) / n (Marriott and Pope 1954,
    Biometrika 41:390), which is put back. Between 2 and n; n for fewer than three values, or equal ones.
    """
    n = len(values)
    if n < 3 or np.ptp(values) <= 1e-12 * np.abs(values).max():  # rounding has correlations of its own
        return float(n)
    around = values - values.mean()
    seen = float(around[1:] @ around[:-1]) / float(around @ around)
    r = max(0.0, seen + (1 + 4 * seen) / n)
    return n * (1 - r) / (1 + r) if r < (n - 2) / (n + 2) else 2.0


def serial_half_width(values: Floats, confidence: float = 0.95) -> float | None:
    """Half width of the t interval of the mean of a series in the order of time; None for fewer than two values.

    As `mean_half_width`, with `effective` values in place of all: where noise lasts longer than a block, blocks resemble
    their neighbours. Taken as independent, their 95 % interval holds the mean in 83 % of runs only (10 ms an inference,
    correlation 0.9 from one to the next, blocks of 0.2 s). Many values are put together in batches of neighbours, 64 to 127
    of them (Schmeiser 1982, Oper. Res. 30:556): between those it matters less that correlations do not die away just as
    `effective` thinks. A series is taken to be worth three values at least: of three to eight, its correlation is known so
    badly that independent ones were called two in 15 of 100 series, with intervals up to 7 times too wide; with three, at
    most 2.4 times up to six values, and the interval holds the mean 1 to 2 points more rarely where neighbours do correlate.
    """
    n = len(values)
    if n < 2:
        return None
    size = max(1, n // _LEAST_BATCHES)
    values = values[n % size :].reshape(-1, size).mean(axis=1)
    worth = max(effective(values), float(min(len(values), _LEAST_WORTH)))
    df = max(1.0, worth - 1)
    df = round(df, 1) if df < 10 else round(df)  # quantiles are cached: one takes a millisecond, and a run asks for a thousand
    return t_quantile(0.5 + confidence / 2, df) * float(np.std(values, ddof=1)) / math.sqrt(worth)


def comparisons(variants: int) -> int:
    """How many ratios there are between any two of so many variants; one side alone has its mean."""
    return max(1, variants * (variants - 1) // 2)


def corrected(comparisons: int, confidence: float = 0.95) -> float:
    """The confidence that each of several intervals needs for all of them to hold at once with `confidence`.

    Bonferroni's inequality on t intervals (Dunn 1961, J. Am. Stat. Assoc. 56:52): it holds however the comparisons depend on
    each other, as those with one baseline do, and gives intervals, which Holm's steps do not.

    Raises:
        ValueError: no comparison.
    """
    if comparisons < 1:
        raise ValueError("no comparison")
    return 1 - (1 - confidence) / comparisons


def percentile(values: Floats, q: int) -> float | None:
    """The q-th percentile (linear between neighbours); None when there are fewer than `LEAST_SAMPLES`."""
    return float(np.percentile(values, q)) if len(values) >= LEAST_SAMPLES[q] else None


def paired_ratio(baseline: Floats, candidate: Floats, confidence: float = 0.95) -> tuple[float, float | None, float | None]:
    """Candidate over baseline from pairs of block means in the order of time: geometric mean of the ratios, and its interval.

    The interval is `serial_half_width` of log(candidate) - log(baseline), each pair taken within moments of each other, so
    that whatever slows both sides alike drops out. The bounds are None for fewer than two pairs.
    """
    differences = np.log(candidate) - np.log(baseline)
    return as_ratio(float(differences.mean()), serial_half_width(differences, confidence))


def as_ratio(log_ratio: float, half: float | None) -> tuple[float, float | None, float | None]:
    """Value and bounds of a ratio from its logarithm. The bounds are None where they would say nothing: two rounds among the
    many comparisons of a group give a half width of thousands, past what a float can hold.
    """
    if half is None or not half < _SAYS_NOTHING:
        return math.exp(log_ratio), None, None
    return math.exp(log_ratio), math.exp(log_ratio - half), math.exp(log_ratio + half)


def relative_width(value: float, low: float | None, high: float | None) -> float | None:
    """How far the farther bound of a ratio's interval is from it, as a share of it; None where there is none."""
    return None if low is None or high is None else max(high / value, value / low) - 1


def bootstrap_mean(values: Floats, seed: int, resamples: int = 2000, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron 1979).

    How often each distinct value is drawn is one multinomial draw, so memory depends on distinct values, not on samples:
    right and wrong, or the three values of a paired difference.

    Raises:
        ValueError: no values.
    """
    if len(values) == 0:
        raise ValueError("no values")
    distinct, counts = np.unique(values, return_counts=True)
    draw = np.random.default_rng(seed)
    at_once = max(1, 4_000_000 // len(distinct))
    means = [
        draw.multinomial(len(values), counts / len(values), size=min(at_once, resamples - start)) @ distinct / len(values)
        for start in range(0, resamples, at_once)
    ]
    low, high = np.quantile(np.concatenate(means), [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def paired_difference(baseline: Floats, candidate: Floats, seed: int) -> tuple[float, float, float]:
    """The mean difference of two sides' scores of the same samples (right or wrong as 1 and 0), with its 95 %
    interval.

    One sample that only the baseline gets right and one that only the candidate does are added for the interval (as Agresti and
    Min 2005, Stat. Med. 24:729, add to each cell of the table): of 500 samples that all stay as they were nothing is known of
    what happens to one in 200, and a plain bootstrap would say [0, 0].

    Raises:
        ValueError: no samples, or not as many of both.
    """
    if len(baseline) != len(candidate) or not len(baseline):
        raise ValueError(f"{len(baseline)} and {len(candidate)} samples are no pairs")
    apart = np.asarray(candidate, np.float64) - np.asarray(baseline, np.float64)
    low, high = bootstrap_mean(np.r_[apart, 1.0, -1.0], seed)
    value = float(apart.mean())
    return value, min(low, value), max(high, value)


def agreement(same: Floats, seed: int) -> tuple[float, float, float]:
    """The mean of shares from 0 to 1 (of samples that stay as they were, or of places in each), with its 95 % interval.

    For the interval one sample that agrees and one that does not are added, as in `paired_difference`: ten samples that all
    agree do not say that all others will.

    Raises:
        ValueError: no samples.
    """
    if not len(same):
        raise ValueError("no samples")
    low, high = bootstrap_mean(np.r_[np.asarray(same, np.float64), 0.0, 1.0], seed)
    value = float(np.mean(same))
    return value, min(low, value), max(high, value)


def percentile_interval(value: float, drawn: Floats) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979) of a figure from what resamples gave, widened to hold the figure itself; NaN
    of a resample says nothing.

    Where a figure is skewed, as R² is near 1, the basic bootstrap leans the wrong way: of 150 simulated sets of 200 samples it
    held R² in 83 %, percentiles in 91; of macro averages both hold them in 91 to 96.
    """
    low, high = (float(each) for each in np.nanquantile(drawn, [0.025, 0.975]))
    return min(low, value), max(high, value)


def mcnemar_p(only_baseline: int, only_candidate: int) -> float:
    """Two-sided mid-p of McNemar's exact test, from the samples that only one side got right.

    Fagerland, Lydersen and Laake 2013, doi 10.1186/1471-2288-13-91: the exact binomial test is too careful, the mid-p is not.
    """
    n, few = only_baseline + only_candidate, min(only_baseline, only_candidate)
    if only_baseline == only_candidate:
        return 1.0
    at = [math.exp(_log_binomial(n, k) - n * math.log(2)) for k in range(few + 1)]
    return min(1.0, 2 * sum(at) - at[-1])


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
