"""Labels that no output of the model can be held against are refused before a run begins, not in its middle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from colour_detector import corners_of_squares, scenery
from colour_segmenter import segmented
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.measure.accuracy import AccuracyMeter, output_class_count
from edgetui.engine.measure.statistics import agreement, paired_difference
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.splits import check
from nodes import Net
from onnx import TensorProto, helper

CLASSES = 4


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Four numbers in, as many scores out."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", CLASSES]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "scores", ends[:1], ends[1:])
    path = tmp_path / "scores.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def asked(model: Path, labels: list[int], *, measure: bool = True, task: str = "classification") -> RunSpec:
    data = model.with_name("data.npz")
    np.savez(data, x=np.zeros((len(labels), CLASSES), np.float32), labels=np.array(labels))
    dataset = Dataset(kind="npz", path=str(data), name="data", task=task)  # type: ignore[arg-type]
    recipe = Recipe(name="none", title="", step=())
    return RunSpec(model=str(model), recipe=recipe, dataset=dataset, shapes={"x": (1, CLASSES)}, measure=measure)


def test_labels_past_the_models_classes_are_refused_before_the_run(model: Path):
    with pytest.raises(DataRefused, match="has 5 classes and the model has 4 output classes"):
        check(asked(model, [0, 1, 4] * 10), NullReporter())


@pytest.mark.parametrize(
    ("labels", "words"),
    [([0, 3] * 10, {}), ([0, 9] * 10, {"task": "none"}), ([0, 9] * 10, {"measure": False})],
    ids=["all", "not looked at", "only built"],
)
def test_labels_that_fit_or_are_not_needed_are_not(model: Path, labels: list[int], words: dict[str, object]):
    check(asked(model, labels, **words), NullReporter())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outputs", "classes"),
    [
        ([("float", ("n", 10))], 10),
        ([("float16", (1, 10, 1, 1))], 10),
        ([("int64", ("n", 3)), ("float", ("n", 7))], 7),
        ([("float", (1, 10, 4, 4)), ("float", (1, 6))], 6),
        ([("float", ("n", "classes"))], None),
        ([("float", ("n", None, 1)), ("float", (1, 6))], None),
        ([("float", ("n", 1))], None),
        ([("float", ("n",))], None),
        ([("float", ())], None),
        ([], None),
    ],
)
def test_classes_by_declared_shapes_are_those_of_the_outputs(
    outputs: list[tuple[str, tuple[object, ...]]], classes: int | None
):
    declared = [TensorFacts(name=str(n), dtype=kind, shape=shape) for n, (kind, shape) in enumerate(outputs)]  # type: ignore[arg-type]
    assert output_class_count(declared) == classes
    if classes is not None:
        kinds = {"float": np.float32, "float16": np.float16, "int64": np.int64}
        made = {str(n): np.zeros([1, *shape[1:]], kinds[kind]) for n, (kind, shape) in enumerate(outputs)}  # type: ignore[list-item]
        AccuracyMeter().add(made, np.array([classes - 1]))
        with pytest.raises(DataRefused, match=f"model has {classes} output classes"):
            AccuracyMeter().add(made, np.array([classes]))


def head(folder: Path, *sizes: int | str) -> Path:
    """A model of images whose one output has these sizes; what it computes does not matter."""
    net = Net()
    flat = net.node("Flatten", net.input("images", "batch", 3, 64, 64))
    whole = [size if isinstance(size, int) else 6 for size in sizes[1:]]
    rows = int(np.prod(whole))
    some = net.node("Slice", flat, *(net.constant(np.array([edge], np.int64)) for edge in (0, rows, 1)))
    shape = [0, *whole]
    model = net.model(net.node("Reshape", some, net.constant(np.array(shape, np.int64))))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(model.graph.output[0].name, TensorProto.FLOAT, sizes))
    onnx.save(model, folder / "head.onnx")
    return folder / "head.onnx"


@pytest.mark.parametrize("sizes", [("batch", 6, 84), (1, 6, 84)], ids=["open batch", "fixed"])
def test_heads_that_tell_other_things_are_refused_before_the_run(sizes: tuple[int | str, ...], tmp_path: Path):
    poses = read_dataset(str(corners_of_squares(tmp_path / "poses", 8)), {})
    boxes = read_dataset(str(scenery(tmp_path / "boxes", 8)), {})
    masks = read_dataset(str(segmented(tmp_path / "masks", 8)), {})
    model = head(tmp_path, *sizes)
    for dataset, said in [(poses, "as poses of 4 keypoints"), (masks, "no output of the model says the class of each pixel")]:
        spec = RunSpec(model=str(model), recipe=Recipe(name="none"), dataset=dataset, shapes={"images": (1, 3, 64, 64)})
        with pytest.raises(DataRefused, match=said):
            check(spec, NullReporter())
    spec = RunSpec(model=str(model), recipe=Recipe(name="none"), dataset=boxes, shapes={"images": (1, 3, 64, 64)})
    check(spec, NullReporter())


def test_what_the_file_leaves_open_is_left_to_the_run(tmp_path: Path):
    poses = read_dataset(str(corners_of_squares(tmp_path / "poses", 8)), {})
    model = head(tmp_path, "batch", "rows", 84)
    check(
        RunSpec(model=str(model), recipe=Recipe(name="none"), dataset=poses, shapes={"images": (1, 3, 64, 64)}), NullReporter()
    )


class Warned(NullReporter):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        self.texts.append(text)


def unlabelled(model: Path, n: int = 40) -> RunSpec:
    spec = asked(model, [0] * n, task="none")
    data = model.with_name("data.npz")
    np.savez(data, x=np.zeros((n, CLASSES), np.float32))
    return spec


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """Four numbers in, and what is no class of a sample out."""
    ends = [("x", ["batch", CLASSES]), ("y", ["batch", 1, CLASSES, 1])]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    to = helper.make_tensor("to", TensorProto.INT64, [4], [-1, 1, CLASSES, 1])
    node = helper.make_node("Reshape", ["x", "to"], ["y"])
    graph = helper.make_graph([node], "boxes", tensors[:1], tensors[1:], [to])
    path = tmp_path / "boxes.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_search_whose_data_tell_nothing_is_refused_and_a_run_is_not(boxes: Path):
    spec = unlabelled(boxes)
    check(spec, NullReporter())
    with pytest.raises(DataRefused, match="data has no labels, and the model's outputs are no classes") as refused:
        check(spec, NullReporter(), goal="fastest drop<=0.1")
    assert refused.value.fixes


def test_classes_without_labels_are_compared_with_fp32s(model: Path):
    check(unlabelled(model), NullReporter(), goal="fastest drop<=0.2")


@pytest.mark.parametrize(("goal", "needed"), [("fastest drop<=0.05", 59), ("fastest", 299), ("fastest top1>=0.5", None)])
def test_a_loss_that_a_half_cannot_bear_out_is_said(model: Path, goal: str, needed: int | None):
    """Of forty samples without a calibration set of their own twenty are evaluated."""
    warned = Warned()
    check(asked(model, [0, 3] * 20), warned, goal=goal)
    said = [text for text in warned.texts if "a half" in text]
    assert [f"needs {needed}" in text for text in said] == [True] * (needed is not None)


def test_what_is_said_to_be_needed_is_what_intervals_bear_out():
    for n, borne_out in ((299, True), (250, False)):
        same = np.ones(n)
        assert (paired_difference(same, same, 0)[1] >= -0.01) == borne_out
        assert (agreement(same, 0)[1] - 1 >= -0.01) == borne_out
