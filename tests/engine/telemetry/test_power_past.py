"""What is kept of power readings: as much as figures need, in a hundredth of a sample's room."""

from __future__ import annotations

import math
import tracemalloc

from edgetui.engine.telemetry.energy import TOTAL_JOULES, PowerPast, believed_mw, energy_of
from edgetui.engine.telemetry.sample import Sample
from hypothesis import given
from hypothesis import strategies as st

HOUR = 3600 * 10

told = st.tuples(
    st.none() | st.integers(-5, 9000) | st.just(65535),
    st.none() | st.floats(0, 5),
    st.sampled_from([None, "module", "package"]),
)


def samples(of: list[tuple[int | None, float | None, str | None]]) -> list[Sample]:
    """Ten a second; the counter goes up by what each says."""
    found, total = [], 0.0
    for k, (mw, joules, scope) in enumerate(of):
        total += joules or 0.0
        counters = {} if joules is None else {TOTAL_JOULES: total}
        found.append(Sample(t_s=100 + k / 10, total_mw=mw, total_scope=scope, counters=counters))
    return found


@given(st.lists(told, min_size=1, max_size=80), st.floats(99, 105), st.floats(0, 4))
def test_a_figure_is_that_of_the_samples_around_the_window(of, begin_s: float, long_s: float) -> None:
    past = PowerPast()
    for sample in (seen := samples(of)):
        past.add(sample, believed_mw(sample))
    end_s = begin_s + long_s
    around = [sample for sample in seen if begin_s - 1 <= sample.t_s <= end_s + 1]
    assert past.figure(begin_s, end_s, around_s=1) == energy_of(around, begin_s, end_s)


@given(st.lists(told, max_size=20))
def test_every_power_that_was_told_is_there_in_its_order(of) -> None:
    past = PowerPast()
    for sample in (seen := samples(of)):
        past.add(sample, believed_mw(sample))
    powered = [(sample.t_s, mw) for sample in seen if (mw := believed_mw(sample)) is not None]
    assert list(past.points()) == powered
    assert past.newest == (powered[-1] if powered else (-math.inf, 0))
    assert past.told(3) == [believed_mw(sample) is not None for sample in seen[-3:]]


def test_an_hour_takes_a_megabyte() -> None:
    past = PowerPast()
    tracemalloc.start()
    try:
        for k in range(HOUR):
            past.add(
                Sample(t_s=k / 10, total_mw=k % 9000, total_scope="module", temps_c={f"zone{n}": 40.0 for n in range(9)}),
                k % 9000,
            )
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(past) == HOUR
    assert kept < 1_100_000
