from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.compress.annotations import read_fp16
from edgetui.engine.compress.half import to_fp16
from edgetui.engine.compress.precision import fp16
from edgetui.engine.errors import BackendRefused, DataRefused, ModelRefused, RecipeRefused
from edgetui.engine.graph import metadata
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.walk import nodes, opset
from edgetui.engine.schema.steps import PrecisionFp16
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, TensorProto, numpy_helper, parser
from refusals import lint_lines


def graph(text: str, opset_: int = 17, domains: str = "", **constants: object) -> ModelProto:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset_}{domains}]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    return model


def run(model: ModelProto, **feeds: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, feeds)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def halved(model: ModelProto, *keep: str) -> ModelProto:
    """A half copy, checked."""
    copy = ModelProto()
    copy.CopyFrom(model)
    half = to_fp16(copy, keep)
    onnx.checker.check_model(half, full_check=True)
    return half


def asked(model: ModelProto, folder: Path, samples: list[dict[str, np.ndarray]] | None, *keep: str) -> tuple[list[str], str]:
    source = folder / "in.onnx"
    source.write_bytes(model.SerializeToString())
    line = fp16(PrecisionFp16(keep=keep), source, folder / "out.onnx", samples, NullReporter())
    names = read_fp16(load(folder / "out.onnx"))
    assert names is not None
    return list(names), line


def casts(model: ModelProto) -> int:
    return sum(node.op_type == "Cast" for node in nodes(model))


CHAIN = "(float[1,4] x) => (float[1,4] y) { [one] a = MatMul(x, w) [two] b = Relu(a) [three] y = MatMul(b, w) }"


def test_inputs_and_outputs_stay_and_the_inside_is_half() -> None:
    model = graph(CHAIN, w=normal(4, 4))
    half = halved(model)
    assert [value.name for value in half.graph.output] == ["y"]
    assert {value.type.tensor_type.elem_type for value in [*half.graph.input, *half.graph.output]} == {TensorProto.FLOAT}
    assert [tensor.data_type for tensor in half.graph.initializer] == [TensorProto.FLOAT16]
    assert casts(half) == 2
    x = normal(1, 4)
    np.testing.assert_allclose(run(half, x=x)[0], run(model, x=x)[0], rtol=0.01, atol=0.01)


def test_a_kept_node_computes_in_fp32_and_shares_its_weight() -> None:
    half = halved(graph(CHAIN, w=normal(4, 4)), "three")
    types = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert types == {"w": TensorProto.FLOAT, "w_fp16": TensorProto.FLOAT16}
    assert next(node for node in half.graph.node if node.name == "three").input[1] == "w"


def test_no_round_trip_between_kept_nodes_however_many_read() -> None:
    text = """(float[1,4] x) => (float[1,4] y, float[1,4] z) {
        [big] a = Mul(x, k) [left] b = Mul(a, r) [right] c = Mul(a, r) [p] y = Relu(b) [q] z = Relu(c)
    }"""
    model = graph(text, k=np.float32(1e6), r=np.float32(1e-6))
    half = halved(model, "big", "left", "right")
    x = np.full((1, 4), 3.0, np.float32)
    for got in run(half, x=x):
        np.testing.assert_allclose(got, x, rtol=0.01)
    assert not np.isfinite(run(halved(model), x=x)[0]).all() or (run(halved(model), x=x)[0] != x).any()


def test_an_output_that_others_read_too() -> None:
    model = graph("(float[1,4] x) => (float[1,4] a, float[1,4] y) { a = MatMul(x, w) y = Relu(a) }", w=normal(4, 4))
    x = normal(1, 4)
    for old, new in zip(run(model, x=x), run(halved(model), x=x), strict=True):
        np.testing.assert_allclose(new, old, rtol=0.01, atol=0.01)


def test_an_input_that_is_an_output_and_a_constant_that_is_one() -> None:
    model = graph("(float[2] x) => (float[2] y, float[2] w) { y = Add(x, w) }", w=normal(2))
    x = normal(2)
    for old, new in zip(run(model, x=x), run(halved(model), x=x), strict=True):
        np.testing.assert_allclose(new, old, rtol=0.01)


def test_constants_in_nodes() -> None:
    text = "(float[1,2] x) => (float[1,2] y) { k = Constant<value = float[2] {1.5, 2.5}>() a = Mul(x, k) y = Add(a, k) }"
    half = halved(graph(text))
    assert "Constant" not in {node.op_type for node in half.graph.node}
    np.testing.assert_allclose(run(half, x=np.ones((1, 2), np.float32))[0], [[3, 5]])


