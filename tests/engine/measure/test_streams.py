"""Several streams at once: rates, the knee, and what must not be claimed."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from edgetui.engine.measure.statistics import paired_ratio
from edgetui.engine.measure.streams import Slice, at_once, findings, knee_of, levels_up_to
from edgetui.engine.schema.workloads import Streams
from issuing import issuing

MS = 1_000_000


def test_each_number_up_to_eight_and_doubles_above():
    assert levels_up_to(1) == (1,)
    assert levels_up_to(5) == (1, 2, 3, 4, 5)
    assert levels_up_to(16) == (1, 2, 4, 8, 16)
    assert levels_up_to(20) == (1, 2, 4, 8, 16, 20)


def test_the_rate_is_the_sum_of_each_streams_own():
    """Two streams that share one lock: together as many as one has alone, and each waits for the other."""
    lock = threading.Lock()

    def infer():
        with lock:
            time.sleep(0.005)

    alone, both = at_once([infer], 100 * MS), at_once([infer] * 2, 100 * MS)
    assert both.rate_s <= alone.rate_s * 1.5
    assert alone.rate_s <= 200
    assert both.times_ns.max() >= 10 * MS - MS  # one waits for the other at least once


def test_streams_that_do_not_disturb_each_other_add_up():
    made = at_once([lambda: time.sleep(0.01)] * 4, 60 * MS)
    assert made.rate_s <= 400
    assert made.rate_s == pytest.approx(1e9 * 4 / made.times_ns.mean(), rel=0.2)


def test_what_a_stream_raises_is_raised():
    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        at_once([lambda: time.sleep(0.001), fails], 5 * MS)


def saturating(levels, at, ms=10.0):
    """A plan that serves `at` streams at once: throughput grows until then, latency from then on (Little's law)."""
    rates = [1e3 / ms * min(level, at) for level in levels]
    return rates, [1e3 * level / rate for level, rate in zip(levels, rates, strict=True)]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_the_knee_is_where_the_plan_is_busy(at):
    levels = (1, 2, 3, 4, 5)
    assert knee_of(levels, *saturating(levels, at)) == (at, "")


def test_no_knee_is_claimed_where_none_was_reached():
    levels = (1, 2, 4)
    knee, why = knee_of(levels, *saturating(levels, 8))
    assert knee is None
    assert why == "throughput still grows faster than latency at 4 streams, the most that were asked for"
    assert knee_of((1,), [3.0], [1.0]) == (None, "one stream has no knee")


def slices_of(rates, ms, blocks, draw=None):
    noise = (lambda: 1.0) if draw is None else (lambda: 1 + 0.03 * draw.standard_normal())
    return {
        level: [Slice(rate * noise(), np.full(20, round(each * MS))) for _ in range(blocks)]
        for level, rate, each in zip((1, 2, 4), rates, ms, strict=True)
    }


def test_images_are_inferences_times_the_batch():
    found = findings("throughput", slices_of(*saturating((1, 2, 4), 2), blocks=4), batch=8)
    told = found.figures
    assert [each.images_per_s for each in told.streams] == pytest.approx([800, 1600, 1600])
    assert [each.latency_ms for each in told.streams] == pytest.approx([10, 10, 20])
    assert (told.throughput.streams, told.throughput.images_per_s, told.throughput.knee) == (4, pytest.approx(1600), 2)
    assert found.reasons["streams.0.p99_ms"] == "needs 662 samples, has 80"
    assert found.compared["throughput_ratio"].values.tolist() == pytest.approx([1600] * 4)


def test_the_same_plan_twice_is_not_shown_to_differ():
    draw = np.random.default_rng(2)
    one, other = (
        findings("throughput", slices_of(*saturating((1, 2, 4), 2), blocks=20, draw=draw), 1)
        .compared["throughput_ratio"]
        .values
        for _ in range(2)
    )
    _, low, high = paired_ratio(one, other)
    assert low < 1 < high


def test_every_level_gets_a_slice_in_each_block():
    made = issuing(lambda: time.sleep(0.0005), Streams(streams=3))
    latencies = [made.times(4) for _ in range(3)]
    told = made.told()
    assert [len(each) for each in latencies] == [4, 4, 4]
    assert [each.streams for each in told.figures.streams] == [1, 2, 3]
    assert all(len(told.raw[f"images_per_s_{level}"]) == 3 for level in (1, 2, 3))
    assert told.figures.streams[0].latency_ms == pytest.approx(np.mean(latencies) / MS)


def test_energy_windows_are_of_all_streams_at_once():
    made = issuing(lambda: time.sleep(0.002), Streams(streams=3))
    assert next(made.issue()) > 3


def test_an_earlier_session_of_a_plan_counts_too_and_the_rate_with_all_streams_decides():
    earlier, later = (issuing(lambda: time.sleep(0.001), Streams(streams=2)) for _ in range(2))
    earlier.times(3)
    later.times(3)
    later.after(earlier)
    told = later.told()
    assert len(told.raw["images_per_s_2"]) == 2
    assert later.deciding()[0].tolist() == told.raw["images_per_s_2"].tolist()
