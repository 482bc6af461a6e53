"""What the user calls a dataset becomes absolute paths and settings, or an error that names what to mend."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from edgetui.engine.data.fingerprint import fingerprint
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.spec import Dataset, ImageInput


def described(folder: Path, text: str) -> Path:
    file = folder / "pets.toml"
    file.write_text(text)
    return file


def test_a_toml_file_is_read_and_its_paths_start_at_its_folder(tmp_path, zipped, two_classes):
    zipped(two_classes, "test.zip")
    zipped(two_classes, "train.zip")
    file = described(
        tmp_path,
        'kind = "image-folder"\npath = "test.zip"\ncalibration = "train.zip"\n'
        '[input]\nsize = [4, 6]\nmean = [0.5]\ncolor = "BGR"\n',
    )
    dataset = read_dataset(str(file), {})
    assert dataset.path == str(tmp_path / "test.zip")
    assert dataset.calibration == str(tmp_path / "train.zip")
    assert (dataset.name, dataset.input.size, dataset.input.mean, dataset.input.color) == ("pets", (4, 6), (0.5,), "BGR")


def test_a_name_of_the_configuration_leads_to_its_path(zipped, two_classes):
    path = zipped(two_classes)
    dataset = read_dataset("pets", {"pets": str(path)})
    assert (dataset.kind, dataset.path, dataset.name) == ("image-folder", str(path), "pets")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    file = tmp_path / "pets.toml"
    file.write_text('kind = "npz"\npath = "."\n', encoding="utf-8-sig")
    assert read_dataset(str(file), {}).kind == "npz"


def test_kinds_follow_from_the_file(tmp_path, saved):
    assert read_dataset(str(tmp_path), {}).kind == "image-folder"
    assert read_dataset(str(saved()), {}).kind == "npz"


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ('kind = "npz"\npath = "."\nscal = 2\n', "unknown key `scal`", "known"),
        ('kind = "npz"\npath = "."\n[input]\nscal = 2\n', "unknown key `input.scal`", "`scale`"),
        ('kind = "video"\npath = "."\n', "video", "`edgetui dataset DATA --out FILE.toml`"),
        ('kind = "npz"\n', "path", "`edgetui dataset DATA --out FILE.toml`"),
        ('kind = "npz"\npath = "gone.npz"\n', "gone.npz, which is not there", "mend"),
        ('kind = "npz"\npath = "."\n[input]\nsize = [0, 4]\n', "size", "`edgetui dataset DATA --out FILE.toml`"),
        ('kind = "npz"\npath = "."\n[input]\nstd = [0.0]\n', "std", "`edgetui dataset DATA --out FILE.toml`"),
        ('kind = "npz"\npath = "."\n[input]\nmean = [nan]\n', "mean", "`edgetui dataset DATA --out FILE.toml`"),
        ("kind = \n", "not valid TOML", "line"),
    ],
)
def test_what_a_toml_file_says_wrong_is_named_with_the_file(tmp_path, text, what, fix):
    file = described(tmp_path, text)
    with pytest.raises(DataRefused) as refused:
        read_dataset(str(file), {})
    assert str(file) in refused.value.what
    assert what in refused.value.what
    assert fix in refused.value.fix


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ('color = "gray"', "write `GRAY`: it is one of BGR, GRAY, RGB"),
        ('color = "Grayscale"', "write `GRAY`"),
        ('color = "CMYK"', "it is one of BGR, GRAY, RGB"),
        ('layout = "nchw"', "write `NCHW`: it is one of NCHW, NHWC"),
        ("mean = 0.5", "write a list, in brackets"),
    ],
)
def test_a_word_that_cannot_be_is_answered_with_the_choices(tmp_path, line, fix):
    with pytest.raises(DataRefused) as refused:
        read_dataset(str(described(tmp_path, f'kind = "npz"\npath = "."\n[input]\n{line}\n')), {})
    assert fix in refused.value.fix


@pytest.mark.parametrize(("kind", "decoder"), [("keypoints", "yolov8"), ("detection", "trt-pose"), ("text", "ssd")])
def test_a_decoder_of_something_else_is_refused(tmp_path, kind, decoder):
    with pytest.raises(DataRefused, match=f'decoder "{decoder}" does not read what a dataset of kind "{kind}" has'):
        read_dataset(str(described(tmp_path, f'kind = "{kind}"\npath = "."\ndecoder = "{decoder}"')), {})


def test_a_kind_that_is_missing_or_unknown_is_answered_with_the_choices(tmp_path):
    tasks, kinds = "classification, detection, keypoints, none", "detection, image-folder, keypoints, npz, segmentation, text"
    for line in ('path = "."', 'kind = "video"\npath = "."', 'kind = "npz"\npath = "."\ntask = "Classification"'):
        with pytest.raises(DataRefused, match=tasks if "task" in line else kinds):
            read_dataset(str(described(tmp_path, line)), {})


def test_what_is_not_there_is_said_with_the_nearest_name(tmp_path):
    with pytest.raises(DataRefused, match="did you mean `faces`"):
        read_dataset("face", {"faces": str(tmp_path), "pets": str(tmp_path)})


def test_a_text_file_is_no_dataset(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataRefused, match="is not a dataset"):
        read_dataset(str(tmp_path / "notes.txt"), {})


def test_the_fingerprint_follows_content_and_settings_not_the_place(tmp_path, zipped, two_classes):
    path = zipped(two_classes)
    one = fingerprint(read_dataset(str(path), {}))
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "moved.zip"
    shutil.copy(path, moved)
    assert fingerprint(read_dataset(str(moved), {})) == one
    plain = described(tmp_path, 'kind = "image-folder"\npath = "set.zip"\n')
    other = described(tmp_path, 'kind = "image-folder"\npath = "set.zip"\n[input]\nscale = 1.0\n')
    assert fingerprint(read_dataset(str(other), {})) != one
    assert plain == other
    data = bytearray(moved.read_bytes())
    data[60] ^= 1
    moved.write_bytes(data)
    assert fingerprint(read_dataset(str(moved), {})) != one


def test_the_fingerprint_of_a_folder_sees_a_renamed_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    one = fingerprint(read_dataset(str(tmp_path), {}))
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    assert fingerprint(read_dataset(str(tmp_path), {})) != one


def test_describing_needs_neither_numpy_nor_pillow():
    code = (
        "import sys, edgetui.engine.library.datasets, edgetui.engine.data.fingerprint, edgetui.engine.advice.verdict;"
        "sys.exit(bool({'numpy', 'PIL'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_was_added_later_stands_in_a_description_only_where_it_is_said():
    """Runs and caches of a version without it keep their hashes."""
    plain = Dataset(kind="npz", path="a", input=ImageInput(mean=(0.5,)))
    assert set(plain.described()) == {"kind", "path", "calibration", "task", "input", "name"}
    assert set(plain.described()["input"]) == {"size", "layout", "color", "scale", "mean", "std", "name"}
    said = Dataset(kind="detection", path="a", classes=("b",), decoder="ssd", input=ImageInput(letterbox=False))
    assert (said.described()["classes"], said.described()["decoder"]) == (("b",), "ssd")
    assert said.described()["input"]["letterbox"] is False


@pytest.mark.parametrize("name", ["dataset", "detection", "keypoints", "segmentation", "text", "regression"])
def test_the_examples_describe_datasets(name, tmp_path):
    """As they stand, with files where they say that files are."""
    example = (Path(__file__).resolve().parents[3] / "examples" / f"{name}.toml").read_text()
    for file in re.findall(r'^(?:path|calibration|tokenizer) = "([^"]*)"', example, re.MULTILINE):
        (tmp_path / file).write_bytes(b"")
    path = tmp_path / f"{name}.toml"
    path.write_text(example)
    assert read_dataset(str(path), {}).name == name
