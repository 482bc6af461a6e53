"""Lint beside TensorRT's own parser: what one refuses the other refuses, and with what mends it both read the graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper, parser
from refusals import lint_lines

FOUR = np.array([1.0, 1.0, 2.0, 2.0], np.float32)
IMAGE = "(float[1,3,8,8] x) => (float[A,B,C,D] y)"


def graph(text: str, opset: int, **constants: np.ndarray) -> ModelProto:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    return model


@pytest.fixture(scope="module")
def parses() -> Callable[[ModelProto], bool]:
    """TensorRT-RTX's parser, which is TensorRT 11's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api = pytest.importorskip("tensorrt_rtx_bindings")

    class Quiet(api.ILogger):
        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: object, text: str) -> None:
            """Nothing: what is refused is read from the parser."""

    logger = Quiet()
    builder = api.Builder(logger)

    def does(model: ModelProto) -> bool:
        network = builder.create_network(0)  # its parser does not keep it alive
        return bool(api.OnnxParser(network, logger).parse(model.SerializeToString()))

    return does


def pooled(operator: str, attributes: str) -> tuple[str, int]:
    return f"{IMAGE} {{ [n] y = {operator}<kernel_shape=[2,2]{attributes}>(x) }}", 22


def resized(attributes: str, scales: str = "FOUR") -> tuple[str, int]:
    return f'{IMAGE} {{ [n] y = Resize<mode="linear"{attributes}>(x, "", {scales}) }}', 19


ATTENDED = "(float[1,2,4,8] q, float[1,2,4,8] k, float[1,2,4,8] v, float[4,4] m) => (float[1,2,4,8] y)"
REDUCED = "(float[1,3,8] x{more}) => (float[A,B,C] y) {{ [n] y = ReduceMean(x, {axes}) }}"
SQUEEZED = "(float[1,3,8] x{more}) => (float[A,B] y) {{ [n] y = Squeeze(x, {axes}) }}"
SCATTERED = "(float[4] x, float[2] u) => (float[4] y) {{ [n] y = ScatterND{how}(x, I, u) }}"
NORMAL = "(float[1,3,8] x) => (float[1,3,8] y{more}) {{ [n] y{out} = LayerNormalization(x, W) }}"
BATCH = "(float[1,3,8,8] x) => (float[1,3,8,8] y) {{ [n] {out} = BatchNormalization{how}(x, P, P, P, P) }}"
REFUSED_AND_MENDED = {
    "axes that are given": ((REDUCED.format(more=", int64[1] a", axes="a"), 18), (REDUCED.format(more="", axes="AXIS"), 18)),
    "axes of Squeeze": ((SQUEEZED.format(more=", int64[1] a", axes="a"), 18), (SQUEEZED.format(more="", axes="FIRST"), 18)),
    "places of maxima": (
        ("(float[1,3,8,8] x) => (float[A,B,C,D] y, int64[A,B,C,D] i) { [n] y, i = MaxPool<kernel_shape=[2,2]>(x) }", 17),
        pooled("MaxPool", ""),
    ),
    "dilated pooling": (pooled("MaxPool", ", dilations=[2,2]"), pooled("MaxPool", ", dilations=[1,1]")),
    "dilated means": (pooled("AveragePool", ", dilations=[2,2]"), pooled("AveragePool", "")),
    "third powers": (pooled("LpPool", ", p=3"), pooled("LpPool", ", p=2")),
    "symmetric places": (
        resized(', coordinate_transformation_mode="half_pixel_symmetric"'),
        resized(', coordinate_transformation_mode="half_pixel"'),
    ),
    "scales that are given": (
        ('(float[1,3,8,8] x, float[4] s) => (float[A,B,C,D] y) { [n] y = Resize<mode="linear">(x, "", s) }', 19),
        resized(", axes=[2,3]", "TWO"),
    ),
    "sums while scattering": ((SCATTERED.format(how='<reduction="add">'), 16), (SCATTERED.format(how=""), 16)),
    "means beside the normal": (
        (NORMAL.format(more=", float[1,3,1] m", out=", m"), 17),
        (NORMAL.format(more="", out=""), 17),
    ),
    "training mode": (
        (BATCH.format(out="y, m, v", how="<training_mode=1>"), 15),
        (BATCH.format(out="y", how=""), 15),
    ),
    "soft caps": (
        (f"{ATTENDED} {{ [n] y = Attention<softcap=2.0>(q, k, v) }}", 23),
        (f"{ATTENDED} {{ [n] y = Attention(q, k, v) }}", 23),
    ),
    "causal with a mask": (
        (f"{ATTENDED} {{ [n] y = Attention<is_causal=1>(q, k, v, m) }}", 23),
        (f"{ATTENDED} {{ [n] y = Attention(q, k, v, m) }}", 23),
    ),
    "bytes": (
        ("(uint8[4] x, uint8[4] z) => (uint8[4] y) { [n] y = Add(x, z) }", 17),
        ("(uint8[4] x, uint8[4] z) => (float[4] y) { a = Cast<to=1>(x) b = Cast<to=1>(z) [n] y = Add(a, b) }", 17),
    ),
    "bits": (
        ("(int32[4] x, int32[4] z) => (int32[4] y) { [n] y = BitwiseAnd(x, z) }", 18),
        ("(int32[4] x, int32[4] z) => (int32[4] y) { [n] y = Add(x, z) }", 18),
    ),
    "other 8-bit floats": (
        ("(float[4] x) => (float[4] y) { [n] a = Cast<to=19>(x) y = Cast<to=1>(a) }", 19),
        ("(float[4] x) => (float[4] y) { [n] a = Cast<to=10>(x) y = Cast<to=1>(a) }", 19),
    ),
}
CONSTANTS = {
    "AXIS": np.array([2]),
    "FIRST": np.array([0]),
    "FOUR": FOUR,
    "TWO": FOUR[2:],
    "I": np.array([[1], [3]]),
    "W": np.ones(8, np.float32),
    "P": np.ones(3, np.float32),
}


