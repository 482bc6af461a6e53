"""Lint beside TensorRT-RTX's builder: what one refuses the other refuses, and with what mends it both take the graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.backends.tensorrt import build
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest
from edgetui.engine.backends.tensorrt.installed import Installation
from edgetui.engine.schema.settings import TensorRtSettings
from onnx import ModelProto, numpy_helper, parser
from refusals import lint_lines

CONSTANTS = {
    "SHAPE": np.array([2, 8]),
    "TWO": np.array([2]),
    "W": np.ones((1, 4, 4), np.float32),
}
GIVEN = "(float[4,4] x, int64[{size}] s) => (float[A,B] y)"
RNN = '(float[2,1,4] x) => (float[A,B,C,D] y) {{ [n] y = RNN<hidden_size=4, activations=["{name}"]>(x, W, W) }}'
REFUSED_AND_MENDED = {
    "a shape that is given": (
        f"{GIVEN.format(size=2)} {{ [n] y = Reshape(x, s) }}",
        "(float[4,4] x) => (float[A,B] y) { [n] y = Reshape(x, SHAPE) }",
    ),
    "a shape made of an input": (
        f"{GIVEN.format(size=1)} {{ a = Concat<axis=0>(s, TWO) [n] y = Expand(x, a) }}",
        "(float[4,4] x, float[2,8] s) => (float[A,B] y) { a = Shape(s) [n] y = Reshape(x, a) }",
    ),
    "a count that is given": (
        "(float[4,4] x, int64[1] s) => (float[A,B] y, int64[A,B] i) { [n] y, i = TopK(x, s) }",
        "(float[4,4] x) => (float[A,B] y, int64[A,B] i) { [n] y, i = TopK(x, TWO) }",
    ),
    "remainders of floats": (
        "(float[4] x, float[4] z) => (float[4] y) { [n] y = Mod(x, z) }",
        "(float[4] x, float[4] z) => (float[4] y) { [n] y = Mod<fmod=1>(x, z) }",
    ),
    "sums of unsigned bytes": (
        "(uint8[4] x, uint8[4] z) => (uint8[4] y) { [n] y = Add(x, z) }",
        "(int8[4] x, int8[4] z) => (int8[4] y) { [n] y = Add(x, z) }",
    ),
    "8-bit floats by Cast": (
        "(float[4] x) => (float[4] y) { [n] a = Cast<to=17>(x) y = Cast<to=1>(a) }",
        "(float[4] x) => (float[4] y) { [n] a = Cast<to=16>(x) y = Cast<to=1>(a) }",
    ),
    "an activation": (RNN.format(name="Affine"), RNN.format(name="Softsign")),
}


def graph(text: str) -> ModelProto:
    model = parser.parse_model(f'<ir_version: 9, opset_import: ["" : 19]> g {text}')
    read = {name for node in model.graph.node for name in node.input}
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in CONSTANTS.items() if name in read]
    model.graph.initializer.extend(held)
    return model


@pytest.fixture
def builds(rtx: Installation, tmp_path: Path) -> Callable[[ModelProto], bool]:
    def does(model: ModelProto) -> bool:
        onnx.save(model, tmp_path / "m.onnx")
        settings = TensorRtSettings(target="sm_86")
        order = BuildRequest(onnx=str(tmp_path / "m.onnx"), out=str(tmp_path / "p"), module=rtx.module, settings=settings)
        try:
            build.build(order, rtx, lambda _: None)
        except build.Stopped:
            return False
        return True

    return does


@pytest.mark.parametrize("case", REFUSED_AND_MENDED)
def test_lint_and_the_builder_agree(case: str, builds: Callable[[ModelProto], bool]) -> None:
    refused, mended = (graph(text) for text in REFUSED_AND_MENDED[case])
    (sentence,) = lint_lines(refused, "tensorrt")
    assert sentence.startswith("n: ")
    assert not builds(refused)
    assert lint_lines(mended, "tensorrt") == []
    assert builds(mended)


@pytest.mark.parametrize("operator", ["CausalConvWithState", "LinearAttention", "TensorScatter"])
def test_what_no_tensorrt_has_is_named(operator: str) -> None:
    how = '<mode="circular">' if operator == "TensorScatter" else ""
    model = parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 24]> g (float[1,2,4] x, float[1,2,4] z) => (float[1,2,4] y) '
        f"{{ [n] y = {operator}{how}(x, z) }}"
    )
    assert any(sentence.startswith("n: ") for sentence in lint_lines(model, "tensorrt"))


BOXES = (
    "(float[1,8,4] x, float[1,1,8] z) => (int64[N,3] y)",
    "[n] y = NonMaxSuppression(x, z, TWO)",
)
SPREAD = ("(float[4] x, int64[2] i, float[2] u) => (float[4] y)", "[n] y = ScatterElements<reduction={how}>(x, i, u)")


@pytest.mark.parametrize(
    ("sides", "node"),
    [BOXES, ("(float[4] x) => (int64[1,N] y)", "[n] y = NonZero(x)"), (SPREAD[0], SPREAD[1].format(how='"mul"'))],
)
def test_what_tensorrt_has_and_tensorrt_rtx_has_not(sides: str, node: str, builds: Callable[[ModelProto], bool]) -> None:
    model = graph(f"{sides} {{ {node} }}")
    assert lint_lines(model, "tensorrt") == []
    (sentence,) = lint_lines(model, "tensorrt-rtx")
    assert sentence.startswith("n: TensorRT-RTX ")
    assert not builds(model)


def test_tensorrt_rtx_reads_the_rest(builds: Callable[[ModelProto], bool]) -> None:
    model = graph(f"{SPREAD[0]} {{ {SPREAD[1].format(how=chr(34) + 'none' + chr(34))} }}")
    assert lint_lines(model, "tensorrt-rtx") == []
    assert builds(model)
