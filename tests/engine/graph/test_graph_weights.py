import ml_dtypes
import numpy as np
import pytest
from edgetui.engine.graph import weight_counts
from edgetui.engine.graph.weights import weights
from onnx import ModelProto, helper, numpy_helper, parser


def graph(text: str, **constants: np.ndarray) -> ModelProto:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return model


W = np.arange(20, dtype=np.float32).reshape(4, 5)


@pytest.mark.parametrize(
    ("text", "shape", "output_axis", "input_axis"),
    [
        ("(float[1,3,8,8] x) => (float y) { y = Conv(x, w) }", (6, 3, 3, 3), 0, 1),
        ("(float[1,3,8,8] x) => (float y) { y = ConvTranspose(x, w) }", (3, 6, 3, 3), 1, 0),
        ("(float[1,4] x) => (float y) { y = Gemm(x, w) }", (4, 5), 1, 0),
        ("(float[1,5] x) => (float y) { y = Gemm<transB=1>(x, w) }", (4, 5), 0, 1),
        ("(float[5,1] x) => (float y) { y = Gemm(w, x) }", (4, 5), 0, 1),
        ("(float[4,1] x) => (float y) { y = Gemm<transA=1>(w, x) }", (4, 5), 1, 0),
        ("(float[1,4] x) => (float y) { y = MatMul(x, w) }", (4, 5), 1, 0),
        ("(float[5,1] x) => (float y) { y = MatMul(w, x) }", (4, 5), 0, 1),
        ("(float[2,1,4] x) => (float y) { y = MatMul(x, w) }", (2, 4, 5), 2, 1),
        ("(float[1,5] x) => (float y) { t = Transpose(w) y = MatMul(x, t) }", (4, 5), 0, 1),
        ("(float[1,5] x) => (float y) { i = Identity(w) t = Transpose<perm=[1,0]>(i) y = MatMul(x, t) }", (4, 5), 0, 1),
        ("(float[1,4] x) => (float y) { t = Transpose(w) y = Gemm<transB=1>(x, t) }", (4, 5), 1, 0),
        ("(float16[1,4] x) => (float16 y) { c = Cast<to=10>(w) y = MatMul(x, c) }", (4, 5), 1, 0),
    ],
)
def test_axes(text: str, shape: tuple[int, ...], output_axis: int, input_axis: int) -> None:
    (weight,) = weights(graph(text, w=np.ones(shape, np.float32)))
    assert (weight.shape, weight.output_axis, weight.input_axis) == (shape, output_axis, input_axis)
    assert weight.name == "w"


def test_a_constant_node_holds_weights_too() -> None:
    model = graph("(float[1,4] x) => (float y) { y = MatMul(x, w) }")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(W)))
    (weight,) = weights(model)
    weight.write(np.zeros_like(W))
    assert not numpy_helper.to_array(model.graph.node[0].attribute[0].t).any()


def test_shared_weights_come_once_and_know_who_reads_them() -> None:
    text = "(float[1,4] x, float[1,4] z) => (float y) { [one] a = MatMul(x, w) [two] b = Gemm(z, w) y = Add(a, b) }"
    (weight,) = weights(graph(text, w=W))
    assert (weight.nodes, weight.operators) == (["one", "two"], ["MatMul", "Gemm"])
    assert weight.output_axis == 1


def test_readers_that_disagree_leave_no_axis() -> None:
    square = np.ones((4, 4), np.float32)
    text = "(float[1,4] x) => (float y) { a = Gemm(x, w) y = Gemm<transB=1>(a, w) }"
    (weight,) = weights(graph(text, w=square))
    assert (weight.output_axis, weight.input_axis) == (None, None)


def test_biases_and_integers_are_no_weights() -> None:
    text = """(float[1,4] x) => (float y) {
        d = DequantizeLinear(q, s) a = MatMul(x, d) b = Add(a, bias) y = Gemm(b, w, bias)
    }"""
    model = graph(text, q=np.ones((4, 5), np.int8), s=np.float32(1), bias=np.ones(5, np.float32), w=np.ones((5, 5), np.float32))
    assert [weight.name for weight in weights(model)] == ["w"]


