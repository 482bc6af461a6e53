"""Whole runs on the backend torch, eager and compiled; without PyTorch they are refused with what to install."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from edgetui.tui.start import run

TORCH = importlib.util.find_spec("torch") is not None


def edgetui(*words: str) -> subprocess.CompletedProcess[str]:
    # On a machine that is shared, threads that spin take each other's cores.
    given = {**os.environ, "COLUMNS": "200", "OMP_WAIT_POLICY": "PASSIVE"}
    argv = [sys.executable, "-m", "edgetui", *words]
    return subprocess.run(argv, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500, check=False)


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    data = ("--dataset", "digits", "--preset", "quick", "--threads", "1", "--device", "cpu")
    return edgetui("run", "digits", "--backend", "torch", *data, *words)


@pytest.mark.skipif(not TORCH, reason="needs torch")
@pytest.mark.parametrize("mode", ["eager", pytest.param("compiled", marks=pytest.mark.rare)])
def test_int8_beside_the_original(mode, own_state):
    said = demo("--recipe", "int8", "--mode", mode, "--json")
    assert said.returncode == 0, said.stderr
    result = json.loads(said.stdout)
    assert (result["state"], result["error"]) == ("done", None)
    assert (result["backend"]["name"], result["backend"]["mode"], result["backend"]["device"]) == ("torch", mode, "cpu")
    assert result["backend"]["threads"] == 1
    for side in ("baseline", "candidate"):
        assert result[side]["latency_ms"]["n"] > 0
        assert result[side]["accuracy"]["top1"] > 0.9
        assert result[side]["memory_mb"]["process_peak"] > 100
    assert result["difference"]["size_ratio"] < 0.5
    assert 0.99 < result["fidelity"]["cosine"] < 1
    built = next(stage for stage in result["stages"] if stage["name"] == "build")
    assert f"nodes {mode}" in built["summary"]
    events = (own_state / "runs" / result["run"] / "events.jsonl").read_text(encoding="utf-8")
    assert "the plan beside ONNX Runtime on the same file: cosine 1.00000" in events


@pytest.mark.skipif(not TORCH, reason="needs torch")
def test_a_model_that_pytorch_cannot_do_fails_with_its_node(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [1, 3, 3]), ("y", [1])))
    graph = helper.make_graph([helper.make_node("Det", ["x"], ["y"], name="/head/det")], "g", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "det.onnx")
    said = edgetui("build", str(tmp_path / "det.onnx"), "--backend", "torch", "--out", str(tmp_path / "out"))
    assert said.returncode == 1
    assert "torch cannot read det: /head/det: edgetui has no Det in PyTorch" in said.stderr + said.stdout


@pytest.mark.skipif(not TORCH, reason="needs torch")
def test_a_model_is_timed_alone():
    said = edgetui("bench", "digits", "--backend", "torch", "--threads", "1", "--device", "cpu", "--preset", "quick", "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["latency_ms"]["mean"] > 0


@pytest.mark.skipif(TORCH, reason="needs a Python without torch")
def test_without_pytorch_the_run_is_refused_before_it_begins(own_state):
    said = demo("--recipe", "int8")
    assert said.returncode == 1
    assert "the backend torch needs PyTorch" in said.stderr
    assert "pip install 'edgetui[torch]'" in said.stderr
    forecast = demo("--recipe", "int8", "--dry-run")
    assert forecast.returncode == 1
    assert "needs PyTorch" in forecast.stdout
    assert "INT8 as floating point" in forecast.stdout
    assert not list(own_state.glob("runs/*"))
    timed = edgetui("bench", "digits", "--backend", "torch")
    assert "PyTorch cannot be loaded" in timed.stderr
    assert "pip install 'edgetui[torch]'" in timed.stderr


@pytest.mark.parametrize("flag", [("--mode", "compiled"), ("--device", "cpu")])
def test_flags_of_pytorch_are_refused_for_others(flag, capsys):
    assert run(("run", "digits", *flag)) == 2
    assert f"{flag[0]} is for the backend torch; add --backend torch" in capsys.readouterr().err
