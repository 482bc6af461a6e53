"""Sessions of TensorRT whose GPU fails: what CUDA says in words, and everything given back, in the right order."""

from __future__ import annotations

from pathlib import Path

import fake_gpu
import numpy as np
import onnx
import pytest
from edgetui.engine.backends.tensorrt import build
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest
from edgetui.engine.backends.tensorrt.installed import detect
from edgetui.engine.backends.tensorrt.session import TrtSession, device_free_mib, open_session
from edgetui.engine.errors import BackendRefused, PlanRefused
from edgetui.engine.schema.settings import TensorRtSettings
from networks import lstm

FEEDS = {"sequence": np.zeros((12, 1, 16), np.float32)}
ILLEGAL = "cuStreamSynchronize failed: an illegal memory access was encountered"


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> fake_gpu.Fakes:
    return fake_gpu.here(monkeypatch, "10.3")


def opened(folder: Path, **settings: bool) -> TrtSession:
    plan = folder / "p.plan"
    build.build(BuildRequest(onnx=str(lstm(folder / "m.onnx")), out=str(plan), module="tensorrt"), detect(), lambda _: None)
    return open_session(detect(), plan.read_bytes(), TensorRtSettings(**settings), plan.name)


@pytest.mark.parametrize("graph", [False, True])
def test_a_kernel_that_fails_is_said_and_all_is_freed_nonetheless(graph, fakes, tmp_path):
    session = opened(tmp_path, cuda_graph=graph)
    once = session.timed(FEEDS)
    fakes.driver.trouble["synchronize"] = ILLEGAL
    with pytest.raises(BackendRefused, match=r"the inference failed on the GPU .*illegal memory access"):
        once()
    with pytest.raises(BackendRefused, match="illegal memory access"):
        session.device_ms()
    with pytest.raises(BackendRefused, match=r"p\.plan could not be closed"):
        session.close()
    session.close()
    del session, once
    assert fakes.left() == {}


def test_a_stream_is_destroyed_while_there_is_a_context(fakes, tmp_path):
    session = opened(tmp_path)
    session.close()
    assert fakes.driver.taken["stream"] == 0
    assert fakes.driver.late == 0
    with pytest.raises(BackendRefused, match="was closed"):
        session.run(FEEDS)


def test_a_load_that_fails_destroys_what_it_made_before_the_context_goes(fakes, tmp_path):
    """While its error is still being handled, as it is when the context is given back."""

    def refuse(size: int) -> object:
        del size
        raise fakes.driver.MemoryError("cuMemAlloc failed: out of memory")

    fakes.driver.mem_alloc = refuse
    with pytest.raises(BackendRefused, match=r"not enough device memory \(memory for sequence: cuMemAlloc") as refused:
        opened(tmp_path)
    assert refused.tb is not None
    assert {kind: count for kind, count in fakes.api.alive.items() if count} == {}
    assert {kind: count for kind, count in fakes.driver.taken.items() if count} == {}
    assert fakes.driver.late == 0


def test_numbers_that_numpy_does_not_know_are_refused(fakes, tmp_path):
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[3] x) => (bfloat16[3] y) { y = Cast<to=16>(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    build.build(
        BuildRequest(onnx=str(tmp_path / "m.onnx"), out=str(tmp_path / "p"), module="tensorrt"), detect(), lambda _: None
    )
    with pytest.raises(PlanRefused, match="y holds bfloat16"):
        open_session(detect(), (tmp_path / "p").read_bytes(), TensorRtSettings(), "p")
    assert fakes.left() == {}


@pytest.mark.parametrize("trouble", ["context", "stream"])
def test_cuda_that_does_not_start_is_an_error_in_words(trouble, fakes, tmp_path):
    fakes.driver.trouble[trouble] = "cuDevicePrimaryCtxRetain failed: unknown error"
    with pytest.raises(BackendRefused, match="unknown error"):
        opened(tmp_path)
    if trouble == "context":
        with pytest.raises(BackendRefused, match="CUDA does not start"):
            device_free_mib()
    assert fakes.left() == {}
