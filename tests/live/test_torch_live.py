"""The backend torch on a real GPU: outputs, copies and waits, memory, TF32, compiled code. `EDGETUI_LIVE=1`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.config import PACKAGE
from edgetui.engine.library.recipes import PACKAGED, read_recipe
from edgetui.engine.schema.settings import BackendSettings, TorchSettings
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from networks import transformer
from steps import lowered

pytestmark = pytest.mark.live
DIGITS = PACKAGE / "profiles" / "demo" / "digits.onnx"


@pytest.fixture(scope="module", autouse=True)
def torch():
    if not os.environ.get("EDGETUI_LIVE"):
        pytest.skip("needs a GPU, and EDGETUI_LIVE=1")
    found = pytest.importorskip("torch", reason="needs torch")
    if not found.cuda.is_available():
        pytest.skip("needs a GPU that PyTorch can use")
    return found


def on_gpu(mode: str = "eager", tf32: bool = False) -> BackendSettings:
    return BackendSettings(name="torch", torch=TorchSettings(mode=mode, device="cuda", tf32=tf32))


def opened(file: Path, folder: Path, settings: BackendSettings):
    from edgetui.engine.backends.torch.adapter import Torch

    backend = Torch(folder / "compiled")
    backend.check(settings, execute=True)
    backend.build(file, folder / "p.onnx", settings, NullReporter())
    return backend.load(folder / "p.onnx", settings)


def drawn(session, seed: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {
        tensor.name: draw.integers(0, 9, tensor.shape)
        if tensor.dtype == "int64"
        else draw.standard_normal(tensor.shape).astype(np.float32)
        for tensor in session.inputs
    }


def largest_share(session, file: Path) -> float:
    """Largest difference to ONNX Runtime as a share of the largest value."""
    reference = OnnxRuntime().load(file, BackendSettings(graph="basic"))
    worst = 0.0
    for seed in range(4):
        feeds = drawn(session, seed)
        found = session.run(feeds)
        for name, expected in reference.run(feeds).items():
            worst = max(worst, float(np.abs(found[name] - expected).max() / np.abs(expected).max()))
    return worst


@pytest.mark.parametrize("mode", ["eager", "compiled"])
@pytest.mark.parametrize(("name", "share"), [("fp32", 1e-4), ("fp16", 2e-2), ("int8", 5e-2), ("weights-8", 1e-4)])
def test_every_recipe_computes_what_its_file_says(tmp_path, mode, name, share):
    file = lowered(DIGITS, Recipe() if name == "fp32" else read_recipe(PACKAGED / f"{name}.toml"), tmp_path, "torch")
    session = opened(file, tmp_path, on_gpu(mode))
    assert largest_share(session, file) < share
    session.close()


def test_a_transformer_with_whole_numbers_as_inputs(tmp_path):
    file = lowered(transformer(tmp_path / "t.onnx"), Recipe(), tmp_path, "torch")
    assert largest_share(opened(file, tmp_path, on_gpu()), file) < 1e-4


def test_what_is_timed_holds_copies_and_the_wait(tmp_path):
    session = opened(lowered(DIGITS, Recipe(), tmp_path, "torch"), tmp_path, on_gpu())
    once = session.timed(drawn(session, 0))
    times = []
    for _ in range(50):
        began = time.perf_counter()
        once()
        times.append((time.perf_counter() - began) * 1e3)
    assert (
        0 < session.device_ms() <= np.median(times) * 1.2
    )  # kernels wait for Python in both: the copies are no longer than that
    session.close()


def test_memory_is_told_and_given_back(tmp_path, torch):
    file = lowered(DIGITS, Recipe(), tmp_path, "torch")
    opened(file, tmp_path, on_gpu()).close()  # the libraries' own workspaces stay
    before = torch.cuda.memory_allocated()
    session = opened(file, tmp_path, on_gpu())
    assert session.plan_bytes() > 200_000
    session.timed(drawn(session, 0))
    session.close()
    assert torch.cuda.memory_allocated() == before


def test_the_stamp_names_the_gpu_and_tf32():
    from edgetui.engine.backends.torch.adapter import Torch

    for tf32 in (False, True):
        stamp = Torch().stamp(on_gpu(tf32=tf32))
        assert "sm_" in stamp.device
        assert stamp.tf32 is tf32


def test_int8_is_measured_beside_fp16(tmp_path):
    data = str(DIGITS.with_name("digits.toml"))
    words = [
        "run",
        str(DIGITS),
        "--recipe",
        "int8",
        "--dataset",
        data,
        "--backend",
        "torch",
        "--device",
        "cuda",
        "--preset",
        "quick",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "edgetui", *words, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["guard"]["latency_ms"]["mean"] > 0
    assert result["difference"]["latency_ratio_to_guard"]["value"] > 0