def test_casts_inside_keep_their_meaning() -> None:
    text = """(int64[1,4] ids, float[1,4] x) => (int64[1,4] n, float[1,4] y) {
        f = Cast<to = 1>(ids) a = Add(f, x) n = Cast<to = 7>(a) y = Mul(a, x)
    }"""
    model = graph(text)
    feeds = {"ids": np.array([[1, 2, 3, 4]]), "x": np.ones((1, 4), np.float32)}
    for old, new in zip(run(model, **feeds), run(halved(model), **feeds), strict=True):
        assert old.dtype == new.dtype
        np.testing.assert_allclose(new, old)


def test_inputs_that_must_stay_fp32_by_the_schema() -> None:
    model = graph(
        '(float[1,1,4,4] x) => (float[1,1,8,8] y) { a = Relu(x) y = Resize<mode="linear">(a, , scales) }',
        scales=np.array([1, 1, 2, 2], np.float32),
    )
    half = halved(model)
    assert next(tensor for tensor in half.graph.initializer if tensor.name == "scales").data_type == TensorProto.FLOAT
    x = normal(1, 1, 4, 4)
    np.testing.assert_allclose(run(half, x=x)[0], run(model, x=x)[0], atol=0.01)


def test_bodies_stay_in_fp32_and_see_what_they_captured() -> None:
    text = """(bool c, float[1,4] x) => (float[1,4] y) {
        a = MatMul(x, w)
        b = If(c) <
            then_branch = t () => (float[1,4] p) { p = MatMul(a, w) },
            else_branch = e () => (float[1,4] q) { q = Identity(a) }
        >
        y = Relu(b)
    }"""
    model = graph(text, w=normal(4, 4))
    half = halved(model)
    x = normal(1, 4)
    for choice in (True, False):
        feeds = {"c": np.array(choice), "x": x}
        np.testing.assert_allclose(run(half, **feeds)[0], run(model, **feeds)[0], rtol=0.02, atol=0.01)


def test_foreign_operators_stay_in_fp32() -> None:
    text = "(float[1,4] x) => (float[1,4] y) { a = Relu(x) b = com.microsoft.QuickGelu(a) y = MatMul(b, w) }"
    model = graph(text, domains=', "com.microsoft" : 1', w=normal(4, 4))
    half = to_fp16(graph(text, domains=', "com.microsoft" : 1', w=normal(4, 4)), [])
    x = normal(1, 4)
    np.testing.assert_allclose(run(half, x=x)[0], run(model, x=x)[0], rtol=0.02, atol=0.01)


def test_tokens_and_masks() -> None:
    text = """(int64[1,3] ids, int64[1,3] mask) => (float[1,3,4] y) {
        e = Gather(table, ids) m = Cast<to = 1>(mask) u = Unsqueeze(m, axis)
        inverse = Sub(one, u) low = Mul(inverse, least) y = Add(e, low)
    }"""
    least = np.float32(np.finfo(np.float32).min)
    model = graph(text, table=normal(9, 4), axis=np.array([2]), one=np.float32(1), least=least)
    feeds = {"ids": np.array([[1, 2, 3]]), "mask": np.array([[1, 1, 0]])}
    got = run(halved(model), **feeds)[0]
    np.testing.assert_allclose(got[0, :2], run(model, **feeds)[0][0, :2], atol=0.01)
    assert (got[0, 2] <= -65000).all()


def test_a_tiny_divisor_does_not_become_zero() -> None:
    model = graph("(float[2] x) => (float[2] y) { a = Add(x, eps) y = Div(x, a) }", eps=np.float32(1e-12))
    assert np.isfinite(run(halved(model), x=np.zeros(2, np.float32))[0]).all()


def quantized(opset_: int, scale: float = 0.05) -> ModelProto:
    text = """(float[1,3,8,8] x) => (float[1,4,6,6] y) {
        q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) w = DequantizeLinear<axis = 0>(k, t)
        c = Conv(d, w) y = Relu(c)
    }"""
    rng = np.random.default_rng(0)
    integers = rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    return graph(text, opset_, s=np.float32(scale), z=np.int8(0), k=integers, t=np.full(4, 0.01, np.float32))


def test_beside_pairs_the_opset_rises_and_scales_are_half() -> None:
    model = quantized(13)
    half = halved(model)
    assert opset(half) == 19
    assert {tensor.data_type for tensor in half.graph.initializer if tensor.name.startswith(("s", "t"))} == {
        TensorProto.FLOAT16
    }
    assert lint_lines(half, "tensorrt") == []
    x = normal(1, 3, 8, 8)
    old, new = run(model, x=x)[0], run(half, x=x)[0]
    assert np.abs(old - new).max() < 0.06 * np.abs(old).max()


def test_scales_too_small_for_half_floats_stay() -> None:
    model = quantized(19, scale=1e-6)
    half = halved(model)
    assert next(tensor for tensor in half.graph.initializer if tensor.name == "s").data_type == TensorProto.FLOAT
    x = 1e-5 * normal(1, 3, 8, 8)
    old, new = run(model, x=x)[0], run(half, x=x)[0]
    assert np.abs(old - new).max() < 0.02 * np.abs(old).max()


