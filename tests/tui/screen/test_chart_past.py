"""What a chart keeps: the newest samples in order, and not a byte more after hours than at first."""

from __future__ import annotations

import tracemalloc

from edgetui.tui.widgets.chart_past import ChartPast
from hypothesis import given
from hypothesis import strategies as st

HOUR = 3600 * 4
values = st.none() | st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(st.tuples(values, values), st.integers(0, 3)), max_size=60), st.integers(1, 40), st.integers(1, 40))
def test_the_newest_are_kept_in_their_order(samples: list[tuple[tuple[float | None, ...], int]], room: int, other: int) -> None:
    kept = ChartPast(room, 2)
    kept.extend(samples)
    assert list(kept) == samples[-room:]
    assert len(kept) == min(room, len(samples))
    assert list(kept.of(other, 2)) == samples[-room:][-other:]
    kept.clear()
    assert not list(kept)


def test_of_a_series_that_is_not_told_there_is_a_gap() -> None:
    kept = ChartPast(4, 2)
    kept.append((1.0,), 0)
    assert list(kept.of(9, 1)) == [((1.0,), 0)]
    assert list(kept) == [((1.0, None), 0)]


def test_an_hour_takes_what_nothing_takes() -> None:
    kept = ChartPast(7200)
    tracemalloc.start()
    try:
        for k in range(HOUR):
            kept.append((k / 7,), k % 3)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 10_000
    assert [marked for _, marked in kept][-3:] == [(HOUR - n) % 3 for n in (3, 2, 1)]
