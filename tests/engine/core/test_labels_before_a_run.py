"""Labels that no output of the model can be held against are refused before a run begins, not in its middle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.measure.accuracy import Accuracy, told_apart
from edgetui.engine.parts import check
from edgetui.engine.result import TensorFacts
from edgetui.engine.say import Silent
from edgetui.engine.spec import Dataset, Recipe, RunSpec
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
    with pytest.raises(DataRefused, match="has 5 classes and the model tells 4 apart"):
        check(asked(model, [0, 1, 4] * 10), Silent())


@pytest.mark.parametrize(
    ("labels", "words"),
    [([0, 3] * 10, {}), ([0, 9] * 10, {"task": "none"}), ([0, 9] * 10, {"measure": False})],
    ids=["all", "not looked at", "only built"],
)
def test_labels_that_fit_or_are_not_needed_are_not(model: Path, labels: list[int], words: dict[str, object]):
    check(asked(model, labels, **words), Silent())  # type: ignore[arg-type]


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
    assert told_apart(declared) == classes
    if classes is not None:
        kinds = {"float": np.float32, "float16": np.float16, "int64": np.int64}
        made = {str(n): np.zeros([1, *shape[1:]], kinds[kind]) for n, (kind, shape) in enumerate(outputs)}  # type: ignore[list-item]
        Accuracy().add(made, np.array([classes - 1]))
        with pytest.raises(DataRefused, match=f"tells {classes} apart"):
            Accuracy().add(made, np.array([classes]))