def made(text: str, opset: int) -> ModelProto:
    words = set(text.replace(",", " ").replace(")", " ").replace("(", " ").split())
    return graph(text, opset, **{name: value for name, value in CONSTANTS.items() if name in words})


@pytest.mark.parametrize("what", REFUSED_AND_MENDED)
def test_lint_and_the_parser_agree(what: str, parses: Callable[[ModelProto], bool]) -> None:
    refused, mended = (made(*one) for one in REFUSED_AND_MENDED[what])
    assert [line for line in lint_lines(refused, "tensorrt") if line.startswith("n:")]
    assert not parses(refused)
    assert lint_lines(mended, "tensorrt") == []
    assert parses(mended)


@pytest.mark.parametrize("kind", ["float", "double"])
def test_64_bit_floats_are_cast_down_by_every_version(kind: str, parses: Callable[[ModelProto], bool]) -> None:
    model = made(f"({kind}[4] x) => ({kind}[4] y) {{ [n] y = Add(x, x) }}", 17)
    assert lint_lines(model, "tensorrt") == []
    assert parses(model)


@pytest.mark.parametrize(
    ("text", "opset", "why"),
    [
        ("(float[4] x) => (float[4] y) { [n] y = Gelu(x) }", 20, "no Gelu in opset 17"),
        (REDUCED.format(more="", axes="AXIS"), 18, "ReduceMean reads AXIS"),
        ("(float[4] x) => (float[4] y) { [n] y = Hardmax(x) }", 17, "no Hardmax"),
        (resized(", axes=[0,1,2,3]")[0], 19, "some axes only"),
        ('(float[4] x) => (float[A] y) { [n] y = Pad<mode="wrap">(x, P2) }', 19, "wrapping"),
        ('(float[4] x, float[2] u) => (float[4] y) { [n] y = ScatterElements<reduction="add">(x, I2, u) }', 16, "scatters"),
    ],
)
def test_what_tensorrt_8_would_refuse_or_read_as_something_else(text: str, opset: int, why: str) -> None:
    extra = {"P2": np.array([1, 1]), "I2": np.array([0, 2])}
    model = made(text, opset)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in extra.items() if name in text)
    assert lint_lines(model, "tensorrt") == []
    (line,) = lint_lines(model, "tensorrt-flags")
    assert line.startswith("n: ")
    assert why in line
