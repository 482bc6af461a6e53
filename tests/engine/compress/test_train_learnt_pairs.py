"""Pairs that learn compute what the lowered graph computes, to the bit of its scales, and pass gradients as LSQ says."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from edgetui.engine.compress import qdq, qdq_tensorrt
from edgetui.engine.compress.annotations import read_int8
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.weight_only import weights as weight_only
from edgetui.engine.graph.walk import constants
from edgetui.engine.network.call import Hints
from edgetui.engine.schema.steps import QuantizeInt8, QuantizeWeights
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, TensorProto, helper, numpy_helper

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when PyTorch is loaded: spinning threads starve the other tests
torch = pytest.importorskip("torch", reason="needs torch")

from edgetui.engine.compress.train.learnt_pairs import LearntPairs, WeightGrid  # noqa: E402 - after the question for torch
from edgetui.engine.network.module import as_module  # noqa: E402

HINTS = Hints("nothing", out_of_memory="nothing")


def network(net) -> ModelProto:
    """Two convolutions with a sum over one of them, pooling, a fully connected layer that is transposed."""
    it = net()
    first = it.node("Relu", it.conv(it.input("image", 1, 3, 8, 8), 3, 8))
    second = it.node("Relu", it.node("Add", it.conv(first, 8, 8), first))
    flat = it.node("Flatten", it.node("MaxPool", second, kernel_shape=[2, 2], strides=[2, 2]))
    return it.model(it.node("Gemm", flat, it.weight(5, 8 * 16), it.weight(5), transB=1))


def feeds(count: int) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(2)
    return [{"image": draw.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(count)]


def outputs(module, count: int = 4) -> np.ndarray:
    with torch.no_grad():
        found = [next(iter(module({"image": torch.from_numpy(one["image"])}).values())).numpy() for one in feeds(count)]
    return np.concatenate(found)


@pytest.mark.parametrize("target", ["torch", "tensorrt"])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
def test_training_begins_with_what_lowering_writes(net, bench, tmp_path, target, scheme):
    path = bench.save(network(net))
    int8(QuantizeInt8(scheme=scheme, calibrator="minmax"), path, tmp_path / "ranges.onnx", feeds(40), NullReporter())
    lower(tmp_path / "ranges.onnx", tmp_path / "lowered.onnx", target, NullReporter())
    model = onnx.load(tmp_path / "ranges.onnx")
    ranges = read_int8(model)
    floats, scales = constants(model), dict[str, str]()
    affine = scheme == "affine" and target != "tensorrt"
    if target == "tensorrt":
        qdq_tensorrt.insert(model, dict(ranges.ranges), set(), ranges.per_channel, scales)
    else:
        settings = qdq.QdqSettings("uint8", affine, not affine, 8, learnt=True)
        qdq.insert(model, dict(ranges.ranges), set(), settings, scales)
    module = as_module(model, [name for name in floats if name in constants(model)], 1, HINTS)
    pairs = LearntPairs(module, (), scales, WeightGrid(127, affine=affine), learn_scales=True)
    lowered = onnx.load(tmp_path / "lowered.onnx")
    assert sorted(activation_scales(lowered)) == sorted(activation_scales(model))
    for ours, theirs in zip(rounded_weights(module), dequantized_weights(lowered), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Biases are rounded in the file and not here, so that a value between two steps may fall to the other.
    expected = outputs(as_module(lowered, (), 1, HINTS))
    np.testing.assert_allclose(outputs(module), expected, atol=2e-2 * np.abs(expected).max())
    assert set(scales.values()) == pairs.factors().keys()
    assert set(pairs.factors().values()) == {1.0}


def activation_scales(model: ModelProto) -> list[float]:
    """Of every QuantizeLinear of something that is computed."""
    held = constants(model)
    nodes = [node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in held]
    return [float(numpy_helper.to_array(held[node.input[1]])) for node in nodes]


def rounded_weights(module) -> list[np.ndarray]:
    """What a module makes of its weights, in the order of its nodes."""
    found = []
    for call in module.program.calls:
        if call.kind == "QuantizeLinear" and call.inputs[0] in module.trained:
            scale, zero = (module.constants[name] for name in call.inputs[1:])
            found.append(call.operator(call, module.trained[call.inputs[0]], scale, zero).detach().numpy())
    return found


def dequantized_weights(model: ModelProto) -> list[np.ndarray]:
    """What the lowered graph makes of its weights, stored as integers or as floats behind a pair, in the order of its nodes."""
    held, found, integers = constants(model), [], None
    for call in as_module(model, (), 1, HINTS).program.calls:
        given = [torch.from_numpy(np.array(numpy_helper.to_array(held[name]))) for name in call.inputs if name in held]
        if call.kind == "QuantizeLinear" and len(given) == 3:
            integers = call.operator(call, *given)
        elif call.kind == "DequantizeLinear" and (len(given) == 3 or integers is not None):
            if len(given) == 3 and given[0].dtype == torch.int32:
                continue  # a bias
            found.append(call.operator(call, *(given if len(given) == 3 else [integers, *given])).numpy())
            integers = None
            continue
        else:
            integers = None
    return found


@pytest.mark.parametrize("grouping", ["tensor", "channel", "block"])
@pytest.mark.parametrize("bits", [4, 8])
def test_stored_integers_begin_as_they_are_and_are_written_back_the_same(net, bench, tmp_path, bits, grouping):
    path = bench.save(network(net))
    step = QuantizeWeights(bits=bits, grouping=grouping, block=8)
    weight_only(step, path, tmp_path / "integers.onnx", NullReporter())
    model = onnx.load(tmp_path / "integers.onnx")
    held = constants(model)
    integers = {node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    assert len(integers) == 3
    module = as_module(model, (), 1, HINTS)
    expected = outputs(module)
    pairs = LearntPairs(module, integers, {}, WeightGrid(127), learn_scales=True)
    np.testing.assert_array_equal(outputs(module), expected)
    for name, array in pairs.stored().items():
        np.testing.assert_array_equal(array, np.asarray(numpy_helper.to_array(held[name]), array.dtype))


def test_integers_that_are_moved_before_they_are_floats_stay_as_they_are(net):
    it = net(opset=21)
    x = it.input("image", 1, 192)
    moved = it.node("Transpose", it.constant(np.arange(-96, 96, dtype=np.int8).reshape(1, 192)), perm=[1, 0])
    floats = it.node("DequantizeLinear", moved, it.constant(np.float32(0.1)), it.constant(np.int8(3)))
    module = as_module(it.model(it.node("MatMul", x, floats)), (), 1, HINTS)
    feed = {"image": torch.ones(1, 192)}
    expected = module(feed)
    LearntPairs(module, (), {}, WeightGrid(127), learn_scales=True)
    for name, found in module(feed).items():
        np.testing.assert_array_equal(found.numpy(), expected[name].numpy())


def one_pair(kind: int = TensorProto.UINT8, zero: int = 0) -> ModelProto:
    """x through a pair whose scale is 0.5."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    stored = [
        numpy_helper.from_array(np.float32(0.5), "s"),
        numpy_helper.from_array(np.array(zero, helper.tensor_dtype_to_np_dtype(kind)), "z"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    return helper.make_model(helper.make_graph(nodes, "pair", ends[:1], ends[1:], stored))


def test_gradients_are_those_of_learned_step_size_quantization():
    """Esser et al. 2020: to x inside 1, outside 0 (equation 5); to s inside round(x/s) - x/s, outside the end (equation 3)."""
    module = as_module(one_pair(), (), 1, HINTS)
    LearntPairs(module, (), {"s": "x"}, WeightGrid(127), learn_scales=True)
    (factor,) = module.trained.values()
    x = torch.tensor([0.6, 3.1, 500.0, -2.0], requires_grad=True)
    found = module({"x": x})["y"]
    np.testing.assert_allclose(found.detach().numpy(), [0.5, 3.0, 127.5, 0.0])
    found.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1, 1, 0, 0])
    to_s = (1 - 1.2) + (6 - 6.2) + 255 + 0
    # Of the factor's logarithm: times s; divided by the root of values x steps. A batch of four has one value each.
    np.testing.assert_allclose(float(factor.grad), to_s * 0.5 / np.sqrt(255), rtol=1e-5)


def test_scales_that_shall_not_learn_have_no_parameter():
    module = as_module(one_pair(), (), 1, HINTS)
    pairs = LearntPairs(module, (), {"s": "x"}, WeightGrid(127), learn_scales=False)
    assert not module.trained
    assert pairs.factors() == {}
    assert pairs.changes() == []
