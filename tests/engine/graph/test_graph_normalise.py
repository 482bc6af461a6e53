from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph import metadata
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import fix_shapes_only, normalise
from edgetui.engine.graph.shapes import declared
from edgetui.engine.graph.values import array_of
from edgetui.engine.graph.walk import nodes, opset, real_inputs
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, numpy_helper, parser

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def run(path: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, feeds)


def noise(model: ModelProto, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    names = real_inputs(model.graph)
    feeds = {}
    for value in model.graph.input:
        if value.name in names:
            shape = shapes.get(value.name) or tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
            feeds[value.name] = rng.standard_normal(shape).astype(np.float32)
    return feeds


def written(text: str, folder: Path, opset_: int = 13, **constants: np.ndarray) -> Path:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset_}, "odd" : 1]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def same_outputs(source: Path, out: Path) -> None:
    before, after = load(source), load(out)
    assert [value.name for value in before.graph.output] == [value.name for value in after.graph.output]
    assert real_inputs(before.graph) == [value.name for value in after.graph.input]
    assert opset(before) == opset(after)
    onnx.checker.check_model(str(out))
    feeds = noise(after)
    for old, new in zip(run(source, feeds), run(out, feeds), strict=True):
        assert old.shape == new.shape
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-5 * float(np.abs(old).max() + 1e-30))


@pytest.mark.parametrize("name", ["light_squeezenet", "light_shufflenet", "light_inception_v1"])
def test_light_models_give_the_same(name: str, tmp_path: Path) -> None:
    say = NullReporter()
    normalise(LIGHT / f"{name}.onnx", tmp_path / "n.onnx", {}, say)
    assert say.warnings == []
    same_outputs(LIGHT / f"{name}.onnx", tmp_path / "n.onnx")


@pytest.mark.parametrize("name", ["resnet20_cifar10", "ultraface_rfb320"])
def test_real_models_give_the_same(shared: Path, name: str, tmp_path: Path) -> None:
    source = shared / "models" / f"{name}.onnx"
    say = NullReporter()
    normalise(source, tmp_path / "n.onnx", {}, say)
    assert say.warnings == []
    same_outputs(source, tmp_path / "n.onnx")


def test_the_face_detector_loses_its_batch_norms(shared: Path, tmp_path: Path) -> None:
    line = normalise(shared / "models" / "ultraface_rfb320.onnx", tmp_path / "n.onnx", {}, NullReporter())
    model = load(tmp_path / "n.onnx")
    assert "35 batch norms fused" in line
    assert "244 initializers out of the inputs" in line
    assert not [node for node in nodes(model) if node.op_type in ("BatchNormalization", "Constant", "Shape", "Gather")]
    assert (opset(model), len(model.graph.input)) == (9, 1)


def test_dynamic_axes_become_what_was_asked_for(shared: Path, tmp_path: Path) -> None:
    line = normalise(
        shared / "models" / "resnet20_cifar10.onnx", tmp_path / "n.onnx", {"image": (4, 3, 32, 32)}, NullReporter()
    )
    model = load(tmp_path / "n.onnx")
    assert "image to 4x3x32x32" in line
    assert [axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim] == [4, 10]
    same_outputs(shared / "models" / "resnet20_cifar10.onnx", tmp_path / "n.onnx")


def test_an_open_axis_is_refused(tmp_path: Path) -> None:
    path = written("(float[n, len] x) => (float[n, len] y) { y = Relu(x) }", tmp_path)
    with pytest.raises(ModelRefused, match="--shape x=1x"):
        normalise(path, tmp_path / "n.onnx", {}, NullReporter())
    assert not (tmp_path / "n.onnx").exists()


def test_every_node_gets_a_name_of_its_own(tmp_path: Path) -> None:
    text = "(float[2] x) => (float[2] y) { a = Relu(x) [same] b = Neg(a) [same] c = Exp(b) [Relu_0] d = Abs(c) y = Sqrt(d) }"
    normalise(written(text, tmp_path), tmp_path / "n.onnx", {}, NullReporter())
    names = [node.name for node in nodes(load(tmp_path / "n.onnx"))]
    assert len(set(names)) == len(names) == 5
    assert all(names)


