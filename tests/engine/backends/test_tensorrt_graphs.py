"""Inferences recorded once as a CUDA graph: what is recorded, replayed, freed, and said where it is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_gpu
import numpy as np
import pytest
from edgetui.engine.backends.tensorrt import build
from edgetui.engine.backends.tensorrt.adapter import TensorRt
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest
from edgetui.engine.backends.tensorrt.installed import detect
from edgetui.engine.backends.tensorrt.session import TrtSession, open_session
from edgetui.engine.errors import BackendRefused
from edgetui.engine.measure import latency
from edgetui.engine.measure.paired import measure
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.schema.workloads import FlatOut
from edgetui.engine.system.reporter import NullReporter
from networks import lstm

GRAPHS = TensorRtSettings(cuda_graph=True)
GENERATIONS = ("8.2", "8.5", "8.6", "10.3", "10.13", "11")


def feeds(seed: int = 0) -> dict[str, np.ndarray]:
    return {"sequence": np.random.default_rng(seed).standard_normal((12, 1, 16)).astype(np.float32)}


def opened(fakes: fake_gpu.Fakes, folder: Path) -> TrtSession:
    plan = folder / "p.plan"
    build.build(BuildRequest(onnx=str(lstm(folder / "m.onnx")), out=str(plan), module="tensorrt"), detect(), lambda _: None)
    fakes.api.asked.clear()
    return open_session(detect(), plan.read_bytes(), GRAPHS, plan.name)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_timed_inference_is_one_launch_and_computes_the_same(generation, monkeypatch, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    session = opened(fakes, tmp_path)
    expected = session.run(feeds())["out"]
    once = session.timed(feeds(1))
    session.timed(feeds())
    fakes.driver.did.clear()
    once()
    assert fakes.driver.did == ["launch", "copy in", "copy out", "synchronize"]
    output = next(buffer.host for buffer in session._buffers if not buffer.is_input)
    assert np.array_equal(output, expected)
    assert session.remark == ""
    session.close()
    del session, once, output
    assert fakes.left() == {}


def test_a_recording_executes_nothing_and_is_made_once_after_a_warm_inference(monkeypatch, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    session = opened(fakes, tmp_path)
    session.timed(feeds())
    assert len(fakes.asked("execute")) == 2  # the warm one, and the first launch
    session.timed(feeds())
    assert fakes.driver.taken["launchable graph"] == 2
    assert fakes.driver.taken["graph"] == 0
    session.close()


def test_the_gpus_part_is_timed_through_a_graph_of_its_own(monkeypatch, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    session = opened(fakes, tmp_path)
    session.timed(feeds())
    fakes.driver.did.clear()
    assert session.device_ms() == 0.5
    assert set(fakes.driver.did) == {"record", "launch", "synchronize"}
    session.close()


@pytest.mark.parametrize(
    ("refuse", "why"),
    [
        ("cuStreamBeginCapture_v2", "cuStreamBeginCapture_v2: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"),
        ("cuStreamEndCapture", "cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"),
        ("cuGraphInstantiateWithFlags", "cuGraphInstantiateWithFlags: CUDA_ERROR"),
        ("no_graph", "TensorRT does something in between"),
        ("no library", "CUDA's driver cannot be called"),
    ],
)
def test_where_recording_is_refused_it_is_said_and_timed_call_by_call(refuse, why, monkeypatch, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    session = opened(fakes, tmp_path)
    if refuse == "no_graph":
        fakes.api.trouble["no_graph"] = True
    elif refuse == "no library":
        monkeypatch.setattr("ctypes.CDLL", _no_library)
    else:
        fakes.driver.library.refuse = refuse
    once = session.timed(feeds())
    assert session.remark.startswith("p.plan is timed without a CUDA graph: ")
    assert why in session.remark
    fakes.driver.did.clear()
    once()
    assert fakes.driver.did == ["copy in", "copy out", "synchronize"]
    assert session.device_ms() == 0.5
    session.close()
    del session, once
    assert fakes.left() == {}


def _no_library(name: str) -> None:
    raise OSError(f"{name}: cannot open shared object file")


def test_a_launch_that_fails_and_one_after_closing_are_refused(monkeypatch, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    session = opened(fakes, tmp_path)
    once = session.timed(feeds())
    fakes.driver.library.refuse = "cuGraphLaunch"
    with pytest.raises(BackendRefused, match="could not run the plan"):
        once()
    session.close()
    with pytest.raises(BackendRefused, match="was closed"):
        once()
    del session, once
    assert fakes.left() == {}


@pytest.mark.parametrize(("refused", "word"), [(False, "CUDA graph"), (True, "no CUDA graph")])
def test_the_stamp_says_how_it_was_timed_and_a_warning_why_not(refused, word, monkeypatch, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3")
    if refused:
        fakes.driver.library.refuse = "cuStreamEndCapture"
    settings = BackendSettings(name="tensorrt", tensorrt=GRAPHS)
    backend, plan, say = TensorRt(), tmp_path / "p.plan", NullReporter()
    backend.build(lstm(tmp_path / "m.onnx"), plan, settings, say)
    one, two = (backend.load(plan, settings) for _ in range(2))
    short = replace(latency.RULES["quick"], measured_s=0.1, cap_s=0.5, warm_up_s=0.05)
    monkeypatch.setitem(latency.RULES, "quick", short)
    measure({"baseline": one, "candidate": two}, feeds(), FlatOut(), "quick", 0, say)
    assert backend.stamp(settings).provider == f"TensorRT 10.3.0, Orin sm_87, TF32 allowed, {word}"
    assert sum("without a CUDA graph" in text for text in say.warnings) == refused
    one.close()
    two.close()
