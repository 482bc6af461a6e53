"""A dataset's description as a file: what is written is read back as the same, and nothing is written over."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.errors import StorageRefused
from edgetui.engine.library.dataset_file import dataset_toml, write_dataset
from edgetui.engine.library.dataset_parts import parts_of
from edgetui.engine.library.datasets import read_dataset, read_parts
from edgetui.engine.schema.spec import Dataset, ImageInput
from hypothesis import given
from hypothesis import strategies as some

NUMBERS = some.lists(some.floats(0.001, 300, allow_nan=False), max_size=3).map(tuple)
INPUTS = some.builds(
    ImageInput,
    size=some.none() | some.tuples(some.integers(1, 4096), some.integers(1, 4096)),
    layout=some.sampled_from([None, "NCHW", "NHWC"]),
    color=some.sampled_from([None, "RGB", "BGR"]),
    scale=some.floats(0.01, 1000) | some.just(255.0),
    mean=NUMBERS,
    std=NUMBERS,
    name=some.sampled_from(["", "image", 'in"put\\0]']),
    letterbox=some.sampled_from([None, True, False]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sets")
    for name in ("train", "test"):
        (made / "own" / name / "cat").mkdir(parents=True)
    return made.resolve()


@given(
    how=INPUTS,
    classes=some.lists(some.text("ab \"'é\n", min_size=1), max_size=3).map(tuple),
    inside=some.booleans(),
    task=some.sampled_from(["classification", "none"]),
    named=some.booleans(),
)
def test_what_is_written_is_read_as_the_same(folder: Path, how, classes, inside, task, named):
    file = (folder if inside else folder / "elsewhere") / "set.toml"
    wanted = Dataset(
        kind="image-folder",
        path=str(folder / "own" / "test"),
        calibration=str(folder / "own" / "train"),
        task=task,
        input=how,
        name="another" if named else "set",
        classes=classes,
    )
    write_dataset(wanted, file, over=True)
    assert read_dataset(str(file), {}) == wanted


def test_paths_below_the_file_go_with_it(folder: Path):
    text = dataset_toml(Dataset(kind="image-folder", path=str(folder / "own" / "test"), name="x"), folder / "x.toml")
    assert 'path = "own/test"' in text


def test_a_file_that_is_there_stays(tmp_path: Path):
    file = tmp_path / "set.toml"
    file.write_text("mine")
    with pytest.raises(StorageRefused, match=r"there already; .*--force"):
        write_dataset(Dataset(kind="npz", path="/x.npz"), file, over=False)
    assert file.read_text() == "mine"


def test_a_name_that_would_not_be_read_is_refused(tmp_path: Path):
    with pytest.raises(StorageRefused, match=r"ends in \.toml"):
        write_dataset(Dataset(kind="npz", path="/x.npz"), tmp_path / "set.txt", over=True)


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train.zip", "test.zip", "val.zip"], ("test.zip", "train.zip")),
        (["Train/", "val/", "readme.txt"], ("val", "Train")),
        (["train.tsv", "dev.tsv"], ("dev.tsv", "train.tsv")),
        (["train.zip", "test/"], None),
        (["cat/", "dog/"], None),
    ],
)
def test_parts_of_a_folder_are_told_by_their_names(tmp_path: Path, names, parts):
    for name in names:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    assert parts_of(tmp_path) == (None if parts is None else tuple(tmp_path / part for part in parts))


def test_a_folder_of_parts_is_evaluated_on_one_and_calibrated_with_the_other(folder: Path):
    found = read_parts(str(folder / "own"), {})
    assert (found.name, Path(found.path).name, Path(found.calibration).name) == ("own", "test", "train")
