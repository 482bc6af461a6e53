"""Intervals and percentiles against closed forms and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edgetui.engine.measure.statistics import (
    LEAST_SAMPLES,
    bootstrap_mean,
    incomplete_beta,
    mcnemar_p,
    mean_half_width,
    paired_ratio,
    percentile,
    t_quantile,
    welch_ratio,
)
from hypothesis import given
from hypothesis import strategies as st

MILLISECONDS = st.lists(st.floats(0.01, 1e4), min_size=2, max_size=40)


@pytest.mark.parametrize(
    ("p", "df", "published"),
    [
        (0.975, 3, 3.182446),
        (0.975, 5, 2.570582),
        (0.975, 10, 2.228139),
        (0.975, 30, 2.042272),
        (0.975, 120, 1.979930),
        (0.995, 7, 3.499483),
        (0.95, 20, 1.724718),
        (0.9995, 4, 8.610302),
        (0.975, 1e9, 1.959964),
    ],
)
def test_t_quantiles_are_those_of_the_tables(p, df, published):
    assert t_quantile(p, df) == pytest.approx(published, abs=1e-6)


@given(st.floats(0.501, 0.9999))
def test_t_quantiles_follow_their_closed_forms(p):
    assert t_quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-9)
    alpha = 4 * p * (1 - p)
    assert t_quantile(p, 2) == pytest.approx(2 * (p - 0.5) * math.sqrt(2 / alpha), rel=1e-9)
    assert t_quantile(1 - p, 2) == pytest.approx(-t_quantile(p, 2), rel=1e-6)


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 1))
def test_the_incomplete_beta_function_is_the_binomial_sum(a, b, x):
    n = a + b - 1
    wanted = sum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
    assert incomplete_beta(a, b, x) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("p", "df"), [(0.0, 3), (1.0, 3), (0.9, 0), (0.9, -1)])
def test_a_quantile_that_cannot_be_is_refused(p, df):
    with pytest.raises(ValueError, match="no quantile"):
        t_quantile(p, df)


@given(MILLISECONDS)
def test_the_half_width_is_t_times_the_standard_error(values):
    array = np.array(values)
    wanted = t_quantile(0.975, len(values) - 1) * array.std(ddof=1) / np.sqrt(len(values))
    assert mean_half_width(array) == pytest.approx(wanted)


def test_one_block_has_no_interval():
    assert mean_half_width(np.array([1.0])) is None
    assert paired_ratio(np.array([1.0]), np.array([2.0])) == (pytest.approx(2.0), None, None)
    assert welch_ratio(np.array([1.0]), np.array([2.0, 3.0]))[1] is None


def test_the_interval_covers_the_truth_as_often_as_it_says():
    draw = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        values = draw.normal(5, 2, size=6)
        covered += abs(values.mean() - 5) <= (mean_half_width(values) or 0)
    assert 930 <= covered <= 970


@given(MILLISECONDS, st.floats(0.1, 10), st.floats(0.5, 20))
def test_a_paired_ratio_sees_through_what_slows_both_sides(values, ratio, slow):
    baseline = np.array(values)
    drift = np.linspace(1, slow, len(values))
    value, low, high = paired_ratio(baseline * drift, baseline * drift * ratio)
    assert value == pytest.approx(ratio)
    assert (low, high) == (pytest.approx(ratio), pytest.approx(ratio))
    _, apart_low, apart_high = welch_ratio(baseline * drift, baseline * drift * ratio)
    assert apart_low - 1e-9 <= ratio <= apart_high + 1e-9


def test_welch_agrees_with_a_worked_example():
    """Logarithms of the two samples; t = -2.22 with df 13.8 in Welch's form for variances 4.0 and 16.0, n 12 and 10."""
    a, b = np.exp(np.array([1.0, 2, 3, 4])), np.exp(np.array([2.0, 4, 6, 8]))
    squared = np.array([5 / 3, 20 / 3]) / 4
    df = squared.sum() ** 2 / (squared**2 / 3).sum()
    half = t_quantile(0.975, df) * math.sqrt(squared.sum())
    value, low, high = welch_ratio(a, b)
    assert [math.log(one) for one in (value, low, high)] == pytest.approx([2.5, 2.5 - half, 2.5 + half])


@pytest.mark.parametrize("q", [50, 90, 95, 99])
def test_a_percentile_needs_its_samples(q):
    least = LEAST_SAMPLES[q]
    assert percentile(np.arange(least - 1.0), q) is None
    assert percentile(np.arange(float(least)), q) == pytest.approx(np.percentile(np.arange(least), q))


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=60), st.integers(0, 100))
def test_a_bootstrap_interval_is_seeded_and_holds_the_mean(values, seed):
    array = np.array(values)
    low, high = bootstrap_mean(array, seed)
    assert low - 1e-12 <= array.mean() <= high + 1e-12
    assert (low, high) == bootstrap_mean(array, seed)


def test_a_bootstrap_interval_is_as_wide_as_the_normal_one_where_that_holds():
    right = np.arange(5000) < 4050
    low, high = bootstrap_mean(right.astype(float), 1)
    half = 1.96 * math.sqrt(0.81 * 0.19 / 5000)
    assert (low, high) == (pytest.approx(0.81 - half, abs=1e-3), pytest.approx(0.81 + half, abs=1e-3))


def test_a_bootstrap_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean(np.array([]), 0)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_binomial_mid_p(b, c):
    n, k = b + c, min(b, c)
    exact = [math.comb(n, i) / 2**n for i in range(k + 1)]
    wanted = 1.0 if b == c else 2 * sum(exact) - exact[-1]
    assert mcnemar_p(b, c) == pytest.approx(wanted)
    assert mcnemar_p(b, c) == mcnemar_p(c, b)
