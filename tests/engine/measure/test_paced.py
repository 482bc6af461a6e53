"""Deadlines of a paced workload, by a clock that passes only where it is waited for or worked."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.measure import issuer, paced
from edgetui.engine.measure.paced import misses_of
from edgetui.engine.schema.workloads import Paced
from issuing import issuing

MS = 1_000_000


class Clock:
    """Nanoseconds."""

    def __init__(self) -> None:
        self.now = 5 * MS

    def perf_counter_ns(self) -> int:
        self.now += 100  # so that whoever looks at it until it is late enough comes to an end
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(issuer, "time", made)
    monkeypatch.setattr(paced, "time", made)
    return made


def misses_at(clock: Clock, took_ms: list[float], *, blocks: int = 1):
    """Misses at 100 Hz of a plan whose inferences take so long one after the other, in so many blocks."""
    left = iter(took_ms)

    def infer() -> None:
        clock.now += round(next(left) * MS)

    made = issuing(infer, Paced(rate_hz=100))
    for _ in range(blocks):
        made.times(len(took_ms) // blocks)
    return made.told()


def test_what_ends_before_the_next_beat_misses_nothing(clock):
    told = misses_at(clock, [9.9] * 20)
    assert told.figures.missed == told.figures.misses.longest_run == told.figures.misses.dropped == 0
    assert told.figures.misses.n == 20
    assert told.figures.misses.after_miss is None
    assert told.reasons == {"misses.after_miss": "no deadline was missed"}


def test_a_late_one_misses_and_the_beats_it_ran_over_are_dropped(clock):
    # beats at 10, 20, ... ms: the second begins at 20 and ends at 55, so that the frames of 30, 40 and 50 are never looked at
    told = misses_at(clock, [1, 35, 1, 1])
    assert told.figures.missed == 1
    assert told.figures.misses.dropped == 3
    assert told.figures.misses.longest_run == 1
    assert told.figures.misses.after_miss == 0.0
    assert told.raw["missed"].tolist() == [False, True, False, False]


def test_runs_of_misses_and_what_follows_one(clock):
    late, early = 12, 1
    told = misses_at(clock, [early, late, late, late, early, late, early, early])
    misses = told.figures.misses
    assert (misses.count, misses.longest_run) == (4, 3)
    assert misses.after_miss == pytest.approx(2 / 4)  # after the four misses came late, late, early and early


def test_a_run_does_not_go_on_in_the_next_block(clock):
    told = misses_at(clock, [1, 12, 12, 1], blocks=2)
    assert told.figures.misses.longest_run == 1
    assert told.figures.misses.after_miss == 0.0
    assert misses_of([np.array([False, True])], 0)[1] == {"misses.after_miss": "the deadline was missed at ends of blocks only"}


def test_misses_that_come_by_chance_follow_a_miss_as_often_as_any_other():
    draw = np.random.default_rng(3)
    misses, _ = misses_of([draw.random(20_000) < 0.2 for _ in range(5)], 0)
    assert misses.after_miss == pytest.approx(misses.count / misses.n, abs=0.01)


def test_an_earlier_session_of_a_plan_counts_too(clock):
    def late():
        clock.now += 12 * MS

    earlier, later = issuing(late, Paced(rate_hz=100)), issuing(late, Paced(rate_hz=100))
    earlier.times(3)
    later.times(2)
    later.after(earlier)
    assert later.told().raw["missed"].tolist() == [True] * 5
    assert later.told().figures.misses.longest_run == 3  # of one block


def test_misses_of_a_machine_that_woke_late_are_told_apart(clock, monkeypatch):
    """The third inference takes 1 ms as all do, and begins 12 ms after its beat."""
    late = iter([0, 0, 12, 0])
    plain = clock.sleep
    monkeypatch.setattr(clock, "sleep", lambda seconds: plain(seconds + next(late) / 1e3))
    told = misses_at(clock, [1, 1, 1, 1]).figures.misses
    assert (told.count, told.woke_late) == (1, 1)


def test_misses_of_a_slow_model_did_not_wake_late(clock):
    assert misses_at(clock, [1, 35, 1, 1]).figures.misses.woke_late == 0
