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


@lru_cache(maxsize=256)
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
    """P(|T| > x)."""
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


def percentile(values: Floats, q: int) -> float | None:
    """The q-th percentile (linear between neighbours); None when there are fewer than `LEAST_SAMPLES`."""
    return float(np.percentile(values, q)) if len(values) >= LEAST_SAMPLES[q] else None


def paired_ratio(baseline: Floats, candidate: Floats, confidence: float = 0.95) -> tuple[float, float | None, float | None]:
    """Candidate over baseline from pairs of block means: geometric mean of the ratios and the bounds of its interval.

    The interval is a t interval of the mean of log(candidate) - log(baseline), each pair taken within moments of each other, so
    that whatever slows both sides alike drops out. The bounds are None for fewer than two pairs.
    """
    differences = np.log(candidate) - np.log(baseline)
    return _as_ratio(float(differences.mean()), mean_half_width(differences, confidence))


def welch_ratio(baseline: Floats, candidate: Floats, confidence: float = 0.95) -> tuple[float, float | None, float | None]:
    """The same for blocks that were not measured in pairs: Welch's interval (1947) of the difference of mean logarithms."""
    logs = [np.log(baseline), np.log(candidate)]
    middle = float(logs[1].mean() - logs[0].mean())
    if min(len(one) for one in logs) < 2:
        return _as_ratio(middle, None)
    squared = [float(np.var(one, ddof=1)) / len(one) for one in logs]
    total = sum(squared)
    if total == 0:
        return _as_ratio(middle, 0.0)
    df = total**2 / sum(one**2 / (len(log) - 1) for one, log in zip(squared, logs, strict=True))
    return _as_ratio(middle, t_quantile(0.5 + confidence / 2, df) * math.sqrt(total))


def _as_ratio(log_ratio: float, half: float | None) -> tuple[float, float | None, float | None]:
    if half is None:
        return math.exp(log_ratio), None, None
    return math.exp(log_ratio), math.exp(log_ratio - half), math.exp(log_ratio + half)


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
