"""Cycles of 30 frames by a clock that passes only where work is done: which are real, their rates, what tells them apart."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from edgetui.engine.measure import cycle, paced, whole_frames
from edgetui.engine.measure.cycle import FRAMES, REAL, Cycle, random_outputs, rate_figures, rate_spread
from edgetui.engine.measure.statistics import paired_ratio
from edgetui.engine.schema.workloads import CycleFrames
from edgetui.engine.tasks.part_affinity import peaks
from frame_costs import MS, FrameClock, issuing_frames, pictures


@pytest.fixture
def clock(monkeypatch):
    made = FrameClock()
    for room in (whole_frames, cycle, paced):
        monkeypatch.setattr(room, "time", made)

    class Waited:
        def __call__(self, due_ns: int) -> None:
            made.now = max(made.now, due_ns)

    monkeypatch.setattr(cycle, "wait_until", Waited())
    return made


@pytest.fixture
def samples(tmp_path):
    return pictures(tmp_path)


def cycles_of(samples, clock, cost_ms, finish_ms=lambda: 0.5, cycles=6, seed=0):
    made, session = issuing_frames(CycleFrames(), samples, clock, cost_ms, finish_ms, seed)
    session.fed.clear()
    began = clock.now
    times = [made.times(1) for _ in range(cycles)]
    return made, session, times, (clock.now - began) / 1e9


def test_five_of_thirty_frames_meet_the_model_and_a_cycle_takes_a_second(samples, clock):
    made, session, times, seconds = cycles_of(samples, clock, lambda: 10.0)
    told = made.told()
    assert [len(each) for each in times] == [REAL] * 6
    assert all(each == 10 * MS for block in times for each in block)
    assert len(session.fed) == 6 * REAL
    assert seconds == pytest.approx(6.0)
    real = told.raw["real"].reshape(6, FRAMES)
    assert real.sum(axis=1).tolist() == [REAL] * 6
    assert len({row.tobytes() for row in real}) > 1  # drawn anew in each cycle
    assert told.figures.late == 0


def test_a_rate_is_of_the_frames_own_time_without_the_wait(samples, clock):
    made, *_ = cycles_of(samples, clock, lambda: 9.5)
    told = made.told().figures
    assert told.rates.real.mean == pytest.approx(100)  # 9.5 + 0.5 ms
    assert told.rates.interference.mean == pytest.approx(2000)
    assert told.frame_ms.mean == pytest.approx(10.0)
    assert set(told.frames.fps) == {100.0, 2000.0}
    assert told.frames.n == len(told.frames.fps) == len(told.frames.real) == 180
    assert told.roc_auc == 1.0
    assert told.roc.low < 1.0
    assert told.roc.threshold_fps == pytest.approx(1 / 0.00525)
    assert (told.roc.real_passed, told.roc.interference_passed) == (1.0, 0.0)


def test_a_frame_that_takes_longer_than_a_beat_makes_the_next_late(samples, clock):
    made, _, _, seconds = cycles_of(samples, clock, lambda: 60.0, cycles=4)
    assert made.told().figures.late > 0
    assert seconds >= 4.0


def test_the_seed_draws_the_real_frames_alike_for_all_sides(samples, clock):
    drawn = [
        cycles_of(samples, clock, partial(float, cost), seed=seed)[0].told().raw["real"]
        for cost, seed in ((1, 3), (9, 3), (1, 4))
    ]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_where_the_model_costs_nothing_no_filter_is_claimed(samples, clock):
    draw = np.random.default_rng(5)
    made, *_ = cycles_of(samples, clock, lambda: 0.0, lambda: 1 + 0.2 * draw.random(), cycles=12)
    told = made.told()
    assert told.figures.roc.low < 0.5 < told.figures.roc.high
    assert told.figures.roc.threshold_fps is None
    why = "frame rates are not shown to tell real frames from interference"
    assert told.reasons["roc.threshold_fps"] == told.reasons["roc.real_passed"] == why


def test_the_same_plan_twice_is_not_shown_to_differ(samples, clock):
    draw = np.random.default_rng(6)
    one, other = (
        cycles_of(samples, clock, lambda: 9 + draw.standard_normal(), cycles=20)[0].told().compared["frame_ratio"].values
        for _ in range(2)
    )
    _, low, high = paired_ratio(one, other)
    assert low < 1 < high


def test_a_random_output_has_the_values_of_a_real_one_in_other_places():
    head = np.arange(2 * 6 * 40, dtype=np.float32).reshape(2, 6, 40)
    made = random_outputs({"head": head, "n": np.float32(3)}, np.random.default_rng(0), 3)
    for each in made:
        assert (np.sort(each["head"], axis=2) == head).all()  # boxes stay boxes, scores stay scores
        assert (each["head"] != head).any()
        assert each["n"] == 3
    assert (made[0]["head"] != made[1]["head"]).any()


def test_random_maps_have_the_peaks_of_a_real_one():
    """Seven hills a map. Shuffled, the same values have many times the peaks, and pairing them takes the square of it."""
    draw, size = np.random.default_rng(0), 56
    down, across = np.mgrid[:size, :size]
    maps = np.zeros((1, 18, size, size), np.float32)
    for each in maps[0]:
        for y, x in np.array([(8, 8), (8, 28), (8, 48), (28, 8), (28, 48), (48, 8), (48, 28)]) + draw.integers(-2, 3, (7, 2)):
            each += np.exp(-((down - y) ** 2 + (across - x) ** 2) / 8).astype(np.float32)

    def mean_peaks(of):
        return np.mean([len(peaks(each)[0]) for each in of[0]])

    assert mean_peaks(maps) == 7
    for each in random_outputs({"cmap": maps}, np.random.default_rng(1), 2):
        assert 7 <= mean_peaks(each["cmap"]) < 11  # a hill on the border is one on either side
        assert (np.sort(each["cmap"].reshape(18, -1)) == np.sort(maps.reshape(18, -1))).all()
        assert (each["cmap"] != maps).any(axis=(2, 3)).all()
    shuffled = draw.permuted(maps.reshape(1, 18, -1), axis=2).reshape(maps.shape)
    assert mean_peaks(shuffled) > 20


def test_the_threshold_is_judged_on_other_cycles():
    """In the cycles that it is chosen on it tells all frames apart, in the others none: the result has the latter."""
    real = np.zeros(FRAMES, np.bool_)
    real[:REAL] = True
    told = Cycle(np.where(real, 20 * MS, 5 * MS).astype(np.int64), real, 0)
    blind = Cycle(np.full(FRAMES, 5 * MS, np.int64), real, 0)
    figures, reasons = rate_figures([told, blind, told, blind])
    assert figures.roc.threshold_fps == pytest.approx(80)
    assert (figures.roc.real_passed, figures.roc.interference_passed) == (0.0, 0.0)
    assert not reasons
    _, reasons = rate_figures([told])
    assert reasons["roc.real_passed"] == "needs a cycle beside those it was chosen on"


def test_the_document_holds_900_frames_and_the_folder_all():
    real = np.arange(FRAMES) < REAL
    figures, _ = rate_figures([Cycle(np.full(FRAMES, 5 * MS, np.int64), real, 0)] * 40)
    assert (len(figures.frames.fps), len(figures.frames.real), figures.frames.n) == (900, 900, 1200)


def test_box_plots_are_tukeys():
    told = rate_spread(np.array([1.0, 10, 11, 12, 13, 14, 15, 16, 40]))
    assert (told.q1, told.median, told.q3, told.iqr) == (11, 13, 15, 4)
    assert (told.min, told.low_whisker, told.high_whisker, told.max) == (1, 10, 16, 40)


def test_energy_windows_are_of_frames_at_their_beats(samples, clock, monkeypatch):
    class Seconds:
        def monotonic(self):
            return clock.now / 1e9

        def sleep(self, seconds):
            clock.now += round(seconds * 1e9)

    monkeypatch.setattr(paced, "time", Seconds())
    made, session = issuing_frames(CycleFrames(), samples, clock, lambda: 10.0)
    session.fed.clear()
    began, issue = clock.now, made.issue()
    assert sum(next(issue) for _ in range(3 * FRAMES)) == 3 * FRAMES
    assert len(session.fed) == 3 * REAL
    assert (clock.now - began) / 1e9 == pytest.approx(3.0, abs=0.05)


def test_an_earlier_session_of_a_plan_counts_too_and_blocks_can_be_taken_back(samples, clock):
    earlier, *_ = cycles_of(samples, clock, lambda: 20.0, cycles=2)
    later, *_ = cycles_of(samples, clock, lambda: 10.0, cycles=3)
    later.after(earlier)
    told = later.told()
    assert told.raw["cycle"].max() + 1 == 5
    assert told.compared["frame_ratio"].values.tolist() == pytest.approx([20.5] * 2 + [10.5] * 3)
    assert later.deciding()[0].tolist() == told.compared["frame_ratio"].values.tolist()
    later.forget(4)
    assert later.told().compared["frame_ratio"].values.tolist() == pytest.approx([20.5])
