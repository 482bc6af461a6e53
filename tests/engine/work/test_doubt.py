"""Pictures that are fed in another way than the model was made for: what is said of its accuracy."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.data.open import open_samples
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import Dataset, ImageInput, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.evaluate_outputs import Contender, evaluate
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SHADES = (30, 90, 150, 210)
IMAGE = TensorFacts(name="image", shape=(1, 3, 2, 2), dtype="float")
HOW = ImageInput(color="RGB", mean=(0.5,), std=(0.5,))


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """Tells four shades of red apart, each a class, of pixels from -1 to 1; its score for a shade is least far from it."""
    at = np.array([shade / 127.5 - 1 for shade in SHADES], np.float32)
    first = np.zeros((3, 4), np.float32)
    first[0] = 2 * at
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"]),
    ]
    ends = [("image", [1, 3, 2, 2]), ("logits", [1, 4])]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    tensors = [numpy_helper.from_array(first, "weight"), numpy_helper.from_array(-(at**2), "bias")]
    graph = helper.make_graph(nodes, "shades", infos[:1], infos[1:], tensors)
    path = tmp_path / "shades.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """110 pictures a class, red of its shade and blue of any."""
    path = tmp_path / "shades.zip"
    draw = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for label, shade in enumerate(SHADES):
            for number in range(110):
                out = io.BytesIO()
                color = (shade + int(draw.integers(-20, 20)), 0, int(draw.integers(0, 255)))
                Image.new("RGB", (2, 2), color).save(out, "PNG")
                archive.writestr(f"{label}/{number}.png", out.getvalue())
    return path


def said(model: Path, dataset: Dataset) -> list[str]:
    say = NullReporter()
    samples = open_samples(dataset, [IMAGE], {"image": (1, 3, 2, 2)}, "all", 0, say)
    session = OnnxRuntime().load(model, BackendSettings(threads=1), cooperative=True)
    evaluate(
        session,
        {"candidate": Contender(session, say)},
        samples,
        1,
        RunSpec(model=str(model), recipe=Recipe(), dataset=dataset),
        say,
    )
    return [text for text in say.warnings if "FP32" in text]


def test_a_model_that_is_fed_rightly_is_not_doubted(shades, pictures):
    assert said(shades, Dataset(kind="image-folder", path=str(pictures), input=HOW)) == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (ImageInput(scale=1), ("implausible for a trained model", "it says the same class", "mean = [0.5], std = [0.5]")),
        (ImageInput(), ("mean = [0.5], std = [0.5]",)),
        (msgspec.structs.replace(HOW, color="BGR"), ('with color = "RGB"',)),
    ],
)
def test_what_would_fit_better_is_named(shades, pictures, how: ImageInput, words: tuple[str, ...]):
    (text,) = said(shades, Dataset(kind="image-folder", path=str(pictures), input=how))
    for word in words:
        assert word in text
    assert "[input]" in text


def test_of_few_samples_a_poor_accuracy_is_looked_into_as_well(shades, pictures, tmp_path):
    few = tmp_path / "few.zip"
    with zipfile.ZipFile(pictures) as source, zipfile.ZipFile(few, "w") as archive:
        for name in source.namelist():
            if int(Path(name).stem) < 30:
                archive.writestr(name, source.read(name))
    how = msgspec.structs.replace(HOW, mean=(0.36,))
    (text,) = said(shades, Dataset(kind="image-folder", path=str(few), input=how))
    assert "implausible" not in text  # about half are right, far more than by guessing
    assert "mean = [0.5], std = [0.5]" in text


def test_classes_in_another_order_are_named(shades, pictures, tmp_path):
    turned = tmp_path / "turned.zip"
    with zipfile.ZipFile(pictures) as source, zipfile.ZipFile(turned, "w") as archive:
        for name in source.namelist():
            label, _, file = name.partition("/")
            archive.writestr(f"{(int(label) + 1) % 4}/{file}", source.read(name))
    (text,) = said(shades, Dataset(kind="image-folder", path=str(turned), input=HOW))
    assert "implausible" in text
    assert "with the classes in another order it would be 1.000" in text
    assert "the model's class 0 is `1` (label 1)" in text


def test_arrays_have_no_pixels_to_try_and_likely_causes_are_named(shades, tmp_path):
    path = tmp_path / "blind.npz"
    draw = np.random.default_rng(0)
    np.savez(path, image=draw.random((400, 3, 2, 2), np.float32), labels=draw.integers(0, 4, 400))
    (text,) = said(shades, Dataset(kind="npz", path=str(path)))
    assert "implausible" in text
    assert "scale, mean or channels (BGR) of the arrays" in text


def test_a_handful_of_samples_is_not_doubted(shades, tmp_path):
    path = tmp_path / "few.npz"
    np.savez(path, image=np.zeros((6, 3, 2, 2), np.float32), labels=np.array([0, 1, 2, 3, 0, 1]))
    assert said(shades, Dataset(kind="npz", path=str(path))) == []
