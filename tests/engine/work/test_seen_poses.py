"""Pose models over a set of images: OKS mAP of both sides, their paired difference, and poses against poses without labels."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from colour_detector import SIZE, colour_detector, corners_of_squares
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.runs.outcome import Outcome
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.system.reporter import NullReporter
from evaluating import evaluated
from nodes import Net
from onnx import numpy_helper

IMAGES = TensorFacts(name="images", dtype="float", shape=(1, 3, SIZE, SIZE))


@pytest.fixture
def images(tmp_path: Path) -> Dataset:
    return read_dataset(str(corners_of_squares(tmp_path / "set", 40)), {})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return colour_detector(tmp_path / "corners.onnx", ("red",), corners=True)


def noisy(model: Path, much: float) -> Path:
    found, draw = onnx.load(model), np.random.default_rng(1)
    for tensor in found.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.shape == (1, 12, 4):  # what makes corners of centre and size
            changed = array * (1 + much * draw.standard_normal(array.shape)).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(changed.astype(np.float32), tensor.name))
    out = model.with_name(f"noisy-{much}.onnx")
    onnx.save(found, out)
    return out


def compared(model: Path, other: Path, dataset: Dataset, say: NullReporter | None = None) -> Outcome:
    return evaluated(model, other, dataset, [IMAGES], {"images": (1, 3, SIZE, SIZE)}, say)


def test_corners_are_found_and_a_worse_candidate_is_shown_to_be_worse(images: Dataset, model: Path):
    assert images.kind == "keypoints"
    found = compared(model, noisy(model, 0.3), images)
    one, other = found.baseline.accuracy, found.candidate.accuracy
    assert one.oks_map50 > 0.6
    assert (one.n, one.poses) == (40, other.poses)
    assert one.oks_map_low < one.oks_map < one.oks_map_high
    assert found.difference.oks_map_points.value == pytest.approx(other.oks_map - one.oks_map)
    assert found.difference.oks_map_points.high < 0
    assert found.summary == f"OKS mAP {one.oks_map:.3f} → {other.oks_map:.3f} over 40 images"
    assert found.fidelity.detections is None
    assert found.fidelity.keypoints > 0


def test_the_same_plan_twice_differs_in_nothing(images: Dataset, model: Path):
    found = compared(model, model, images)
    points = found.difference.oks_map_points
    assert (points.value, points.low, points.high) == (0, 0, 0)
    assert found.fidelity.keypoints_oks_map == pytest.approx(1)


def test_keypoints_of_other_images_are_near_nothing(model: Path, tmp_path: Path):
    right = compared(model, model, read_dataset(str(corners_of_squares(tmp_path / "right", 20)), {}))
    wrong = compared(model, model, read_dataset(str(corners_of_squares(tmp_path / "set", 20, shuffled=True)), {}))
    assert wrong.baseline.accuracy.oks_map50 < 0.2 < right.baseline.accuracy.oks_map50


def test_a_model_that_finds_nobody_is_implausible(images: Dataset, model: Path):
    heard = NullReporter()
    wrongly = msgspec.structs.replace(images, input=msgspec.structs.replace(images.input, mean=(0.9,), scale=2550.0))
    compared(model, model, wrongly, heard)
    assert "implausible for a trained model" in heard.warnings[-1]


def test_without_labels_poses_are_held_against_the_baselines(images: Dataset, model: Path):
    data = msgspec.structs.replace(images, task="none")
    alike = compared(model, noisy(model, 0.001), data).fidelity
    ruined = compared(model, noisy(model, 0.3), data).fidelity
    assert alike.keypoints == ruined.keypoints > 0
    assert alike.keypoints_oks_map > 0.99
    assert ruined.keypoints_oks_map < 0.9
    assert alike.detections is None


def test_boxes_are_no_poses(images: Dataset, tmp_path: Path):
    detector = colour_detector(tmp_path / "squares.onnx", ("red",))
    found = compared(detector, detector, msgspec.structs.replace(images, task="none"))
    assert found.fidelity.keypoints is None
    assert found.reasons["fidelity.keypoints_oks_map"] == "the outputs are no keypoints"
    with pytest.raises(DataRefused, match="as poses of 4 keypoints and 1 class"):
        compared(detector, detector, images)


def part_affinity_model(path: Path, *, noise: float = 0.0) -> Path:
    """trt_pose's two maps, of weights that nobody trained."""
    net, draw = Net(), np.random.default_rng(0)
    image = net.input("images", 1, 3, SIZE, SIZE)
    outputs = []
    for channels in (18, 42):
        weight = draw.standard_normal((channels, 3, 8, 8))
        weight += noise * np.random.default_rng(1).standard_normal(weight.shape)
        outputs.append(net.node("Conv", image, net.constant(weight), kernel_shape=[8, 8], strides=[8, 8]))
    onnx.save(net.model(*outputs), path)
    return path


def test_part_affinity_maps_are_known_by_their_shapes(tmp_path: Path):
    images = read_dataset(str(corners_of_squares(tmp_path / "set", 4)), {})
    data = msgspec.structs.replace(images, task="none")
    model = part_affinity_model(tmp_path / "maps.onnx")
    alike = compared(model, model, data).fidelity
    other = compared(model, part_affinity_model(tmp_path / "other.onnx", noise=1.0), data).fidelity
    assert alike.keypoints == other.keypoints > 0
    assert alike.keypoints_oks_map == pytest.approx(1)
    assert other.keypoints_oks_map < 0.9
    with pytest.raises(DataRefused, match=r"as poses of 4 keypoints"):
        compared(model, model, images)
