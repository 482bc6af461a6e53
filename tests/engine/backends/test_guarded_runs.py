"""INT8 beside FP16 on a fake GPU, through whole runs: built by itself, left out, or a member of the group."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_gpu
import pytest
from edgetui.engine.config import PACKAGE
from measuring import short_elsewhere

DEMO = PACKAGE / "profiles" / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")
RUN = ("run", MODEL, "--recipe", "int8", "--dataset", DATA, "--preset", "quick", "--backend", "tensorrt", "--json")


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3")
    short_elsewhere(monkeypatch)
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.03")


def edgetui(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edgetui", *words], capture_output=True, text=True, timeout=300)


def told(*words: str) -> dict[str, Any]:
    done = edgetui(*RUN, *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_fp16_is_built_beside_int8_and_everything_is_known_of_it() -> None:
    result = told()
    names = [stage["name"] for stage in result["stages"]]
    assert names[names.index("verify") :] == [
        "verify",
        "guard: precision.fp16",
        "guard: lower",
        "guard: build",
        "guard: verify",
        "measure",
        "evaluate",
        "energy",
    ]
    guard = result["guard"]
    assert guard["latency_ms"]["mean"] > 0
    assert guard["size_bytes"] == Path(result["artifacts"]["guard_plan"]).stat().st_size
    assert guard["accuracy"]["top1"] > 0.9
    assert guard["memory_mb"]["process_peak"] > 0
    assert result["guard_run"] is None
    assert result["reasons"]["guard_run"] == "the plan was built for this run"
    assert result["correction"]["comparisons"] == 3
    ratios = [result["difference"][field]["value"] for field in ("latency_ratio", "latency_ratio_to_guard")]
    beside = result["guard_difference"]["latency_ratio"]["value"]
    assert ratios[1] == pytest.approx(ratios[0] / beside)
    assert result["guard_fidelity"]["cosine"] > 0.9999
    shown = edgetui("show", result["run"]).stdout
    assert "FP16 guard" in shown
    assert "FP16 (ratio" in " ".join(shown.split())


@pytest.mark.long
def test_it_can_be_left_out() -> None:
    result = told("--no-guard")
    assert result["guard"] is None
    assert result["reasons"]["guard"] == "it was left out (--no-guard)"
    assert not [stage for stage in result["stages"] if stage["name"].startswith("guard")]


@pytest.mark.long
def test_a_member_of_the_group_that_is_fp16_guards_the_others_and_none_is_built() -> None:
    int8, half = told("--recipe", "fp16")["runs"]
    assert not [stage for stage in int8["stages"] if stage["name"].startswith("guard")]
    assert int8["guard_run"] == half["run"]
    assert int8["guard"]["latency_ms"] == half["candidate"]["latency_ms"]
    assert int8["guard"]["size_bytes"] == half["candidate"]["size_bytes"]
    assert int8["guard"]["accuracy"]["top1"] == half["candidate"]["accuracy"]["top1"]
    assert half["guard"] is None
    assert half["reasons"]["guard"].startswith("nothing is computed in INT8")


@pytest.mark.long
def test_a_guard_that_cannot_be_built_takes_no_run_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TROUBLE", json.dumps({"refuse_half": "no tactic for half precision"}))
    result = told()
    assert result["state"] == "done"
    assert result["guard"] is None
    assert result["difference"]["latency_ratio"]["value"] is not None
    assert "no tactic" in result["reasons"]["guard"]
    assert any("no FP16 plan to hold INT8 against" in warning for warning in result["warnings"])
