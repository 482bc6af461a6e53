import itertools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.weight_only import pack, weights
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph import metadata
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.walk import nodes, opset
from edgetui.engine.graph.weights import weights as stored
from edgetui.engine.schema.steps import QuantizeInt8, QuantizeWeights
from edgetui.engine.system.reporter import NullReporter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from ml_dtypes import bfloat16
from onnx import ModelProto, numpy_helper, parser

FORMS = list(itertools.product((8, 4), ("tensor", "channel", "block")))


def graph(text: str, opset_: int = 13, **constants: np.ndarray) -> ModelProto:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset_}]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return model


def written(model: ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def run(path: Path, **feeds: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, feeds)


def dense(rows: int = 96, columns: int = 40) -> ModelProto:
    text = f"(float[1,{rows}] x) => (float[1,{columns}] y) {{ [mm] y = MatMul(x, w) }}"
    return graph(text, w=normal(rows, columns))


def restored(model: ModelProto, name: str = "w") -> np.ndarray:
    """What the DequantizeLinear that makes `name` stands for."""
    node = next(node for node in model.graph.node if name in node.output)
    return _dequantized(node, {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer})


def _dequantized(node: onnx.NodeProto, held: dict[str, np.ndarray]) -> np.ndarray:
    integers, scales = held[node.input[0]].astype(np.float32), held[node.input[1]].astype(np.float32)
    found = {entry.name: entry.i for entry in node.attribute}
    if "block_size" in found:
        axis, block = found["axis"], found["block_size"]
        return integers * np.repeat(scales, block, axis=axis).take(range(integers.shape[axis]), axis=axis)
    if "axis" in found:
        return integers * scales.reshape([-1 if index == found["axis"] else 1 for index in range(integers.ndim)])
    return integers * scales


@pytest.mark.parametrize(("bits", "grouping"), FORMS)
@pytest.mark.parametrize("rows", [96, 70])
def test_the_runtime_gives_what_the_integers_say(tmp_path: Path, bits: int, grouping: str, rows: int) -> None:
    source = written(dense(rows), tmp_path)
    weights(QuantizeWeights(bits=bits, grouping=grouping), source, tmp_path / "o.onnx", NullReporter())
    model = load(tmp_path / "o.onnx")
    onnx.checker.check_model(model, full_check=True)
    x = normal(1, rows)
    expected = x @ restored(model)
    (got,) = run(tmp_path / "o.onnx", x=x)
    # The runtime may take the activations as 8-bit integers beside 4-bit and 8-bit weights; that is its share of the error.
    assert np.abs(got - expected).max() < 0.02 * np.abs(expected).max()


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 9)), elements=st.floats(-100, 100, width=32)),
    st.sampled_from(FORMS),
)
def test_error_is_within_a_step_and_zeros_stay(array: np.ndarray, form: tuple[int, str]) -> None:
    bits, grouping = form
    model = graph("(float[1,n] x) => (float[1,m] y) { y = MatMul(x, w) }", w=array)
    (weight,) = stored(model)
    packed = pack(weight, QuantizeWeights(bits=bits, grouping=grouping, block=8))
    top = 127 if bits == 8 else 7
    assert np.abs(packed.integers).max() <= top
    assert not packed.integers[array == 0].any()
    spread = np.abs(array).max()
    if bits == 8:
        scale = packed.scales
        if packed.block:
            scale = np.repeat(scale, packed.block, axis=0)[: array.shape[0]]
        assert (np.abs(packed.integers * scale - array) <= 0.5001 * scale + 1e-4).all()
    else:
        assert np.abs(packed.integers.astype(np.float32)).max() <= top
        assert np.isfinite(packed.scales).all()
        assert packed.scales.max() <= max(spread / 7 * 1.0001, 1)


