"""What is inside plans of ONNX Runtime: names, precisions, times, what was inserted, and from which nodes they come."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.backends.onnxruntime.layers import _inferences, look
from edgetui.engine.errors import ModelRefused, PlanRefused
from edgetui.engine.library.models import is_plan
from edgetui.engine.runs.queries import PlanQuestion, plan_of
from edgetui.engine.schema.plan import PlanFacts
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.plan_layers import inspect_plan
from onnx import TensorProto as Type
from onnx import helper, numpy_helper
from steps import lowered

SETTINGS = BackendSettings(threads=1)
BACKEND = OnnxRuntime()


def value(name: str, *shape: int | str, kind: int = Type.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def saved(path: Path, nodes: list[onnx.NodeProto], inputs: list, outputs: list, weights: dict[str, np.ndarray]) -> Path:
    arrays = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, arrays)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), path)
    return path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Conv and ReLU, a transpose that was asked for, and Gemm."""
    draw = np.random.default_rng(0)
    weights = {"w": draw.standard_normal((16, 8, 3, 3)).astype(np.float32), "g": np.ones((4096, 4), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Transpose", ["r"], ["t"], "turned", perm=[0, 2, 3, 1]),
        helper.make_node("Flatten", ["t"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "g"], ["y"], "gemm"),
    ]
    return saved(tmp_path / "net.onnx", nodes, [value("x", 1, 8, 16, 16)], [value("y", 1, 4)], weights)


def inside(tmp_path: Path, path: Path, **more: object) -> PlanFacts:
    return inspect_plan(tmp_path, PlanQuestion(plan=str(path), backend=SETTINGS, **more), nullcontext, NullReporter())


def test_every_node_of_a_models_plan_has_a_time_and_an_origin(network, tmp_path):
    facts = inside(tmp_path, network)
    origins = {layer.kind: layer.origin for layer in facts.layers if not layer.reformat}
    assert origins["Conv"] == ("conv", "relu")
    assert origins["Gemm"] == ("gemm",)
    assert {layer.precision for layer in facts.layers} == {"FP32"}
    assert all(layer.milliseconds is not None and layer.milliseconds >= 0 for layer in facts.layers)
    assert sum(layer.milliseconds for layer in facts.layers) > 0
    assert facts.inferences
    assert facts.inference_ms
    assert (facts.islands, facts.backend, facts.reason) == (0, "onnxruntime", "")
    assert facts.name == "net.onnx"


def test_what_was_asked_for_is_no_reformat(network, tmp_path):
    assert any(layer.reformat for layer in inside(tmp_path, network).layers)
    turned = saved(
        tmp_path / "turned.onnx",
        [helper.make_node("Transpose", ["x"], ["y"], "mine", perm=[1, 0]), helper.make_node("Sin", ["y"], ["z"], "sin")],
        [value("x", 3, 4)],
        [value("z", 4, 3)],
        {},
    )
    assert [(layer.name, layer.reformat) for layer in inside(tmp_path, turned).layers] == [("mine", False), ("sin", False)]


def test_int8_layers_quantize_and_islands_are_told_apart(network, tmp_path):
    made = lowered(network, Recipe(step=(QuantizeInt8(samples=8, exclude=("gemm",)),)), tmp_path, BACKEND.target())
    plan = tmp_path / "plan.onnx"
    BACKEND.build(made, plan, SETTINGS, NullReporter())
    facts = inside(tmp_path, plan, source=str(made))
    by_kind = {layer.kind: layer for layer in facts.layers}
    assert by_kind["QLinearConv"].precision == "INT8"
    assert by_kind["QLinearConv"].origin == ("conv",)
    assert by_kind["QuantizeLinear"].reformat
    assert by_kind["DequantizeLinear"].reformat
    assert [layer.kind for layer in facts.layers if layer.island] == ["Gemm"]
    assert facts.islands == 1
    assert is_plan(plan)
    assert not is_plan(made)


def test_half_precision_that_is_computed_in_fp32_is_islands(network, tmp_path):
    made = lowered(network, Recipe(step=(PrecisionFp16(),)), tmp_path, BACKEND.target())
    facts = inside(tmp_path, made)
    conv = next(layer for layer in facts.layers if layer.kind.endswith("Conv"))
    assert (conv.precision == "FP16") != conv.island  # an Arm processor has kernels for it, x86 has not
    assert "conv" in conv.origin


def test_the_body_of_a_loop_is_counted_with_its_loop(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Sin", ["v"], ["w"], "inner"), helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [value("i", kind=Type.INT64), value("go", kind=Type.BOOL), value("v", 64)],
        [value("on", kind=Type.BOOL), value("w", 64)],
    )
    count = {"n": np.array(5, np.int64), "true": np.array(True)}
    loop = helper.make_node("Loop", ["n", "true", "x"], ["z"], "loop", body=body)
    path = saved(tmp_path / "loop.onnx", [loop], [value("x", 64)], [value("z", 64)], count)
    facts = inside(tmp_path, path)
    assert [layer.kind for layer in facts.layers] == ["Loop"]


def test_long_graphs_are_inferred_less_often(network, tmp_path, monkeypatch):
    monkeypatch.setattr("edgetui.engine.backends.onnxruntime.layers._MOST_EVENTS", 20)
    feeds = {"x": np.zeros((1, 8, 16, 16), np.float32)}
    seen = look(lambda profile: BACKEND.load(network, SETTINGS, profile=profile), feeds)
    assert 1 <= seen.inferences <= 20 // len(seen.layers)


def test_events_after_the_last_whole_inference_do_not_count(tmp_path):
    node = '{"cat":"Node","name":"a_kernel_time","ts":1,"dur":4,"args":{"op_name":"Conv","node_index":"0"}},\n'
    trace = tmp_path / "trace.json"
    trace.write_text("[\n" + node + '{"cat":"Session","name":"model_run","ts":0,"dur":9,"args":{}},\n' + node + "]\n")
    assert [[event.dur for event in events] for events in _inferences(trace)] == [[4]]


def test_the_board_is_held_while_layers_are_timed(network, tmp_path):
    held: list[str] = []

    class Alone(AbstractContextManager[None]):
        def __enter__(self) -> None:
            held.append("began")

        def __exit__(self, *ended: object) -> None:
            held.append("ended")

    inspect_plan(tmp_path, PlanQuestion(plan=str(network), backend=SETTINGS), Alone, NullReporter())
    assert held == ["began", "ended"]


def test_open_axes_and_plans_of_elsewhere_are_refused(network, tmp_path, monkeypatch):
    free = saved(
        tmp_path / "free.onnx", [helper.make_node("Sin", ["x"], ["y"], "s")], [value("x", 1, "n")], [value("y", 1, "n")], {}
    )
    with pytest.raises(ModelRefused, match="x"):
        inside(tmp_path, free)
    assert inside(tmp_path, free, shapes={"x": (1, 7)}).inputs[0].shape == (1, 7)
    plan = tmp_path / "plan.onnx"
    BACKEND.build(network, plan, SETTINGS, NullReporter())
    (tmp_path / "root" / "proc").mkdir(parents=True)
    (tmp_path / "root" / "proc" / "cpuinfo").write_text("processor : 0\nflags : fpu avx\n\n")
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "root"))
    with pytest.raises(PlanRefused, match="another processor"):
        inside(tmp_path, plan)
    with pytest.raises(PlanRefused, match="is not there"):
        inside(tmp_path, tmp_path / "gone.plan")


@pytest.mark.parametrize(
    ("state", "what", "fix"),
    [
        ("running", "yet", "wait"),
        ("done", "nothing was measured", "other plan"),
        ("failed", "no plan of the baseline", "resume r1"),
    ],
)
def test_a_run_without_the_plan_says_why_and_what_to_do(state, what, fix):
    with pytest.raises(PlanRefused, match=what) as refused:
        plan_of(Result(run="r1", state=state), RunSpec(model="/gone.onnx", recipe=Recipe()), "baseline")
    assert fix in refused.value.fix
