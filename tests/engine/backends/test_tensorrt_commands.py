"""Settings of TensorRT from `edgetui.toml` through whole commands on a fake GPU, and plans of other machines and hands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fake_gpu
import pytest
from edgetui.engine.config import PACKAGE
from measuring import short_elsewhere

DEMO = PACKAGE / "profiles" / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")
SETTINGS = """
[backend.tensorrt]
workspace_mb = 300
optimization_level = 2
sparse = true
dla_core = 0
tf32 = false
cuda_graph = true
"""
pytestmark = pytest.mark.long  # each is a build, a run or a `bench` in processes of its own


class Board:
    """A state folder of its own, a fake GPU, and one plan built by default settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = folder / "out" / "plan.plan"

    def edgetui(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own."""
        env = {**os.environ, "XDG_STATE_HOME": str(self.folder), **environment}
        return subprocess.run([sys.executable, "-m", "edgetui", *words], capture_output=True, text=True, env=env, timeout=300)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with pytest.MonkeyPatch.context() as patch:
        made = Board(tmp_path_factory.mktemp("board"))
        fake_gpu.elsewhere(patch, made.folder / "site", "10.3")
        short_elsewhere(patch)
        (made.folder / "own.toml").write_text(SETTINGS)
        words = ("build", MODEL, "--recipe", "int8", "--calibration", DATA, "--backend", "tensorrt")
        done = made.edgetui(*words, "--out", str(made.plan.parent))
        assert done.returncode == 0, done.stderr
        yield made


def test_every_setting_reaches_the_builder_the_manifest_and_the_result(board):
    words = ("run", MODEL, "--recipe", "int8", "--dataset", DATA, "--preset", "quick", "--backend", "tensorrt", "--json")
    done = board.edgetui(*words, EDGETUI_CONFIG=str(board.folder / "own.toml"))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["backend"]["provider"] == "TensorRT 10.3.0, Orin sm_87, no TF32, optimisation level 2, CUDA graph"
    assert result["backend"]["tf32"] is False
    assert result["candidate"]["device_ms"] == 0.5
    assert [text for text in result["warnings"] if "DLA core 0 runs 3 of 28 layers; 89% fall back" in text]
    manifest = json.loads(Path(result["artifacts"]["manifest"]).read_text())
    asked = {"workspace_mb": 300, "optimization_level": 2, "sparse": True, "dla_core": 0, "tf32": False, "cuda_graph": True}
    assert asked.items() <= manifest["settings"].items()
    assert (manifest["dla_layers"], manifest["sparse_layers"]) == (3, 3)
    assert (board.folder / "edgetui" / "timing" / "tensorrt-10.3.0-orin-sm_87.cache").exists()
    past = (board.folder / "edgetui" / "runs" / result["run"] / "events.jsonl").read_text().splitlines()
    begun = next(event for event in map(json.loads, past) if (event["kind"], event.get("stage")) == ("stage-began", "build"))
    assert begun["eta_s"] > 0  # as long as the first build took
    told = board.edgetui("inspect", result["artifacts"]["plan"]).stdout
    assert "no TF32" in told
    assert "3 of 28" in told


def test_what_will_happen_names_the_settings_that_differ(board):
    words = ("run", MODEL, "--recipe", "int8", "--dataset", DATA, "--backend", "tensorrt", "--dry-run")
    told = board.edgetui(*words, EDGETUI_CONFIG=str(board.folder / "own.toml")).stdout
    line = "tensorrt, for the GPU here, 2:4 sparse kernels allowed, DLA core 0, no TF32, optimisation level 2, CUDA graph"
    assert line in " ".join(told.split())


def test_a_plan_of_another_version_is_refused_with_the_offer_to_rebuild(board):
    done = board.edgetui("bench", str(board.plan), "--preset", "quick", FAKE_TENSORRT="10.13")
    assert done.returncode == 1
    assert "with TensorRT 10.3.0, and this is 10.13.3.9" in done.stderr
    assert "build it again here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_of_ultralytics_needs_trust_and_its_metadata_are_passed_over(board, tmp_path):
    told = json.dumps({"stride": 32, "task": "detect"}).encode()
    other = tmp_path / "yolo.engine"
    other.write_bytes(len(told).to_bytes(4, "little") + told + board.plan.read_bytes())
    refused = board.edgetui("bench", str(other), "--preset", "quick")
    assert refused.returncode == 1
    assert "edgetui did not build yolo.engine" in refused.stderr
    assert "--trust" in refused.stderr
    assert "Ultralytics" in board.edgetui("inspect", str(other)).stdout
    timed = board.edgetui("bench", str(other), "--preset", "quick", "--trust", "--json")
    assert timed.returncode == 0, timed.stderr
    assert json.loads(timed.stdout)["latency_ms"]["n"] > 0
