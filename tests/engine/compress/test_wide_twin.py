"""`adaptive` as a step: the quantized graph stays as it is, and its twin of higher precision lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.annotations import read_fp16, read_int8
from edgetui.engine.compress.dynamic import dynamic
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.wide_twin import WIDE, adaptive
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.schema.steps import Adaptive, PruneMagnitude, QuantizeDynamic, QuantizeInt8
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto

if TYPE_CHECKING:
    from .conftest import Bench, Net

SAY = NullReporter()


def network(net: type[Net]) -> ModelProto:
    made = net()
    x = made.input("image", 1, 3, 8, 8)
    x = made.node("Relu", made.node("Conv", x, made.weight(8, 3, 3, 3), name="/stem/Conv"))
    return made.model(made.node("Gemm", made.node("Flatten", x), made.weight(10, 288), transB=1, name="/head/Gemm"))


@pytest.fixture
def quantized(net: type[Net], bench: Bench) -> Path:
    """Half its weights pruned, then calibrated."""
    model = network(net)
    pruned, out = bench.folder / "pruned.onnx", bench.folder / "calibrated.onnx"
    prune(PruneMagnitude(amount=0.5), bench.save(model), pruned, None, SAY)
    int8(QuantizeInt8(), pruned, out, bench.feeds(model, 20), SAY)
    return out


def test_the_twin_computes_what_the_graph_did_before_it_was_quantized(quantized: Path, net: type[Net], bench: Bench) -> None:
    folder = bench.folder / "step"
    folder.mkdir()
    adaptive(Adaptive(), quantized, folder / "model.onnx", bench.feeds(network(net), 4), SAY)
    first, twin = onnx.load(folder / "model.onnx"), onnx.load(folder / WIDE)
    assert read_int8(first) == read_int8(onnx.load(quantized))
    assert read_int8(twin) is None
    lowered = folder / "lowered.onnx"
    lower(folder / WIDE, lowered, "onnxruntime-x86", SAY)
    for feed in bench.feeds(network(net), 3, seed=7):
        assert np.array_equal(bench.run(lowered, feed)[0], bench.run(bench.folder / "pruned.onnx", feed)[0])


def test_half_precision_is_asked_of_the_twin_alone(quantized: Path, net: type[Net], bench: Bench) -> None:
    folder = bench.folder / "step"
    folder.mkdir()
    adaptive(Adaptive(precision="float16"), quantized, folder / "model.onnx", bench.feeds(network(net), 4), SAY)
    twin = onnx.load(folder / WIDE)
    assert read_fp16(twin) is not None
    assert read_int8(twin) is None
    assert read_fp16(onnx.load(folder / "model.onnx")) is None
    assert sorted(file.name for file in folder.iterdir()) == ["model.onnx", WIDE]


def test_ranges_at_run_time_are_a_first_plan_too(net: type[Net], bench: Bench) -> None:
    out = bench.folder / "dynamic.onnx"
    dynamic(QuantizeDynamic(), bench.save(network(net)), out, SAY)
    adaptive(Adaptive(), out, bench.folder / "model.onnx", bench.feeds(network(net), 1), SAY)
    assert (bench.folder / WIDE).is_file()


def test_without_integers_there_is_nothing_to_begin_with(net: type[Net], bench: Bench) -> None:
    with pytest.raises(RecipeRefused, match="finds no activations in INT8") as caught:
        adaptive(Adaptive(), bench.save(network(net)), bench.folder / "out.onnx", bench.feeds(network(net), 1), SAY)
    assert "quantize.int8" in str(caught.value)
    assert not (bench.folder / WIDE).exists()
