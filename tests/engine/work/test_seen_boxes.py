"""Detectors over a set of images: mAP of both sides, their paired difference, and boxes against boxes without labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from colour_detector import COLOURS, NAMES, SIZE, colour_detector, scenery
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.data.open import open_samples
from edgetui.engine.errors import DataRefused
from edgetui.engine.graph.output_meaning import meanings
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.runs.outcome import Outcome
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.exporter import export_notes
from edgetui.engine.work.evaluate_outputs import Contender, evaluate, refuse_labels
from nodes import Net
from onnx import numpy_helper

IMAGES = TensorFacts(name="images", dtype="float", shape=(1, 3, SIZE, SIZE))
Compare = Callable[..., Outcome]


@pytest.fixture
def images(tmp_path: Path) -> Dataset:
    return read_dataset(str(scenery(tmp_path / "set", 40)), {})


def noisy(model: Path, much: float) -> Path:
    """The same detector with other weights."""
    found, draw = onnx.load(model), np.random.default_rng(1)
    for tensor in found.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim == 4:
            changed = array * (1 + much * draw.standard_normal(array.shape)).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(changed.astype(np.float32), tensor.name))
    out = model.with_name(f"noisy-{much}.onnx")
    onnx.save(found, out)
    return out


def compared(model: Path, other: Path, dataset: Dataset, say: NullReporter | None = None, seed: int = 0) -> Outcome:
    notes, backend = export_notes(model), OnnxRuntime()
    say = say or NullReporter()
    samples = open_samples(dataset, [IMAGES], {"images": (1, 3, SIZE, SIZE)}, "all", 0, say, notes)
    spec = RunSpec(model=str(model), recipe=Recipe(name="none", step=()), dataset=dataset, seed=seed)
    sessions = [backend.load(path, BackendSettings(threads=1), cooperative=True) for path in (model, other)]
    refuse_labels(sessions[0], samples, 1, spec)
    others = {"candidate": Contender(sessions[1], say)}
    return evaluate(sessions[0], others, samples, 1, spec, say, meanings(onnx.load(model)), notes)["candidate"]


def test_squares_are_found_and_a_worse_candidate_is_shown_to_be_worse(images: Dataset, tmp_path: Path):
    model = colour_detector(tmp_path / "squares.onnx")
    found = compared(model, noisy(model, 3.0), images)
    one, other = found.baseline.accuracy, found.candidate.accuracy
    assert one.map50 is not None
    assert one.map50 > 0.6
    assert (one.n, one.boxes) == (40, other.boxes)
    assert one.map50_low < one.map50 < one.map50_high
    assert one.map50_95_low < one.map50_95 < one.map50_95_high
    points = found.difference.map50_points
    assert points.value == pytest.approx(other.map50 - one.map50)
    assert points.low <= points.value <= points.high < 0
    assert found.difference.map50_95_points.interleaved
    assert found.summary == f"mAP50-95 {one.map50_95:.3f} → {other.map50_95:.3f} over 40 images"


def test_the_same_plan_twice_differs_in_nothing(images: Dataset, tmp_path: Path):
    model = colour_detector(tmp_path / "squares.onnx")
    found = compared(model, model, images)
    points = found.difference.map50_95_points
    assert (points.value, points.low, points.high) == (0, 0, 0)
    assert (found.fidelity.detections_map50, found.fidelity.detections_map50_95) == (pytest.approx(1), pytest.approx(1))
    assert found.fidelity.detections > 0


def test_the_paired_interval_is_narrower_than_the_sides_own(images: Dataset, tmp_path: Path):
    model = colour_detector(tmp_path / "squares.onnx")
    found = compared(model, noisy(model, 0.1), images)
    points, own = found.difference.map50_points, found.baseline.accuracy
    assert points.high - points.low < 0.5 * (own.map50_high - own.map50_low)


def test_boxes_of_other_images_are_implausible(tmp_path: Path):
    data = read_dataset(str(scenery(tmp_path / "set", 40, shuffled=True)), {})
    heard = NullReporter()
    model = colour_detector(tmp_path / "squares.onnx")
    found = compared(model, model, data, heard)
    assert found.baseline.accuracy.map50 < 0.2
    right = compared(model, model, read_dataset(str(scenery(tmp_path / "right", 40)), {}))
    assert right.baseline.accuracy.map50 > 3 * found.baseline.accuracy.map50


def test_classes_in_another_order_are_told(images: Dataset, tmp_path: Path):
    heard = NullReporter()
    model = colour_detector(tmp_path / "squares.onnx")
    swapped = msgspec.structs.replace(images, classes=tuple(reversed(NAMES)))
    found = compared(model, model, swapped, heard)
    assert found.baseline.accuracy.map50 < 0.1
    assert "if all classes were one: likely the model has them in another order than blue, red" in heard.warnings[-1]


def test_a_detector_that_finds_nothing_is_implausible(images: Dataset, tmp_path: Path):
    heard = NullReporter()
    model = colour_detector(tmp_path / "squares.onnx")
    wrongly = msgspec.structs.replace(images, input=msgspec.structs.replace(images.input, mean=(0.9,), scale=2550.0))
    compared(model, model, wrongly, heard)
    assert "implausible for a trained model" in heard.warnings[-1]


@pytest.mark.parametrize("task", ["none", "detection"])
def test_without_labels_the_boxes_are_held_against_the_baselines(task: str, images: Dataset, tmp_path: Path):
    model = colour_detector(tmp_path / "squares.onnx", said=task == "none")
    data = msgspec.structs.replace(images, task=task, classes=tuple(COLOURS))
    alike = compared(model, noisy(model, 0.01), data).fidelity
    ruined = compared(model, noisy(model, 3.0), data).fidelity
    assert alike.detections == ruined.detections > 5
    assert alike.detections_map50 > 0.99
    assert ruined.detections_map50 < 0.9


def test_scores_are_not_drowned_by_boxes(images: Dataset, tmp_path: Path):
    model = colour_detector(tmp_path / "squares.onnx")
    found = compared(model, noisy(model, 3.0), images).fidelity
    assert len(found.outputs) == 2
    assert found.outputs[0].cosine == pytest.approx(1)
    assert found.cosine == found.outputs[1].cosine < 0.99


def test_no_detector_has_no_detections_and_says_why(images: Dataset, tmp_path: Path):
    model = onnx.load(colour_detector(tmp_path / "squares.onnx", said=False))
    del model.graph.output[:]
    sigmoid = next(node for node in model.graph.node if node.op_type == "Sigmoid")
    model.graph.output.add(name=sigmoid.output[0]).type.tensor_type.elem_type = 1
    onnx.save(model, tmp_path / "scores.onnx")
    data = msgspec.structs.replace(images, task="none")
    found = compared(tmp_path / "scores.onnx", tmp_path / "scores.onnx", data)
    assert found.fidelity.detections is None
    assert found.reasons["fidelity.detections_map50"] == "the outputs are no detections"
    labelled = msgspec.structs.replace(images, classes=NAMES)
    with pytest.raises(DataRefused, match="no decoder fits the model's outputs"):
        compared(tmp_path / "scores.onnx", tmp_path / "scores.onnx", labelled)


def test_more_classes_than_the_model_has_are_refused(images: Dataset, tmp_path: Path):
    model = colour_detector(tmp_path / "squares.onnx")
    with pytest.raises(DataRefused, match="has 3 classes and the model's output tells 2 apart"):
        compared(model, model, msgspec.structs.replace(images, classes=("red", "blue", "green")))


def test_outputs_that_are_no_numbers_are_counted(images: Dataset, tmp_path: Path):
    model = colour_detector(tmp_path / "squares.onnx")
    broken = onnx.load(model)
    for tensor in broken.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim == 3:
            array = array.copy()
            array[..., 0] = np.nan
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(broken, tmp_path / "nan.onnx")
    heard = NullReporter()
    compared(model, tmp_path / "nan.onnx", images, heard)
    assert "40 outputs hold values that are no numbers: boxes of such are no detections" in heard.warnings


def test_what_is_only_shaped_like_detections_is_none(images: Dataset, tmp_path: Path):
    net = Net()
    image = net.input("images", 1, 3, SIZE, SIZE)
    flat = net.node("Reshape", image, net.constant(np.array([1, 2048, 6], np.int64)))
    rows = net.node("Slice", flat, net.constant([0]), net.constant([100]), net.constant([1]))
    onnx.save(net.model(net.node("Mul", rows, net.constant(np.float32(50)))), tmp_path / "rows.onnx")
    data = msgspec.structs.replace(images, task="none")
    found = compared(tmp_path / "rows.onnx", tmp_path / "rows.onnx", data)
    assert found.fidelity.detections is None
    assert found.fidelity.cosine == pytest.approx(1)
    with pytest.raises(DataRefused, match="not from 0 to 1"):
        compared(tmp_path / "rows.onnx", tmp_path / "rows.onnx", msgspec.structs.replace(data, decoder="yolo-end2end"))


def head_of_yolo5(path: Path, *, destroyed: bool = False) -> Path:
    """Boxes of 0 to 64 pixels and scores side by side along the last axis, levels along the other, as YOLOv5's export does."""
    net = Net()
    image = net.input("images", 1, 3, SIZE, SIZE)
    draw, levels = np.random.default_rng(5), []
    for stride in (8, 16, 32):
        cells = SIZE // stride
        kernel = net.constant(draw.standard_normal((21, 3, stride, stride)).astype(np.float32))
        found = net.node("Conv", image, kernel, kernel_shape=[stride] * 2, strides=[stride] * 2)
        split = net.node("Reshape", found, net.constant(np.array([1, 3, 7, cells**2], np.int64)))
        rows = net.node("Sigmoid", net.node("Transpose", split, perm=[0, 1, 3, 2]))
        first, last = (
            net.node("Slice", rows, *(net.constant(np.array([edge], np.int64)) for edge in edges))
            for edges in ((0, 4, 3), (4, 7, 3))
        )
        boxes = net.node("Mul", first, net.constant(np.float32(SIZE)))
        scores = net.node("Mul", last, net.constant(np.float32(0.0 if destroyed else 1.0)))
        level = net.node("Concat", boxes, scores, axis=3)
        levels.append(net.node("Reshape", level, net.constant(np.array([1, 3 * cells**2, 7], np.int64))))
    onnx.save(net.model(net.node("Concat", *levels, axis=1)), path)
    return path


def test_destroyed_scores_are_seen_where_the_graph_does_not_tell_them_from_boxes(images: Dataset, tmp_path: Path):
    data = msgspec.structs.replace(images, task="none", classes=NAMES)
    model = head_of_yolo5(tmp_path / "five.onnx")
    found = compared(model, head_of_yolo5(tmp_path / "worse.onnx", destroyed=True), data).fidelity
    parts = {each.part: each.cosine for each in found.outputs}
    assert parts == {"boxes": pytest.approx(1), "scores of there being anything": 0, "scores": 0}
    assert (found.cosine, found.detections_map50) == (0, 0)
    assert compared(model, model, data).fidelity.cosine == pytest.approx(1)
