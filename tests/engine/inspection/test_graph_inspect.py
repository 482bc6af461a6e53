import math
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.shapes import input_shapes
from edgetui.engine.inspection.inspect import count_macs, inspect
from onnx import ModelProto, TensorProto, helper, numpy_helper, parser

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def graph(text: str, opset: int = 17, domains: str = "") -> ModelProto:
    return parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}{domains}]> g {text}')


def written(model: ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(float[1,3,8,8] x, float[4,3,3,3] w) => (float y) { y = Conv(x, w) }", 6 * 6 * 4 * 27),
        ("(float[1,4,8,8] x, float[4,1,3,3] w) => (float y) { y = Conv<group=4>(x, w) }", 6 * 6 * 4 * 9),
        ("(float[1,3,8,8] x, float[3,4,2,2] w) => (float y) { y = ConvTranspose<strides=[2,2]>(x, w) }", 64 * 3 * 16),
        ("(float[2,5] x, float[5,7] w) => (float y) { y = Gemm(x, w) }", 70),
        ("(float[5,2] x, float[7,5] w) => (float y) { y = Gemm<transA=1, transB=1>(x, w) }", 70),
        ("(float[2,3,4,5] x, float[3,5,6] w) => (float y) { y = MatMul(x, w) }", 6 * 4 * 5 * 6),
        ("(float[5] x, float[5] w) => (float y) { y = MatMul(x, w) }", 5),
        ("(float[4,5] x, float[5] w) => (float y) { y = MatMul(x, w) }", 20),
        ("(float[9,1,4] x, float[1,24,4] w, float[1,24,6] r) => (float y) { y = LSTM<hidden_size=6>(x, w, r) }", 9 * 24 * 10),
        ('(float[2,3,4] x, float[4,5] w) => (float y) { y = Einsum<equation="bij,jk->bik">(x, w) }', 120),
        ("(float[1,3] x) => (float y) { y = Relu(x) }", 0),
    ],
)
def test_macs_of_operators(text: str, expected: int) -> None:
    model = graph(text)
    assert count_macs(model, input_shapes(model, {})) == expected


def test_macs_of_attention() -> None:
    model = graph("(float[1,2,8,16] q, float[1,2,10,16] k, float[1,2,10,4] v) => (float y) { y = Attention(q, k, v) }", 23)
    assert count_macs(model, input_shapes(model, {})) == 2 * 8 * 10 * (16 + 4)


def test_macs_of_integer_forms() -> None:
    model = graph("(uint8[1,3,8,8] x, uint8[4,3,3,3] w) => (int32 y) { y = ConvInteger(x, w) }")
    assert count_macs(model, input_shapes(model, {})) == 6 * 6 * 4 * 27


def test_macs_behind_an_operator_that_onnx_infers_nothing_of() -> None:
    text = """(float[1,4,8,8] x, float[4] s, float[4] b, float[6,4,1,1] w) => (float y) {
        n = GroupNormalization<num_groups=2>(x, s, b) y = Conv(n, w)
    }"""
    model = graph(text, 22)
    assert count_macs(model, input_shapes(model, {})) == 6 * 64 * 4


def test_settings_are_no_parameters(tmp_path: Path) -> None:
    model = graph("(float[1,1,4,4] x) => (float y) { c = Clip(x, low, high) p = Pad(c, pads, low) y = Resize(p, , scales) }")
    held = {"low": np.float32(0), "high": np.float32(6), "pads": np.zeros(8, np.int64), "scales": np.ones(4, np.float32)}
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in held.items())
    assert inspect(written(model, tmp_path), {}).parameters == 0


def test_the_larger_branch_counts() -> None:
    model = graph(
        """(bool c, float[4,5] x, float[5,6] w, float[5,9] v) => (float y) {
            y = If(c) <
                then_branch = a () => (float p) { p = MatMul(x, w) },
                else_branch = b () => (float q) { q = MatMul(x, v) }
            >
        }"""
    )
    assert count_macs(model, input_shapes(model, {})) == 4 * 5 * 9


