import numpy as np
import onnxruntime
import pytest
from edgetui.engine.backends.cards import CARDS
from edgetui.engine.errors import UsageError
from edgetui.engine.inspection.lint import TARGETS
from onnx import ModelProto, TensorProto, helper, numpy_helper, parser
from refusals import lint_lines, split_activations


def graph(text: str, opset: int = 17, domains: str = "", ir: int = 8, **constants: np.ndarray) -> ModelProto:
    model = parser.parse_model(f'<ir_version: {ir}, opset_import: ["" : {opset}{domains}]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    return model


def pair(zero: np.generic, opset: int = 13) -> ModelProto:
    text = "(float[4] x) => (float[4] y) { [quantize] q = QuantizeLinear(x, s, z) [back] y = DequantizeLinear(q, s, z) }"
    return graph(text, opset, s=np.float32(0.1), z=zero)


PLAIN = "(float[4] x) => (float[4] y) { [act] y = Relu(x) }"


@pytest.mark.parametrize("target", TARGETS)
def test_a_plain_graph_is_read(target: str) -> None:
    assert lint_lines(graph(PLAIN), target) == []


def test_every_reader_of_every_card_has_rules_that_can_be_asked() -> None:
    for name, card in CARDS.items():
        assert [reader.target for reader in card.readers][:1] == [name] * bool(card.readers)
        for reader in card.readers:
            assert lint_lines(graph(PLAIN), reader.target) == []
    assert TARGETS == ("onnxruntime", "tensorrt", "torch")


def test_a_target_nobody_knows() -> None:
    with pytest.raises(UsageError, match="tensorrt"):
        lint_lines(graph(PLAIN), "tensort")


@pytest.mark.parametrize("target", TARGETS)
def test_foreign_operators_are_named_with_node_and_domain(target: str) -> None:
    model = graph('(float[4] x) => (float[4] y) { ["/head/Odd"] y = odd.Thing(x) }', domains=', "odd" : 1')
    (line,) = lint_lines(model, target)
    assert "/head/Odd" in line
    assert "Thing" in line
    assert "odd" in line


def test_unknown_operators_of_onnx_itself() -> None:
    (line,) = lint_lines(graph("(float[4] x) => (float[4] y) { [n] y = Nonsense(x) }"), "onnxruntime")
    assert "Nonsense" in line


def test_onnxruntime_knows_its_own_domain_and_tensorrt_does_not() -> None:
    model = graph("(float[4] x) => (float[4] y) { [n] y = com.microsoft.Gelu(x) }", domains=', "com.microsoft" : 1')
    assert lint_lines(model, "onnxruntime") == []
    assert "com.microsoft" in lint_lines(model, "tensorrt")[0]


@pytest.mark.parametrize("target", TARGETS)
def test_local_functions_are_known(target: str) -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[4] x) => (float[4] y) { y = own.twice(x) }
        <domain: "own", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }"""
    )
    assert lint_lines(model, target) == []


def test_operators_without_a_kernel_and_without_a_definition() -> None:
    (line,) = lint_lines(graph("(uint8[4] x) => (uint8[h,w,3] y) { [n] y = ImageDecoder(x) }", opset=20), "onnxruntime")
    assert "ImageDecoder" in line
    assert lint_lines(graph("(float[4] x) => (float[4] y) { [n] y = Softsign(x) }"), "onnxruntime") == []


def test_an_operator_younger_than_the_opset() -> None:
    (line,) = lint_lines(graph("(float[4] x) => (float[4] y) { [n] y = Mish(x) }", opset=17), "onnxruntime")
    assert "opset 18" in line


def test_versions_newer_than_the_runtime() -> None:
    (opset_line,) = lint_lines(graph(PLAIN, opset=99), "onnxruntime")
    assert "opset 99" in opset_line
    (ir_line,) = lint_lines(graph(PLAIN, ir=99), "onnxruntime")
    assert "IR version 99" in ir_line


def test_what_lint_lets_through_the_runtime_loads_and_what_it_refuses_it_refuses() -> None:
    cases = [
        graph(PLAIN),
        graph(PLAIN, opset=99),
        graph("(float[4] x) => (float[4] y) { y = Mish(x) }", opset=17),
        graph("(float[4] x) => (float[4] y) { y = Nonsense(x) }"),
        graph("(float[4] x) => (float[4] y) { y = odd.Thing(x) }", domains=', "odd" : 1'),
        graph("(float[4] x) => (float[4] y) { y = com.microsoft.Gelu(x) }", domains=', "com.microsoft" : 1'),
    ]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for model in cases:
        loads = True
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception:
            loads = False
        assert loads == (lint_lines(model, "onnxruntime") == []), model.graph.node[0].op_type


def test_tensorrt_reads_symmetric_pairs() -> None:
    assert lint_lines(pair(np.int8(0)), "tensorrt") == []


@pytest.mark.parametrize(
    ("zero", "word"), [(np.uint8(0), "unsigned"), (np.int8(3), "zero point is not 0"), (np.uint8(128), "unsigned")]
)
def test_tensorrt_refuses_other_pairs(zero: np.generic, word: str) -> None:
    lines = lint_lines(pair(zero), "tensorrt")
    assert any(line.startswith("quantize:") and word in line for line in lines)
    assert any(line.startswith("back:") and word in line for line in lines)
    assert lint_lines(pair(zero), "onnxruntime") == []


def test_tensorrt_refuses_pairs_without_a_zero_point_for_they_are_unsigned() -> None:
    model = graph("(float[4] x) => (uint8[4] y) { [q] y = QuantizeLinear(x, s) }", s=np.float32(0.1))
    assert "unsigned" in lint_lines(model, "tensorrt")[0]


def test_tensorrt_refuses_integer_biases() -> None:
    model = graph(
        "(float[4] x) => (float[4] y) { [bias] b = DequantizeLinear(q, s) y = Add(x, b) }",
        q=np.ones(4, np.int32),
        s=np.float32(0.1),
    )
    (line,) = lint_lines(model, "tensorrt")
    assert line.startswith("bias:")
    assert "32-bit bias" in line


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ('mode="cubic", cubic_coeff_a=-0.5', "cubic_coeff_a"),
        ('mode="linear", coordinate_transformation_mode="tf_crop_and_resize"', "crop"),
        ('mode="linear", antialias=1', "antialias"),
        ('mode="cubic", cubic_coeff_a=-0.75', None),
        ('mode="linear"', None),
    ],
)
def test_tensorrt_and_resize(attributes: str, word: str | None) -> None:
    text = f"(float[1,1,4,4] x) => (float[1,1,8,8] y) {{ [resize] y = Resize<{attributes}>(x, , scales) }}"
    lines = lint_lines(graph(text, 18, scales=np.array([1, 1, 2, 2], np.float32)), "tensorrt")
    assert ([line for line in lines if word in line and line.startswith("resize:")] == lines != []) if word else lines == []


def test_tensorrt_refuses_integer_operators() -> None:
    model = graph("(uint8[1,3,8,8] x, uint8[4,3,3,3] w) => (int32[1,4,6,6] y) { [n] y = ConvInteger(x, w) }")
    assert any("ConvInteger" in line for line in lint_lines(model, "tensorrt"))


@pytest.mark.parametrize(("kind", "word"), [(TensorProto.UINT16, "16-bit"), (TensorProto.STRING, "strings")])
def test_tensorrt_refuses_odd_inputs(kind: int, word: str) -> None:
    model = graph(PLAIN)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", kind, [4]))
    assert any("input x" in line and word in line for line in lint_lines(model, "tensorrt"))


def test_half_floats_beside_pairs_need_opset_19() -> None:
    def mixed(opset: int) -> ModelProto:
        model = pair(np.int8(0), opset)
        model.graph.node.append(helper.make_node("Cast", ["y"], ["h"], to=TensorProto.FLOAT16))
        return model

    assert "opset 19" in lint_lines(mixed(17), "tensorrt")[0]
    assert lint_lines(mixed(19), "tensorrt") == []


def test_a_pair_between_convolution_and_relu_is_seen() -> None:
    text = """(float[1,3,8,8] x) => (float y) {
        [conv] c = Conv(x, w) q = QuantizeLinear(c, s, z) d = DequantizeLinear(q, s, z) y = Relu(d)
    }"""
    model = graph(text, w=np.ones((4, 3, 3, 3), np.float32), s=np.float32(0.1), z=np.int8(0))
    assert split_activations(model) == ["conv"]
    assert lint_lines(model, "tensorrt") == []


@pytest.mark.parametrize("target", TARGETS)
def test_an_input_that_is_no_tensor_is_refused_by_all(target: str) -> None:
    model = graph("(float[4] x, optional(float[4]) z) => (float[4] y) { [act] y = Relu(x) }")
    (line,) = lint_lines(model, target)
    assert line.startswith("input z is not a tensor")
    assert "--backend" not in line
