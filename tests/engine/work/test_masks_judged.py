"""Segmenters over images with masks: mIoU of both sides, their paired difference, and masks against masks without labels."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from colour_segmenter import SIZE, png, segmented, segmenter
from edgetui.engine.data.open import open_samples
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.runs.outcome import Outcome
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.system.reporter import NullReporter
from evaluating import evaluated
from PIL import Image

IMAGES = TensorFacts(name="x", dtype="float", shape=(1, 3, SIZE, SIZE))


@pytest.fixture
def images(tmp_path: Path) -> Dataset:
    dataset = read_dataset(str(segmented(tmp_path / "set")), {})
    assert (dataset.kind, dataset.task) == ("segmentation", "segmentation")
    return dataset


def compared(model: Path, other: Path, dataset: Dataset, say: NullReporter | None = None) -> Outcome:
    return evaluated(model, other, dataset, [IMAGES], {"x": (1, 3, SIZE, SIZE)}, say)


def test_blocks_are_found_and_a_worse_candidate_is_shown_to_be_worse(images: Dataset, tmp_path: Path):
    found = compared(segmenter(tmp_path / "a.onnx"), segmenter(tmp_path / "b.onnx", noise=0.3), images)
    one, other = found.baseline.accuracy, found.candidate.accuracy
    assert one.miou > 0.85
    assert one.miou_low < one.miou < one.miou_high
    assert (one.n, other.n) == (20, 20)
    assert found.difference.miou_points.value == pytest.approx(other.miou - one.miou)
    assert found.difference.miou_points.high < 0
    assert found.summary == f"mIoU {one.miou:.3f} → {other.miou:.3f} over 20 images"
    assert found.fidelity.masks_miou < 0.99
    assert other.agreement_low < other.agreement < other.agreement_high


@pytest.mark.parametrize("how", [{}, {"chosen": True}, {"half": True}, {"chosen": True, "half": True}])
def test_the_same_plan_twice_differs_in_nothing(how, images: Dataset, tmp_path: Path):
    model = segmenter(tmp_path / "a.onnx", **how)
    found = compared(model, model, images)
    points = found.difference.miou_points
    assert (points.value, points.low, points.high) == (0, 0, 0)
    assert (found.fidelity.masks_miou, found.candidate.accuracy.agreement) == (1, 1)
    assert found.baseline.accuracy.miou > 0.7


def test_a_letterbox_finds_the_same_blocks(images: Dataset, tmp_path: Path):
    model = segmenter(tmp_path / "a.onnx")
    laid = msgspec.structs.replace(images, input=msgspec.structs.replace(images.input, letterbox=True))
    assert compared(model, model, laid).baseline.accuracy.miou > 0.75


def test_a_zip_with_masks_of_a_palette_says_the_same(images: Dataset, tmp_path: Path):
    """As VOC has them: the numbers count, not the colours."""
    for path in Path(images.path, "masks").iterdir():
        mask = Image.open(path).convert("P")
        mask.putdata(list(np.asarray(Image.open(path)).ravel()))
        mask.putpalette([n % 256 for n in range(0, 3 * 256 * 7, 7)][: 3 * 256])
        mask.save(path)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in Path(images.path).rglob("*.png"):
            archive.write(path, path.relative_to(images.path).as_posix().replace("masks/", "SegmentationClass/"))
    model = segmenter(tmp_path / "a.onnx")
    found = compared(model, model, read_dataset(str(tmp_path / "set.zip"), {}))
    assert found.baseline.accuracy == compared(model, model, images).baseline.accuracy
    assert found.baseline.accuracy.miou > 0.85


def test_masks_of_other_images_are_implausible(tmp_path: Path):
    heard = NullReporter()
    model = segmenter(tmp_path / "a.onnx")
    found = compared(model, model, read_dataset(str(segmented(tmp_path / "set", shuffled=True)), {}), heard)
    assert found.baseline.accuracy.miou < 0.5
    heard = NullReporter()
    blind = segmenter(tmp_path / "b.onnx", noise=60.0)
    compared(blind, blind, read_dataset(str(segmented(tmp_path / "right")), {}), heard)
    assert "implausible for a trained model" in heard.warnings[-1]


def test_without_labels_masks_are_held_against_the_baselines(images: Dataset, tmp_path: Path):
    data = msgspec.structs.replace(images, task="none")
    model = segmenter(tmp_path / "a.onnx")
    found = compared(model, segmenter(tmp_path / "b.onnx", noise=0.3), data)
    assert found.baseline.accuracy.miou is None
    assert found.fidelity.masks_miou < 0.99
    assert found.dataset.evaluated == 20


def test_images_alone_are_enough_without_labels(images: Dataset, tmp_path: Path):
    for path in Path(images.path, "masks").iterdir():
        path.unlink()
    model = segmenter(tmp_path / "a.onnx")
    found = compared(model, model, msgspec.structs.replace(images, task="none"))
    assert (found.dataset.evaluated, found.fidelity.masks_miou) == (20, 1)
    with pytest.raises(DataRefused, match="no mask of any"):
        compared(model, model, images)


def test_more_classes_than_the_model_has_are_refused(images: Dataset, tmp_path: Path):
    model = segmenter(tmp_path / "a.onnx")
    with pytest.raises(DataRefused, match=r"4 classes and output .* tells 3 apart"):
        compared(model, model, msgspec.structs.replace(images, classes=("nothing", "red", "blue", "green")))


def wide(path: Path, number: int) -> None:
    """Whatever its name is, a file may hold numbers of 32 bits."""
    Image.fromarray(np.full((40, 48), number, np.int32)).save(path, "TIFF")


Broken = Callable[[Path], object]
BROKEN: dict[str, tuple[Broken, str]] = {
    "colours": (lambda path: path.write_bytes(png(np.zeros((40, 48, 3), np.uint8))), "picture of colours (RGB)"),
    "another size": (lambda path: path.write_bytes(png(np.zeros((20, 48), np.uint8))), "its mask is of 48 x 20 pixels"),
    "too large": (lambda path: path.write_bytes(png(np.zeros((6001, 6000), np.uint8))), "6000 x 6001 pixels are too many"),
    "no image": (lambda path: path.write_bytes(b"mask"), "its mask cannot be read: no image"),
    "empty": (lambda path: path.write_bytes(b""), "its mask cannot be read"),
    "below zero": (lambda path: wide(path, -5), "it has the number -5, and classes are 0 to 65535"),
    "beyond all": (lambda path: wide(path, 2**31 - 1), "it has the number 2147483647"),
    "a class too many": (lambda path: path.write_bytes(png(np.full((40, 48), 7, np.uint8))), "its mask has class 7"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_mask_is_a_broken_sample(name: str, images: Dataset, tmp_path: Path):
    make, words = BROKEN[name]
    make(Path(images.path, "masks", "03.png"))
    heard = NullReporter()
    model = segmenter(tmp_path / "a.onnx")
    found = compared(model, model, msgspec.structs.replace(images, classes=("nothing", "red", "blue")), heard)
    assert (found.dataset.evaluated, found.dataset.skipped) == (19, 1)
    assert any(words in said for said in heard.warnings)


def test_images_and_masks_without_a_partner_are_counted(images: Dataset, tmp_path: Path):
    Path(images.path, "masks", "03.png").unlink()
    Path(images.path, "images", "05.png").unlink()
    heard = NullReporter()
    model = segmenter(tmp_path / "a.onnx")
    assert compared(model, model, images, heard).dataset.evaluated == 18
    assert heard.warnings[:2] == ["set: 1 image has no mask (03.png)", "set: 1 mask is of no image (05.png)"]


def test_classes_that_the_model_does_not_have_are_said(images: Dataset, tmp_path: Path):
    Path(images.path, "masks", "03.png").write_bytes(png(np.full((40, 48), 7, np.uint8)))
    heard = NullReporter()
    model = segmenter(tmp_path / "a.onnx")
    compared(model, model, images, heard)
    assert "1920 pixels are of classes that the model does not have" in heard.warnings[-1]


def test_masks_of_0_and_255_are_questioned(images: Dataset, tmp_path: Path):
    for path in Path(images.path, "masks").iterdir():
        path.write_bytes(png(np.where(np.asarray(Image.open(path)) == 1, 255, 0).astype(np.uint8)))
    heard = NullReporter()
    model = segmenter(tmp_path / "a.onnx")
    compared(model, model, images, heard)
    assert "0 and 255 alone" in heard.warnings[-1]


def test_images_without_masks_are_refused(tmp_path: Path):
    folder = segmented(tmp_path / "set")
    for path in (folder / "masks").iterdir():
        path.unlink()
    with pytest.raises(DataRefused, match="no mask of any"):
        open_samples(
            Dataset(kind="segmentation", path=str(folder), task="segmentation"),
            [IMAGES],
            {"x": (1, 3, SIZE, SIZE)},
            "all",
            0,
            NullReporter(),
        )