def test_local_functions_are_looked_into() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        g (float[4,5] x, float[5,6] w) => (float[4,6] y) { y = own.times(x, w) }
        <domain: "own", opset_import: ["" : 17]> times (a, b) => (c) { c = MatMul(a, b) }"""
    )
    assert count_macs(model, input_shapes(model, {})) == 120


def test_a_target_shape_computed_in_an_old_opset() -> None:
    model = graph(
        """(float[n, 4, 6] x) => (float y) <int64[1] zero = {0}, int64[1] rest = {-1}> {
            s = Shape(x) first = Gather(s, zero) target = Concat<axis = 0>(first, rest) flat = Reshape(x, target)
            y = MatMul(flat, w)
        }""",
        opset=11,
    )
    model.graph.initializer.append(numpy_helper.from_array(np.ones((24, 2), np.float32), "w"))
    assert count_macs(model, {"x": (3, 4, 6)}) == 3 * 24 * 2


def test_unknown_shapes_make_the_figure_unknown(tmp_path: Path) -> None:
    model = graph("(float[1,5] x, float[5,2] w) => (float y) { a = odd.Thing(x) y = MatMul(a, w) }", domains=', "odd" : 1')
    facts = inspect(written(model, tmp_path), {})
    assert facts.macs is None
    assert facts.domains == {"odd": 1}
    assert "odd" in facts.refused["onnxruntime"][0]


def test_published_figures() -> None:
    macs = {"light_resnet50": 4_089_184_256, "light_vgg19": 19_632_062_464, "light_squeezenet": 349_151_936}
    for name, expected in macs.items():
        assert inspect(LIGHT / f"{name}.onnx", {}).macs == expected


def test_resnet20(shared: Path) -> None:
    facts = inspect(shared / "models" / "resnet20_cifar10.onnx", {})
    assert (facts.prunable, facts.parameters, facts.macs) == (268_336, 269_034, 40_551_040)
    assert (facts.opset, facts.ir_version, facts.producer) == (20, 10, "pytorch 2.13.0+cpu")
    assert facts.inputs[0].shape == ("batch", 3, 32, 32)
    assert facts.shapes == {"image": (1, 3, 32, 32)}
    assert list(facts.operators.items())[:2] == [("Conv", 19), ("Relu", 19)]
    assert facts.refused == {"onnxruntime": (), "tensorrt": (), "torch": ()}
    assert sum(facts.histogram) == 268_336
    assert not facts.quantized


def test_initializers_listed_as_inputs_are_no_inputs(shared: Path) -> None:
    facts = inspect(shared / "models" / "ultraface_rfb320.onnx", {})
    assert [value.name for value in facts.inputs] == ["input"]
    assert [value.name for value in facts.outputs] == ["scores", "boxes"]
    assert facts.macs == 100_418_560


def test_tokens_of_an_open_length(tmp_path: Path) -> None:
    model = graph("(int64[batch, seq] ids) => (float[batch, seq, 4] y) { y = Gather(table, ids) }")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((30, 4), np.float32), "table"))
    facts = inspect(written(model, tmp_path), {})
    assert facts.open_axes == ("ids=1x?",)
    assert facts.macs is None
    assert facts.inputs[0].dtype == "int64"
    settled = inspect(written(model, tmp_path), {"ids": (1, 12)})
    assert settled.open_axes == ()
    assert settled.macs == 0


def test_inputs_that_are_no_tensors_are_shown(tmp_path: Path) -> None:
    model = graph("(seq(float[2]) xs) => (float y) { y = ConcatFromSequence<axis = 0>(xs) }")
    facts = inspect(written(model, tmp_path), {})
    assert [(value.name, value.dtype) for value in facts.inputs] == [("xs", "sequence")]
    assert facts.shapes == {}
    assert "not a tensor" in facts.refused["tensorrt"][0]


def test_a_model_without_inputs(tmp_path: Path) -> None:
    model = graph("() => (float[2] y) <float[2] c = {1.0, 0.0}> { y = Relu(c) }")
    facts = inspect(written(model, tmp_path), {})
    assert (facts.inputs, facts.shapes, facts.macs) == ((), {}, 0)
    assert (facts.parameters, facts.nonzero) == (2, 1)


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no input"):
        inspect(written(graph("(float[2] x) => (float[2] y) { y = Relu(x) }"), tmp_path), {"z": (2,)})


def test_what_is_quantized_counts_once_and_zero_is_the_zero_point(tmp_path: Path) -> None:
    model = graph("(float[1,4] x) => (float y) { w = DequantizeLinear(q, s, z) y = MatMul(x, w) }", 13)
    stored = np.array([[128, 128], [128, 3], [4, 5], [0, 128]], np.uint8)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(stored, "q"),
            numpy_helper.from_array(np.float32(0.5), "s"),
            numpy_helper.from_array(np.uint8(128), "z"),
        ]
    )
    facts = inspect(written(model, tmp_path), {})
    assert (facts.parameters, facts.nonzero, facts.prunable) == (8, 4, 0)


def test_constants_of_half_bfloat_and_double_count(tmp_path: Path) -> None:
    model = graph("(float16[1,2] x) => (float16 y) { y = MatMul(x, w) }")
    model.graph.initializer.append(numpy_helper.from_array(np.array([[1, 0], [math.inf, 2]], np.float16), "w"))
    facts = inspect(written(model, tmp_path), {})
    assert (facts.parameters, facts.nonzero, facts.prunable) == (4, 3, 4)
    assert (facts.histogram_low, facts.histogram_high) == (0.0, 2.0)
    assert sum(facts.histogram) == 3


def test_digest_is_that_of_the_file(tmp_path: Path) -> None:
    import hashlib

    path = written(graph("(float[2] x) => (float[2] y) { y = Relu(x) }"), tmp_path)
    facts = inspect(path, {})
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts.size_bytes == path.stat().st_size
    assert load(path).graph.node[0].op_type == "Relu"


def test_tensor_types_are_named_as_onnx_does(tmp_path: Path) -> None:
    model = graph("(float16[2] x) => (float16[2] y) { y = Relu(x) }")
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.BFLOAT16
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [2]))
    assert inspect(written(model, tmp_path), {}).inputs[0].dtype == "bfloat16"


def test_filled_weights_are_counted_and_not_written_out(tmp_path: Path) -> None:
    """Files without data (their weights are ConstantOfShape) are small, and stay so in memory: this one would take 100 MB."""
    text = "(float[1,5000] x) => (float[1,5000] y) { w = ConstantOfShape<value = float[1] {0.5}>(s) y = MatMul(x, w) }"
    model = graph(text)
    model.graph.initializer.append(numpy_helper.from_array(np.array([5000, 5000]), "s"))
    path = written(model, tmp_path)
    tracemalloc.start()
    facts = inspect(path, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert (facts.parameters, facts.nonzero, facts.prunable, facts.macs) == (25_000_000,) * 4
    assert (sum(facts.histogram), facts.histogram_low, facts.histogram_high) == (25_000_000, 0.5, 0.5)
    assert facts.plain_bytes is not None
    assert 100e6 <= facts.plain_bytes < 100.1e6


def test_weights_that_stay_floats_are_counted(tmp_path: Path) -> None:
    text = "(float[4,8] x) => (float[6,16] y) { a = MatMul(left, x) y = MatMul(a, right) }"
    model = graph(text)
    for name, shape in (("left", (6, 4)), ("right", (8, 16))):
        model.graph.initializer.append(numpy_helper.from_array(np.ones(shape, np.float32), name))
    facts = inspect(written(model, tmp_path), {})
    assert (facts.prunable, facts.prunable_in_floats, facts.prunable_in_bodies) == (24 + 128, 24, 0)


@pytest.mark.parametrize(
    "values",
    [(1.0, float(np.nextafter(np.float32(1), np.float32(2)))), (-3.3e38, 3.3e38), (0.0, 1e-45), (1e-45, 3e38)],
    ids=["neighbours", "all there is", "hardly anything", "both"],
)
def test_weights_very_near_or_very_far_from_each_other_are_counted(values: tuple[float, float], tmp_path: Path) -> None:
    model = graph("(float[1,2] x) => (float[1,2] y) { y = MatMul(x, w) }")
    weight = np.array([values, values], np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    facts = inspect(written(model, tmp_path), {})
    assert (facts.histogram[0], facts.histogram[-1], sum(facts.histogram)) == (2, 2, 4)
