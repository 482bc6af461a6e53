"""What must be the same for two runs to share a baseline, told from what was asked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from edgetui.engine.advice.comparable import conditions
from edgetui.engine.runs.input_hashes import data_hashes, samples_hash
from edgetui.engine.schema.model_facts import ModelFacts, TensorFacts
from edgetui.engine.schema.spec import Dataset, ImageInput, RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    for name, count in (("shown", 4), ("one", 5), ("two", 6)):
        np.savez(tmp_path / f"{name}.npz", x=np.ones((count, 3), np.float32))
    return Dataset(kind="npz", path=str(tmp_path / "shown.npz"), calibration=str(tmp_path / "one.npz"), name="shown")


def told(data: Dataset, calibration: Dataset | None = None) -> dict[str, str]:
    spec = RunSpec(model="/m.onnx", recipe=Recipe(), dataset=data, calibration=calibration)
    hashes = dict(zip(("dataset_hash", "calibration_hash"), data_hashes(spec), strict=True))
    asked = RunRequest(
        run="r", ticket=1, wall="", edgetui="", python="", model_sha256="", spec=spec, samples_hash=samples_hash(spec), **hashes
    )
    return conditions(asked)


def different(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """What differs, but for the hash that an older version knew alone."""
    return [key for key in one if key not in ("data", "data_hash") and one[key] != other[key]]


def test_other_calibration_leaves_the_baseline_as_it_was(data: Dataset, tmp_path: Path) -> None:
    other = msgspec.structs.replace(data, calibration=str(tmp_path / "two.npz"))
    assert different(told(data), told(other)) == []
    assert different(told(data), told(data, calibration=msgspec.structs.replace(data, path=str(tmp_path / "two.npz")))) == []
    assert different(told(data), told(msgspec.structs.replace(data, calibration=""))) == ["samples"]


def test_other_preprocessing_is_no_other_data(data: Dataset) -> None:
    assert different(told(data), told(msgspec.structs.replace(data, input=ImageInput(scale=2)))) == ["preprocessing"]
    assert different(told(data), told(msgspec.structs.replace(data, task="none"))) == ["task"]


@pytest.mark.parametrize(
    ("how", "dtype", "said"),
    [
        (ImageInput(), "float", "as the model's input says, scale 255"),
        (ImageInput(color="BGR", mean=(0.5,)), "float", "color BGR scale 255 mean 0.5"),
        (ImageInput(scale=1), "float", "scale 1"),
        (ImageInput(color="BGR"), "uint8", "color BGR, whole pixels"),
    ],
)
def test_what_pixels_are_divided_by_is_told_always(how: ImageInput, dtype: str, said: str) -> None:
    data = Dataset(kind="image-folder", path="/d", input=how)
    asked = RunRequest(
        run="r",
        ticket=1,
        wall="",
        edgetui="",
        python="",
        model_sha256="",
        spec=RunSpec(model="/m.onnx", recipe=Recipe(), dataset=data),
    )
    facts = ModelFacts(name="m", inputs=(TensorFacts(name="x", dtype=dtype, shape=(1, 3, 8, 8)),))
    assert conditions(asked, facts)["preprocessing"] == said


def test_other_classes_or_another_decoder_are_another_task(data: Dataset) -> None:
    boxes = msgspec.structs.replace(data, task="detection")
    named, read = msgspec.structs.replace(boxes, classes=("a", "b")), msgspec.structs.replace(boxes, decoder="yolov8")
    assert [told(each)["task"] for each in (boxes, named, read)] == [
        "detection",
        "detection of a, b",
        "detection read as yolov8",
    ]
    assert different(told(boxes), told(named)) == ["task"]


def test_data_are_what_is_in_them_wherever_they_lie(data: Dataset, tmp_path: Path) -> None:
    moved = (tmp_path / "shown.npz").rename(tmp_path / "moved.npz")
    other = msgspec.structs.replace(data, path=str(tmp_path / "two.npz"))
    assert different(told(other), told(msgspec.structs.replace(data, path=str(moved)))) == ["samples_hash"]
    before = told(msgspec.structs.replace(data, path=str(moved)))
    moved.rename(tmp_path / "shown.npz")
    assert different(before, told(data)) == []
