"""From a detector as Ultralytics exports it and images with VOC XML: one run says mAP before and after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from colour_detector import colour_detector, scenery
from edgetui.engine.schema.result import decode
from measuring import short_elsewhere

REASON = "the data have boxes, not a class for each sample"


def test_one_command_says_map_before_and_after(own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short_elsewhere(monkeypatch)
    model, data = colour_detector(tmp_path / "squares.onnx"), scenery(tmp_path / "set", 60)
    edgetui = [sys.executable, "-m", "edgetui"]
    command = [*edgetui, "run", str(model), "--recipe", "int8", "--dataset", str(data), "--preset", "quick", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    result = decode(told.stdout.encode())
    one, other = result.baseline.accuracy, result.candidate.accuracy
    assert one.map50 is not None
    assert other.map50 is not None
    assert one.map50 > 0.6
    assert result.difference.map50_95_points.low is not None
    assert result.verdict["map"] in ("better", "worse", "no difference shown")
    assert result.fidelity.detections_map50 is not None
    assert result.dataset is not None
    assert result.dataset.evaluated == one.n == 30
    assert result.reasons["candidate.accuracy.top1"] == result.reasons["baseline.accuracy.f1"] == REASON
    assert not any(path.startswith(("candidate.accuracy.map", "fidelity.detections")) for path in result.reasons)
    assert msgspec.json.decode(told.stdout)["conditions"]["task"] == "detection"
    shown = subprocess.run([*edgetui, "show", "last"], capture_output=True, text=True, check=True).stdout
    assert "mAP50-95" in shown
    assert "boxes like FP32's, mAP" in shown
    compared = subprocess.run(
        [*edgetui, "compare", "last", "--goal", "smallest map50_95=0.01"], capture_output=True, text=True, check=True
    ).stdout
    assert "Goal: smallest with mAP50-95 ≥ 0.01." in compared


def test_other_classes_are_refused_before_anything_is_measured(own_state: Path, tmp_path: Path) -> None:
    model, data = colour_detector(tmp_path / "squares.onnx"), scenery(tmp_path / "set", 10)
    (tmp_path / "set.toml").write_text(f'kind = "detection"\npath = "{data}"\nclasses = ["green", "white"]\n')
    told = subprocess.run(
        [sys.executable, "-m", "edgetui", "run", str(model), "--recipe", "int8", "--dataset", str(tmp_path / "set.toml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "no class in set (" in told.stderr
    assert "one of the model's (green, white)" in told.stderr
