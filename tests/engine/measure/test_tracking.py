"""A robot that follows a person by measured frames: simulated, so that what must come out is known."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.measure import cycle, follow_person, whole_frames
from edgetui.engine.measure.cycle import FRAMES, REAL, Cycle
from edgetui.engine.measure.follow_person import EXACT, Deviation, Stream, seconds_to_reach
from edgetui.engine.measure.output_deviation import LOST, FrameDeviation, deviation_of, of_boxes, of_offsets
from edgetui.engine.measure.tracking import REPLICATES, RUNS, figures_of, ratio_of, stream_of
from edgetui.engine.schema.workloads import FollowPerson
from edgetui.engine.tasks.boxes import Detections
from frame_costs import MS, FrameClock, issuing_frames, pictures

RUNS_HERE = 200


def stream(real_ms=15.0, *, dropped=0.0, passed=0.0, seed=0):
    """Twelve cycles; shares of real frames that the filter drops and of others that it lets through."""
    draw = np.random.default_rng(seed)
    real = np.zeros((12, FRAMES), np.bool_)
    for row in real:
        row[draw.choice(FRAMES, REAL, replace=False)] = True
    passes = np.where(real, draw.random(real.shape) >= dropped, draw.random(real.shape) < passed)
    return Stream(np.where(real, real_ms, 5.0) / 1e3, real, passes)


def reached(*given, deviation=EXACT, **asked):
    found = seconds_to_reach(stream(*given, **asked), deviation, RUNS_HERE, 1)
    return found[np.isfinite(found)].mean() if np.isfinite(found).any() else np.inf, int((~np.isfinite(found)).sum())


def off(*, shift=0.0, factor=0.0, lost=0.0):
    draw = np.random.default_rng(4)
    factors = draw.normal(1, factor, 64)
    return Deviation(factors, factors, draw.normal(0, shift, 64), draw.random(64) < lost)


def test_with_a_perfect_filter_every_run_arrives_and_takes_at_least_the_way():
    found = seconds_to_reach(stream(), EXACT, RUNS_HERE, 1)
    assert np.isfinite(found).all()
    nearest = (follow_person.START_M[0] - follow_person.REACHED_M) / follow_person.DRIVE_M_S
    assert nearest <= found.min()
    assert found.max() < 2.5 * (follow_person.START_M[1] / follow_person.DRIVE_M_S)


def test_a_run_is_over_after_a_minute_however_long_its_frames_take():
    slow = stream(passed=0.2)._replace(took_s=np.full((12, FRAMES), 0.12))
    found = seconds_to_reach(slow, EXACT, RUNS_HERE, 1)
    arrives = np.isfinite(found)
    assert 0 < arrives.sum() < RUNS_HERE
    assert found[arrives].max() <= follow_person.LONGEST_S


def test_the_seed_makes_the_runs():
    same = [seconds_to_reach(stream(), EXACT, 50, seed) for seed in (1, 1, 2)]
    assert (same[0] == same[1]).all()
    assert (same[0] != same[2]).any()


@pytest.mark.parametrize(
    "worse",
    [{"passed": 0.05}, {"dropped": 0.6}, {"deviation": off(shift=0.1)}, {"deviation": off(lost=0.2)}],
    ids=["random frames pass", "real frames are dropped", "boxes are off", "boxes are lost"],
)
def test_what_spoils_the_stream_makes_it_later(worse):
    assert reached(**worse)[0] > 1.05 * reached()[0]


def test_more_of_it_makes_it_later_still():
    times = [reached(passed=share)[0] for share in (0.0, 0.02, 0.1, 0.3)]
    assert times == sorted(times)


def test_without_a_filter_few_arrive_and_they_are_counted():
    _, never = reached(passed=1.0)
    assert never > RUNS_HERE / 2


def test_who_is_never_found_is_never_reached():
    found = seconds_to_reach(stream(), Deviation(np.ones(1), np.ones(1), np.zeros(1), np.ones(1, np.bool_)), 20, 1)
    assert np.isinf(found).all()
    figures, reasons = figures_of(found.reshape(2, 10))
    assert (figures.mean, figures.never, figures.runs) == (None, 20, 20)
    assert reasons["mean"] == "no run reached the person within 60 s"


def test_a_distance_that_is_told_too_long_ends_in_the_person():
    far = Deviation(np.ones(1), np.full(1, 2.5), np.zeros(1), np.zeros(1, np.bool_))
    assert reached(deviation=far)[1] == RUNS_HERE


def box(left, top, right, bottom, kind=0, score=0.9):
    return Detections(np.array([[left, top, right, bottom]], np.float64), np.array([kind]), np.array([score]))


NONE = Detections(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0))


def test_boxes_that_moved_and_shrank():
    assert of_boxes(box(10, 10, 30, 50), box(10, 10, 30, 50), 100) == FrameDeviation(1.0, 1.0, 0.0, False)
    moved = of_boxes(box(10, 10, 30, 50), box(14, 10, 34, 50), 100)
    assert moved.shift == pytest.approx(0.08)  # 4 of 50 pixels from the middle to the border
    assert of_boxes(box(10, 10, 30, 50), box(10, 10, 30, 42), 100).distance_factor == pytest.approx(40 / 32)
    assert of_boxes(box(10, 10, 30, 50), box(60, 10, 80, 50), 100) == LOST
    assert of_boxes(box(10, 10, 30, 50), box(10, 10, 30, 50, kind=1), 100) == LOST
    assert of_boxes(box(10, 10, 30, 50), NONE, 100) == LOST
    assert of_boxes(NONE, box(10, 10, 30, 50), 100) is None


def test_offsets_are_zhangs():
    base = {"y": np.array([1.0, -2.0, 4.0, 1e-9], np.float32)}
    felt = of_offsets(base, {"y": np.array([0.9, -1.8, 3.6, 5.0], np.float32)})
    assert felt.place_factor == felt.distance_factor == pytest.approx(0.9)  # what is near zero is left out
    assert of_offsets(base, base) == FrameDeviation()
    assert of_offsets({"y": np.zeros(3, np.float32)}, {"y": np.ones(3, np.float32)}) is None
    assert of_offsets(base, {"y": np.array([1.0, np.nan, 4.0, 0.0], np.float32)}) == LOST
    assert deviation_of([FrameDeviation(), LOST]).lost.tolist() == [False, True]
    with pytest.raises(ValueError, match="no frame"):
        deviation_of([])


def cycles(count, real_ms, seed):
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        real = np.zeros(FRAMES, np.bool_)
        real[draw.choice(FRAMES, REAL, replace=False)] = True
        found.append(
            Cycle((np.where(real, real_ms, 5.0) * draw.normal(1, 0.3, FRAMES).clip(0.2) * MS).astype(np.int64), real, 0)
        )
    return found


def replicates(measured, threshold_fps, seed=0, deviation=EXACT):
    draw = np.random.default_rng(seed)
    return np.array(
        [
            seconds_to_reach(stream_of([measured[n] for n in draw.integers(0, len(measured), len(measured))], threshold_fps),
                             deviation, RUNS, seed + k)
            for k in range(REPLICATES)
        ]
    )  # fmt: skip


def test_the_same_plan_measured_twice_is_not_shown_to_differ():
    """Two measurements of one plan, whose filter errs: only the noise differs."""
    differ = 0
    for seed in range(4):
        one, other = (replicates(cycles(12, 12.0, 10 * seed + n), 120.0, seed) for n in range(2))
        ratio, _ = ratio_of(one, other)
        differ += not ratio.low <= 1 <= ratio.high
    assert differ <= 1


def test_a_plan_whose_boxes_are_off_is_shown_to_be_later():
    measured = cycles(12, 60.0, 1)
    ratio, why = ratio_of(replicates(measured, 60.0), replicates(measured, 60.0, deviation=off(shift=0.15)))
    assert not why
    assert ratio.low > 1


def test_too_few_arrivals_make_no_ratio():
    never = np.full((REPLICATES, RUNS), np.inf)
    ratio, why = ratio_of(never, never)
    assert ratio.value is None
    assert why == "both reach the person in too few runs (8 of 64 are needed)"


def test_what_was_measured_becomes_the_stream(monkeypatch, tmp_path):
    clock = FrameClock()
    monkeypatch.setattr(whole_frames, "time", clock)
    monkeypatch.setattr(cycle, "time", clock)
    monkeypatch.setattr(cycle, "wait_until", lambda due_ns: setattr(clock, "now", max(clock.now, due_ns)))
    samples = pictures(tmp_path)
    baseline, _ = issuing_frames(FollowPerson(), samples, clock, lambda: 20.0)
    candidate, _ = issuing_frames(FollowPerson(), samples, clock, lambda: 10.0)
    for _ in range(6):
        baseline.times(1)
        candidate.times(1)
    for each in (baseline, candidate):
        each.beside(baseline)
    told = [each.told() for each in (baseline, candidate)]
    for each in told:
        assert each.figures.tracking_s.never == 0
        assert each.figures.tracking_s.low < each.figures.tracking_s.mean < each.figures.tracking_s.high
        assert each.raw["tracking_s"].shape == (REPLICATES, RUNS)
        assert each.figures.roc_auc == 1.0
    values = [each.compared["tracking_ratio"].values for each in told]
    ratio, _ = ratio_of(*values)
    assert ratio.low <= 1 <= ratio.high  # both filters are perfect, and the outputs are the same


def test_where_it_is_known_what_is_there_the_baseline_errs_too(monkeypatch, tmp_path):
    clock = FrameClock()
    monkeypatch.setattr(whole_frames, "time", clock)
    monkeypatch.setattr(cycle, "time", clock)
    monkeypatch.setattr(cycle, "wait_until", lambda due_ns: setattr(clock, "now", max(clock.now, due_ns)))

    def errs(number, outputs):
        assert set(outputs) == {"y"}
        return FrameDeviation(shift=0.2 if number % 2 else -0.2)

    made = [issuing_frames(FollowPerson(), pictures(tmp_path), clock, lambda: 20.0, errs=each)[0] for each in (None, errs)]
    for each in made:
        for _ in range(6):
            each.times(1)
        each.beside(each)
    right, erring = (each.told().figures.tracking_s for each in made)
    assert erring.mean > 1.1 * right.mean


def test_few_cycles_make_no_figure(monkeypatch, tmp_path):
    clock = FrameClock()
    monkeypatch.setattr(whole_frames, "time", clock)
    monkeypatch.setattr(cycle, "time", clock)
    monkeypatch.setattr(cycle, "wait_until", lambda due_ns: setattr(clock, "now", max(clock.now, due_ns)))
    made, _ = issuing_frames(FollowPerson(), pictures(tmp_path), clock, lambda: 20.0)
    made.times(1)
    made.beside(made)
    told = made.told()
    assert told.figures.tracking_s.mean is None
    assert told.reasons["tracking_s.mean"] == "needs two cycles beside those that the threshold was chosen on"


def test_without_a_look_at_the_baselines_outputs_nothing_is_claimed(monkeypatch, tmp_path):
    """Plans that are loaded one at a time are never beside each other."""
    clock = FrameClock()
    monkeypatch.setattr(whole_frames, "time", clock)
    monkeypatch.setattr(cycle, "time", clock)
    monkeypatch.setattr(cycle, "wait_until", lambda due_ns: setattr(clock, "now", max(clock.now, due_ns)))
    made, _ = issuing_frames(FollowPerson(), pictures(tmp_path), clock, lambda: 20.0)
    for _ in range(6):
        made.times(1)
    told = made.told()
    assert told.figures.tracking_s.mean is None
    assert told.reasons["tracking_s.mean"] == "outputs cannot be compared where plans are loaded one at a time"
    assert ratio_of(told.compared["tracking_ratio"].values, told.compared["tracking_ratio"].values)[1]
