"""Weights that a graph computes or shares: quantized as the constants they are, stored once, as large as was forecast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.advice.forecast import size_after
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.weight_only import weights
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.schema.step import Step
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, QuantizeWeights, Recipe
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net
from onnx import ModelProto, TensorProto, numpy_helper

INT8 = QuantizeInt8(calibrator="minmax")
CPU, GPU = "onnxruntime-x86", "tensorrt"


def layers(net: Net) -> ModelProto:
    """Twelve layers that read one weight, each through a Transpose of its own."""
    width = 192
    w, b = net.weight(width, width), net.weight(width, scale=0.1)
    g, h = net.constant(np.ones(width)), net.constant(np.zeros(width))
    x = net.input("x", 1, 8, width)
    for _ in range(12):
        y = net.node("Relu", net.node("Add", net.node("MatMul", x, net.node("Transpose", w, perm=[1, 0])), b))
        x = net.node("LayerNormalization", net.node("Add", y, x), g, h, axis=-1)
    return net.model(x)


def tied(net: Net) -> ModelProto:
    """An embedding that is the head's weight as well."""
    table = net.weight(2000, 64, scale=0.3)
    hidden = net.node("MatMul", net.node("Gather", table, net.input("ids", 1, 12, kind=TensorProto.INT64)), net.weight(64, 64))
    return net.model(net.node("MatMul", hidden, net.node("Transpose", table, perm=[1, 0])))


def cast(net: Net) -> ModelProto:
    """Weights in half floats, each behind a Cast."""
    w, v = (net.constant((net.draw.standard_normal((64, size, 3, 3)) / 20).astype(np.float16)) for size in (32, 64))
    x = net.node("Conv", net.input("x", 1, 32, 16, 16), net.node("Cast", w, to=TensorProto.FLOAT), pads=[1] * 4)
    return net.model(net.node("Conv", net.node("Relu", x), net.node("Cast", v, to=TensorProto.FLOAT)))


def gain(net: Net) -> ModelProto:
    """A factor for each channel in the weight."""
    w = net.node("Mul", net.weight(64, 32, 3, 3), net.constant(net.draw.uniform(0.5, 2, (64, 1, 1, 1))))
    x = net.node("Relu", net.node("Conv", net.input("x", 1, 32, 24, 24), w, net.weight(64), pads=[1] * 4))
    return net.model(net.node("Conv", x, net.weight(16, 64, 1, 1)))


def norm(net: Net) -> ModelProto:
    """Weight norm before a Conv."""
    v = net.weight(64, 40, 7)
    w = net.node("Mul", net.constant(np.ones((64, 1, 1))), net.node("Div", v, net.node("ReduceL2", v, axes=[1, 2], keepdims=1)))
    return net.model(net.node("Tanh", net.node("Conv", net.input("x", 1, 40, 50), w, net.weight(64, scale=0.1), pads=[3, 3])))


def one_dimensional(net: Net) -> ModelProto:
    """A convolution over time written through Unsqueeze."""
    axes = net.constant(np.array([2]))
    x = net.node("Unsqueeze", net.input("x", 1, 32, 50), axes)
    return net.model(
        net.node("Squeeze", net.node("Conv", x, net.node("Unsqueeze", net.weight(64, 32, 9), axes), pads=[0, 4, 0, 4]), axes)
    )


def both_ways(net: Net) -> ModelProto:
    """One matrix that a layer multiplies with as it is and another transposed: an autoencoder with tied weights."""
    w = net.weight(256, 64)
    hidden = net.node("Relu", net.node("MatMul", net.input("x", 4, 256), w))
    return net.model(net.node("MatMul", hidden, net.node("Transpose", w, perm=[1, 0])))


def vocoder(net: Net) -> ModelProto:
    """A convolution, and a transposed one, for which ONNX Runtime has no integer kernel."""
    x = net.node("Relu", net.node("Conv", net.input("x", 1, 40, 50), net.weight(64, 40, 7), pads=[3, 3]))
    return net.model(net.node("ConvTranspose", x, net.weight(64, 32, 8), strides=[4], pads=[2, 2]))


