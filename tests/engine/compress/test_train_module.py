"""Whole networks in PyTorch: the outputs of ONNX Runtime, for one sample and for several, or a refusal in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.train.prepared import HINTS
from edgetui.engine.compress.train.same_results import batch_is_free
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.network.module import Network
from edgetui.engine.network.module import as_module as module_of
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch", reason="needs torch")

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
NAMES = ("densenet121", "inception_v1", "inception_v2", "shufflenet", "squeezenet")
SHARED = ("resnet20_cifar10", "ultraface_rfb320")


def as_module(model: ModelProto, trained: tuple[str, ...] = (), rows: int = 1) -> Network:
    return module_of(model, trained, rows, HINTS)


def normal(path: Path, folder: Path) -> ModelProto:
    normalise(path, folder / "normal.onnx", {}, NullReporter())
    return load(folder / "normal.onnx")


def drawn_feeds(model: ModelProto, count: int = 2) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(5)
    feeds = {}
    for value in model.graph.input:
        shape = [axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim]
        whole = value.type.tensor_type.elem_type == TensorProto.INT64
        shape[0] *= count
        feeds[value.name] = draw.integers(0, 5, shape) if whole else draw.standard_normal(shape).astype(np.float32)
    return feeds


def with_weights(path: Path, folder: Path) -> Path:
    """A light graph with weights drawn at random in place of its constant ones."""
    model, draw = load(path), np.random.default_rng(6)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "ConstantOfShape"]:
        shape = [int(length) for length in shapes[node.input[0]]]
        if len(shape) > 1:
            values = draw.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
            model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
            model.graph.node.remove(node)
    onnx.save(model, folder / "drawn.onnx")
    return folder / "drawn.onnx"


@pytest.mark.parametrize("name", SHARED)
def test_real_networks_are_the_same_and_take_any_batch(shared, tmp_path, name):
    model = normal(shared / "models" / f"{name}.onnx", tmp_path)
    assert batch_is_free(as_module(model, ()), model, drawn_feeds(model), 1)


def test_the_demo_is_the_same_and_takes_any_batch(tmp_path):
    model = normal(PACKAGE / "profiles" / "demo" / "digits.onnx", tmp_path)
    assert batch_is_free(as_module(model, ()), model, drawn_feeds(model), 1)


@pytest.mark.parametrize("name", NAMES)
def test_well_known_networks_are_the_same(bench, tmp_path, name):
    model = normal(with_weights(LIGHT / f"light_{name}.onnx", tmp_path), tmp_path)
    feeds = {name: array[:1] for name, array in drawn_feeds(model).items()}
    with torch.no_grad():
        found = as_module(model, ())({name: torch.from_numpy(array) for name, array in feeds.items()})
    for ours, theirs in zip(found.values(), bench.run(model, feeds), strict=True):
        assert np.ptp(theirs) > 0
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def reshaped(net, *target: int) -> ModelProto:
    it = net()
    convolved = it.conv(it.input("x", 1, 3, 4, 4), 3, 8)
    flat = it.node("Reshape", convolved, it.constant(np.array(target)))
    return it.model(it.node("MatMul", flat, it.weight(128 if target[-1] in (-1, 128) else 16, 5)))


@pytest.mark.parametrize("target", [(1, -1), (1, 128), (-1, 128), (0, -1)])
def test_a_reshape_for_one_sample_serves_several(net, target):
    model = reshaped(net, *target)
    assert batch_is_free(as_module(model, ()), model, drawn_feeds(model, 3), 1)


def transformer(net, rows: int) -> ModelProto:
    """One head of attention over 6 tokens of 8, with a class token in front, written for a fixed batch."""
    it = net()
    tokens = it.node("MatMul", it.input("x", rows, 5, 8), it.weight(8, 8))
    if rows == 1:
        token = it.constant(it.draw.standard_normal((1, 1, 8)).astype(np.float32))
        tokens = it.node("Concat", token, tokens, axis=1)
    flat = it.node("Reshape", tokens, it.constant(np.array([rows * (6 if rows == 1 else 5), 8])))
    lifted = it.node("Reshape", it.node("Gemm", flat, it.weight(8, 8)), it.constant(np.array([rows, -1, 2, 4])))
    heads = it.node("Transpose", lifted, perm=[0, 2, 1, 3])
    turned = it.node("Transpose", heads, perm=[0, 1, 3, 2])
    weights = it.node("Softmax", it.node("MatMul", heads, turned), axis=-1)
    seen = it.node("Transpose", it.node("MatMul", weights, heads), perm=[0, 2, 1, 3])
    mean = it.node("ReduceMean", seen, axes=[1], keepdims=0)
    return it.model(it.node("MatMul", it.node("Reshape", mean, it.constant(np.array([rows, 8]))), it.weight(8, 3)))


@pytest.mark.parametrize("rows", [1, 2])
def test_attention_written_for_a_fixed_batch_serves_another(net, rows):
    model = transformer(net, rows)
    assert batch_is_free(as_module(model, (), rows), model, drawn_feeds(model, 2), rows)


def test_a_graph_that_mixes_its_samples_is_not_given_several(net):
    it = net()
    x = it.input("x", 1, 4)
    model = it.model(it.node("Sub", x, it.node("ReduceMean", x, axes=[0], keepdims=1)))
    assert not batch_is_free(as_module(model, ()), model, drawn_feeds(model), 1)


def test_a_shape_that_only_fits_one_sample_is_not_given_several(net):
    it = net()
    flat = it.node("Reshape", it.input("x", 1, 4, 4), it.constant(np.array([4, -1])))
    model = it.model(it.node("Reshape", it.node("MatMul", flat, it.weight(4, 4)), it.constant(np.array([1, 4, 4]))))
    assert not batch_is_free(as_module(model, ()), model, drawn_feeds(model), 1)


def test_a_model_that_gives_nan_is_refused(net):
    it = net()
    model = it.model(it.node("Log", it.node("MatMul", it.input("x", 1, 4), it.weight(4, 3))))
    with pytest.raises(ModelRefused, match="NaN"):
        batch_is_free(as_module(model, ()), model, drawn_feeds(model), 1)


@pytest.mark.parametrize(
    ("operator", "domain", "said"), [("Det", "", "Det"), ("FastGelu", "com.microsoft", "com.microsoft.FastGelu")]
)
def test_an_unknown_operator_is_named_with_its_node(operator, domain, said):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], name="/odd/one", domain=domain)], "g", [x], [y])
    with pytest.raises(ModelRefused, match=f"node /odd/one is of operator {said}"):
        as_module(helper.make_model(graph), ())


def test_a_form_that_is_not_known_names_its_node(net):
    it = net()
    scales = it.constant(np.array([1, 1, 2, 2], np.float32))
    model = it.model(it.node("Resize", it.input("x", 1, 3, 4, 4), "", scales, name="/up", mode="cubic"))
    with pytest.raises(ModelRefused, match=r"node /up \(Resize\): its mode is cubic"):
        as_module(model, ())({"x": torch.zeros(1, 3, 4, 4)})


def test_parameters_are_those_that_were_named_and_have_gradients(net):
    it = net()
    model = it.model(it.node("GlobalAveragePool", it.conv(it.input("x", 1, 3, 4, 4), 3, 8)))
    weight, bias = (tensor.name for tensor in model.graph.initializer)
    module = as_module(model, (weight,))
    module({"x": torch.ones(2, 3, 4, 4)})[model.graph.output[0].name].sum().backward()
    assert list(module.trained) == [weight]
    assert len(list(module.parameters())) == 1
    assert module.trained[weight].grad.abs().sum() > 0
    assert bias in module.constants
