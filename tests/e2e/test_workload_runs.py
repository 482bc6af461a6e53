"""Every workload carries a whole run, from the command line to the report. No figure is judged: they are of a busy moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from colour_detector import colour_detector, scenery
from edgetui.engine.schema.result import Result, decode
from measuring import short_elsewhere

EDGETUI = [sys.executable, "-m", "edgetui"]


@pytest.fixture
def run(own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run INT8 of a detector with a workload: its result, and what `show` says."""
    short_elsewhere(monkeypatch)
    model, data = colour_detector(tmp_path / "squares.onnx"), scenery(tmp_path / "set", 40)

    def asked(*more: str) -> tuple[Result, str]:
        command = [
            *EDGETUI,
            "run",
            str(model),
            "--recipe",
            "int8",
            "--dataset",
            str(data),
            "--preset",
            "quick",
            "--json",
            *more,
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        shown = subprocess.run([*EDGETUI, "show", "last"], capture_output=True, text=True, check=True).stdout
        return decode(told.stdout.encode()), shown

    return asked


def stored(result: Result) -> dict[str, np.ndarray]:
    with np.load(result.artifacts["workload"], allow_pickle=False) as arrays:
        return dict(arrays)


def unexplained(result: Result, path: str) -> list[str]:
    """Figures of the workload that are missing without a reason."""
    return [side for side in ("baseline", "candidate") if f"{side}.workload.{path}" not in result.reasons]


def test_paced_tells_its_misses(run) -> None:
    result, shown = run("--workload", "paced:100")
    assert (result.workload, result.workload_text) == ("paced", "paced 100 Hz")
    assert "paced 100 Hz" in shown
    for side, metrics in (("baseline", result.baseline), ("candidate", result.candidate)):
        misses = metrics.workload.misses
        assert misses.n == metrics.latency_ms.n == len(stored(result)[f"{side}_missed"])
        assert misses.count == metrics.latency_ms.missed_deadlines == stored(result)[f"{side}_missed"].sum()
    assert "missed deadlines" in shown


def test_pipeline_tells_the_parts_of_a_frame(run) -> None:
    result, shown = run("--workload", "pipeline")
    for side, metrics in (("baseline", result.baseline), ("candidate", result.candidate)):
        told = metrics.workload
        assert told.kind == "pipeline"
        assert sum(told.parts_ms.values()) == pytest.approx(told.frame_ms.mean)
        assert told.parts_ms["inference"] == pytest.approx(metrics.latency_ms.mean)
        assert told.postprocess.startswith("boxes of score 0.25")
        assert len(stored(result)[f"{side}_parts_ns"]) == told.frame_ms.n
    assert result.difference.frame_ratio.low < result.difference.frame_ratio.value < result.difference.frame_ratio.high
    assert result.verdict["frame"] in ("faster", "slower", "no difference shown")
    assert not unexplained(result, "frame_ms.p99")
    assert "whole frame, mean" in shown
    assert "postprocess" in shown


def test_throughput_tells_images_a_second_at_each_number_of_streams(run) -> None:
    result, shown = run("--workload", "throughput:3")
    for metrics in (result.baseline, result.candidate):
        told = metrics.workload
        assert [each.streams for each in told.streams] == [1, 2, 3]
        assert told.throughput.images_per_s == told.streams[-1].images_per_s > 0
        assert told.streams[0].latency_ms == pytest.approx(metrics.latency_ms.mean)
    assert result.difference.throughput_ratio.low is not None
    assert result.verdict["throughput"] in ("higher", "lower", "no difference shown")
    assert "streams: images/s, ms" in shown


def test_cycle_tells_real_frames_from_interference(run) -> None:
    result, shown = run("--workload", "cycle")
    for side, metrics in (("baseline", result.baseline), ("candidate", result.candidate)):
        told, arrays = metrics.workload, stored(result)
        assert told.frames.n == len(arrays[f"{side}_frame_ns"]) >= 60
        assert told.rates.real.n * 5 == told.rates.interference.n
        assert 0 <= told.roc.low <= told.roc_auc <= told.roc.high <= 1
        assert told.frames.fps[0] == pytest.approx(1e9 / arrays[f"{side}_frame_ns"][0], rel=1e-3)
    assert (arrays["baseline_real"] == arrays["candidate_real"]).all()
    assert "frames/s, interference" in shown
    assert f"{result.baseline.workload.late} of {result.baseline.workload.frames.n}" in shown
    assert "real frames told by rate" in shown


def test_tracking_tells_when_a_robot_reaches_the_person(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.25")  # five cycles of each side: two remain for the stream
    result, shown = run("--workload", "tracking")
    for side, metrics in (("baseline", result.baseline), ("candidate", result.candidate)):
        told = metrics.workload.tracking_s
        seconds = stored(result)[f"{side}_tracking_s"]
        assert told.runs == seconds.size
        assert told.never == np.isinf(seconds).sum()
        assert told.felt == "the place and height of the largest true box in each frame"
        assert told.mean is None or told.low <= told.mean <= told.high
    assert result.difference.tracking_ratio.value is not None or "difference.tracking_ratio.value" in result.reasons
    assert "time to reach the person" in shown


def test_samples_are_timed_one_by_one(run) -> None:
    result, shown = run("--per-input", "4")
    for side, metrics in (("baseline", result.baseline), ("candidate", result.candidate)):
        told = metrics.per_input
        assert told.n == 4
        assert told.min_ms <= told.median_ms <= told.max_ms
        with np.load(result.artifacts["inputs"], allow_pickle=False) as arrays:
            assert arrays[f"{side}_input_ms"].min() == told.min_ms
    assert result.difference.per_input_ratio.low is not None
    assert result.verdict["per_input"] in ("faster", "slower", "no difference shown")
    assert [stage.name for stage in result.stages if stage.name == "inputs"]
    assert "latency of single samples" in shown
    assert "spread over samples" in shown
