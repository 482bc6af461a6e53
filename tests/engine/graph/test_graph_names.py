"""Names that passes invent: never one that the model has, whatever it is a name of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.graph import metadata
from edgetui.engine.graph.names import Names, renamed, shielded
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.walk import graphs
from edgetui.engine.graph.wiring import faults
from edgetui.engine.schema.step import Step
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, QuantizeWeights, Recipe
from edgetui.engine.system.reporter import NullReporter
from kinds import NETS, attention, residual
from nodes import Bench, Net
from onnx import ModelProto, TensorProto, helper, numpy_helper, parser
from steps import lowered

INT8 = QuantizeInt8(calibrator="minmax")
RECIPES: dict[str, tuple[tuple[Step, ...], str]] = {
    "int8-x86": ((INT8,), "onnxruntime-x86"),
    "int8-tensorrt": ((INT8,), "tensorrt"),
    "fp16": ((PrecisionFp16(),), "onnxruntime-x86"),
    "int8-fp16": ((INT8, PrecisionFp16()), "tensorrt"),
    "weights-4": ((QuantizeWeights(bits=4, grouping="block"),), "onnxruntime-x86"),
}


def grouped(net: Net) -> ModelProto:
    """A GroupNormalization of opset 18, which raising the opset writes out, and layers that share a weight."""
    x = net.conv(net.input("x", 1, 3, 12, 12), 3, 8)
    x = net.node("GroupNormalization", x, net.constant(np.ones(2)), net.constant(np.zeros(2)), num_groups=2)
    x = net.node("Reshape", net.node("GlobalAveragePool", x), net.constant(np.array([1, 8])))
    w = net.weight(8, 8)
    for _ in range(2):
        x = net.node("Relu", net.node("MatMul", x, net.node("Transpose", w, perm=[1, 0])))
    return net.model(net.node("Softmax", net.node("MatMul", x, w)))


MODELS = {
    "residual": lambda: residual(Net()),
    "attention": lambda: attention(Net()),
    "captured": lambda: NETS["captured"](Net()),
    "padded_shortcut": lambda: NETS["padded_shortcut"](Net()),
    "grouped": lambda: grouped(Net(18)),
}


def names_of(model: ModelProto) -> list[str]:
    found = [tensor.name for graph in graphs(model.graph) for tensor in graph.initializer]
    return list(
        dict.fromkeys([*found, *(name for graph in graphs(model.graph) for node in graph.node for name in node.output if name)])
    )


def with_names(model: ModelProto, names: list[str]) -> ModelProto:
    """The model with its tensors, but inputs and outputs, called so."""
    fixed = {value.name for value in (*model.graph.input, *model.graph.output)}
    left = iter(dict.fromkeys(name for name in names if name not in fixed))
    new: dict[str, str] = {name: name for name in fixed}
    copy = ModelProto()
    copy.CopyFrom(model)
    renamed(copy.graph, lambda name: new.setdefault(name, name) if name in new else new.setdefault(name, next(left, name)))
    return copy


def invented(folder: Path, model: ModelProto) -> list[str]:
    own = set(names_of(model))
    return [name for file in sorted(folder.glob("*.onnx")) for name in names_of(onnx.load(file)) if name not in own]


# Every model and every recipe once; all pairs in `make test-long`.
FIRST = set(zip(MODELS, RECIPES, strict=True))
PAIRS = [
    pytest.param(kind, recipe, marks=() if (kind, recipe) in FIRST else pytest.mark.long)
    for kind in MODELS
    for recipe in RECIPES
]


@pytest.mark.parametrize(("kind", "recipe"), PAIRS)
def test_a_model_whose_tensors_have_the_names_that_passes_love_gives_the_same(kind: str, recipe: str, tmp_path: Path) -> None:
    steps, target = RECIPES[recipe]
    model = MODELS[kind]()
    bench = Bench(tmp_path)
    (feed,) = bench.feeds(model, 1)
    wanted: list[np.ndarray] = []
    loved: list[str] = []
    for turn in range(3):
        folder = tmp_path / str(turn)
        folder.mkdir()
        # Names that passes made of the old names, and of those: turned about, so that most meet another's.
        taken = with_names(model, [*loved[turn:], *loved[:turn]])
        file = lowered(bench.save(taken, f"{turn}.onnx"), Recipe(step=steps), folder, target)
        assert faults(onnx.load(file)) == []
        found = bench.run(file, feed)
        wanted = wanted or found
        for one, other in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(one, other)
        loved = invented(folder, taken)[:: 1 + turn] or loved


def test_every_kind_of_name_is_known() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        g (float[rows, 4] x) => (float[rows, 4] y) <float[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}>
        { [call] y = own.f(x) }
        <domain: "own", opset_import: ["" : 17]> f (a) => (b) { [within] inner = Relu(a) b = Identity(inner) }"""
    )
    sparse = onnx.SparseTensorProto(dims=[4], values=numpy_helper.from_array(np.ones(1, np.float32), "thin"))
    model.graph.sparse_initializer.append(sparse)
    branch = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["deep"])], "b", [], [helper.make_tensor_value_info("deep", TensorProto.FLOAT, None)]
    )
    model.graph.node.append(helper.make_node("If", ["yes"], ["z"], name="choose", then_branch=branch, else_branch=branch))
    names = Names(model)
    for name in ("rows", "x", "y", "w", "call", "f", "a", "b", "within", "inner", "thin", "deep", "yes", "z", "choose"):
        assert name in names
        assert names.free(name) == f"{name}_2"
    assert names.free("other") == "other"
    assert names.free("other") == "other_2"
    assert names.prefix("wi") == "_wi"