def test_finer_grouping_is_never_worse() -> None:
    rng = np.random.default_rng(1)
    array = (rng.standard_normal((128, 16)) * rng.uniform(0.1, 10, (128, 16))).astype(np.float32)
    (weight,) = stored(graph("(float[1,n] x) => (float[1,m] y) { y = MatMul(x, w) }", w=array))
    errors = []
    for grouping in ("tensor", "channel", "block"):
        packed = pack(weight, QuantizeWeights(bits=4, grouping=grouping))
        scale = np.repeat(packed.scales, packed.block, axis=0) if packed.block else packed.scales
        errors.append(float(((packed.integers * scale - array) ** 2).sum()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > errors[2]


@pytest.mark.parametrize(
    ("bits", "grouping", "needed"), [(8, "tensor", 10), (8, "channel", 13), (8, "block", 21), (4, "channel", 21)]
)
def test_the_opset_rises_no_further_than_needed(tmp_path: Path, bits: int, grouping: str, needed: int) -> None:
    model = graph("(float[1,64] x) => (float[1,4] y) { y = MatMul(x, w) }", 9, w=normal(64, 4))
    metadata.put(model, "other", {"a": 1})
    weights(QuantizeWeights(bits=bits, grouping=grouping), written(model, tmp_path), tmp_path / "o.onnx", NullReporter())
    assert opset(load(tmp_path / "o.onnx")) == needed
    assert metadata.get(load(tmp_path / "o.onnx"), "other") == {"a": 1}


def test_a_short_input_axis_falls_back_to_channels(tmp_path: Path) -> None:
    text = "(float[1,3,8,8] x) => (float[1,6,6,6] y) { y = Conv(x, w) }"
    source = written(graph(text, w=normal(6, 3, 3, 3)), tmp_path)
    weights(QuantizeWeights(bits=8, grouping="block"), source, tmp_path / "o.onnx", NullReporter())
    held = {tensor.name: tuple(tensor.dims) for tensor in load(tmp_path / "o.onnx").graph.initializer}
    assert held["w_scale"] == (6,)


def test_constant_nodes_and_bodies_are_rewritten_in_place(tmp_path: Path) -> None:
    text = """(bool c, float[1,4] x) => (float[1,m] y) {
        y = If(c) <
            then_branch = a () => (float[1,1] p) { k = Constant<value = float[4,1] {1,2,3,4}>() p = MatMul(x, k) },
            else_branch = b () => (float[1,4] q) { q = MatMul(x, w) }
        >
    }"""
    source = written(graph(text, w=normal(4, 4)), tmp_path)
    weights(QuantizeWeights(), source, tmp_path / "o.onnx", NullReporter())
    assert sum(node.op_type == "DequantizeLinear" for node in nodes(load(tmp_path / "o.onnx"))) == 2
    x = normal(1, 4)
    for choice in (True, False):
        before, after = run(source, c=np.array(choice), x=x)[0], run(tmp_path / "o.onnx", c=np.array(choice), x=x)[0]
        np.testing.assert_allclose(after, before, atol=0.05 * np.abs(before).max())


def test_excluded_nodes_keep_their_weights(tmp_path: Path) -> None:
    text = "(float[1,8] x) => (float[1,8] y) { [one] a = MatMul(x, w) [two] b = MatMul(a, v) [three] y = MatMul(b, w) }"
    source = written(graph(text, w=normal(8, 8), v=normal(8, 8)), tmp_path)
    line = weights(QuantizeWeights(exclude=("three",)), source, tmp_path / "o.onnx", NullReporter())
    names = {tensor.name for tensor in load(tmp_path / "o.onnx").graph.initializer}
    assert names == {"w", "v_q8", "v_scale"}
    assert line.startswith("1 tensor to 8 bits")


def test_a_pattern_that_means_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeRefused, match="mmm"):
        weights(QuantizeWeights(exclude=("mmm",)), written(dense(), tmp_path), tmp_path / "o.onnx", NullReporter())


def test_excluding_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no floating-point weights"):
        weights(QuantizeWeights(exclude=("MatMul",)), written(dense(), tmp_path), tmp_path / "o.onnx", NullReporter())


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = normal(8, 8)
    broken[0, 0] = np.inf
    source = written(graph("(float[1,8] x) => (float[1,8] y) { y = MatMul(x, w) }", w=broken), tmp_path)
    with pytest.raises(ModelRefused, match="weight w"):
        weights(QuantizeWeights(), source, tmp_path / "o.onnx", NullReporter())


@pytest.mark.parametrize("bits", [8, 4])
def test_half_weights_stay_half_after_the_scale(tmp_path: Path, bits: int) -> None:
    text = "(float16[1,64] x) => (float16[1,4] y) { y = MatMul(x, w) }"
    source = written(graph(text, 13, w=normal(64, 4).astype(np.float16)), tmp_path)
    weights(QuantizeWeights(bits=bits), source, tmp_path / "o.onnx", NullReporter())
    model = load(tmp_path / "o.onnx")
    onnx.checker.check_model(model, full_check=True)
    x = normal(1, 64).astype(np.float16)
    expected = x.astype(np.float32) @ restored(model)
    np.testing.assert_allclose(
        run(tmp_path / "o.onnx", x=x)[0].astype(np.float32), expected, atol=0.03 * np.abs(expected).max()
    )


def test_doubles_stay_and_are_told(tmp_path: Path) -> None:
    text = "(double[1,8] x, float[1,8] z) => (double[1,8] y, float[1,8] u) { y = MatMul(x, w) u = MatMul(z, v) }"
    source = written(graph(text, w=normal(8, 8).astype(np.float64), v=normal(8, 8)), tmp_path)
    say = NullReporter()
    weights(QuantizeWeights(), source, tmp_path / "o.onnx", say)
    assert "1 weights in 64-bit floats" in say.warnings[0]
    assert "w" in {tensor.name for tensor in load(tmp_path / "o.onnx").graph.initializer}


def test_doubles_alone_are_refused_as_what_they_are(tmp_path: Path) -> None:
    text = "(double[1,8] x) => (double[1,8] y) { y = MatMul(x, w) }"
    source = written(graph(text, w=normal(8, 8).astype(np.float64)), tmp_path)
    with pytest.raises(ModelRefused, match=r"no 32- or 16-bit weights.*; export it in 32-bit floats"):
        weights(QuantizeWeights(), source, tmp_path / "o.onnx", NullReporter())


def file_bytes(path: Path) -> int:
    """Of the graph and of the weights beside it."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


@pytest.mark.parametrize(
    ("bits", "grouping", "least_db"), [(8, "channel", 30), (8, "tensor", 28), (8, "block", 35), (4, "block", 15)]
)
@pytest.mark.parametrize("name", ["resnet20_cifar10", pytest.param("ultraface_rfb320", marks=pytest.mark.long)])
def test_real_models_shrink_and_stay_true(
    shared: Path, tmp_path: Path, name: str, bits: int, grouping: str, least_db: float
) -> None:
    source = tmp_path / "n.onnx"
    normalise(shared / "models" / f"{name}.onnx", source, {}, NullReporter())
    out = tmp_path / "o.onnx"
    weights(QuantizeWeights(bits=bits, grouping=grouping), source, out, NullReporter())
    # The detector keeps 148 kB of boxes and biases, which are no weights.
    assert file_bytes(out) < (0.4 if bits == 8 else 0.3) * file_bytes(source)
    held = {weight.name: weight.array() for weight in stored(load(source))}
    model = load(out)
    signal = error = 0.0
    for key, array in held.items():
        signal += float((array**2).sum())
        error += float(((restored(model, key) - array) ** 2).sum())
    assert 10 * np.log10(signal / error) > least_db
    shape = {"resnet20_cifar10": (1, 3, 32, 32), "ultraface_rfb320": (1, 3, 240, 320)}[name]
    feeds = {load(source).graph.input[0].name: normal(*shape)}
    for before, after in zip(run(source, **feeds), run(out, **feeds), strict=True):
        assert after.shape == before.shape
        assert np.isfinite(after).all()


@pytest.mark.parametrize(("bits", "grouping"), FORMS)
def test_small_weights_keep_their_digits(tmp_path: Path, bits: int, grouping: str) -> None:
    """A scale has the range of float32, not that of half floats: a layer of weights around 1e-6 must not become all zeros."""
    small = normal(64, 8) * 1e-6
    source = written(graph("(float[1,64] x) => (float[1,8] y) { y = MatMul(x, w) }", w=small), tmp_path)
    weights(QuantizeWeights(bits=bits, grouping=grouping), source, tmp_path / "out.onnx", NullReporter())
    made = restored(load(tmp_path / "out.onnx"))
    assert np.linalg.norm(made - small) < (0.02 if bits == 8 else 0.3) * np.linalg.norm(small)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_vector_is_not_cut_into_blocks(tmp_path: Path, bits: int) -> None:
    """ONNX Runtime refuses blocks of a tensor with one axis, though only when it runs."""
    vector = normal(64)
    source = written(graph("(float[1,64] x) => (float[1] y) { y = MatMul(x, w) }", w=vector), tmp_path)
    weights(QuantizeWeights(bits=bits, grouping="block"), source, tmp_path / "out.onnx", NullReporter())
    x = normal(1, 64)
    np.testing.assert_allclose(run(tmp_path / "out.onnx", x=x)[0], x @ vector, rtol=0.2)


def test_weights_that_int8_has_taken_are_left_to_it(tmp_path: Path) -> None:
    """Both at once would leave lowering with integer weights that it cannot compute with."""
    text = "(float[1,64] x) => (float[1,8] y) { [one] a = MatMul(x, v) [two] y = MatMul(a, w) }"
    source = written(graph(text, v=normal(64, 32), w=normal(32, 8)), tmp_path)
    int8(QuantizeInt8(exclude=("two",)), source, tmp_path / "int8.onnx", iter([{"x": normal(1, 64)}]), NullReporter())
    weights(QuantizeWeights(), tmp_path / "int8.onnx", tmp_path / "both.onnx", NullReporter())
    lower(tmp_path / "both.onnx", tmp_path / "out.onnx", "onnxruntime-x86", NullReporter())
    assert {tensor.name for tensor in load(tmp_path / "both.onnx").graph.initializer} >= {"v", "w_q8"}
    x = normal(1, 64)
    assert np.corrcoef(run(tmp_path / "out.onnx", x=x)[0], run(source, x=x)[0])[0, 1] > 0.99


def test_int8_before_weights_leaves_nothing(tmp_path: Path) -> None:
    source = written(dense(), tmp_path)
    int8(QuantizeInt8(), source, tmp_path / "int8.onnx", iter([{"x": normal(1, 96)}]), NullReporter())
    with pytest.raises(ModelRefused, match=r"quantize\.int8 comes first"):
        weights(QuantizeWeights(), tmp_path / "int8.onnx", tmp_path / "out.onnx", NullReporter())


@pytest.mark.parametrize("step", [QuantizeWeights(bits=8), QuantizeWeights(bits=4)], ids=["8", "4"])
def test_bfloat16_behind_a_cast_runs_on_onnxruntime(tmp_path: Path, step: QuantizeWeights) -> None:
    """Its CPU casts bfloat16, and has no DequantizeLinear of it."""
    w = (normal(256, 128) / 16).astype(bfloat16)
    text = "(float[2,256] x) => (float[2,128] y) { f = Cast<to=1>(w) [mm] y = MatMul(x, f) }"
    source, out = written(graph(text, 17, w=w), tmp_path), tmp_path / "out.onnx"
    weights(step, source, out, NullReporter())
    x = normal(2, 256)
    exact = x @ w.astype(np.float32)
    assert np.abs(run(out, x=x)[0] - exact).max() < 0.2 * np.abs(exact).max()


def test_what_bodies_read_stays_when_tensorrt_gets_weights_as_floats(tmp_path: Path) -> None:
    body = parser.parse_graph("b (int64 i, bool go) => (bool on, float[1,64,6,6] z) { on = Identity(go) z = Conv(x, w, bias) }")
    text = "(float[1,64,8,8] x) => (float[1,1,64,6,6] y) { }"
    model = graph(text, 21, w=normal(64, 64, 3, 3), bias=normal(64), trip=np.array(1), go=np.array(True))
    model.graph.node.append(onnx.helper.make_node("Loop", ["trip", "go"], ["y"], name="loop", body=body))
    source, done, out = written(model, tmp_path), tmp_path / "done.onnx", tmp_path / "out.onnx"
    weights(QuantizeWeights(bits=4, grouping="block"), source, done, NullReporter())
    lower(done, out, "tensorrt", NullReporter())
    x = normal(1, 64, 8, 8)
    np.testing.assert_allclose(run(out, x=x)[0], run(done, x=x)[0], atol=1e-3)
