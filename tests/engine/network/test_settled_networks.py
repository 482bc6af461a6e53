"""A graph settled for its shapes: what no sample changes is gone from it, and its outputs are ONNX Runtime's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.network.call import Hints, Numbers
from edgetui.engine.network.fix_shapes import fix_shapes
from edgetui.engine.network.module import as_module
from edgetui.engine.system.reporter import NullReporter
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch", reason="needs torch")

HINTS = Hints("do without it", out_of_memory="take less")
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def settled(model, *shape: int):
    network = as_module(model, (), 1, HINTS)
    fix_shapes(network, {model.graph.input[0].name: torch.zeros(shape)})
    return network


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


def reshaped_by_its_own_shape(net):
    """(2, 3, 4) to (2, 12), by a target that is computed from Shape, as exporters write it."""
    it = net()
    x = it.input("x", 2, 3, 4)
    rows = it.node("Gather", it.node("Shape", x), it.constant(np.array([0])))
    return it.model(it.node("Reshape", it.node("Relu", x), it.node("Concat", rows, it.constant(np.array([-1])), axis=0)))


def test_shapes_become_numbers_and_what_makes_them_is_gone(net, bench):
    model = reshaped_by_its_own_shape(net)
    network = settled(model, 2, 3, 4)
    assert [call.kind for call in network.program.calls] == ["Relu", "Reshape"]
    assert list(network.constants.values()) == [Numbers([2, -1])]
    x = drawn(2, 3, 4)
    found = network({"x": torch.from_numpy(x)})[model.graph.output[0].name]
    np.testing.assert_array_equal(found.numpy(), bench.run(model, {"x": x})[0])


def test_integer_weights_become_floats_once(net):
    it = net()
    whole = np.random.default_rng(1).integers(-127, 128, (6, 5)).astype(np.int8)
    weight = it.node("DequantizeLinear", it.constant(whole), it.constant(np.float32(0.02)))
    model = it.model(it.node("MatMul", it.input("x", 2, 6), weight))
    network = settled(model, 2, 6)
    assert [call.kind for call in network.program.calls] == ["MatMul"]
    assert [tensor.dtype for tensor in network.constants.values()] == [torch.float32]
    x = drawn(2, 6)
    found = network({"x": torch.from_numpy(x)})[model.graph.output[0].name]
    np.testing.assert_allclose(found, x @ (whole * np.float32(0.02)), rtol=1e-4, atol=1e-5)


def test_an_output_that_no_sample_changes_is_still_an_output(net):
    it = net()
    x = it.input("x", 2, 3)
    model = it.model(it.node("Shape", x), it.node("Relu", x))
    shape, _ = settled(model, 2, 3)({"x": torch.zeros(2, 3)}).values()
    assert shape.tolist() == [2, 3]


def test_a_shape_that_depends_on_the_sample_is_read_each_time(net):
    it = net()
    x, shape = it.input("x", 2, 6), it.input("s", 2, kind=TensorProto.INT64)
    model = it.model(it.node("Reshape", x, shape))
    network = as_module(model, (), 1, HINTS)
    fix_shapes(network, {"x": torch.zeros(2, 6), "s": torch.tensor([3, 4])})
    found = network({"x": torch.zeros(2, 6), "s": torch.tensor([4, 3])})
    assert next(iter(found.values())).shape == (4, 3)


@pytest.mark.parametrize("name", ["densenet121", "inception_v1", "shufflenet", "squeezenet"])
def test_well_known_networks(bench, tmp_path, name):
    normalise(LIGHT / f"light_{name}.onnx", tmp_path / "n.onnx", {}, NullReporter())
    model = load(tmp_path / "n.onnx")
    value = model.graph.input[0]
    x = drawn(*(axis.dim_value for axis in value.type.tensor_type.shape.dim))
    found = settled(model, *x.shape)({value.name: torch.from_numpy(x)})
    for ours, theirs in zip(found.values(), bench.run(model, {value.name: x}), strict=True):
        np.testing.assert_allclose(ours.detach(), theirs, rtol=1e-3, atol=1e-4 * max(np.abs(theirs).max(), 1e-6))


def test_four_bits_are_held_in_eight(bench):
    values = np.array([[-8, 7, 0, 3], [1, -1, 5, -4]], np.int8)
    stored = helper.make_tensor("q", TensorProto.INT4, (2, 4), values.reshape(-1).tolist())
    scale = numpy_helper.from_array(np.float32([[0.5, 2], [0.25, 1]]), "s")
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=1, block_size=2),
        helper.make_node("Mul", ["x", "w"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(one, TensorProto.FLOAT, (2, 4)) for one in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y], [stored, scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    found = settled(model, 2, 4)({"x": torch.ones(2, 4)})["y"]
    np.testing.assert_array_equal(found, bench.run(model, {"x": np.ones((2, 4), np.float32)})[0])


def test_a_stored_type_without_a_counterpart_is_named(net):
    it = net()
    it.constants.append(helper.make_tensor("f8", TensorProto.FLOAT8E4M3FN, (1,), [1.0]))
    model = it.model(it.node("Cast", "f8", to=TensorProto.FLOAT))
    with pytest.raises(ModelRefused, match="tensor f8 holds FLOAT8E4M3FN") as caught:
        as_module(model, (), 1, HINTS)
    assert caught.value.fix.startswith("do without it")