def test_a_convolution_keeps_its_name_when_it_takes_in_a_batch_norm(tmp_path: Path) -> None:
    ones = np.ones(4, np.float32)
    text = "(float[1,3,8,8] x) => (float[1,4,6,6] y) { [stem] a = Conv(x, w) [norm] y = BatchNormalization(a, one, b, b, one) }"
    rng = np.random.default_rng(0)
    source = written(text, tmp_path, w=rng.standard_normal((4, 3, 3, 3)).astype(np.float32), one=ones * 2, b=ones * 0.5)
    normalise(source, tmp_path / "n.onnx", {}, NullReporter())
    assert [node.name for node in nodes(load(tmp_path / "n.onnx"))] == ["stem"]
    same_outputs(source, tmp_path / "n.onnx")


def test_a_graph_that_is_quantized_stays_so(tmp_path: Path) -> None:
    text = "(float[1,4] x) => (float[1,2] y) { w = DequantizeLinear(q, s) y = MatMul(x, w) }"
    source = written(text, tmp_path, q=np.arange(8, dtype=np.int8).reshape(4, 2), s=np.float32(0.1))
    normalise(source, tmp_path / "n.onnx", {}, NullReporter())
    assert [node.op_type for node in nodes(load(tmp_path / "n.onnx"))] == ["DequantizeLinear", "MatMul"]


def test_foreign_operators_pass_through(tmp_path: Path) -> None:
    source = written("(float[1,4] x) => (float[1,4] y) { a = Relu(x) b = odd.Thing(a) y = Relu(b) }", tmp_path)
    normalise(source, tmp_path / "n.onnx", {}, NullReporter())
    assert [node.op_type for node in nodes(load(tmp_path / "n.onnx"))] == ["Relu", "Thing", "Relu"]


def test_a_graph_that_the_checker_rejects_is_said_so(tmp_path: Path) -> None:
    say = NullReporter()
    normalise(written("(float[1,4] x) => (float[1,4] y) { y = Nonsense(x) }", tmp_path), tmp_path / "n.onnx", {}, say)
    assert any("Nonsense" in warning for warning in say.warnings)


def test_inputs_and_outputs_that_are_one(tmp_path: Path) -> None:
    source = written("(float[2] x) => (float[2] y, float[2] z) { y = Identity(x) z = Identity(x) }", tmp_path)
    normalise(source, tmp_path / "n.onnx", {}, NullReporter())
    same_outputs(source, tmp_path / "n.onnx")


def test_tokens_and_several_inputs(tmp_path: Path) -> None:
    text = """(int64[batch, seq] ids, float[batch, seq, 4] add) => (float[batch, seq, 4] y) {
        e = Gather(table, ids) y = Add(e, add)
    }"""
    source = written(text, tmp_path, table=np.ones((9, 4), np.float32))
    normalise(source, tmp_path / "n.onnx", {"ids": (1, 6)}, NullReporter())
    feeds = {"ids": np.ones((1, 6), np.int64), "add": np.ones((1, 6, 4), np.float32)}
    np.testing.assert_array_equal(run(source, feeds)[0], run(tmp_path / "n.onnx", feeds)[0])


def test_metadata_of_the_model_stay_and_traces_of_the_exporter_go(tmp_path: Path) -> None:
    source = written("(float[2] x) => (float[2] y) { y = Relu(x) }", tmp_path)
    model = load(source)
    model.metadata_props.add(key="author", value="us")
    model.graph.node[0].metadata_props.add(key="stack_trace", value="/home/somebody/train.py")
    model.graph.node[0].doc_string = "/home/somebody"
    source.write_bytes(model.SerializeToString())
    normalise(source, tmp_path / "n.onnx", {}, NullReporter())
    assert [(entry.key, entry.value) for entry in load(tmp_path / "n.onnx").metadata_props] == [("author", "us")]
    assert b"somebody" not in (tmp_path / "n.onnx").read_bytes()


def test_what_an_earlier_run_wanted_is_no_wish_of_this_one(tmp_path: Path) -> None:
    source = written("(float[1,4] x) => (float[1,4] y) { y = Relu(x) }", tmp_path)
    model = load(source)
    metadata.put(model, "fp16", {"keep": []})
    metadata.put(model, "int8", {"ranges": {"x": [0, 1]}})
    source.write_bytes(model.SerializeToString())
    assert "marks of an earlier run removed" in normalise(source, tmp_path / "n.onnx", {}, NullReporter())
    fix_shapes_only(source, tmp_path / "b.onnx", {})
    assert not load(tmp_path / "n.onnx").metadata_props
    assert not load(tmp_path / "b.onnx").metadata_props


