"""A plan beside the file it was built from, where outputs are rows sorted by score or class numbers: an executor that only
rounds otherwise passes, one that computes something else does not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.compress import lower, quantize
from edgetui.engine.errors import PlanRefused
from edgetui.engine.graph import normalise
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.steps import QuantizeInt8
from edgetui.engine.system.pipe_reporter import PipeReporter
from edgetui.engine.work.verify_outputs import verify
from nodes import Net
from onnx import ModelProto, TensorProto, helper, numpy_helper

SIDE, KEPT = 16, 50
Change = Callable[[np.ndarray], np.ndarray]


def body(net: Net, deep: int = 8) -> str:
    """Layers whose rounding adds up."""
    top, channels = net.input("x", 1, 3, 2 * SIDE, 2 * SIDE), 3
    for layer in range(deep):
        weights = net.weight(16, channels, 3, 3, scale=(2 / 9 / channels) ** 0.5)  # so that what comes in lives on
        top = net.node("Relu", net.node("Conv", top, weights, pads=[1] * 4, strides=[2, 2] if layer == 0 else [1, 1]))
        channels = 16
    return top


def detector() -> ModelProto:
    """Boxes around a grid of places, the best of which are chosen inside: (1, KEPT, 5)."""
    net = Net()
    top = body(net)
    at = np.arange(SIDE) * 4.0 + 2
    grid = np.stack([*np.meshgrid(at, at), np.full((SIDE, SIDE), 8.0), np.full((SIDE, SIDE), 8.0)], axis=-1).reshape(1, -1, 4)
    offsets = net.node("Transpose", net.node("Reshape", net.conv(top, 16, 4, 1), net.constant([1, 4, -1])), perm=[0, 2, 1])
    boxes = net.node("Add", offsets, net.constant(grid, "grid"))
    flat = net.node("Reshape", net.conv(top, 16, 1, 1), net.constant([1, 1, -1]))
    scores = net.node("Transpose", net.node("Sigmoid", flat), perm=[0, 2, 1])
    best = net.node("TopK", scores, net.constant([KEPT]), axis=1, outputs=2)
    places = net.node("Tile", f"{best}_1", net.constant([1, 1, 4]))
    rows = net.node("Concat", net.node("GatherElements", boxes, places, axis=1), best, axis=2)
    return net.model(rows)


def chaotic() -> ModelProto:
    """The same with scores that rounding decides: what ONNX Runtime's optimizer divides at once is far from a product."""
    model = detector()
    (sigmoid,) = (node for node in model.graph.node if node.op_type == "Sigmoid")
    at, logit = list(model.graph.node).index(sigmoid), sigmoid.input[0]
    chain, last = [], logit
    for turn in "abcde":
        chain += [("Exp", [last], f"{turn}e"), ("Div", ["one", f"{turn}e"], f"{turn}r"), ("Mul", [f"{turn}r", last], turn)]
        last = turn
    chain += [("Mul", [last, "gain"], "far"), ("Sin", ["far"], "folded")]
    for operator, inputs, output in reversed(chain):
        model.graph.node.insert(at, helper.make_node(operator, inputs, [output]))
    sigmoid = next(node for node in model.graph.node if node.op_type == "Sigmoid")
    sigmoid.input[0] = "folded"
    for name, value in (("one", 1.0), ("gain", 1e9)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    return model


def classes() -> ModelProto:
    """A class for every pixel."""
    net = Net()
    net.node("ArgMax", net.conv(body(net), 16, 7, 1), axis=1, keepdims=0)
    graph = helper.make_graph(
        net.nodes,
        "net",
        net.inputs,
        [helper.make_tensor_value_info(net.nodes[-1].output[0], TensorProto.INT64, None)],
        net.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def ended(net: Net, *outputs: tuple[str, int]) -> ModelProto:
    """The network with these outputs, each with its type."""
    values = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs]
    graph = helper.make_graph(net.nodes, "net", net.inputs, values, net.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def counts() -> ModelProto:
    """How many of 256 places are of each of 6 kinds."""
    net = Net()
    mask = net.node("Greater", net.conv(body(net), 16, 6, 1), net.constant(np.float32(0)))
    whole = net.node("Cast", mask, to=TensorProto.INT64)
    return ended(net, (net.node("ReduceSum", whole, net.constant([2, 3]), keepdims=0), TensorProto.INT64))


def places() -> ModelProto:
    """Boxes and scores of all places side by side, as YOLO gives them: boxes in pixels drown what scores do."""
    net = Net()
    top = body(net)
    at = np.arange(SIDE) * 4.0 + 2
    grid = np.stack([*np.meshgrid(at, at), np.full((SIDE, SIDE), 8.0), np.full((SIDE, SIDE), 8.0)]).reshape(1, 4, -1)
    boxes = net.node("Add", net.node("Reshape", net.conv(top, 16, 4, 1), net.constant([1, 4, -1])), net.constant(grid, "grid"))
    scores = net.node("Sigmoid", net.node("Reshape", net.conv(top, 16, 3, 1), net.constant([1, 3, -1])))
    gained = net.node("Mul", scores, net.constant(np.float32(0.9), "gain"))
    return net.model(net.node("Concat", boxes, gained, axis=1))


def grey() -> ModelProto:
    """A number for each image, which is never far from 100, and changes by a few."""
    net = Net()
    change = net.node("Mul", net.node("ReduceMean", body(net), axes=[1, 2, 3]), net.constant(np.float32(20), "gain"))
    return net.model(net.node("Add", change, net.constant(np.float32(20))))


@pytest.fixture
def say(tmp_path):
    with (tmp_path / "said").open("wb") as file:
        yield PipeReporter(file.fileno(), "verify")


@pytest.fixture
def check(tmp_path, say):
    """Hold an executor of the INT8 file without any optimisation, changed or not, to ONNX Runtime on the same file."""
    backend = OnnxRuntime()
    feeds = [
        {"x": each} for each in np.random.default_rng(7).standard_normal((12, 1, 3, 2 * SIDE, 2 * SIDE)).astype(np.float32)
    ]

    def run(model: ModelProto, name: str = "", change: Change | None = None, least: float | None = None):
        raw, ready, file, other = (tmp_path / f"{stem}.onnx" for stem in ("raw", "ready", "lowered", "other"))
        onnx.save(model, raw)
        normalise.normalise(raw, ready, {}, say)
        quantize.int8(QuantizeInt8(), ready, tmp_path / "wish.onnx", iter(feeds), say)
        lower.lower(tmp_path / "wish.onnx", file, "tensorrt", say)
        onnx.save(changed(onnx.load(file), name, change), other)
        one = backend.load(ready, BackendSettings(graph="all"), cooperative=True)
        two = backend.load(other, BackendSettings(graph="off"), cooperative=True)
        try:
            return verify((one, two), feeds, len(feeds), Path(file), least, say)
        finally:
            one.close()
            two.close()

    return run


def changed(model: ModelProto, name: str, change: Change | None) -> ModelProto:
    for tensor in model.graph.initializer:
        if change is not None and tensor.name.startswith(name) and not tensor.name.endswith(("_scale", "_zero_point")):
            array = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(change(array.copy()).astype(array.dtype), tensor.name))
            break
    else:
        assert change is None
    return model


def shuffled(array: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).permutation(array.reshape(-1)).reshape(array.shape)


def test_rows_that_changed_places_are_no_fault_of_a_plan(check):
    found = check(detector()).fidelity
    assert found.rows_matched is not None
    assert found.rows_matched > 0.5
    assert found.cosine > 0.99
    assert [(each.part != "", each.ranked) for each in found.outputs] == [(True, True)] * 2


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("grid", lambda grid: grid + np.array([8, 8, 0, 0])),
        ("grid", lambda grid: grid * np.array([1, 1, 2, 2])),
        ("w", shuffled),
    ],
    ids=["boxes elsewhere", "boxes of another size", "other weights"],
)
def test_a_detector_that_finds_other_boxes_is_refused(check, name, change):
    with pytest.raises(PlanRefused, match="does not compute what its ONNX file says"):
        check(detector(), name, change)


