"""A branch that is not taken with the shapes that are run and does not fit them: ONNX Runtime takes only open axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.precision import fp16
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.weight_only import weights
from edgetui.engine.errors import BackendRefused
from edgetui.engine.graph.fill_sizes import with_sizes
from edgetui.engine.graph.normalise import fix_shapes_only, normalise
from edgetui.engine.graph.shapes import declared
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, QuantizeWeights
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, TensorProto, helper, numpy_helper

SHAPES: dict[str, tuple[int, ...]] = {"x": (1, 2, 8), "sr": ()}
node, value = helper.make_node, helper.make_tensor_value_info


def weight(name: str, *shape: int) -> TensorProto:
    array = np.random.default_rng(len(name)).normal(0, 0.3, shape).astype(np.float32)
    return numpy_helper.from_array(array, name)


def branch(name: str, length: str) -> onnx.GraphProto:
    """A frame of `length`; one of another length would come with one axis more, which no LSTM takes."""
    right = helper.make_graph([node("Identity", ["f"], [f"{name}_r"])], "right", [], [value(f"{name}_r", 1, None)])
    wrong = helper.make_graph([node("Unsqueeze", ["f", "zero"], [f"{name}_w"])], "wrong", [], [value(f"{name}_w", 1, None)])
    nodes = [
        node("Shape", ["f"], [f"{name}_s"]),
        node("Gather", [f"{name}_s", "two"], [f"{name}_l"]),
        node("Equal", [f"{name}_l", length], [f"{name}_e"]),
        node("If", [f"{name}_e"], [f"{name}_i"], then_branch=right, else_branch=wrong),
        node("LSTM", [f"{name}_i", f"W{name}", f"R{name}"], ["", f"{name}_h", ""], hidden_size=4),
        node("MatMul", [f"{name}_h", "V"], [f"{name}_y"]),
    ]
    return helper.make_graph(nodes, name, [], [value(f"{name}_y", 1, None)])


def made() -> ModelProto:
    """Two convolutions, then one branch for 8 samples at 16 kHz and one for 4 at 8 kHz."""
    constants = [
        numpy_helper.from_array(np.array(number), name) for name, number in (("rate", 16000), ("eight", 8), ("four", 4))
    ]
    constants += [numpy_helper.from_array(np.array([0]), "zero"), numpy_helper.from_array(np.array(2), "two")]
    constants += [weight("C1", 8, 2, 3), weight("C2", 2, 8, 3), weight("V", 4, 5)]
    constants += [weight("Wa", 1, 16, 8), weight("Ra", 1, 16, 4), weight("Wb", 1, 16, 4), weight("Rb", 1, 16, 4)]
    nodes = [
        node("Conv", ["x", "C1"], ["c1"], pads=[1, 1], name="first"),
        node("Relu", ["c1"], ["r"]),
        node("Conv", ["r", "C2"], ["f"], pads=[1, 1], name="second"),
        node("Equal", ["sr", "rate"], ["wide"]),
        node("If", ["wide"], ["y"], then_branch=branch("a", "eight"), else_branch=branch("b", "four"), name="rate/If"),
    ]
    inputs = [value("x", 1, ["batch", 2, "length"]), value("sr", TensorProto.INT64, [])]
    graph = helper.make_graph(nodes, "g", inputs, [value("y", 1, None)], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "voice.onnx"
    onnx.save(made(), path)
    return path


def ran(path: Path, feeds: dict[str, np.ndarray]) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


def samples(count: int) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    return [{"x": draw.normal(0, 1, SHAPES["x"]).astype(np.float32), "sr": np.array(16000)} for _ in range(count)]


def test_axes_stay_open_where_settled_ones_break_a_branch(source: Path, tmp_path: Path) -> None:
    say, one = NullReporter(), samples(1)[0]
    assert normalise(source, tmp_path / "n.onnx", SHAPES, say).startswith("axes left as they are")
    assert any("axes are not fixed" in note for note in say.notes)
    fix_shapes_only(source, tmp_path / "b.onnx", SHAPES)
    for name in ("n", "b"):
        np.testing.assert_allclose(ran(tmp_path / f"{name}.onnx", one), ran(source, one), rtol=1e-5)


def test_axes_are_settled_where_every_branch_takes_them(source: Path, tmp_path: Path) -> None:
    model = made()
    (other,) = [entry for entry in model.graph.node[-1].attribute if entry.name == "else_branch"]
    other.g.CopyFrom(branch("b", "eight"))
    (held,) = [tensor for tensor in model.graph.initializer if tensor.name == "Wb"]
    held.CopyFrom(weight("Wb", 1, 16, 8))
    onnx.save(model, source)
    assert normalise(source, tmp_path / "n.onnx", SHAPES, NullReporter()).startswith("fixed x to 1x2x8")
    assert declared(onnx.load(tmp_path / "n.onnx").graph.input[0]) == SHAPES["x"]


def test_a_model_that_is_refused_either_way_is_settled(source: Path, tmp_path: Path) -> None:
    model = made()
    model.graph.node[1].op_type, model.graph.node[1].domain = "Odd", "odd"
    model.opset_import.append(helper.make_opsetid("odd", 1))
    onnx.save(model, source)
    fix_shapes_only(source, tmp_path / "b.onnx", SHAPES)
    assert declared(onnx.load(tmp_path / "b.onnx").graph.input[0]) == SHAPES["x"]


def test_a_file_with_settled_axes_is_run_without_the_optimizer(source: Path, tmp_path: Path) -> None:
    model, say, one = made(), NullReporter(), samples(1)[0]
    model.graph.input[0].CopyFrom(value("x", 1, SHAPES["x"]))
    onnx.save(model, source)
    normalise(source, tmp_path / "n.onnx", {}, say)
    OnnxRuntime().build(tmp_path / "n.onnx", tmp_path / "plan.onnx", BackendSettings(), say)
    assert any("graph = off" in warning for warning in say.warnings)
    made_by = [OnnxRuntime().load(path, BackendSettings()).run(one)["y"] for path in (tmp_path / "plan.onnx", source)]
    np.testing.assert_allclose(*made_by, rtol=1e-5)


@pytest.mark.parametrize("kind", ["int8", "fp16", "weights"])
def test_every_step_goes_through_with_open_axes(kind: str, source: Path, tmp_path: Path) -> None:
    say, plain, done, low = NullReporter(), tmp_path / "n.onnx", tmp_path / "s.onnx", tmp_path / "l.onnx"
    normalise(source, plain, SHAPES, say)
    if kind == "int8":
        int8(QuantizeInt8(), plain, done, samples(40), say)
    elif kind == "fp16":
        assert "40 samples tried" in fp16(PrecisionFp16(), plain, done, samples(40), say)
    else:
        weights(QuantizeWeights(), plain, done, say)
    lower(done, low, OnnxRuntime().target(), say)
    OnnxRuntime().build(low, tmp_path / "plan.onnx", BackendSettings(), say)
    session = OnnxRuntime().load(tmp_path / "plan.onnx", BackendSettings())
    for one in samples(3):
        np.testing.assert_allclose(session.run(one)["y"], ran(source, one), atol=0.02)


def test_inputs_that_choose_another_branch_are_told_and_no_export_is_blamed(source: Path) -> None:
    session = OnnxRuntime().load(source, BackendSettings())
    with pytest.raises(BackendRefused, match=r"a node without a name \(LSTM\): Input X must have 3 dimensions") as refused:
        session.run(samples(1)[0] | {"sr": np.array(8000)})
    assert refused.value.fix.startswith("give samples")


def test_backends_that_need_sizes_get_them(source: Path, tmp_path: Path) -> None:
    normalise(source, tmp_path / "n.onnx", SHAPES, NullReporter())
    settled = with_sizes(tmp_path / "n.onnx", SHAPES, tmp_path / "t.onnx")
    assert settled == tmp_path / "t.onnx"
    assert declared(onnx.load(settled).graph.input[0]) == SHAPES["x"]
    assert with_sizes(settled, SHAPES, tmp_path / "u.onnx") == settled
