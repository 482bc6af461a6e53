"""The part of a model that ONNX Runtime can compute, and what is done with it: calibration, dry runs, comparisons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.compress.annotations import read_int8
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.precision import fp16
from edgetui.engine.compress.quantize import int8
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph.computable_part import computable
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.verify_outputs import verify
from onnx import ModelProto, numpy_helper, parser
from refusals import lint_lines

CONSTANTS = {
    "W": np.linspace(-1, 1, 8 * 3 * 3 * 3).reshape(8, 3, 3, 3).astype(np.float32),
    "V": np.linspace(-1, 1, 6 * 8).reshape(6, 8, 1, 1).astype(np.float32),
    "U": np.linspace(-1, 1, 16).reshape(4, 4, 1, 1).astype(np.float32),
    "flat": np.array([1, 6, 64]),
    "four": np.array([4, 2]),
    "yes": np.array(True),
}
HEAD = """[c] a = Conv<pads=[1,1,1,1]>(x, W) [r] b = Relu(a) [h] d = Conv(b, V) [s] e = Reshape(d, flat)
[t] f = Transpose<perm=[0,2,1]>(e) [p] boxes, scores = Split<axis=2>(f, four)"""
ENDS = "float[1,3,8,8] x) => (int32[1,1] n, float[1,9,4] y)"
DETECTORS = {
    "at the end": f"({ENDS} {{ {HEAD} [nms] n, y = TRT.EfficientNMS_TRT<max_output_boxes=9>(boxes, scores) }}",
    "in ONNX's own domain": f"({ENDS} {{ {HEAD} [nms] n, y = BatchedNMSDynamic_TRT<keepTopK=9>(boxes, scores) }}",
    "of a stranger": f"({ENDS} {{ {HEAD} [nms] n, y = trt.YoloLayer_TRT(boxes, scores) }}",
    "called by a function": f'({ENDS} {{ {HEAD} [nms] n, y = own.nms(boxes, scores) }} <domain: "own", opset_import: '
    '["" : 17, "TRT" : 1]> nms (a, b) => (n, y) { n, y = TRT.EfficientNMS_TRT(a, b) }',
    "in a branch": f"({ENDS} {{ {HEAD} [nms] n, y = If(yes) <then_branch = t () => (int32[1,1] n1, float[1,9,4] y1) "
    "{ n1, y1 = TRT.EfficientNMS_TRT(boxes, scores) }, else_branch = o () => (int32[1,1] n2, float[1,9,4] y2) "
    "{ n2, y2 = TRT.EfficientNMS_ONNX_TRT(boxes, scores) }> }",
    "several, with an output of its own beside": "(float[1,3,8,8] x) => (int32[1,1] n, float[1,9,4] y, float[1,64,6] f) "
    f"{{ {HEAD} [roi] g = TRT.ROIAlign_TRT(b, boxes) [nms] n, y = TRT.EfficientNMS_TRT(boxes, g) }}",
    "in the middle": "(float[1,3,8,8] x) => (float[1,4,8,8] y) { [c] a = Conv<pads=[1,1,1,1]>(x, W) [r] b = Relu(a) "
    "[mid] m = TRT.MultiscaleDeformableAttnPlugin_TRT(b) [k] y = Conv(m, U) }",
}


def model(text: str, opset: int = 17) -> ModelProto:
    head, _, functions = text.partition(' <domain: "own"')
    functions = f' <domain: "own"{functions}' if functions else ""
    domains = ', "TRT" : 1, "trt" : 1, "own" : 1'
    made = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}{domains}]> g {head}{functions}')
    read = {name for node in made.graph.node for name in node.input}
    made.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in CONSTANTS.items() if name in read)
    return made


def samples(count: int = 40) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(3)
    return [{"x": draw.normal(0, 1, (1, 3, 8, 8)).astype(np.float32)} for _ in range(count)]


def session(made: ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("case", DETECTORS)
def test_what_comes_before_is_computed_and_ends_in_what_enters_the_plugin(case: str) -> None:
    part, cut = computable(model(DETECTORS[case]))
    assert cut.foreign[0] in ("nms", "roi", "mid")
    assert cut.behind == (1 if case == "in the middle" else 0)
    found = {one.name for one in session(part).get_outputs()}
    assert found >= ({"b"} if case == "in the middle" else {"boxes"})
    assert ("f" in found) == ("beside" in case)


def test_a_model_that_is_whole_stays_what_it_is() -> None:
    whole = model(f"(float[1,3,8,8] x) => (float[A,B,C] boxes) {{ {HEAD} }}")
    assert computable(whole)[0] is whole


def test_where_nothing_comes_before_there_is_nothing_to_compute() -> None:
    with pytest.raises(ModelRefused, match="before nms"):
        computable(model(f"({ENDS} {{ [nms] n, y = TRT.EfficientNMS_TRT(x, x) }}"))


@pytest.mark.parametrize("case", DETECTORS)
def test_int8_calibrates_what_comes_before_and_lowers_the_whole(case: str, tmp_path: Path) -> None:
    onnx.save(model(DETECTORS[case]), tmp_path / "in.onnx")
    say = NullReporter()
    int8(QuantizeInt8(), tmp_path / "in.onnx", tmp_path / "out.onnx", samples(), say)
    wish = read_int8(onnx.load(tmp_path / "out.onnx"))
    assert wish is not None
    assert {"x", "b"} <= wish.ranges.keys()
    assert "m" not in wish.ranges
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.onnx", "out.onnx"]
    lower(tmp_path / "out.onnx", tmp_path / "trt.onnx", "tensorrt", say)
    lowered = onnx.load(tmp_path / "trt.onnx")
    assert sum(node.op_type == "QuantizeLinear" for node in lowered.graph.node) >= 2
    assert lint_lines(lowered, "tensorrt") == []


@pytest.mark.parametrize("opset", [12, 13, 17])
def test_plugins_in_onnx_s_own_domain_stand_a_raised_opset(opset: int, tmp_path: Path) -> None:
    made = model(DETECTORS["in ONNX's own domain"], 13)
    made.opset_import[0].version = opset
    if opset == 12:  # whose Split has its lengths as an attribute
        (split,) = [node for node in made.graph.node if node.op_type == "Split"]
        del split.input[1]
        split.attribute.append(onnx.helper.make_attribute("split", [4, 2]))
    onnx.save(made, tmp_path / "in.onnx")
    say = NullReporter()
    int8(QuantizeInt8(), tmp_path / "in.onnx", tmp_path / "int8.onnx", samples(), say)
    fp16(PrecisionFp16(), tmp_path / "int8.onnx", tmp_path / "both.onnx", samples(), say)
    lower(tmp_path / "both.onnx", tmp_path / "trt.onnx", "tensorrt", say)
    lowered = onnx.load(tmp_path / "trt.onnx")
    assert [(node.op_type, node.domain) for node in lowered.graph.node if node.name == "nms"] == [("BatchedNMSDynamic_TRT", "")]
    assert {entry.domain for entry in lowered.opset_import} <= {"", "TRT", "trt", "own"}
    assert lint_lines(lowered, "tensorrt") == []


def test_nothing_before_the_plugin_can_be_quantized(tmp_path: Path) -> None:
    text = (
        "(float[1,3,8,8] x) => (float[1,8,8,8] y) { [r] a = Relu(x) [nms] b = TRT.Odd(a) [c] y = Conv<pads=[1,1,1,1]>(b, W) }"
    )
    onnx.save(model(text), tmp_path / "in.onnx")
    with pytest.raises(RecipeRefused, match="before nms"):
        int8(QuantizeInt8(), tmp_path / "in.onnx", tmp_path / "out.onnx", samples(), NullReporter())


@pytest.mark.parametrize("case", DETECTORS)
def test_half_precision_is_tried_on_what_comes_before(case: str, tmp_path: Path) -> None:
    onnx.save(model(DETECTORS[case]), tmp_path / "in.onnx")
    line = fp16(PrecisionFp16(), tmp_path / "in.onnx", tmp_path / "out.onnx", samples(), NullReporter())
    assert "40 samples tried" in line


def test_a_dry_run_that_cannot_be_is_no_refusal(tmp_path: Path) -> None:
    text = "(float[1,3,8,8] x) => (float[1,8,8,8] y) { [nms] b = TRT.Odd(x) [c] y = Conv<pads=[1,1,1,1]>(b, W) }"
    onnx.save(model(text), tmp_path / "in.onnx")
    line = fp16(PrecisionFp16(), tmp_path / "in.onnx", tmp_path / "out.onnx", samples(), NullReporter())
    assert line.startswith("half precision for 0 of 2 nodes")
    assert "tried" not in line


class Plan:
    """What stands for a plan on a GPU: outputs that do not depend on the input."""

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"n": np.ones((1, 1), np.int32), "y": np.ones((1, 9, 4), np.float32) + 0 * feeds["x"].mean()}

    def close(self) -> None:
        """Nothing is held."""


def test_verify_compares_what_enters_the_plugin_with_the_original(tmp_path: Path) -> None:
    onnx.save(model(DETECTORS["at the end"]), tmp_path / "in.onnx")
    say = NullReporter()
    int8(QuantizeInt8(), tmp_path / "in.onnx", tmp_path / "out.onnx", samples(), say)
    lower(tmp_path / "out.onnx", tmp_path / "trt.onnx", "tensorrt", say)
    verify((Plan(), Plan()), samples(4), 4, tmp_path / "trt.onnx", None, say, model=tmp_path / "in.onnx")
    (line,) = [note for note in say.notes if note.startswith("what enters")]
    assert 0.99 < float(line.partition("cosine ")[2].partition(",")[0]) < 1
    assert not any("beside ONNX Runtime" in note for note in say.notes)
