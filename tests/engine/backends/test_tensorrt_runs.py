"""Whole runs and commands with the backend `tensorrt`: on a fake GPU, with TensorRT-RTX, and where there is neither."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import fake_gpu
import pytest
from edgetui.engine.config import PACKAGE
from measuring import short_elsewhere

DEMO = PACKAGE / "profiles" / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")
RUN = ("run", MODEL, "--recipe", "int8", "--dataset", DATA, "--preset", "quick", "--backend", "tensorrt")


def edgetui(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "edgetui", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
    )


def test_on_a_gpu_both_plans_are_built_and_compared_with_each_other_and_with_onnxruntime(monkeypatch, own_state, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3")
    words = ("build", MODEL, "--recipe", "int8", "--calibration", DATA, "--backend", "tensorrt")
    done = edgetui(*words, "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["backend"]["version"] == "10.3.0"
    sides = [result[side] for side in ("baseline", "candidate")]
    assert [side["size_bytes"] for side in sides] == [side["plan_bytes"] for side in sides]
    assert result["difference"]["size_ratio"] == pytest.approx(sides[1]["plan_bytes"] / sides[0]["plan_bytes"])
    assert result["fidelity"]["cosine"] > 0.99
    assert {"plan", "manifest", "baseline_plan", "onnx"} <= result["artifacts"].keys()
    events = (own_state / "runs" / result["run"] / "events.jsonl").read_text()
    assert "the plan beside ONNX Runtime on the same file: cosine 1.0" in events
    assert "memory: 4096 MiB free" in events


@pytest.mark.long
def test_a_recipe_with_a_limit_fails_the_run_with_the_numbers(monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3")
    recipe = tmp_path / "strict.toml"
    recipe.write_text('least_cosine = 1.0\n\n[[step]]\nmethod = "prune.magnitude"\namount = 0.7\n')
    done = edgetui("build", MODEL, "--recipe", str(recipe), "--backend", "tensorrt", "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "further from the baseline's than the recipe allows: cosine 0." in done.stderr


def test_without_a_gpu_a_run_is_refused_early_and_the_way_out_named():
    done = edgetui(*RUN)
    assert done.returncode == 1
    assert "edgetui build" in done.stderr or "--backend onnxruntime" in done.stderr
    assert "inspect" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_build_for_another_gpu_leaves_plan_manifest_and_model_and_says_that_it_is_not_run_here(rtx, tmp_path):
    out = tmp_path / "out"
    words = ("build", MODEL, "--recipe", "int8", "--calibration", DATA, "--backend", "tensorrt", "--target", "sm_86")
    done = edgetui(*words, "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [stage["name"] for stage in result["stages"]][-1] == "build"
    assert any("not run here" in text for text in result["warnings"])
    assert {path.name for path in out.iterdir()} == {"model.onnx", "plan.plan", "plan.plan.json"}
    told = edgetui("inspect", str(out / "plan.plan"))
    assert told.returncode == 0
    assert "TensorRT-RTX 1.7" in told.stdout
    assert "not known here" in told.stdout


def test_without_a_target_and_without_a_gpu_build_says_which_flag_is_missing(rtx, tmp_path):
    done = edgetui("build", MODEL, "--recipe", "fp16", "--backend", "tensorrt", "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "--target sm_86" in done.stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--target", "sm_86"), "--target is for the backend tensorrt; add --backend tensorrt"),
        (("--target", "ampere", "--backend", "tensorrt"), "`ampere` is not a valid GPU target"),
    ],
)
def test_targets_that_cannot_be_are_bad_usage(words, what, tmp_path):
    done = edgetui("build", MODEL, "--recipe", "fp16", "--out", str(tmp_path / "out"), *words)
    assert done.returncode == 2
    assert what in done.stderr


@pytest.mark.long
def test_a_plan_is_looked_into_on_a_gpu(monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "11")
    short_elsewhere(monkeypatch)
    out = tmp_path / "out"
    done = edgetui("build", MODEL, "--recipe", "fp16", "--backend", "tensorrt", "--out", str(out))
    assert done.returncode == 0, done.stderr
    facts = json.loads(edgetui("inspect", str(out / "plan.plan"), "--json").stdout)
    assert [(layer["name"], layer["precision"], layer["milliseconds"]) for layer in facts["layers"]] == [
        ("conv", "INT8", 0.25),
        ("reformat", "INT8", 0.25),
    ]
    assert facts["layers"][0]["origin"] == ["n0", "n1"]
    assert [layer["reformat"] for layer in facts["layers"]] == [False, True]
    timed = json.loads(edgetui("bench", str(out / "plan.plan"), "--preset", "quick", "--json").stdout)
    assert timed["device_ms"] == 0.5
    assert timed["memory_mb"]["plan"] == pytest.approx(0.008192)
    (out / "plan.plan.json").unlink()
    assert "say --trust" in edgetui("inspect", str(out / "plan.plan")).stdout
    assert "reformats" in edgetui("inspect", str(out / "plan.plan"), "--trust").stdout
