"""The threshold of two plans, on numbers alone: the smallest that keeps what is wanted, and how limits move it."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.measure.threshold import WINDOW, MovingThreshold, smallest_threshold
from edgetui.engine.schema.escalation import RunTimeLimits
from hypothesis import given
from hypothesis import strategies as st

SAMPLES = st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.booleans()), min_size=1, max_size=40)


def right_with(threshold: float, sure, narrow, wide) -> int:
    return int(np.where(sure < threshold, wide, narrow).sum())


@given(samples=SAMPLES, wanted=st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_it_keeps_what_is_wanted_and_no_smaller_one_does(samples, wanted):
    sure = np.array([each[0] / 8 for each in samples])
    narrow, wide = (np.array([each[place] for each in samples]) for place in (1, 2))
    found = smallest_threshold(sure, narrow, wide, wanted)
    goal = wanted * wide.sum() - 1e-9
    again = sure < found.threshold if found.threshold < 1 else np.ones(len(sure), np.bool_)
    assert int(np.where(again, wide, narrow).sum()) >= goal
    assert found.share == again.mean()
    smaller = [each for each in (0.0, *np.unique(sure)) if each < found.threshold]
    assert not [each for each in smaller if right_with(each, sure, narrow, wide) >= goal]


def test_where_int8_agrees_everywhere_nothing_runs_again():
    found = smallest_threshold(np.array([0.1, 0.9]), np.ones(2, np.bool_), np.ones(2, np.bool_), 1.0)
    assert (found.threshold, found.share, found.kept) == (0.0, 0.0, 1.0)


def test_where_sureness_says_nothing_everything_runs_again():
    """The negative control: errors are the surest of all."""
    sure, narrow = np.array([0.2, 0.3, 1.0]), np.array([True, True, False])
    found = smallest_threshold(sure, narrow, np.ones(3, np.bool_), 1.0)
    assert (found.threshold, found.share) == (1.0, 1.0)
    assert found.kept_without == pytest.approx(2 / 3)


def settled(moving: MovingThreshold, latency_of, windows: int = 400) -> float:
    """Mean latency of the last half of so many windows, of a machine that takes `latency_of(threshold)`."""
    took = []
    for _ in range(windows * WINDOW):
        took.append(latency_of(moving.now))
        moving.took(took[-1])
    return float(np.mean(took[len(took) // 2 :]))


def machine(threshold: float) -> float:
    """1 ms, and 2 more in the share of inputs that runs again: as many as the threshold says."""
    return 1.0 + 2.0 * threshold


@pytest.mark.parametrize("deadline", [1.2, 1.5, 1.9])
def test_a_deadline_is_kept_on_average_and_not_by_giving_up(deadline):
    mean = settled(MovingThreshold(0.8, RunTimeLimits(deadline_ms=deadline)), machine)
    assert 0.8 * deadline < mean <= deadline


def test_a_deadline_that_is_kept_anyway_moves_nothing():
    moving = MovingThreshold(0.3, RunTimeLimits(deadline_ms=100.0))
    settled(moving, machine, 10)
    assert moving.now == 0.3


def test_a_deadline_that_int8_alone_misses_ends_at_nothing():
    moving = MovingThreshold(0.8, RunTimeLimits(deadline_ms=0.5))
    settled(moving, machine, 60)
    assert moving.now < 1e-6


@pytest.mark.parametrize("limits", [RunTimeLimits(power_w=10.0), RunTimeLimits(temperature_c=70.0)])
def test_heat_and_watts_lower_it_and_it_comes_back(limits):
    moving = MovingThreshold(0.5, limits)
    moving.sensed(12.0, 80.0)
    settled(moving, machine, 20)
    low = moving.now
    assert low < 0.01
    moving.sensed(5.0, 40.0)
    settled(moving, machine, 60)
    assert moving.now == 0.5


def test_a_sensor_that_says_nothing_moves_nothing_and_is_named():
    moving = MovingThreshold(0.5, RunTimeLimits(power_w=10.0, temperature_c=70.0))
    moving.sensed(None, 20.0)
    settled(moving, machine, 5)
    assert moving.now == 0.5
    assert moving.unheard == {"power_w"}
