"""ONNX's operator Attention: TensorRT may compute it step by step where it has no kernel for the whole."""

from __future__ import annotations

from pathlib import Path

import fake_gpu
import onnx
import pytest
from edgetui.engine.backends.tensorrt import build
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest
from edgetui.engine.backends.tensorrt.installed import detect
from edgetui.engine.schema.settings import TensorRtSettings

CAUSAL = "[att] y = Attention<is_causal=1>(q, k, v)"
MASKED = "[att] y = Attention(q, k, v, m)"


def attending(path: Path, node: str, kind: str, size: int) -> Path:
    sides = ", ".join(f"{kind}[1,4,16,{size}] {name}" for name in "qkv")
    text = f'<ir_version: 10, opset_import: ["": 23]> g ({sides}, {kind}[16,16] m) => ({kind}[1,4,16,{size}] y) {{ {node} }}'
    onnx.save(onnx.parser.parse_model(text), path)
    return path


@pytest.mark.parametrize(("kind", "size"), [("float", 64), ("float16", 8), ("float16", 64)])
@pytest.mark.parametrize("node", [CAUSAL, MASKED])
def test_attention_without_a_kernel_of_its_own_is_built(node, kind, size, rtx, tmp_path):
    file = attending(tmp_path / "m.onnx", node, kind, size)
    settings = TensorRtSettings(target="sm_86")
    build.build(
        BuildRequest(onnx=str(file), out=str(tmp_path / "p"), module=rtx.module, settings=settings), rtx, lambda _: None
    )
    assert (tmp_path / "p").stat().st_size


@pytest.mark.parametrize(("generation", "asked"), [("10.13", []), ("11", [("att", True)])])
def test_it_is_allowed_where_tensorrt_has_attention(generation, asked, monkeypatch, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    order = BuildRequest(
        onnx=str(attending(tmp_path / "m.onnx", CAUSAL, "float", 8)), out=str(tmp_path / "p"), module="tensorrt"
    )
    build.build(order, detect(), lambda _: None)
    assert fakes.asked("decomposable") == asked
