"""A dataset beside a model: what fits, and which way to feed it is proposed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.library.datasets import read_dataset, read_parts
from edgetui.engine.runs.queries import DatasetQuestion
from edgetui.engine.schema.dataset_probe import DatasetProbe
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.probe_dataset import probe_dataset
from onnx import TensorProto, helper
from PIL import Image

IMAGENET = {"scale": 255.0, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def probed(home: Path, dataset: Dataset, model: Path, samples: int = 32) -> DatasetProbe:
    return probe_dataset(home, DatasetQuestion(dataset=dataset, model=str(model), samples=samples), NullReporter())


def test_the_preprocessing_that_resnet20_was_trained_with_is_proposed(shared: Path, tmp_path: Path):
    found = probed(tmp_path, read_parts(str(shared / "cifar10"), {}), shared / "models" / "resnet20_cifar10.onnx")
    how = found.dataset.input
    assert {key: getattr(how, key) for key in IMAGENET} == IMAGENET
    assert (how.size, how.layout, how.color) == ((32, 32), "NCHW", "RGB")
    assert (Path(found.dataset.path).name, Path(found.dataset.calibration).name) == ("test.zip", "train.zip")
    assert (len(found.tried), found.above_chance, found.refusals) == (10, True, ())
    assert found.confirmed is not None
    assert found.confirmed.top1_low > 0.5 > (found.chance or 1)


@pytest.fixture
def reddish(tmp_path: Path) -> Path:
    """Scores of two classes: how red, and how blue, the image is; red less a bit so that scales matter not."""
    weights = np.array([[[[1.0]], [[0.0]], [[-1.0]]], [[[-1.0]], [[0.0]], [[1.0]]]], np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
        helper.make_node("Flatten", ["means"], ["scores"]),
    ]
    ends = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2]),
    ]
    graph = helper.make_graph(nodes, "reddish", ends[:1], ends[1:], [onnx.numpy_helper.from_array(weights, "w")])
    path = tmp_path / "reddish.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def coloured(path: Path, classes: dict[str, tuple[int, int, int]], each: int = 80) -> Dataset:
    draw = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for name, colour in classes.items():
            for number in range(each):
                pixels = np.clip(np.array(colour) + draw.integers(-40, 40, (8, 8, 3)), 0, 255).astype(np.uint8)
                with archive.open(f"{name}/{number}.ppm", "w") as file:
                    Image.fromarray(pixels).save(file, "PPM")
    return read_dataset(str(path), {})


def test_colours_that_were_swapped_in_training_are_found(reddish: Path, tmp_path: Path):
    data = coloured(tmp_path / "set.zip", {"a": (40, 90, 200), "b": (200, 90, 40)})  # blue first, so red and blue are swapped
    found = probed(tmp_path, data, reddish)
    assert found.dataset.input.color == "BGR"
    assert found.above_chance


def test_where_none_is_better_than_guessing_nothing_is_proposed(reddish: Path, tmp_path: Path):
    data = coloured(tmp_path / "set.zip", {"a": (90, 90, 90), "b": (90, 90, 90)})
    found = probed(tmp_path, data, reddish)
    assert not found.above_chance
    assert found.tried
    assert found.dataset.input == ImageInput(size=(8, 8), layout="NCHW")


def test_what_somebody_wrote_down_stays_where_nothing_is_shown_to_be_better(reddish: Path, tmp_path: Path):
    data = coloured(tmp_path / "set.zip", {"a": (200, 90, 40), "b": (40, 90, 200)})
    said = msgspec.structs.replace(data, input=ImageInput(color="RGB", scale=64.0))
    found = probed(tmp_path, said, reddish)
    assert found.tried[0].name == "as described"
    assert found.dataset.input.scale == 64.0


def test_folders_of_more_classes_than_the_model_has_are_refused(reddish: Path, tmp_path: Path):
    data = coloured(tmp_path / "set.zip", {"a": (0, 0, 0), "b": (9, 9, 9), "c": (99, 99, 99)}, each=4)
    found = probed(tmp_path, data, reddish)
    assert "has 3 classes and the model has 2 output classes" in found.refusals[0].what
    assert found.tried == ()


def test_labels_beyond_the_models_classes_are_refused(reddish: Path, tmp_path: Path):
    path = tmp_path / "set.npz"
    np.savez(path, image=np.zeros((40, 3, 8, 8), np.float32), labels=np.arange(40) % 3)
    found = probed(tmp_path, read_dataset(str(path), {}), reddish)
    assert "has 3 classes" in found.refusals[0].what


def test_images_without_labels_are_not_tried_and_it_is_said_why(reddish: Path, tmp_path: Path):
    coloured(tmp_path / "set.zip", {"a": (9, 9, 9), "b": (9, 9, 9)}, each=4)
    file = tmp_path / "set.toml"
    file.write_text('kind = "image-folder"\npath = "set.zip"\ntask = "none"\n')
    found = probed(tmp_path, read_dataset(str(file), {}), reddish)
    assert "no labels" in found.untried


def test_arrays_are_fed_as_they_are_over_as_many_samples_as_there_is_time_for(reddish: Path, tmp_path: Path):
    """There is one way to feed them, which was divided by as none."""
    path = tmp_path / "set.npz"
    image = np.zeros((40, 3, 8, 8), np.float32)
    image[::2, 0] = image[1::2, 2] = 1.0
    np.savez(path, image=image, labels=np.arange(40) % 2)
    found = probed(tmp_path, read_dataset(str(path), {}), reddish, samples=0)
    assert [(row.name, row.top1) for row in found.tried] == [("as they are", 1.0)]
    assert found.above_chance