def test_doubles_and_halves_that_are_there_stay() -> None:
    text = """(double[2] x, float16[2] h, float[2] f) => (double[2] y, float16[2] g, float[2] e) {
        y = Relu(x) g = Relu(h) e = Relu(f)
    }"""
    half = halved(graph(text))
    feeds = {"x": np.ones(2), "h": np.ones(2, np.float16), "f": np.ones(2, np.float32)}
    assert [got.dtype for got in run(half, **feeds)] == [np.float64, np.float16, np.float32]


def test_adding_while_scattering_stays_in_fp32() -> None:
    text = """(float[4] x) => (float[4] y) { a = Relu(x) y = ScatterElements<axis = 0, reduction = "add">(a, at, more) }"""
    model = graph(text, 18, at=np.array([1, 1]), more=np.ones(2, np.float32))
    x = np.ones(4, np.float32)
    np.testing.assert_allclose(run(halved(model), x=x)[0], [1, 3, 1, 1])


def test_a_graph_of_integers_needs_no_dry_run(tmp_path: Path) -> None:
    model = graph("(int64[2] x) => (int64[2] y) { y = Add(x, x) }")
    names, line = asked(model, tmp_path, [{"x": np.ones(2, np.int64)}])
    assert (names, line) == ([], "half precision for 0 of 1 nodes; 1 unchanged")


def test_a_step_that_changes_nothing_says_so(tmp_path: Path) -> None:
    text = "(double[1,4] x) => (double[1,4] y) { a = MatMul(x, w) y = Relu(a) }"
    heard: list[str] = []

    class Listening(NullReporter):
        def warn(self, text: str) -> None:
            heard.append(text)

        def note(self, text: str) -> None:
            heard.append(text)

    source = tmp_path / "in.onnx"
    source.write_bytes(graph(text, w=normal(4, 4).astype(np.float64)).SerializeToString())
    line = fp16(PrecisionFp16(), source, tmp_path / "out.onnx", iter([{"x": np.ones((1, 4))}]), Listening())
    assert line == "half precision for 0 of 2 nodes; 2 unchanged"
    assert any("changes nothing" in text for text in heard)
    assert not any("no samples" in text for text in heard)


def test_a_name_that_is_taken() -> None:
    model = graph("(float[2] x, float[2] a_fp16) => (float[2] y) { a = Relu(x) y = Add(a, a_fp16) }")
    feeds = {"x": np.ones(2, np.float32), "a_fp16": np.ones(2, np.float32)}
    np.testing.assert_allclose(run(halved(model), **feeds)[0], [2, 2])


def test_a_graph_that_was_broken_is_refused() -> None:
    model = graph("(float[1,4] x) => (float[1,4] y) { y = MatMul(x, w) }", w=normal(5, 5))
    with pytest.raises(ModelRefused, match="half precision does not fit"):
        to_fp16(model, [])


def test_the_step_leaves_the_graph_in_fp32(tmp_path: Path) -> None:
    model = graph(CHAIN, w=normal(4, 4))
    names, line = asked(model, tmp_path, None)
    assert names == []
    assert line == "half precision for 3 of 3 nodes"
    out = load(tmp_path / "out.onnx")
    assert out.graph == model.graph
    assert metadata.get(out, "fp16") == {"keep": []}


def test_not_asked_for() -> None:
    assert read_fp16(graph(CHAIN, w=normal(4, 4))) is None


def test_patterns_sums_and_large_weights_are_kept(tmp_path: Path) -> None:
    text = """(float[1,4] x) => (float y) {
        [asked] a = Relu(x) [large] b = Mul(a, k) [mean] c = ReduceMean(b) [infinite] y = Add(c, i)
    }"""
    names, line = asked(graph(text, k=np.float32(7e4), i=np.float32(-np.inf)), tmp_path, None, "asked")
    assert names == ["asked", "large", "mean"]
    assert line == "half precision for 1 of 4 nodes; FP32: 1 asked for, 1 past 65504, 1 sums and powers"


def test_a_pattern_that_means_nothing(tmp_path: Path) -> None:
    with pytest.raises(RecipeRefused, match="rely"):
        asked(graph(CHAIN, w=normal(4, 4)), tmp_path, None, "rely")


def test_activations_past_the_range_are_found_on_samples_and_survive(tmp_path: Path) -> None:
    text = """(float[1,4] x) => (float[1,4] y) {
        [up] a = Mul(x, k) [act] b = Relu(a) [down] c = Mul(b, r) [end] y = Relu(c)
    }"""
    model = graph(text, k=np.float32(6e4), r=np.float32(1 / 6e4))
    small, large = np.ones((1, 4), np.float32), np.full((1, 4), 2.0, np.float32)
    assert asked(model, tmp_path, [{"x": small}])[0] == []
    names, line = asked(model, tmp_path, [{"x": small}, {"x": large}, {"x": small}])
    assert names == ["act", "down", "up"]
    assert "3 past 65504 (3 samples tried)" in line
    np.testing.assert_allclose(run(halved(model, *names), x=large)[0], large, rtol=0.01)