def test_a_library_that_invents_names_sees_none_of_ours() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[4] x) => (float[4] y) { w_bias = Relu(x) w = Neg(w_bias) y = Abs(w) }"""
    )

    def careless(plain: ModelProto) -> ModelProto:
        made = f"{plain.graph.node[1].output[0]}_bias"
        plain.graph.node.insert(2, helper.make_node("Exp", [plain.graph.node[1].output[0]], [made]))
        plain.graph.node[3].input[0] = made
        return plain

    changed = shielded(model, careless)
    assert [list(node.output) for node in changed.graph.node] == [["w_bias"], ["w"], ["w_bias_2"], ["y"]]
    assert list(changed.graph.node[3].input) == ["w_bias_2"]


def test_a_model_whose_changed_copy_is_thrown_away_keeps_its_names() -> None:
    model = parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) { y = Abs(x) }""")
    before = model.SerializeToString()

    def copied(plain: ModelProto) -> ModelProto:
        other = ModelProto()
        other.CopyFrom(plain)
        other.graph.node[0].op_type = "Neg"
        return other

    changed = shielded(model, copied)
    assert model.SerializeToString() == before
    assert (changed.graph.node[0].op_type, changed.graph.output[0].name) == ("Neg", "y")


def test_a_batch_norm_goes_into_a_convolution_beside_a_tensor_of_the_name_that_its_bias_gets(tmp_path: Path) -> None:
    net = Net()
    conv = net.node("Conv", net.input("x", 1, 3, 8, 8), net.weight(4, 3, 3, 3))
    norm = [net.constant(values) for values in (np.full(4, 2.0), np.ones(4), np.zeros(4), np.full(4, 0.5))]
    out = net.node("BatchNormalization", conv, *norm)
    model = net.model(net.node("Mul", out, net.constant(np.full((1, 4, 1, 1), 3.0))))
    bias = f"{model.graph.node[0].input[1]}_bias"
    factor = model.graph.initializer[-1].name
    renamed(model.graph, lambda name: bias if name == factor else name)
    bench = Bench(tmp_path)
    (feed,) = bench.feeds(model, 1)
    normalise(bench.save(model), tmp_path / "n.onnx", {}, NullReporter())
    assert [node.op_type for node in onnx.load(tmp_path / "n.onnx").graph.node] == ["Conv", "Mul"]
    np.testing.assert_allclose(bench.run(model, feed)[0], bench.run(tmp_path / "n.onnx", feed)[0], rtol=1e-4, atol=1e-5)


def test_nothing_of_ours_is_left_in_a_lowered_file(tmp_path: Path) -> None:
    model = residual(Net())
    file = lowered(Bench(tmp_path).save(model, "source.onnx"), Recipe(step=(INT8,)), tmp_path, "onnxruntime-x86")
    assert not metadata.drop(onnx.load(file))