@pytest.mark.parametrize("operator", ["TRT.ROIAlign_TRT", "ROIAlign_TRT"])
def test_what_the_file_says_of_a_plugin_s_outputs_stays(operator: str, tmp_path: Path) -> None:
    model = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17, "TRT" : 1]> g (float[n, 8] x) => (float[n, 8] y)
        <float[n, 8] mid> {{ mid = {operator}(x) y = Relu(mid) }}"""
    )
    onnx.save(model, tmp_path / "a.onnx")
    normalise(tmp_path / "a.onnx", tmp_path / "b.onnx", {}, NullReporter())
    (mid,) = [value for value in onnx.load(tmp_path / "b.onnx").graph.value_info if value.name == "mid"]
    assert declared(mid) == (1, 8)


def test_a_gemm_keeps_its_bias_of_zeros_where_the_opset_wants_one(tmp_path: Path) -> None:
    """Before opset 11 Gemm takes three inputs; the optimizer drops a third one of zeros in every opset."""
    text = "(float[2,64] x) => (float[2,64] y) { z = Gemm(x, w, c) y = Relu(z) }"
    path, out = written(text, tmp_path, 7, w=np.eye(64, dtype=np.float32), c=np.zeros(64, np.float32)), tmp_path / "out.onnx"
    say = NullReporter()
    normalise(path, out, {}, say)
    assert not say.warnings
    onnx.checker.check_model(load(out))


def test_an_invalid_graph_of_the_optimizer_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxscript import ir, optimizer

    def spoil(model: ir.Model, **_: object) -> None:
        model.graph[0].resize_inputs(1)

    monkeypatch.setattr(optimizer, "optimize", spoil)
    text = "(float[2,64] x) => (float[2,64] y) { z = MatMul(x, w) y = Relu(z) }"
    path, out = written(text, tmp_path, w=np.eye(64, dtype=np.float32)), tmp_path / "out.onnx"
    say = NullReporter()
    normalise(path, out, {}, say)
    assert [text for text in say.warnings if "the optimizer made an invalid graph" in text]
    x = np.ones((2, 64), np.float32)
    np.testing.assert_array_equal(run(out, {"x": x})[0], x)
    assert [value.name for value in load(out).graph.output] == ["y"]


SAMPLES_TOGETHER = {
    "flattened": ("float[{n}, 4, 2, 2]", "y = Flatten(x)", [-1, 16]),
    "flattened from behind": ("float[{n}, 4, 2, 2]", "y = Flatten<axis = -3>(x)", [-1, 16]),
    "a size that is computed": (
        "float[{n}, 4, 2, 2]",
        "all = Shape(x)  first = Gather<axis = 0>(all, zero)  head = Unsqueeze(first, zeros)"
        "  size = Concat<axis = 0>(head, rest)  y = Reshape(x, size)",
        [0, -1],
    ),
    "heads before samples": (
        "float[{n}, 3, 8]",
        "all = Shape(x)  first = Gather<axis = 0>(all, zero)  head = Unsqueeze(first, zeros)  many = Mul(head, two)"
        "  turned = Transpose<perm = [1, 0, 2]>(x)  size = Concat<axis = 0>(three, many, four)  y = Reshape(turned, size)",
        [3, -1, 4],
    ),
    "the file says a number": ("float[{n}, 4, 2, 2]", "y = Reshape(x, fixed)", [1, 16]),
}


@pytest.mark.parametrize("axis", ["1", "N"])
@pytest.mark.parametrize("form", SAMPLES_TOGETHER)
def test_what_is_computed_for_one_sample_takes_several(form: str, axis: str, tmp_path: Path) -> None:
    """Nothing that the file left open is closed, and what it closed itself stays so."""
    given, body, expected = SAMPLES_TOGETHER[form]
    numbers = {"zero": 0, "zeros": [0], "rest": [-1], "two": [2], "three": [3], "four": [4], "fixed": [1, 16]}
    stored = {name: np.array(value, np.int64) for name, value in numbers.items()}
    source = written(f"({given.format(n=axis)} x) => (float y) {{ {body} }}", tmp_path, **stored)
    out = tmp_path / "n.onnx"
    normalise(source, out, {}, NullReporter())
    model = load(out)
    (sizes,) = [array_of(tensor).tolist() for tensor in model.graph.initializer if tensor.name == model.graph.node[-1].input[1]]
    assert sizes == expected
    feed = {"x": noise(model)["x"]}
    np.testing.assert_array_equal(run(out, feed)[0], run(source, feed)[0])
