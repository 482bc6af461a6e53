"""The histogram of weights after a recipe that stores them as integers: as many as before, and near the same numbers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from edgetui.engine.compress import lower, quantize, weight_only
from edgetui.engine.graph.dequantized import dequantized
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.schema.steps import QuantizeInt8, QuantizeWeights
from edgetui.engine.system.pipe_reporter import PipeReporter
from nodes import Net
from onnx import TensorProto, helper, numpy_helper

COUNT = 16 * 8 * 9 + 8 * 3 * 9


@pytest.fixture
def model(tmp_path):
    net = Net(opset=21)
    top = net.node("Relu", net.conv(net.input("x", 1, 3, 16, 16), 3, 8))
    onnx.save(net.model(net.conv(top, 8, 16)), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.fixture
def say(tmp_path):
    with (tmp_path / "said").open("wb") as file:
        yield PipeReporter(file.fileno(), "lower")


@pytest.mark.parametrize("target", ["onnxruntime-x86", "onnxruntime-arm", "tensorrt", "tensorrt-flags"])
@pytest.mark.parametrize(
    "step",
    [
        QuantizeInt8(), QuantizeInt8(scheme="affine"), QuantizeInt8(per_channel=False), QuantizeWeights(),
        QuantizeWeights(bits=4, grouping="block"), QuantizeWeights(grouping="tensor"),
    ],
    ids=["int8", "affine", "one scale", "weights", "4 bits in blocks", "weights, one scale"],
)  # fmt: skip
def test_quantized_weights_are_in_the_picture(model, tmp_path, say, step, target):
    wish, out = tmp_path / "wish.onnx", tmp_path / "out.onnx"
    if isinstance(step, QuantizeInt8):
        feeds = ({"x": each} for each in np.random.default_rng(1).standard_normal((4, 1, 3, 16, 16)).astype(np.float32))
        quantize.int8(step, model, wish, feeds, say)
    else:
        weight_only.weights(step, model, wish, say)
    lower.lower(wish, out, target, say)
    before, after = inspect(model, {}), inspect(out, {})
    assert (sum(before.histogram), sum(after.histogram)) == (COUNT, COUNT)
    width = before.histogram_high - before.histogram_low
    assert after.histogram_low == pytest.approx(before.histogram_low, abs=0.1 * width)
    assert after.histogram_high == pytest.approx(before.histogram_high, abs=0.1 * width)


def test_weights_in_blocks_of_four_bits():
    stored = [
        numpy_helper.from_array(np.array([[[0x21, 0x43], [0x65, 0x87]], [[0xA9, 0xCB], [0xED, 0x0F]]], np.uint8), "w"),
        numpy_helper.from_array(np.array([[1.0, 0.5], [2.0, 1.0]], np.float32), "s"),
        numpy_helper.from_array(np.array([[0x51], [0x0A]], np.uint8), "z"),
    ]
    node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=7, N=2, bits=4, block_size=4)
    graph = helper.make_graph([node], "g", [], [], stored)
    (plain,) = dequantized(helper.make_model(graph))
    assert plain.tolist() == [[-7, -6, -5, -4, -1.5, -1, -0.5], [2, 4, 6, 8, 5, 6, 7]]
    graph.node[0].input.append("z")
    (shifted,) = dequantized(helper.make_model(graph))
    assert shifted.tolist() == [[0, 1, 2, 3, 0, 0.5, 1], [-2, 0, 2, 4, 13, 14, 15]]
    graph.node[0].attribute[0].i = 70
    assert list(dequantized(helper.make_model(graph))) == []


@pytest.mark.parametrize("nested", [True, False], ids=["times the input's scale", "alone"])
def test_weights_whose_scale_stands_behind_the_product(nested):
    stored = [
        numpy_helper.from_array(np.array([[130, 100], [128, 0]], np.uint8), "w"),
        numpy_helper.from_array(np.array([128, 100], np.uint8), "z"),
        numpy_helper.from_array(np.array([0.5, 0.25], np.float32), "s"),
    ]
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "xs", "xz"]),
        helper.make_node("MatMulInteger", ["q", "w", "xz", "z"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["floats"], to=1),
        helper.make_node("Mul", ["xs", "s"], ["both"]),
        helper.make_node("Mul", ["floats", "both" if nested else "s"], ["y"]),
    ]
    (found,) = dequantized(helper.make_model(helper.make_graph(nodes, "g", [], [], stored)))
    assert found.tolist() == [[1.0, 0.0], [0.0, -25.0]]


def test_integers_of_others_are_the_numbers_they_stand_for():
    stored = [
        numpy_helper.from_array(np.array([[[[200]]], [[[100]]]], np.uint8), "w"),
        numpy_helper.from_array(np.array([0.5, 0.25], np.float32), "s"),
        numpy_helper.from_array(np.array([128, 0], np.uint8), "z"),
        numpy_helper.from_array(np.float32(1), "one"),
        numpy_helper.from_array(np.uint8(0), "nought"),
        numpy_helper.from_array(np.zeros(2, np.int32), "bias"),
    ]
    names = ["x", "one", "nought", "w", "s", "z", "one", "nought", "bias"]
    graph = helper.make_graph(
        [helper.make_node("QLinearConv", names, ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, (1, 1, 2, 2))],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)], stored,
    )  # fmt: skip
    (found,) = dequantized(helper.make_model(graph))
    assert found.reshape(-1).tolist() == [36.0, 25.0]
