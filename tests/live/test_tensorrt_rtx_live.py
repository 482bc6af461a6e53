"""TensorRT-RTX on a real GPU that it does not run on: every command refuses in words (EDGETUI_LIVE)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from edgetui.engine.backends.tensorrt.installed import Gpu, every, gpu
from networks import lstm

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def target() -> str:
    if not os.environ.get("EDGETUI_LIVE"):
        pytest.skip("needs a GPU, and EDGETUI_LIVE=1")
    here, used = gpu(), next(iter(every()), None)
    if not isinstance(here, Gpu) or used is None or used.refuse(here.target) is None:
        pytest.skip("needs a GPU that TensorRT-RTX does not run on, with pycuda")
    return here.target


@pytest.mark.parametrize("words", [("build", "--out", "out"), ("run",), ("bench",)])
def test_it_is_refused_before_anything_is_built(words: tuple[str, ...], target: str, own_state: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "edgetui", words[0], str(lstm(tmp_path / "m.onnx")), *words[1:], "--backend", "tensorrt"]
    recipe = () if words[0] == "bench" else ("--recipe", "fp16")
    done = subprocess.run([*argv, *recipe], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert f"does not run on the GPU that is here ({target})" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert "--backend onnxruntime" in done.stderr
    assert not list(tmp_path.glob("out/*.plan"))


def test_another_gpus_plan_is_built_all_the_same(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    words = ("build", str(lstm(tmp_path / "m.onnx")), "--backend", "tensorrt", "--target", "sm_86", "--out", out, "--json")
    done = subprocess.run([sys.executable, "-m", "edgetui", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["artifacts"]["plan"]).is_file()
