"""The whole path on a real GPU with a real TensorRT: plan, six steps, graphs, layers, memory, energy, cancel (EDGETUI_LIVE)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.backends.tensorrt.adapter import TensorRt
from edgetui.engine.backends.tensorrt.installed import Gpu, every, gpu
from edgetui.engine.backends.tensorrt.session import device_free_mib
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import BackendRefused
from edgetui.engine.library.recipes import PACKAGED, read_recipe
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.client import open_telemetry
from edgetui.engine.telemetry.energy import Window
from edgetui.engine.telemetry.source_choice import choose
from edgetui.engine.telemetry.sources.source import SourceRefused
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
    refused = next(iter(every())).refuse(here.target)
    if refused is not None:
        pytest.skip(f"needs a GPU that this TensorRT runs on ({refused})")
    return here


def built(file: Path, folder: Path, settings: BackendSettings = SETTINGS) -> Path:
    plan = folder / "p.plan"
    TensorRt(folder / "timing").build(file, plan, settings, NullReporter())
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
    layers = session.layers()
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


def edgetui(*words: str) -> list[str]:
    return [sys.executable, "-m", "edgetui", *words]


def building(state: Path, build: subprocess.Popen[str]) -> tuple[Path, psutil.Process]:
    """The run's folder and the process that builds, as soon as TensorRT says how far it is."""
    while build.poll() is None:
        for folder in (state / "runs").glob("*"):
            past = (folder / "events.jsonl").read_text() if (folder / "events.jsonl").exists() else ""
            pid = RunDir(folder).pid()
            if pid and ('"%, ' in past or '"s, ' in past):
                for one in psutil.Process(pid).children(recursive=True):
                    if "edgetui.engine.backends.tensorrt.build_process" in one.cmdline():
                        return folder, one
        time.sleep(0.02)
    pytest.fail(f"the build ended before it could be disturbed: {build.communicate()}")


def begun(folder: Path) -> subprocess.Popen[str]:
    """A build that takes a while."""
    words = ("build", str(transformer(folder / "m.onnx", layers=12)), "--recipe", "prune-5", "--backend", "tensorrt", "--json")
    out = str(folder / "out")
    return subprocess.Popen(edgetui(*words, "--out", out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_cancel_ends_a_build(own_state, tmp_path):
    with begun(tmp_path) as build:
        folder, worker = building(own_state, build)
        done = subprocess.run(edgetui("cancel", folder.name), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        build.communicate(timeout=60)
    assert build.returncode == 130
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert json.loads((folder / "result.json").read_text())["state"] == "cancelled"


def test_a_build_that_is_killed_is_tried_again_with_less(own_state, tmp_path):
    with begun(tmp_path) as build:
        folder, worker = building(own_state, build)
        worker.kill()
        out, told = build.communicate(timeout=600)
    assert build.returncode == 0, told
    assert "try 1 failed: the build was killed (out of memory?)" in (folder / "events.jsonl").read_text()
    assert any("came out at try 2 with less memory" in text for text in json.loads(out)["warnings"])


def test_a_cuda_graph_computes_the_same_and_is_given_back(shared, tmp_path):
    file = lowered(
        shared / "models" / "ultraface_rfb320.onnx", read_recipe(PACKAGED / "fp16.toml"), tmp_path, TensorRt().target()
    )
    plan = built(file, tmp_path)
    feeds = {"input": np.random.default_rng(0).standard_normal((1, 3, 240, 320)).astype(np.float32)}
    plain = TensorRt().load(plan, SETTINGS)
    expected = plain.run(feeds)
    plain.close()
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(cuda_graph=True))
    before = device_free_mib()
    for _ in range(5):
        session = TensorRt().load(plan, settings)
        once = session.timed(feeds)
        assert session.remark == ""
        for buffer in session._buffers:
            buffer.host[...] = feeds["input"] if buffer.is_input else 0
        once()
        for buffer in session._buffers:
            if not buffer.is_input:
                assert np.allclose(buffer.host, expected[buffer.facts.name], rtol=1e-3, atol=1e-3)
        assert session.device_ms() > 0
        session.close()
    assert device_free_mib() > before - 32


def test_without_tf32_fp32_is_as_exact_as_onnxruntimes(device, shared, tmp_path):
    target = TensorRt().target()
    file = lowered(shared / "models" / "resnet20_cifar10.onnx", Recipe(), tmp_path, target, {"image": (1, 3, 32, 32)})
    feeds = {"image": np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)}
    expected = OnnxRuntime().load(file, BackendSettings(graph="basic")).run(feeds)["logits"]
    off = {}
    for tf32 in (False, True):
        settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(tf32=tf32))
        session = TensorRt().load(built(file, tmp_path, settings), settings)
        off[tf32] = float(np.abs(session.run(feeds)["logits"] - expected).max() / np.abs(expected).max())
        session.close()
    assert off[False] < 1e-4
    assert off[True] < 2e-2


def test_the_card_counts_the_energy_of_inferences(own_state, shared, tmp_path):
    try:
        choose("nvml", Files()).source.close()
    except SourceRefused as why:
        pytest.skip(f"needs an NVIDIA card that tells its power ({why})")
    file = lowered(
        shared / "models" / "ultraface_rfb320.onnx", read_recipe(PACKAGED / "fp16.toml"), tmp_path, TensorRt().target()
    )
    session = TensorRt().load(built(file, tmp_path), SETTINGS)
    once = session.timed(session.zeros())
    with open_telemetry(own_state, "nvml", 20.0) as telemetry:
        while telemetry.newest() is None:
            time.sleep(0.01)
        window, count, end = Window(telemetry), 0, time.monotonic() + 10
        while time.monotonic() < end:
            once()
            count += 1
        figure = window.end()
    session.close()
    assert figure.reason is None
    assert figure.mean_w is not None
    assert 1 < figure.mean_w < 1500
    assert 0 < 10 * figure.mean_w / count < 100  # joules an inference


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


def test_int8_is_measured_beside_fp16_and_judged_by_it(tmp_path):
    demo = str(DEMO / "digits.onnx"), "--dataset", str(DEMO / "digits.toml")
    words = [
        sys.executable,
        "-m",
        "edgetui",
        "run",
        *demo,
        "--recipe",
        "int8",
        "--backend",
        "tensorrt",
        "--preset",
        "quick",
        "--json",
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}, timeout=600
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["guard"]["latency_ms"]["mean"] > 0
    to_guard = result["difference"]["latency_ratio_to_guard"]
    assert to_guard["low"] <= to_guard["value"] <= to_guard["high"]
    assert Path(result["artifacts"]["guard_plan"]).is_file()
    compared = subprocess.run(
        [sys.executable, "-m", "edgetui", "compare", result["run"], "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        timeout=60,
    )
    assert to_guard["high"] < 1 or json.loads(compared.stdout)["choice"] != "int8"
