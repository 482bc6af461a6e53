"""Intervals and percentiles against closed forms and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edgetui.engine.measure.statistics import (
    LEAST_SAMPLES,
    bootstrap_mean,
    corrected,
    effective,
    incomplete_beta,
    mcnemar_p,
    mean_half_width,
    paired_ratio,
    percentile,
    relative_width,
    serial_half_width,
    t_quantile,
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


def test_the_interval_covers_the_truth_as_often_as_it_says():
    draw = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        values = draw.normal(5, 2, size=6)
        covered += abs(values.mean() - 5) <= (mean_half_width(values) or 0)
    assert 930 <= covered <= 970


@given(MILLISECONDS)
def test_a_series_is_worth_no_more_than_its_values_and_no_less_than_two(values):
    array = np.array(values)
    assert 2 <= effective(array) <= len(values)
    assert serial_half_width(array) >= mean_half_width(array) * (1 - 1e-3)  # df are rounded
    assert effective(np.full(len(values), values[0])) == len(values)


def test_neighbours_that_resemble_each_other_are_worth_less():
    draw = np.random.default_rng(1)
    steps = draw.standard_normal(20_000)
    series = [0.0]
    for step in steps:
        series.append(0.5 * series[-1] + step)
    assert effective(np.array(series)) / len(series) == pytest.approx(1 / 3, rel=0.05)
    assert effective(steps) / len(steps) == pytest.approx(1, abs=0.03)
    assert effective(np.arange(50.0)) == 2
    assert serial_half_width(np.array([1.0])) is None


def test_the_interval_of_a_series_covers_the_truth_where_the_plain_one_does_not():
    draw = np.random.default_rng(2)
    plain = serial = 0
    for _ in range(500):
        steps = draw.standard_normal(60)
        series = [draw.standard_normal() / math.sqrt(1 - 0.5**2)]
        for step in steps:
            series.append(0.5 * series[-1] + step)
        values = np.array(series)
        plain += abs(values.mean()) <= mean_half_width(values)
        serial += abs(values.mean()) <= serial_half_width(values)
    assert plain < 400
    assert 460 <= serial <= 490


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_few_values_are_not_called_two_whatever_their_order(n):
    rising = np.arange(1.0, n + 1)  # as like its neighbours as can be
    assert serial_half_width(rising) == pytest.approx(t_quantile(0.975, 2) * rising.std(ddof=1) / math.sqrt(3))
    draw = np.random.default_rng(n)
    widths = [serial_half_width(values) / mean_half_width(values) for values in draw.standard_normal((500, n))]
    assert max(widths) < 2.5
    assert np.median(widths) == pytest.approx(1, abs=0.05)


def test_confidences_are_corrected_for_the_number_of_comparisons():
    assert corrected(1) == pytest.approx(0.95)
    assert corrected(15) == pytest.approx(1 - 0.05 / 15)
    assert corrected(2, 0.9) == pytest.approx(0.95)
    with pytest.raises(ValueError, match="no comparison"):
        corrected(0)


def test_a_ratio_is_known_as_well_as_its_farther_bound():
    assert relative_width(0.5, 0.45, 0.55) == pytest.approx(0.5 / 0.45 - 1)
    assert relative_width(1.0, None, None) is None


@given(MILLISECONDS, st.floats(0.1, 10), st.floats(0.5, 20))
def test_a_paired_ratio_sees_through_what_slows_both_sides(values, ratio, slow):
    baseline = np.array(values)
    drift = np.linspace(1, slow, len(values))
    value, low, high = paired_ratio(baseline * drift, baseline * drift * ratio)
    assert value == pytest.approx(ratio)
    assert (low, high) == (pytest.approx(ratio), pytest.approx(ratio))


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


def test_an_interval_too_wide_to_be_told_is_none() -> None:
    one, other = np.array([1.0, 1.0, 1.0]), np.array([1.1, 1.5, 1.0])
    value, low, high = paired_ratio(one, other, 1 - 1e-9)
    assert value == pytest.approx((1.1 * 1.5) ** (1 / 3))
    assert (low, high) == (None, None)
    assert None not in paired_ratio(one, other)