def test_class_numbers_are_held_to_their_share(check):
    found = check(classes()).fidelity
    assert (found.cosine, found.sqnr_db) == (None, None)
    assert found.agreement > 0.8
    with pytest.raises(PlanRefused, match="of the labels are equal"):
        check(classes(), "w", shuffled)


def test_a_limit_of_a_recipe_holds_for_the_share_where_there_is_no_quantity(check):
    with pytest.raises(PlanRefused, match=r"of the elements equal, least_cosine = 1"):
        check(classes(), least=1.0)


def test_counts_may_differ_by_a_few(check):
    found = check(counts()).fidelity
    assert found.cosine > 0.99
    assert found.agreement is not None
    with pytest.raises(PlanRefused, match="does not compute what its ONNX file says"):
        check(counts(), "w", np.zeros_like)


def test_scores_are_not_drowned_by_boxes_beside_them(check):
    assert check(places()).fidelity.cosine > 0.999
    with pytest.raises(PlanRefused, match=r"SQNR .* as if the plan hardly saw its inputs, of .*\(.*\)"):
        check(places(), "gain", lambda gain: gain * 0.3)


def test_a_number_that_is_always_near_the_same_follows_the_input(check):
    assert check(grey()).fidelity.cosine > 0.999
    with pytest.raises(PlanRefused, match="as if the plan hardly saw its inputs"):
        check(grey(), "gain", lambda gain: gain * 3)


def test_where_rounding_alone_moves_as_much_nothing_is_refused_and_it_is_said(check, tmp_path):
    check(chaotic())
    assert "cannot be told" in (tmp_path / "said").read_text()


def test_where_rounding_moves_little_nothing_of_that_is_said(check, tmp_path):
    check(detector())
    assert "cannot be told" not in (tmp_path / "said").read_text()
