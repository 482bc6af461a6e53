"""Layers in two factors: exact where the weights have such a rank, best for what the layer gives where they have not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.low_rank import factor
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.inspection.inspect import counts
from edgetui.engine.schema.steps import LowrankSvd
from edgetui.engine.system.reporter import NullReporter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodes import Bench, Net
from onnx import numpy_helper


def low(net: Net, rank: int, *shape: int) -> str:
    """A weight [outputs, inputs, ...] of a rank."""
    inputs = int(np.prod(shape[1:]))
    made = net.draw.standard_normal((shape[0], rank)) @ net.draw.standard_normal((rank, inputs)) / np.sqrt(rank * inputs)
    return net.constant(made.reshape(shape).astype(np.float32), "w")


def network(net: type[Net], bench: Bench, rank: int) -> Path:
    made = net()
    x = made.node("Conv", made.input("image", 1, 3, 9, 9), low(made, 3, 12, 3, 3, 3), made.weight(12), pads=[1, 1, 1, 1])
    x = made.node("Conv", made.node("Relu", x), low(made, rank, 16, 12, 3, 3), strides=[2, 2], dilations=[2, 1], name="strided")
    x = made.node("Flatten", made.node("GlobalAveragePool", made.node("Relu", x)))
    x = made.node("Gemm", x, low(made, rank, 40, 16), made.weight(40), transB=1, name="turned")
    matrix = made.constant(
        np.ascontiguousarray(made.draw.standard_normal((rank, 40)).T @ made.draw.standard_normal((rank, 30)))
    )
    x = made.node("MatMul", made.node("Relu", x), matrix, name="product")
    return bench.save(made.model(made.node("Gemm", x, made.weight(30, 24), made.constant(np.float32(0.3)), name="plain")))


def same(bench: Bench, one: Path, other: Path, tolerance: float) -> None:
    for feed in bench.feeds(load(one), 3, 4):
        expected = bench.run(one, feed)[0]
        np.testing.assert_allclose(bench.run(other, feed)[0], expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("repair", [False, True])
def test_weights_of_a_low_rank_lose_nothing(net: type[Net], bench: Bench, sampled: bool, repair: bool) -> None:
    source, out = network(net, bench, 2), bench.folder / "o.onnx"
    feeds = list(bench.feeds(load(source), 60, 1)) if sampled else None
    step = LowrankSvd(retained=1 - 1e-6, repair=repair, exclude=("plain",))
    line = factor(step, source, out, feeds, NullReporter())
    assert line.startswith("4 of 4 layers in two factors")
    onnx.checker.check_model(load(out), full_check=True)
    same(bench, source, out, 5e-3 if sampled and repair else 1e-4)
    before, after = counts(load(source), {})[2], counts(load(out), {})[2]
    assert f"{100 * after / before:.1f} % of multiplications left" in line


def test_a_matrix_of_full_rank_stays_whole(net: type[Net], bench: Bench) -> None:
    """The control: where all of the weights matter nothing is claimed to be saved, and outputs are the same."""
    made, say = net(), NullReporter()
    x = made.node("Relu", made.conv(made.input("image", 1, 8, 6, 6), 8, 8))
    source, out = bench.save(made.model(made.conv(x, 8, 8))), bench.folder / "o.onnx"
    line = factor(LowrankSvd(retained=0.999), source, out, None, say)
    assert line == "0 of 2 layers in two factors, 100.0 % of multiplications left"
    assert any("saves nothing" in warning for warning in say.warnings)
    same(bench, source, out, 0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([0.9, 0.75, 0.6, 0.45, 0.3]), st.integers(0, 1000))
def test_as_many_multiplications_are_left_as_were_asked_for(net: type[Net], bench: Bench, share: float, seed: int) -> None:
    made = net()
    made.draw = np.random.default_rng(seed)
    x = made.input("image", 1, 3, 8, 8)
    channels = 3
    for width in (16, 24, 32):
        x, channels = made.node("Relu", made.conv(x, channels, width)), width
    source, out = bench.save(made.model(x)), bench.folder / "o.onnx"
    factor(LowrankSvd(macs=share), source, out, None, NullReporter())
    before, after = counts(load(source), {})[2], counts(load(out), {})[2]
    assert share - 0.03 <= after / before <= share
    onnx.checker.check_model(load(out), full_check=True)
    assert bench.run(out, next(bench.feeds(load(out), 1)))[0].shape == (1, 32, 8, 8)


def test_samples_choose_better_factors_than_weights_alone(net: type[Net], bench: Bench) -> None:
    """Inputs that lie in four directions: there the factors must be right, wherever the weights are large."""
    made, draw = net(), np.random.default_rng(0)
    weight = made.constant((draw.standard_normal((32, 32)) * np.linspace(0.2, 3, 32)).astype(np.float32).T)
    source = bench.save(made.model(made.node("Gemm", made.input("x", 1, 32), weight, made.weight(32))))
    basis = draw.standard_normal((4, 32)) * np.linspace(3, 0.1, 32)
    feeds = [{"x": (draw.standard_normal((1, 4)) @ basis).astype(np.float32)} for _ in range(200)]
    errors = []
    for given_ in (None, feeds):
        factor(LowrankSvd(macs=0.3, repair=False), source, bench.folder / "o.onnx", given_, NullReporter())
        pairs = [(bench.run(bench.folder / "o.onnx", feed)[0], bench.run(source, feed)[0]) for feed in feeds[:50]]
        errors.append(sum(float(np.sum((a - b) ** 2)) for a, b in pairs) / sum(float(np.sum(b**2)) for _, b in pairs))
    assert errors[1] < 1e-6 < 0.01 < errors[0]


def test_what_cannot_be_factored_is_left_or_refused(net: type[Net], bench: Bench) -> None:
    made = net()
    x = made.conv(made.input("image", 1, 8, 6, 6), 8, 8, group=8, name="depthwise")
    source, out = bench.save(made.model(x)), bench.folder / "o.onnx"
    with pytest.raises(ModelRefused, match="no layer of this model gets smaller"):
        factor(LowrankSvd(macs=0.5), source, out, None, NullReporter())
    with pytest.raises(RecipeRefused, match="`head` matches no node"):
        factor(LowrankSvd(macs=0.5, exclude=("head",)), source, out, None, NullReporter())
    say = NullReporter()
    factor(LowrankSvd(macs=0.01), network(net, bench, 2), out, None, say)
    assert any("no ranks leave so few multiplications" in warning for warning in say.warnings)


def test_half_floats_stay_half(net: type[Net], bench: Bench) -> None:
    model = load(network(net, bench, 2))
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    source, out = bench.save(model), bench.folder / "o.onnx"
    factor(LowrankSvd(macs=0.7), source, out, None, NullReporter())
    assert {tensor.data_type for tensor in load(out).graph.initializer} == {onnx.TensorProto.FLOAT16}


def test_a_real_model_keeps_its_output(shared: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "normal.onnx", tmp_path / "o.onnx"
    normalise(shared / "models" / "resnet20_cifar10.onnx", source, {"image": (1, 3, 32, 32)}, NullReporter())
    draw = np.random.default_rng(0)
    feeds = [{"image": draw.standard_normal((1, 3, 32, 32)).astype(np.float32)} for _ in range(8)]
    errors = []
    for repair in (False, True):
        line = factor(LowrankSvd(macs=0.75, repair=repair), source, out, feeds, NullReporter())
        assert "of 20 layers in two factors, 7" in line
        assert 0.73 < counts(load(out), {})[2] / counts(load(source), {})[2] <= 0.75
        pairs = [(Bench(tmp_path).run(out, feed)[0], Bench(tmp_path).run(source, feed)[0]) for feed in feeds]
        errors.append(sum(float(np.sum((a - b) ** 2)) for a, b in pairs))
    assert errors[1] < errors[0]


@pytest.mark.parametrize("opset", [9, 11])
def test_a_gemm_of_an_old_opset_adds_something_in_both_factors(net: type[Net], bench: Bench, opset: int) -> None:
    made = net(opset)
    x = made.node("Gemm", made.input("x", 1, 30), low(made, 2, 40, 30), made.weight(40), transB=1)
    source, out = bench.save(made.model(x)), bench.folder / "o.onnx"
    factor(LowrankSvd(macs=0.4, repair=False), source, out, list(bench.feeds(load(source), 40, 1)), NullReporter())
    assert [len(node.input) for node in load(out).graph.node] == [3 if opset < 11 else 2, 3]
    onnx.checker.check_model(load(out), full_check=True)
    same(bench, source, out, 1e-4)
