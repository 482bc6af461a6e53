"""Frames from image files, part by part, by a clock that passes only where work is done."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.data.open import open_samples
from edgetui.engine.errors import DataRefused
from edgetui.engine.measure import whole_frames
from edgetui.engine.measure.statistics import paired_ratio
from edgetui.engine.measure.whole_frames import PARTS, frame_times
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.schema.workloads import Pipeline
from edgetui.engine.system.reporter import NullReporter
from frame_costs import INPUT, MS, FrameClock, issuing_frames, pictures


@pytest.fixture
def clock(monkeypatch):
    made = FrameClock()
    monkeypatch.setattr(whole_frames, "time", made)
    return made


@pytest.fixture
def samples(tmp_path):
    return pictures(tmp_path)


def blocks_of(samples, clock, cost_ms, blocks=3, frames=5):
    made, session = issuing_frames(Pipeline(), samples, clock, cost_ms)
    return made, session, [made.times(frames) for _ in range(blocks)]


def test_frames_become_the_input_that_samples_become(samples, clock):
    _, session, _ = blocks_of(samples, clock, lambda: 1.0, blocks=1, frames=9)
    wanted = [batch.feeds["image"] for batch in samples.batches(1)]
    assert len(samples.frames(64)) == len(wanted) == 9
    given = sorted(each.tobytes() for each in session.fed)
    assert given == sorted(each.tobytes() for each in wanted)


def test_the_parts_are_what_was_spent_and_sum_to_the_whole(samples, clock):
    made, _, times = blocks_of(samples, clock, lambda: 2.0)
    told = made.told()
    figures = told.figures
    assert times == [[2 * MS] * 5] * 3  # latency is the inference alone
    assert figures.parts_ms == {"decode": 0, "resize": 0, "copy": 0, "inference": 2.0, "postprocess": 0.5}
    assert tuple(figures.parts_ms) == PARTS
    assert sum(figures.parts_ms.values()) == pytest.approx(figures.frame_ms.mean)
    assert figures.frame_ms.n == 15
    assert told.raw["parts_ns"].shape == (15, 5)
    assert told.compared["frame_ratio"].values.tolist() == [2.5] * 3
    assert told.reasons["frame_ms.p99"] == "needs 662 samples, has 15"


def test_with_a_real_clock_the_parts_still_sum_to_the_whole(samples):
    made, _, _ = blocks_of(samples, FrameClock(), lambda: 0.0)
    figures = made.told().figures
    assert all(value >= 0 for value in figures.parts_ms.values())
    assert figures.parts_ms["decode"] > 0
    assert sum(figures.parts_ms.values()) == pytest.approx(figures.frame_ms.mean)


def test_the_same_plan_twice_is_not_shown_to_differ(samples, clock):
    draw = np.random.default_rng(11)
    one, other = (
        blocks_of(samples, clock, lambda: 2 + 0.2 * draw.standard_normal(), blocks=24)[0].told().compared["frame_ratio"].values
        for _ in range(2)
    )
    _, low, high = paired_ratio(one, other)
    assert low < 1 < high


def test_one_block_has_no_interval():
    figures, reasons = frame_times([np.full(20, MS)])
    assert figures.half_width is None
    assert reasons["frame_ms.half_width"] == "needs two blocks, has one"
    assert figures.p50 == 1.0
    assert figures.p90 is None


def test_arrays_are_no_image_files(tmp_path):
    np.savez(tmp_path / "x.npz", image=np.zeros((4, 3, 8, 8), np.float32))
    dataset = Dataset(kind="npz", path=str(tmp_path / "x.npz"), task="none")
    assert open_samples(dataset, (INPUT,), {"image": INPUT.shape}, "all", 0, NullReporter()).frames(4) is None


def test_files_that_are_all_broken_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    dataset = Dataset(kind="image-folder", path=str(tmp_path), task="none")
    with pytest.raises(DataRefused, match="can be read"):
        open_samples(dataset, (INPUT,), {}, "all", 0, NullReporter()).frames(4)


def test_energy_windows_are_of_frames(samples, clock):
    made, session = issuing_frames(Pipeline(), samples, clock, lambda: 1.0)
    session.fed.clear()
    issue = made.issue()
    assert sum(next(issue) for _ in range(4)) == len(session.fed) == 4
