"""The whole path on a real GPU with a real TensorRT: plan, six steps, layers, memory, cancel. `EDGETUI_LIVE=1`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from edgetui.engine.backends import trt_inside
from edgetui.engine.backends.onnxruntime import OnnxRuntime
from edgetui.engine.backends.tensorrt import TensorRt
from edgetui.engine.backends.trt_find import Gpu, every, gpu
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import BackendRefused
from edgetui.engine.recipes import PACKAGED, read_recipe
from edgetui.engine.say import Silent
from edgetui.engine.spec import BackendSettings, TensorRtSettings
from networks import lstm, transformer
from steps import lowered

pytestmark = pytest.mark.live
SETTINGS = BackendSettings(name="tensorrt")
DEMO = PACKAGE / "profiles" / "demo"


@pytest.fixture(scope="module", autouse=True)
def device() -> Gpu:
    if not os.environ.get("EDGETUI_LIVE"):
        pytest.skip("needs a GPU, and EDGETUI_LIVE=1")
    here = gpu()
    if isinstance(here, str) or not any(every()):
        pytest.skip(f"needs a GPU with pycuda and TensorRT ({here})")
    return here


def built(file: Path, folder: Path, settings: BackendSettings = SETTINGS) -> Path:
    plan = folder / "p.plan"
    TensorRt(folder / "timing").build(file, plan, settings, Silent())
    return plan


@pytest.mark.parametrize("recipe", ["fp16", "int8", "prune-5-fp16", "weights-8"])
def test_a_plan_computes_what_its_onnx_file_says(recipe, shared, tmp_path):
    target = TensorRt().target()
    file = lowered(shared / "models" / "resnet20_cifar10.onnx", read_recipe(PACKAGED / f"{recipe}.toml"), tmp_path, target)
    session = TensorRt().load(built(file, tmp_path), SETTINGS)
    reference = OnnxRuntime().load(file, BackendSettings(graph="basic"))
    draw = np.random.default_rng(0)
    for _ in range(8):
        feeds = {"image": draw.standard_normal((1, 3, 32, 32)).astype(np.float32)}
        a, b = reference.run(feeds)["logits"].ravel(), session.run(feeds)["logits"].ravel()
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.99
    session.close()


@pytest.mark.parametrize("make", [transformer, lstm])
def test_a_transformer_and_an_lstm_run(make, tmp_path):
    session = TensorRt().load(built(make(tmp_path / "m.onnx"), tmp_path), SETTINGS)
    assert np.isfinite(session.run(session.zeros())["out"]).all()
    session.close()


def test_the_gpus_part_is_no_longer_than_the_whole(shared, tmp_path):
    file = lowered(
        shared / "models" / "ultraface_rfb320.onnx", read_recipe(PACKAGED / "fp16.toml"), tmp_path, TensorRt().target()
    )
    session = TensorRt().load(built(file, tmp_path), SETTINGS)
    once = session.timed(session.zeros())
    times = []
    for _ in range(50):
        began = time.perf_counter()
        once()
        times.append((time.perf_counter() - began) * 1e3)
    assert 0 < session.device_ms() <= np.median(times) * 1.1
    session.close()


def test_memory_is_given_back(shared, tmp_path):
    import pycuda.driver
    from edgetui.engine.backends.trt_run import device_free_mib

    plan = built(lstm(tmp_path / "m.onnx"), tmp_path)
    TensorRt().load(plan, SETTINGS).close()
    before = device_free_mib()
    for _ in range(10):
        TensorRt().load(plan, SETTINGS).close()
    assert device_free_mib() > before - 32
    assert pycuda.driver.Device.count() >= 1


def test_layers_have_precision_origin_and_time(shared, tmp_path):
    target = TensorRt().target()
    file = lowered(shared / "models" / "resnet20_cifar10.onnx", read_recipe(PACKAGED / "fp16.toml"), tmp_path, target)
    session = TensorRt().load(built(file, tmp_path), SETTINGS)
    layers = trt_inside.look(next(iter(every())).api, session)
    assert layers
    assert any(layer.precision == "FP16" for layer in layers)
    assert sum(layer.milliseconds or 0 for layer in layers) > 0
    session.close()


def test_the_second_build_knows_what_the_first_one_timed(shared, tmp_path):
    if next(iter(every())).rtx:
        pytest.skip("needs a GPU with TensorRT itself: TensorRT-RTX keeps no timing cache")
    file = lowered(shared / "models" / "resnet20_cifar10.onnx", read_recipe(PACKAGED / "fp16.toml"), tmp_path)
    built(file, tmp_path)
    (cache,) = (tmp_path / "timing").iterdir()
    size = cache.stat().st_size
    built(file, tmp_path)
    assert cache.stat().st_size == size


def test_limits_far_too_small_either_suffice_or_end_in_words(shared, tmp_path):
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(workspace_mb=1, tactic_memory_mb=1))
    file = lowered(shared / "models" / "ultraface_rfb320.onnx", read_recipe(PACKAGED / "fp16.toml"), tmp_path)
    said = ""
    try:
        built(file, tmp_path, settings)
    except BackendRefused as refused:
        said = refused.what
    assert (tmp_path / "p.plan").exists() or "tries with less and less memory" in said


def test_cancel_ends_a_build(shared, tmp_path):
    words = ["build", str(shared / "models" / "ultraface_rfb320.onnx"), "--recipe", "fp16", "--backend", "tensorrt"]
    with subprocess.Popen([sys.executable, "-m", "edgetui", *words, "--out", str(tmp_path / "out")]) as process:
        worker = _worker(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def _worker(process: subprocess.Popen) -> psutil.Process:
    while process.poll() is None:
        for one in psutil.process_iter(["cmdline"]):
            if "edgetui.engine.backends.trt_worker" in (one.info["cmdline"] or ()):
                return one
        time.sleep(0.05)
    pytest.fail("the build ended before it could be cancelled")


def test_a_whole_run_with_energy(tmp_path):
    words = ["run", str(DEMO / "digits.onnx"), "--recipe", "int8", "--dataset", str(DEMO / "digits.toml"), "--preset", "quick"]
    done = subprocess.run(
        [sys.executable, "-m", "edgetui", *words, "--backend", "tensorrt", "--json"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["candidate"]["latency_ms"]["n"] > 0
    assert result["candidate"]["device_ms"] > 0
    assert result["candidate"]["energy_j_per_inference"]["gross"] is None or (
        result["candidate"]["energy_j_per_inference"]["gross"] > 0
    )
