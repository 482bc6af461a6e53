"""From a model and labelled data of a task to its figures: one run of the command line for each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from colour_detector import colour_detector, corners_of_squares
from colour_segmenter import segmented, segmenter
from edgetui.engine.schema.result import decode
from measuring import short_elsewhere
from nodes import Net

Made = tuple[Path, Path]


def poses(folder: Path) -> Made:
    return colour_detector(folder / "corners.onnx", ("red",), corners=True), corners_of_squares(folder / "set", 40)


def masks(folder: Path) -> Made:
    return segmenter(folder / "blocks.onnx"), segmented(folder / "set")


def numbers(folder: Path) -> Made:
    net, draw = Net(), np.random.default_rng(0)
    onnx.save(net.model(net.node("Gemm", net.input("x", 1, 8), net.weight(8, 1), net.weight(1))), folder / "line.onnx")
    held = onnx.load(folder / "line.onnx").graph.initializer
    weight, bias = (onnx.numpy_helper.to_array(tensor) for tensor in held)
    x = draw.standard_normal((60, 8)).astype(np.float32)
    np.savez(folder / "set.npz", x=x, labels=x @ weight + bias + 0.05 * draw.standard_normal((60, 1)))
    (folder / "set.toml").write_text('kind = "npz"\npath = "set.npz"\ntask = "regression"\n')
    return folder / "line.onnx", folder / "set.toml"


@pytest.mark.long
@pytest.mark.parametrize(
    ("make", "field", "least", "row"),
    [(poses, "oks_map50", 0.6, "OKS mAP"), (masks, "miou", 0.85, "mIoU"), (numbers, "r2", 0.9, "R²")],
)
def test_one_command_says_accuracy_before_and_after(
    make: Callable[[Path], Made],
    field: str,
    least: float,
    row: str,
    own_state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short_elsewhere(monkeypatch)
    model, data = make(tmp_path)
    edgetui = [sys.executable, "-m", "edgetui"]
    command = [*edgetui, "run", str(model), "--recipe", "int8", "--dataset", str(data), "--preset", "quick", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    result = decode(told.stdout.encode())
    for side in (result.baseline.accuracy, result.candidate.accuracy):
        low, value, high = (getattr(side, f"{field}{end}") for end in ("_low", "", "_high"))
        assert least < value
        assert low <= value <= high
    assert f"candidate.accuracy.{field}" not in result.reasons
    assert "not a class for each sample" in result.reasons["candidate.accuracy.top1"]
    for command in (["show", "last"], ["compare", "last"]):
        assert row in subprocess.run([*edgetui, *command], capture_output=True, text=True, check=True).stdout
    assert row in subprocess.run([*edgetui, "runs"], capture_output=True, text=True, check=True).stdout
