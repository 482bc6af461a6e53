"""A day of samples in bounded memory, true to the minimum and maximum of every bucket."""

from __future__ import annotations

import sys

import pytest
from edgetui.engine.telemetry.history import LEVELS, History, Series
from edgetui.engine.telemetry.sample import Sample
from hypothesis import given
from hypothesis import strategies as st


def f32(value: float) -> object:
    return pytest.approx(value, rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=400), st.integers(1, 60))
def test_a_bucket_has_the_minimum_mean_and_maximum_of_its_time(values: list[float], count: int) -> None:
    series = Series()
    for k, value in enumerate(values):
        series.add(1000.0 + k * 0.25, value)
    span = count * 2.5
    for k, bucket in enumerate(series.buckets(1000.0, 1000.0 + span, count)):
        inside = values[k * 10 : (k + 1) * 10]
        if not inside:
            assert bucket is None
        else:
            assert bucket == (f32(min(inside)), f32(sum(inside) / len(inside)), f32(max(inside)))


def test_a_whole_day_keeps_its_single_peak() -> None:
    series = Series()
    for second in range(86400):
        series.add(1e6 + second, 99.0 if second == 1234 else 5.0)
    day = series.buckets(1e6, 1e6 + 86400, 160)
    assert len(day) == 160
    assert all(bucket is not None for bucket in day)
    assert [k for k, bucket in enumerate(day) if bucket and bucket[2] == 99.0] == [2]


def test_the_last_minute_is_as_fine_as_it_came() -> None:
    series = Series()
    for k in range(86400):
        series.add(k * 1.0, float(k))
    last = series.buckets(86340.0, 86400.0, 60)
    assert [bucket and bucket[1] for bucket in last] == [float(k) for k in range(86340, 86400)]


def test_memory_does_not_grow() -> None:
    history = History()
    rails = {f"RAIL_{k}": k for k in range(8)}

    def size() -> int:
        return sum(
            sys.getsizeof(getattr(level, name))
            for series in history._series.values()
            for level in series._levels
            for name in ("turns", "low", "high", "sum", "n")
        )

    history.add(Sample(t_s=0.0, rails_mw=rails))
    before = size()
    for k in range(1, 5000):
        history.add(Sample(t_s=k * 20.0, rails_mw=rails))
    assert size() == before
    assert before < 8 * 25 * sum(count for _, count in LEVELS)


def test_what_was_not_seen_is_a_hole() -> None:
    history = History()
    history.add(Sample(t_s=10.0, total_mw=5000, temps_c={"gpu": None}))
    history.add(Sample(t_s=13.0, total_mw=7000))
    assert history.names == ("total_mw",)
    assert history.buckets("total_mw", 9.0, 14.0, 5) == [None, (5000, 5000, 5000), None, None, (7000, 7000, 7000)]
    assert history.buckets("temps_c.gpu", 9.0, 14.0, 5) == [None] * 5