def test_computed_tensors_are_no_weights() -> None:
    assert weights(graph("(float[1,4] x, float[4,5] k) => (float y) { y = MatMul(x, k) }")) == []


def test_weights_inside_bodies_and_captured_by_them() -> None:
    text = """(bool c, float[1,4] x) => (float y) {
        y = If(c) <
            then_branch = a () => (float p) { p = MatMul(x, w) },
            else_branch = b () => (float q) <float[4,1] v = {1, 2, 3, 4}> { q = MatMul(x, v) }
        >
    }"""
    assert [weight.name for weight in weights(graph(text, w=W))] == ["w", "v"]


def test_a_name_that_a_body_gives_to_something_else() -> None:
    text = """(bool c, float[1,4] x) => (float y) {
        y = If(c) <
            then_branch = a () => (float p) { w = Add(x, x) t = Transpose(w) p = MatMul(x, t) },
            else_branch = b () => (float q) { q = Identity(x) }
        >
    }"""
    assert weights(graph(text, w=W)) == []


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_every_float_reads_and_writes_back(dtype: type) -> None:
    text = "(float[1,4] x) => (float y) { y = MatMul(x, w) }"
    model = graph(text, w=W.astype(dtype))
    (weight,) = weights(model)
    array = weight.array()
    assert array.dtype == dtype
    array[0] = 7
    weight.write(array)
    again = numpy_helper.to_array(model.graph.initializer[0])
    assert again.dtype == dtype
    assert (again[0].astype(np.float32) == 7).all()
    assert (again[1:] == W.astype(dtype)[1:]).all()


def test_weights_in_float_data_write_back() -> None:
    model = graph("(float[1,4] x) => (float y) { y = MatMul(x, w) }")
    model.graph.initializer.append(helper.make_tensor("w", 1, [4, 5], W.ravel().tolist()))
    (weight,) = weights(model)
    weight.write(weight.array() + 1)
    assert (numpy_helper.to_array(model.graph.initializer[0]) == W + 1).all()


def test_another_shape_is_not_written() -> None:
    (weight,) = weights(graph("(float[1,4] x) => (float y) { y = MatMul(x, w) }", w=W))
    with pytest.raises(ValueError, match="shape"):
        weight.write(W.T)


def test_real_models(shared) -> None:
    from edgetui.engine.graph.load import load

    found = weights(load(shared / "models" / "ultraface_rfb320.onnx"))
    assert (len(found), sum(weight.size for weight in found)) == (52, 270_144)


@pytest.mark.parametrize(
    "line",
    [
        "y = Conv(x, w)",
        "y = Gemm(x, w)",
        "v = Transpose<perm = [20, 0]>(w) y = MatMul(x, v)",
        "v = Reshape(w, s) y = MatMul(x, v)",
    ],
)
def test_a_weight_of_a_shape_that_cannot_be_is_none(line: str) -> None:
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1, 2] x) => (float[N] y) '
        f"<float[2] w = {{1, 2}}, int64[3] s = {{0, 0, 0}}> {{ {line} }}"
    )
    assert weights(model) == []


def test_counts_are_not_spoilt_by_one_large_weight() -> None:
    """The axis of a histogram ends where 99 of 100 weights do; the hole that a threshold made is seen on it."""
    values = np.linspace(-1, 1, 2000, dtype=np.float32)
    values[0] = 500.0
    found = weights(graph("(float[1,100] x) => (float y) { y = MatMul(x, w) }", w=values.reshape(100, 20)))
    assert weight_counts.largest(found) == 500.0
    assert 0.99 <= weight_counts.reach(found) <= 1.2
    values[np.abs(values) < 0.25] = 0.0
    pruned = weights(graph("(float[1,100] x) => (float y) { y = MatMul(x, w) }", w=values.reshape(100, 20)))
    assert weight_counts.smallest(pruned) == pytest.approx(0.25, abs=0.001)
    counts, none = weight_counts.spread(pruned, weight_counts.reach(pruned))
    assert sum(counts) + none == values.size - 1
    assert weight_counts.reach([]) == weight_counts.smallest([]) == 0.0