def tied_halves(net: Net) -> ModelProto:
    """`tied` in half floats: the embedding and the head read one Cast."""
    halves = net.constant((net.draw.standard_normal((2000, 64)) * 0.3).astype(np.float16))
    table = net.node("Cast", halves, to=TensorProto.FLOAT)
    hidden = net.node("Relu", net.node("Gather", table, net.input("ids", 1, 12, kind=TensorProto.INT64)))
    return net.model(net.node("MatMul", hidden, net.node("Transpose", table, perm=[1, 0])))


def doubles_both_ways(net: Net) -> ModelProto:
    """`both_ways` stored in doubles: written out for each of the two, they would take no more bytes than they did."""
    net.constants.append(numpy_helper.from_array(net.draw.standard_normal((256, 64)) / 16, "doubles"))
    w = net.node("Cast", "doubles", to=TensorProto.FLOAT)
    hidden = net.node("Relu", net.node("MatMul", net.input("x", 4, 256), w))
    return net.model(net.node("MatMul", hidden, net.node("Transpose", w, perm=[1, 0])))


def from_the_left(net: Net) -> ModelProto:
    """A weight left of a MatMul, for which ONNX Runtime has no integer kernel, and one right of it."""
    x = net.node("MatMul", net.weight(96, 128), net.input("x", 1, 128, 32))
    return net.model(net.node("MatMul", x, net.weight(32, 256)))


def turned_gemm(net: Net) -> ModelProto:
    """A Gemm that transposes what it reads: no integer kernel of ONNX Runtime either."""
    x = net.node("Gemm", net.input("x", 128, 8), net.weight(96, 128), net.weight(96), transA=1, transB=1)
    return net.model(net.node("Gemm", net.node("Relu", x), net.weight(256, 96), net.weight(256), transB=1))


def convolutions(net: Net) -> ModelProto:
    """Weights with four axes: TensorRT reads no blocks of their input channels."""
    return net.model(net.conv(net.node("Relu", net.conv(net.input("x", 1, 32, 16, 16), 32, 64)), 64, 64))


KINDS: dict[str, Callable[[Net], ModelProto]] = {
    build.__name__: build
    for build in (
        layers, tied, cast, gain, norm, one_dimensional, both_ways, vocoder, tied_halves, doubles_both_ways, from_the_left,
        turned_gemm, convolutions,
    )
}  # fmt: skip
INTEGER = {
    "layers": 12, "tied": 2, "cast": 2, "gain": 2, "norm": 1, "one_dimensional": 1, "both_ways": 2, "vocoder": 2,
    "tied_halves": 1, "doubles_both_ways": 2, "from_the_left": 1, "turned_gemm": 2, "convolutions": 2,
}  # fmt: skip
"""Products that TensorRT computes in integers: all."""


def made(bench: Bench, kind: str, step: Step, target: str) -> tuple[ModelProto, Path, int | None, list[str]]:
    """The model, the lowered file, the forecast of its size, and what was noted."""
    model = KINDS[kind](Net(17))
    source, normal, done, out = (bench.folder / f"{name}.onnx" for name in ("source", "normal", "done", "out"))
    onnx.save(model, source)
    say = NullReporter()
    facts = inspect(source, {})
    normalise(source, normal, {}, say)
    if isinstance(step, QuantizeInt8):
        int8(step, normal, done, bench.feeds(model, 40), say)
    elif isinstance(step, QuantizeWeights):
        weights(step, normal, done, say)
    else:
        assert isinstance(step, PruneMagnitude)
        prune(step, normal, done, None, say)
    line = lower(done, out, target, say)
    return (
        model,
        out,
        size_after(Recipe(step=(step,)), facts, "tensorrt" if target == GPU else "onnxruntime"),
        [line, *say.notes],
    )


