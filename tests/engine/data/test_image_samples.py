"""Images in class folders become the model's input: order, labels, pixels, and what cannot be read."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
import pytest
from edgetui.engine.data.images import decode
from edgetui.engine.data.open import open_samples
from edgetui.engine.errors import DataRefused
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.system.reporter import NullReporter
from PIL import Image


def png(color, size=(4, 6)):
    """One plain image; `size` is width, height."""
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


SHAPES = {"x": (1, 3, 6, 4)}
RAW = ImageInput(scale=1.0)


def opened(path, part="all", how=RAW, shape=SHAPES["x"], dtype="float", **more):
    """Samples of the images at `path`; `more` is what a dataset may say besides, and `seed` and `say`."""
    seed, say = more.pop("seed", 0), more.pop("say", NullReporter())
    dataset = Dataset(kind="image-folder", path=str(path), input=how, **more)
    facts = [TensorFacts(name="x", dtype=dtype, shape=shape)]
    return open_samples(dataset, facts, {"x": shape}, part, seed, say)


def shades(samples):
    """The red value of the first pixel of every sample: which files came, in which order."""
    return [int(value) for batch in samples.batches(2) for value in batch.feeds["x"][:, 0, 0, 0]]


def test_classes_are_numbered_by_name_and_samples_keep_the_order_of_files(zipped, two_classes):
    samples = opened(zipped(two_classes))
    batches = list(samples.batches(4))
    assert samples.classes == ("cat", "dog")
    assert [batch.n for batch in batches] == [4, 2]
    assert np.concatenate([batch.labels for batch in batches]).tolist() == [0, 0, 0, 1, 1, 1]
    assert shades(samples) == [0, 1, 2, 100, 101, 102]
    assert shades(samples) == [0, 1, 2, 100, 101, 102]  # and again


def test_samples_are_named_in_the_order_in_which_they_came(zipped, two_classes):
    samples = opened(zipped(two_classes | {"cat/1b.png": b"no picture"})).take(4)
    assert samples.names() == []
    assert len(shades(samples)) == 4
    names = samples.names()
    assert [name for name in names if "1b" in name] == []
    assert {name.partition("/")[0] for name in names} == {"cat", "dog"}
    assert len(set(names)) == 4


def test_a_folder_gives_the_same_as_its_zip(tmp_path, zipped, two_classes):
    with zipfile.ZipFile(zipped(two_classes)) as archive:
        archive.extractall(tmp_path / "folder")
    assert shades(opened(tmp_path / "folder")) == [0, 1, 2, 100, 101, 102]


def test_one_folder_around_everything_and_what_systems_leave_behind_do_no_harm(zipped, two_classes):
    content = {f"pets/{name}": data for name, data in two_classes.items()}
    content |= {"__MACOSX/pets/cat/._0.png": b"junk", "pets/.DS_Store": b"junk", "pets/README.txt": b"hello"}
    samples = opened(zipped(content))
    assert (samples.classes, len(samples)) == (("cat", "dog"), 6)


def test_backslashes_in_a_zip_are_folders(zipped, two_classes):
    path = zipped({name.replace("/", "\\"): data for name, data in two_classes.items()})
    samples = opened(path)
    assert samples.classes == ("cat", "dog")
    assert sum(batch.n for batch in samples.batches(4)) == 6


def test_classes_that_are_numbers_are_sorted_as_numbers(zipped):
    samples = opened(zipped({f"{n}/a.png": png((n, 0, 0)) for n in (10, 9, 2)}))
    assert samples.classes == ("2", "9", "10")


def test_flat_images_have_no_labels(zipped):
    samples = opened(zipped({f"{n}.png": png((n, 0, 0)) for n in range(3)}))
    assert not samples.labels
    assert next(samples.batches(3)).labels is None


def test_a_layout_and_colour_are_as_the_dataset_says(zipped, two_classes):
    path = zipped({"a/1.png": png((10, 20, 30)), "b/1.png": png((10, 20, 30))})
    rgb = next(opened(path).batches(1)).feeds["x"]
    assert rgb.shape == (1, 3, 6, 4)
    assert rgb.dtype == np.float32
    assert rgb[0, :, 0, 0].tolist() == [10, 20, 30]
    bgr = next(opened(path, how=ImageInput(scale=1.0, color="BGR"), shape=(1, 6, 4, 3)).batches(1)).feeds["x"]
    assert bgr.shape == (1, 6, 4, 3)
    assert bgr[0, 0, 0].tolist() == [30, 20, 10]
    gray = next(opened(path, shape=(1, 1, 6, 4)).batches(1)).feeds["x"]
    assert gray.shape == (1, 1, 6, 4)
    assert gray[0, 0, 0, 0] == 18  # ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B
    whole = next(opened(path, how=ImageInput(), dtype="uint8").batches(1)).feeds["x"]
    assert whole.dtype == np.uint8
    assert whole[0, :, 0, 0].tolist() == [10, 20, 30]


def test_scale_mean_and_std_are_applied_as_written(zipped):
    path = zipped({"a/1.png": png((51, 102, 204)), "b/1.png": png((0, 0, 0))})
    how = ImageInput(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    pixel = next(opened(path, how=how).batches(1)).feeds["x"][0, :, 0, 0]
    assert pixel == pytest.approx([(0.2 - 0.1) / 0.5, (0.4 - 0.2) / 0.25, (0.8 - 0.3) / 2.0], abs=1e-6)


def test_the_last_batch_is_filled_for_a_model_whose_batch_is_fixed(zipped, two_classes):
    last = list(opened(zipped(two_classes)).batches(4, padded=True))[-1]
    assert (last.n, len(last.labels), last.feeds["x"].shape[0]) == (2, 2, 4)


def test_broken_images_are_named_counted_and_passed_over(zipped, two_classes):
    content = two_classes | {"cat/1.png": b"no image at all", "dog/0.png": two_classes["dog/0.png"][:45]}
    say = NullReporter()
    samples = opened(zipped(content), say=say)
    assert shades(samples) == [0, 2, 101, 102]
    assert samples.skipped == ["cat/1.png", "dog/0.png"]
    assert samples.read == 4
    assert len([text for text in say.warnings if "passed over" in text]) == 2
    assert shades(samples) == [0, 2, 101, 102]
    assert len(samples.skipped) == 2


def test_a_broken_image_among_those_taken_is_made_up_for(zipped, two_classes):
    content = two_classes | {"cat/0.png": b"x", "cat/1.png": b"x", "dog/0.png": b"x", "dog/1.png": b"x"}
    samples = opened(zipped(content))
    for n in (1, 2):
        assert sum(batch.n for batch in samples.take(n).batches(1)) == n
    assert sorted(shades(samples.take(5))) == [2, 102]
    assert len(samples.skipped) == 4


def test_a_member_damaged_in_the_zip_is_passed_over(zipped, two_classes):
    path = zipped(two_classes)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        data[archive.getinfo("cat/1.png").header_offset + 50] ^= 0xFF
    path.write_bytes(data)
    samples = opened(path)
    assert shades(samples) == [0, 2, 100, 101, 102]
    assert samples.skipped == ["cat/1.png"]


def test_nothing_but_broken_images_is_refused(zipped):
    samples = opened(zipped({"a/1.png": b"x", "b/1.png": b"y"}))
    with pytest.raises(DataRefused, match="none of the 2 samples"):
        list(samples.batches(1))


def test_a_share_is_set_aside_for_calibration_and_left_out_of_evaluation(zipped):
    content = {f"{c}/{n}.png": png((n + 100 * k, 0, 0)) for k, c in enumerate("ab") for n in range(100)}
    path = zipped(content)
    calibration, evaluation = (opened(path, part=part, seed=3) for part in ("calibration", "evaluation"))
    assert (len(calibration), len(evaluation)) == (100, 100)
    assert sorted(shades(calibration) + shades(evaluation)) == sorted([n + 100 * k for k in range(2) for n in range(100)])
    assert calibration.source == "50 % of set.zip (seed 3)"
    assert "without" in evaluation.source
    counts = np.bincount(np.concatenate([batch.labels for batch in calibration.batches(16)]))
    assert counts.tolist() == [50, 50]
    assert shades(opened(path, part="calibration", seed=3)) == shades(calibration)
    assert shades(opened(path, part="calibration", seed=4)) != shades(calibration)


def test_a_calibration_set_of_its_own_is_used_whole(zipped, two_classes):
    path, own = zipped(two_classes), zipped({"a.png": png((7, 0, 0))}, "own.zip")
    calibration = opened(path, part="calibration", calibration=str(own))
    assert (shades(calibration), calibration.source) == ([7], "all of own.zip")
    assert len(opened(path, part="evaluation", calibration=str(own))) == 6


def test_taking_some_takes_as_many_of_each_class(zipped):
    content = {f"{c}/{n}.png": png((n, 0, 0)) for c, many in (("a", 30), ("b", 10), ("c", 5)) for n in range(many)}
    samples = opened(zipped(content)).take(12)
    assert len(samples) == 12
    assert np.bincount(next(samples.batches(12)).labels).tolist() == [4, 4, 4]


KINDS = [*((mode, "PNG") for mode in ("L", "P", "RGBA", "LA", "1", "I;16")), ("CMYK", "JPEG")]


@pytest.mark.parametrize(("mode", "format_"), KINDS)
def test_every_kind_of_image_becomes_rgb(mode, format_):
    out = io.BytesIO()
    source = Image.new("L", (8, 8), 255)
    (Image.fromarray(np.full((8, 8), 65535, np.uint16)) if mode == "I;16" else source.convert(mode)).save(out, format_)
    pixels = decode(out.getvalue(), (4, 4), gray=False)[0]
    assert pixels.shape == (4, 4, 3)
    assert pixels.min() > 250


def test_a_palette_with_transparency_is_read_without_a_murmur():
    out = io.BytesIO()
    image = Image.new("P", (4, 4))
    image.putpalette([200, 100, 50] * 256)
    image.save(out, "PNG", transparency=bytes([0] * 256))
    assert decode(out.getvalue(), (4, 4), gray=False)[0][0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize("format_", ["GIF", "BMP", "PPM", "TIFF", "WEBP"])
def test_other_formats_are_read_too(format_):
    out = io.BytesIO()
    Image.new("RGB", (4, 4), (250, 250, 250)).save(out, format_)
    assert decode(out.getvalue(), (4, 4), gray=False)[0].min() > 240


def test_a_document_named_like_an_image_is_handed_to_no_other_program(zipped, two_classes):
    document = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n%%EOF\n"
    samples = opened(zipped(two_classes | {"cat/9.png": document}), say=(say := NullReporter()))
    assert len(shades(samples)) == 6
    assert say.warnings == ["cat/9.png is passed over: no image"]


def test_a_large_jpeg_is_shrunk_to_nearly_the_same_picture():
    x, y = np.meshgrid(np.linspace(0, 255, 640), np.linspace(0, 255, 480))
    source = Image.fromarray(np.stack([x, y, 255 - x], -1).astype(np.uint8))
    out = io.BytesIO()
    source.save(out, "JPEG", quality=95)
    small = decode(out.getvalue(), (40, 30), gray=False)[0].astype(int)
    wanted = np.asarray(source.resize((40, 30), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(small - wanted).mean() < 2


@pytest.mark.parametrize(
    ("how", "shape", "what"),
    [
        (ImageInput(size=(6, 4)), (1, 3, 6, 4), r"size is \[width, height\], so write \[4, 6\]"),
        (ImageInput(size=(9, 9)), (1, 3, 6, 4), r"size \[9, 9\] does not fit input x, which is 4 wide and 6 high"),
        (ImageInput(layout="NHWC"), (1, 3, 6, 8), "8 channels as NHWC"),
        (ImageInput(color="GRAY"), (1, 3, 6, 4), "GRAY does not fit the 3 channels"),
        (ImageInput(mean=(1.0, 2.0)), (1, 3, 6, 4), "2 numbers for 3 channels"),
        (ImageInput(name="y"), (1, 3, 6, 4), "no input 'y'"),
        (ImageInput(), (1, 16), r"shape \[1, 16\] takes no images"),
    ],
)
def test_a_description_that_does_not_fit_the_model_is_refused(zipped, two_classes, how, shape, what):
    with pytest.raises(DataRefused, match=what):
        opened(zipped(two_classes), how=how, shape=shape)


def test_token_ids_are_not_fed_with_images(zipped, two_classes):
    with pytest.raises(DataRefused, match="wants int64, which images are not"):
        opened(zipped(two_classes), dtype="int64")


def test_two_inputs_are_not_fed_with_images(zipped, two_classes):
    facts = [TensorFacts(name=name, dtype="float", shape=(1, 3, 6, 4)) for name in "xy"]
    dataset = Dataset(kind="image-folder", path=str(zipped(two_classes)))
    with pytest.raises(DataRefused, match="the model has 2"):
        open_samples(dataset, facts, {"x": (1, 3, 6, 4), "y": (1, 3, 6, 4)}, "all", 0, NullReporter())


def test_assumed_preprocessing_is_said(zipped, two_classes):
    say = NullReporter()
    opened(zipped(two_classes), how=ImageInput(), say=say)
    assert any("assumed" in text for text in say.warnings)
    quiet = NullReporter()
    opened(zipped(two_classes), how=RAW, say=quiet)
    assert quiet.warnings == []


def test_one_class_is_refused_where_accuracy_is_wanted(zipped):
    path = zipped({f"cat/{n}.png": png((n, 0, 0)) for n in range(4)})
    with pytest.raises(DataRefused, match=r"of one class \(cat\)"):
        opened(path, part="evaluation")
    assert len(opened(path, part="calibration")) == 2
    assert not opened(path, part="evaluation", task="none").labels


def test_train_and_test_are_not_taken_for_classes(zipped):
    path = zipped({"train/cat/1.png": png((1, 0, 0)), "test/cat/1.png": png((2, 0, 0))})
    with pytest.raises(DataRefused, match="parts"):
        opened(path)


def test_what_is_no_set_of_images_is_refused_in_words(tmp_path, zipped, two_classes):
    with pytest.raises(DataRefused, match="is not there"):
        opened(tmp_path / "gone.zip")
    with pytest.raises(DataRefused, match="is empty"):
        opened(zipped({"notes.txt": b"hello"}))
    whole = zipped(two_classes).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataRefused, match="truncated"):
        opened(tmp_path / "cut.zip")
    with pytest.raises(DataRefused, match="one sample"):
        opened(zipped({"a.png": png((1, 0, 0))}), part="calibration")


def test_real_images_are_read_from_the_zip_in_place(shared):
    samples = opened(shared / "cifar10" / "test.zip", how=ImageInput(size=(32, 32)), shape=(1, 3, 32, 32)).take(500)
    labels = np.concatenate([batch.labels for batch in samples.batches(64)])
    assert len(samples.classes) == 10
    assert np.bincount(labels).tolist() == [50] * 10
    faces = opened(shared / "faces" / "faces.zip", shape=(1, 3, 240, 320))
    assert sum(batch.n for batch in faces.batches(5)) == 12
    assert not faces.labels


def test_names_that_are_not_utf8_can_be_told_and_pipes_are_no_images(tmp_path, two_classes):
    for name, data in two_classes.items():
        file = tmp_path / os.fsdecode(b"set/\xe9" + name.encode())
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data if not name.startswith("dog/1") else b"broken")
    os.mkfifo(tmp_path / "set" / "pipe.png")
    say = NullReporter()
    samples = opened(tmp_path / "set", say=say)
    assert shades(samples) == [0, 1, 2, 100, 102]
    assert samples.classes == ("�cat", "�dog")
    assert samples.skipped == ["�dog/1.png"]
    assert all(text.isprintable() for text in say.warnings)


def test_classes_that_are_said_give_the_order(zipped, two_classes):
    path = zipped(two_classes)
    samples = opened(path, classes=("dog", "bird", "cat"))
    assert samples.classes == ("dog", "bird", "cat")
    assert np.concatenate([batch.labels for batch in samples.batches(3)]).tolist() == [2, 2, 2, 0, 0, 0]
    with pytest.raises(DataRefused, match="folders that are none of `classes`: dog"):
        opened(path, classes=("cat", "bird"))