def test_samples_are_taken_one_at_a_time(tmp_path: Path) -> None:
    alive: list[int] = []

    def stream():
        for index in range(50):
            alive.append(index)
            yield {"x": np.full((1, 4), index, np.float32)}

    source = tmp_path / "in.onnx"
    source.write_bytes(graph(CHAIN, w=normal(4, 4)).SerializeToString())

    class Listening(NullReporter):
        def progress(self, done: float, total: float | None = None, text: str = "") -> None:
            assert len(alive) == done

    line = fp16(PrecisionFp16(), source, tmp_path / "out.onnx", stream(), Listening())
    assert "50 samples tried" in line


def test_what_is_no_number_is_told(tmp_path: Path) -> None:
    source = tmp_path / "in.onnx"
    source.write_bytes(graph("(float[2] x) => (float[2] y) { a = Sqrt(x) y = Relu(a) }").SerializeToString())
    say = NullReporter()
    fp16(PrecisionFp16(), source, tmp_path / "out.onnx", [{"x": np.array([-1, 1], np.float32)}], say)
    assert "not a number" in say.warnings[0]


def test_samples_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(BackendRefused, match="dry run"):
        asked(graph(CHAIN, w=normal(4, 4)), tmp_path, [{"x": np.ones((1, 5), np.float32)}])


def test_errors_of_the_samples_pass_through(tmp_path: Path) -> None:
    def broken():
        raise DataRefused("an image is broken", fix="remove it")
        yield {}

    with pytest.raises(DataRefused):
        asked(graph(CHAIN, w=normal(4, 4)), tmp_path, broken())


@pytest.mark.parametrize(("name", "shape"), [("resnet20_cifar10", (1, 3, 32, 32)), ("ultraface_rfb320", (1, 3, 240, 320))])
def test_real_models(shared: Path, tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    normalise(shared / "models" / f"{name}.onnx", tmp_path / "n.onnx", {}, NullReporter())
    model = onnx.load(tmp_path / "n.onnx")
    feeds = {model.graph.input[0].name: normal(*shape)}
    names, _ = asked(model, tmp_path, [feeds])
    half = halved(model, *names)
    assert len(half.SerializeToString()) < 0.53 * len(model.SerializeToString())
    assert casts(half) <= 6
    assert lint_lines(half, "tensorrt") == []
    for old, new in zip(run(model, **feeds), run(half, **feeds), strict=True):
        assert new.dtype == np.float32
        assert 10 * np.log10((old**2).sum() / ((old - new) ** 2).sum()) > 50


def test_weights_too_small_for_half_floats_stay(tmp_path: Path) -> None:
    text = "(float[1,4] x) => (float[1,4] y) { [small] a = MatMul(x, w) [back] b = Mul(a, k) [rest] y = MatMul(b, v) }"
    model = graph(text, w=normal(4, 4) * np.float32(1e-9), k=np.float32(1e4), v=normal(4, 4))
    names, line = asked(model, tmp_path, None)
    assert names == ["small"]
    assert "1 with weights too small" in line


def test_pairs_whose_values_pass_half_floats_stay_in_fp32() -> None:
    """Quantized activations around 1e6: the scale fits into half floats, what comes out of DequantizeLinear does not."""
    text = """(float[1,4] x) => (float[1,4] y) {
        q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) [keep] y = Mul(d, k)
    }"""
    model = graph(text, s=np.float32(8e3), z=np.int8(0), k=np.float32(1e-6))
    x = np.array([[1e6, -1e6, 4e5, 0]], np.float32)
    np.testing.assert_allclose(run(halved(model, "keep"), x=x)[0], run(model, x=x)[0], rtol=1e-3)


@pytest.mark.parametrize(("peepholes", "halves"), [("", True), (', "", "", "", p', False)])
def test_an_lstm_with_peepholes_stays_in_fp32(peepholes: str, halves: bool) -> None:
    text = f"(float[4,1,8] x) => (float[A,B,C,D] y) {{ y = LSTM<hidden_size=8>(x, w, r, b{peepholes}) }}"
    held = {"w": normal(1, 32, 8), "r": normal(1, 32, 8), "b": normal(1, 64), "p": normal(1, 24)}
    half = halved(graph(text, **{name: values for name, values in held.items() if name != "p" or peepholes}))
    assert any(tensor.data_type == TensorProto.FLOAT16 for tensor in half.graph.initializer) is halves