def decibels(bench: Bench, model: ModelProto, out: Path) -> float:
    signal = noise = 0.0
    for feed in bench.feeds(model, 4, seed=9):
        for one, other in zip(bench.run(model, feed), bench.run(out, feed), strict=True):
            signal += float((one.astype(np.float64) ** 2).sum())
            noise += float(((one.astype(np.float64) - other) ** 2).sum())
    return 10 * np.log10(signal / max(noise, 1e-30))


@pytest.mark.parametrize("kind", KINDS)
def test_tensorrt_gets_every_product_in_integers(bench: Bench, kind: str) -> None:
    model, out, _, told = made(bench, kind, INT8, GPU)
    assert told[0].startswith(f"tensorrt: {INTEGER[kind]} nodes")
    assert decibels(bench, model, out) > 25


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "step", [INT8, QuantizeWeights(bits=8), QuantizeWeights(bits=4)], ids=["int8", "weights-8", "weights-4"]
)
def test_the_file_is_as_large_as_the_forecast_says(bench: Bench, kind: str, step: Step) -> None:
    model, out, size, _ = made(bench, kind, step, CPU)
    assert size == pytest.approx(out.stat().st_size, rel=0.1)
    assert decibels(bench, model, out) > (8 if getattr(step, "bits", 8) == 4 else 25)


def test_a_shared_weight_is_stored_once_as_integers(bench: Bench) -> None:
    _, out, _, _ = made(bench, "layers", INT8, CPU)
    held = [
        tensor for tensor in onnx.load(out).graph.initializer if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 2
    ]
    assert [tuple(tensor.dims) for tensor in held] == [(192, 192)]


def test_an_embedding_that_a_head_shares_is_read_as_integers_by_both(bench: Bench) -> None:
    _, out, _, _ = made(bench, "tied", INT8, CPU)
    lowered = onnx.load(out)
    assert [tuple(t.dims) for t in lowered.graph.initializer if len(t.dims) == 2 and t.data_type == TensorProto.FLOAT] == []
    table = next(tensor.name for tensor in lowered.graph.initializer if tuple(tensor.dims) == (2000, 64))
    readers = {node.op_type for node in lowered.graph.node if table in node.input}
    assert readers == {"Gather", "Transpose"}
    left = bench.optimised(out)
    assert "MatMul" not in left
    assert left.count("MatMulIntegerToFloat") + left.count("QLinearMatMul") == 2


@pytest.mark.parametrize("rank", [2, 3])
def test_a_bias_behind_an_integer_product_leaves_it_integer(bench: Bench, rank: int) -> None:
    """ONNX Runtime makes a float Gemm of MatMul and Add before it looks for integer kernels."""
    net = Net(17)
    x = net.node("MatMul", net.input("x", *([1] * (rank - 2)), 8, 64), net.weight(64, 64))
    model = net.model(net.node("Softmax", net.node("Add", net.weight(64), x)))
    onnx.save(model, bench.folder / "m.onnx")
    int8(INT8, bench.folder / "m.onnx", bench.folder / "q.onnx", bench.feeds(model, 40), NullReporter())
    lower(bench.folder / "q.onnx", bench.folder / "l.onnx", CPU, NullReporter())
    assert not {"Gemm", "MatMul", "MatMulNBits"}.intersection(bench.optimised(bench.folder / "l.onnx"))
    assert decibels(bench, model, bench.folder / "l.onnx") > 30


def test_an_excluded_embedding_stays_in_floats(bench: Bench) -> None:
    model, out, _, _ = made(bench, "tied", QuantizeInt8(calibrator="minmax", exclude=("Gather",)), CPU)
    held = [tuple(tensor.dims) for tensor in onnx.load(out).graph.initializer if tensor.data_type == TensorProto.FLOAT]
    assert (2000, 64) in held
    assert decibels(bench, model, out) > 30


