"""Lint beside TensorRT-RTX's builder on If, Loop, Scan, functions and plugins; and advice that can be followed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.graph.plugins import foreign_plugins
from edgetui.engine.inspection.inspect import inspect
from onnx import ModelProto, numpy_helper, parser
from refusals import lint_lines

CONSTANTS = {
    "three": np.array(3),
    "yes": np.array(True),
    "one": np.float32(1),
    "big": np.float32(100),
    "axis": np.array([0]),
    "start": np.zeros(4, np.float32),
    "K": np.ones((1, 1, 3, 3), np.float32),
    "two": np.array([2]),
    "eight": np.array([8]),
    "pair": np.array([0, 1]),
    "last": np.array([1]),
    "W8": np.ones((8, 3), np.float32),
    "W4": np.ones((4, 3), np.float32),
}
BODY = "body = b (int64 i, bool c, float[4] v) => (bool co, float[4] vo)"
GROWS = "body = b (int64 i, bool c, float[N] v) => (bool co, float[M] vo)"
COLLECTS = "body = b (int64 i, bool c, float[4] v) => (bool co, float[4] vo, float[4] zo)"
COLLECTS += " { vo = Add(v, one) zo = Neg(v) s = ReduceSum<keepdims=0>(vo) co = Less(s, big) }"
WHILE = "vo = Add(v, one) s = ReduceSum<keepdims=0>(vo) co = Less(s, big)"
STEP = "co = Identity(c) vo = Add(v, one)"
SCAN = "Scan<num_scan_inputs=1, body = b"
FREE = "(float[1] x) => (float[N] y)"
IF = "If(c) <then_branch = t () =>"
TWO = "(float[4] x, bool c) => (float y)"
P = "float[A,B] p"
ONE = "(float[4] x) => (float[4] y)"
ELSE = "else_branch = e () => (float[4] q) { q = Neg(x) }>"
REFUSED_AND_MENDED = {
    "a loop without a condition that its body reads": (
        f"{ONE} {{ [n] y = Loop(three, , x) <{BODY} {{ {STEP} }}> }}",
        f"{ONE} {{ [n] y = Loop(three, yes, x) <{BODY} {{ {STEP} }}> }}",
    ),
    "a loop without an end": (
        f"{ONE} {{ [n] y = Loop(, , x) <{BODY} {{ {WHILE} }}> }}",
        f"{ONE} {{ [n] y = Loop(, yes, x) <{BODY} {{ {WHILE} }}> }}",
    ),
    "a loop that collects as long as it likes": (
        f"(float[4] x) => (float[4] y, float[N,4] z) {{ [n] y, z = Loop(, yes, x) <{COLLECTS}> }}",
        f"(float[4] x) => (float[4] y, float[N,4] z) {{ [n] y, z = Loop(three, yes, x) <{COLLECTS}> }}",
    ),
    "what a loop carries grows": (
        f"{FREE} {{ [n] y = Loop(three, yes, x) <{GROWS} {{ co = Identity(c) vo = Concat<axis=0>(v, v) }}> }}",
        f"{FREE} {{ [n] y = Loop(three, yes, x) <{GROWS} {{ co = Identity(c) vo = Add(v, v) }}> }}",
    ),
    "a scan without a state": (
        f"(float[5,4] x) => (float[5,4] y) {{ [n] y = {SCAN} (float[4] v) => (float[4] z) {{ z = Relu(v) }}>(x) }}",
        f"(float[5,4] x) => (float[5,4] y) {{ [n] w, y = {SCAN} (float[4] s, float[4] v) => (float[4] so, float[4] z) "
        "{ so = Add(s, v) z = Relu(so) }>(start, x) }",
    ),
    "branches of other ranks": (
        f"{TWO} {{ [n] y = {IF} ({P}) {{ p = Unsqueeze(x, axis) }}, {ELSE} }}",
        f"{TWO} {{ [n] y = {IF} ({P}) {{ p = Abs(x) }}, {ELSE} }}",
    ),
    "an odd operator in a function": (
        '(float[4,4] x) => (float y) { y = own.f(x) } <domain: "own", opset_import: ["" : 17]> f (a) => (b) { [n] b = Det(a) }',
        '(float[4,4] x) => (float[4,4] y) { y = own.f(x) } <domain: "own", opset_import: ["" : 17]> '
        "f (a) => (b) { [n] b = Relu(a) }",
    ),
    "strings": (
        f'{ONE} {{ [n] s = Constant<value_strings=["a"]>() y = Relu(x) }}',
        f"{ONE} {{ [n] s = Constant<value_floats=[1.0]>() y = Relu(x) }}",
    ),
    "an odd operator in the branch that is taken": (
        "(float[4,4] x) => (float y) { [i] y = If(yes) <then_branch = t () => (float[A,B] p) { [n] p = Det(x) }, "
        "else_branch = e () => (float q) { q = ReduceSum<keepdims=0>(x) }> }",
        "(float[4,4] x) => (float y) { [i] y = If(yes) <then_branch = t () => (float[A,B] p) { p = ReduceSum<keepdims=0>(x) }, "
        "else_branch = e () => (float q) { [n] q = Det(x) }> }",
    ),
    "a plugin": (
        "(float[1,8,4] x, float[1,8,2] z) => (int32[1,1] a, float[1,9,4] b, float[1,9] c, int32[1,9] d) "
        "{ [n] a, b, c, d = TRT.EfficientNMS_TRT(x, z) }",
        f"{ONE} {{ y = Relu(x) }}",
    ),
    "a plugin in ONNX's domain": (f"{ONE} {{ [n] y = Clip_TRT(x) }}", f"{ONE} {{ [n] y = Clip(x) }}"),
    "an operator of ONNX Runtime": (f"{ONE} {{ [n] y = com.microsoft.FastGelu(x) }}", f"{ONE} {{ [n] y = Tanh(x) }}"),
    "a rank that depends on shapes alone": (
        f"{TWO} {{ [n] y = {IF} ({P}) {{ p = ReduceSum<keepdims=0>(x) }}, {ELSE} }}",
        "(float[4] x) => (float y) { h = Shape(x) g = ReduceProd<keepdims=0>(h) c = Equal(g, three) "
        f"[n] y = {IF} ({P}) {{ p = Unsqueeze(x, axis) }}, {ELSE} }}",
    ),
}
TAKEN = {
    "a trip count that is given": f"(float[4] x, int64 m) => (float[4] y) {{ [n] y = Loop(m, yes, x) <{BODY} {{ {STEP} }}> }}",
    "a convolution in a loop": "(float[1,1,4,4] x) => (float[1,1,4,4] y) { [n] y = Loop(three, yes, x) <body = "
    "b (int64 i, bool c, float[1,1,4,4] v) => (bool co, float[1,1,4,4] vo) "
    "{ co = Identity(c) vo = Conv<pads=[1,1,1,1]>(v, K) }> }",
    "a loop in a branch": f"(float[4] x, bool d) => (float[4] y) {{ [n] y = If(d) <then_branch = t () => (float[4] p) "
    f"{{ p = Loop(three, yes, x) <{BODY} {{ {STEP} }}> }}, {ELSE} }}",
}


def model(text: str) -> ModelProto:
    head, mark, functions = text.partition(' <domain: "own"')
    others = ("TRT", "trt", "own", "com.microsoft", "odd", "mine", "mmdeploy", "com.nvidia.tensorrt")
    domains = "".join(f', "{domain}" : 1' for domain in others)
    made = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17{domains}]> g {head}{mark}{functions}')
    words = set(text.replace(",", " ").replace(")", " ").replace("(", " ").split())
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in CONSTANTS.items() if name in words]
    made.graph.initializer.extend(held)
    return made


@pytest.fixture(scope="module")
def builds() -> Callable[[ModelProto], bool]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api = pytest.importorskip("tensorrt_rtx_bindings")

    class Quiet(api.ILogger):
        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: object, text: str) -> None:
            """Nothing: whether it builds is all that is asked."""

    logger = Quiet()
    builder = api.Builder(logger)

    def does(made: ModelProto) -> bool:
        network = builder.create_network(0)
        parser = api.OnnxParser(network, logger)
        if not parser.parse(made.SerializeToString()):
            return False
        config = builder.create_builder_config()
        config.num_compute_capabilities = 1
        config.set_compute_capability(api.ComputeCapability.SM86, 0)
        return builder.build_serialized_network(network, config) is not None

    return does


@pytest.mark.parametrize("case", REFUSED_AND_MENDED)
def test_lint_and_the_builder_agree(case: str, builds: Callable[[ModelProto], bool]) -> None:
    refused, mended = (model(text) for text in REFUSED_AND_MENDED[case])
    (sentence,) = lint_lines(refused, "tensorrt-rtx")
    assert sentence.startswith(("n: ", "n__1: "))  # a function's nodes get a number
    assert not builds(refused)
    assert lint_lines(mended, "tensorrt-rtx") == []
    assert builds(mended)


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_built_is_not_refused(case: str, builds: Callable[[ModelProto], bool]) -> None:
    made = model(TAKEN[case])
    assert lint_lines(made, "tensorrt-rtx") == []
    assert builds(made)


FORK = """(float[1,8] x, bool d) => (float y) {
  h = Shape(x) l = Slice(h, last, two, axis) c = Equal(l, eight) s = Squeeze(c)
  [n] y = If(d) <
    then_branch = t () => (float t0) { ti = If(s) <then_branch = tt () => (float t1) { t1 = Unsqueeze(x, axis) },
      else_branch = te () => (float t2) { t2 = Unsqueeze(x, axis) }> t0 = MatMul(ti, W8) },
    else_branch = e () => (float e0) { ei = If(s) <then_branch = et () => (float e1) { e1 = Unsqueeze(x, EXTRA) },
      else_branch = ee () => (float e2) { e2 = Unsqueeze(x, axis) }> [m] e0 = MatMul(ei, WHERE) }> }"""
"""Both branches of `n` ask for the length of `x`: the inner If is decided by it."""
FORKS = {
    "a matrix of another length": (("axis", "W4"), "m: the inputs' sizes do not fit it in a branch of n (", ("axis", "W8")),
    "another rank": (("pair", "W8"), "n: its branches give y 3 axes and 4", ("axis", "W8")),
}


@pytest.mark.parametrize("case", FORKS)
def test_branches_are_judged_with_what_the_sizes_decide(case: str, builds: Callable[[ModelProto], bool]) -> None:
    (extra, weight), sentence, (mended_extra, mended_weight) = FORKS[case]
    refused = model(FORK.replace("EXTRA", extra).replace("WHERE", weight))
    (line,) = lint_lines(refused, "tensorrt")
    assert line.startswith(sentence)
    assert line.endswith("or run with --backend onnxruntime")
    assert not builds(refused)
    mended = model(FORK.replace("EXTRA", mended_extra).replace("WHERE", mended_weight))
    assert lint_lines(mended, "tensorrt") == []
    assert builds(mended)


def test_what_is_read_depends_on_the_sizes_that_are_asked_for(tmp_path: Path) -> None:
    made = model(FORK.replace("EXTRA", "axis").replace("WHERE", "W4"))
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"
    onnx.save(made, tmp_path / "model.onnx")
    assert inspect(tmp_path / "model.onnx", {}).refused["tensorrt"] == ()
    found = inspect(tmp_path / "model.onnx", {"x": (1, 8)})
    assert found.refused["tensorrt"][0].startswith("m: the inputs' sizes do not fit it")
    assert found.refused["onnxruntime"] == ()


PLUGINS = ("TRT.EfficientNMS_TRT", "trt.BatchedNMSDynamic_TRT", "EfficientNMS_ONNX_TRT", "odd.ROIAlign_TRT", "GridAnchor_TRT")


@pytest.mark.parametrize("operator", PLUGINS)
def test_plugins_of_nvidia_are_read_whatever_their_domain(operator: str) -> None:
    made = model(f"{ONE} {{ [n] y = {operator}(x) }}")
    assert lint_lines(made, "tensorrt") == []
    assert foreign_plugins(made) == []
    (line,) = lint_lines(made, "tensorrt-rtx")
    assert line.endswith("or run with --backend tensorrt on a board, which has TensorRT itself")


STRANGERS = (
    "TRT.YoloLayer_TRT", "YoloLayer_TRT", "mine.YoloLayer_TRT", "com.nvidia.tensorrt.YoloLayer", "mmdeploy.TRTBatchedNMS",
    "mmdeploy.grid_sampler", "mmdeploy.MMCVModulatedDeformConv2d",
)  # fmt: skip


@pytest.mark.parametrize("operator", STRANGERS)
def test_a_stranger_s_plugin_is_named_as_one_that_must_be_loaded(operator: str) -> None:
    made, name = model(f"{ONE} {{ [n] y = {operator}(x) }}"), operator.rpartition(".")[2]
    assert lint_lines(made, "tensorrt") == []
    assert foreign_plugins(made) == [name]
    (line,) = lint_lines(made, "onnxruntime")
    assert line.endswith(f"on a board, which has TensorRT itself, and LD_PRELOAD the library of the plugin {name}")


def test_a_plugin_in_a_function_must_be_loaded_too() -> None:
    made = model(
        '(float[4,4] x) => (float y) { y = own.f(x) } <domain: "own", opset_import: ["" : 17, "TRT" : 1]> '
        "f (a) => (b) { [n] b = TRT.YoloLayer(a) }"
    )
    assert foreign_plugins(made) == ["YoloLayer"]


@pytest.mark.parametrize("operator", ["CropAndResize", "GroupNorm"])
def test_operators_of_onnxruntime_are_no_plugins_whatever_their_name(operator: str) -> None:
    made = model(f"{ONE} {{ [n] y = com.microsoft.{operator}(x) }}")
    (line,) = lint_lines(made, "tensorrt")
    assert "is not TensorRT's" in line
    assert foreign_plugins(made) == []


def test_no_backend_is_advised_that_refuses_as_well() -> None:
    refused_by_all = model(f"{ONE} {{ [n] y = odd.Thing(x) }}")
    for target in ("onnxruntime", "tensorrt", "tensorrt-rtx", "tensorrt-flags", "torch"):
        (line,) = lint_lines(refused_by_all, target)
        assert "--backend" not in line
    det = model("(float[4,4] x) => (float y) { [n] y = Det(x) }")
    assert lint_lines(det, "onnxruntime") == []
    assert lint_lines(det, "tensorrt")[0].endswith("or run with --backend onnxruntime")
    nms = model(f"{ONE} {{ [n] y = TRT.EfficientNMS_TRT(x) }}")
    assert "--backend tensorrt" in lint_lines(nms, "onnxruntime")[0]
    assert "onnxruntime" not in lint_lines(nms, "tensorrt-rtx")[0]