def test_weights_that_stay_in_floats_are_told(bench: Bench) -> None:
    net = Net(17)
    x = net.conv(net.input("x", 1, 3, 12, 12), 3, 16)
    model = net.model(net.node("ConvTranspose", net.node("Relu", x), net.weight(16, 8, 4, 4), strides=[2, 2]))
    onnx.save(model, bench.folder / "m.onnx")
    say = NullReporter()
    int8(INT8, bench.folder / "m.onnx", bench.folder / "q.onnx", bench.feeds(model, 40), say)
    lower(bench.folder / "q.onnx", bench.folder / "l.onnx", CPU, say)
    assert "1 weights (0.01 MB) of ConvTranspose stay in floats" in say.warnings[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_pruning_reaches_weights_that_the_graph_computes(bench: Bench, kind: str) -> None:
    _, out, _, _ = made(bench, kind, PruneMagnitude(amount=0.5), CPU)
    facts = inspect(out, {})
    assert facts.prunable == inspect(bench.folder / "source.onnx", {}).prunable
    assert facts.parameters - facts.nonzero >= facts.prunable // 2 - 20


def test_blocks_that_tensorrt_does_not_read_are_no_saving_in_the_forecast(bench: Bench) -> None:
    model, out, forecast, _ = made(bench, "convolutions", QuantizeWeights(bits=4, grouping="block"), GPU)
    assert forecast is not None
    assert abs(forecast - out.stat().st_size) < 0.1 * out.stat().st_size
    assert decibels(bench, model, out) > 10


def test_a_tied_matrix_in_half_floats_is_stored_once(bench: Bench) -> None:
    _, out, _, _ = made(bench, "tied_halves", INT8, CPU)
    assert out.stat().st_size < 1.2 * 2000 * 64


def test_a_matrix_in_doubles_read_both_ways_is_stored_once(bench: Bench) -> None:
    source, normal = bench.save(doubles_both_ways(Net(17)), "source.onnx"), bench.folder / "normal.onnx"
    normalise(source, normal, {}, NullReporter())
    assert normal.stat().st_size < 1.1 * 4 * 256 * 64
    assert inspect(source, {}).prunable == 256 * 64


def test_layers_that_share_a_weight_are_dequantized_by_rows(bench: Bench) -> None:
    """ONNX Runtime's DequantizeLinear takes five times as long with scales along the last axis."""
    model, out, _, _ = made(bench, "layers", QuantizeWeights(bits=8), CPU)
    node = next(node for node in onnx.load(out).graph.node if node.op_type == "DequantizeLinear")
    assert [entry.i for entry in node.attribute if entry.name == "axis"] == [0]
    assert "Transpose" not in bench.optimised(out)
    assert decibels(bench, model, out) > 30


@pytest.mark.parametrize(
    "step", [INT8, QuantizeWeights(bits=8), PruneMagnitude(amount=0.5)], ids=["int8", "weights-8", "prune"]
)
def test_weights_that_are_computed_from_less_are_told(bench: Bench, step: Step) -> None:
    net = Net(17)
    tiled = net.node("Tile", net.weight(32, 32, 3, 3), net.constant(np.array([2, 1, 1, 1])), name="tiled")
    x = net.node("Conv", net.input("x", 1, 32, 12, 12), tiled, name="wide")
    source, normal, done = (bench.folder / f"{name}.onnx" for name in ("source", "normal", "done"))
    onnx.save(net.model(net.node("Conv", x, net.weight(32, 64, 3, 3), name="plain")), source)
    say = NullReporter()
    normalise(source, normal, {}, say)
    if isinstance(step, QuantizeInt8):
        int8(step, normal, done, bench.feeds(onnx.load(normal), 40), say)
    elif isinstance(step, QuantizeWeights):
        weights(step, normal, done, say)
    else:
        assert isinstance(step, PruneMagnitude)
        prune(step, normal, done, None, say)
    assert [text for text in say.warnings if "weights of wide stay as they are" in text]
