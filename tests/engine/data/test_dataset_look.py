"""What is found in a dataset without a model, and what is broken in it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.data.dataset_look import Look, count, look
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.exporter import ExportNotes
from PIL import Image


def picture(mode: str, size: tuple[int, int] = (6, 4)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 100 if mode == "L" else (100,) * len(mode)).save(out, "PNG")
    return out.getvalue()


def found_in(path: Path, shown: int = 4, side: int = 0) -> Look:
    return look(read_dataset(str(path), {}), ExportNotes(), NullReporter(), shown, side)


def test_classes_are_counted_and_samples_shown_with_theirs(zipped, two_classes):
    found = found_in(zipped(two_classes), side=3)
    assert [(each.name, each.count) for each in found.classes] == [("cat", 3), ("dog", 3)]
    assert (found.samples, found.labelled, found.counted) == (6, True, "samples")
    assert {each.label for each in found.shown} == {"cat", "dog"}
    first = found.shown[0]
    assert first.facts == "4 x 6  RGB"
    assert (first.picture_width, len(first.picture)) == (2, 2 * 3 * 3)


def test_grey_images_and_alpha_channels_are_said(zipped):
    modes = ("RGB", "L", "RGBA")
    found = found_in(zipped({f"{name}/{mode}.png": picture(mode) for name in "ab" for mode in modes}))
    assert found.images is not None
    assert found.images.colors == {"RGB": 2, "grey": 2, "RGB with alpha": 2}
    assert any("2 of 6 have an alpha channel" in note for note in found.notes)


def test_a_table_beside_images_without_labels_is_said_not_to_be_read(zipped):
    flat = {f"{n}.png": picture("RGB") for n in range(2)}
    assert any(
        note.startswith("labels.csv lies beside the images") for note in found_in(zipped(flat | {"labels.csv": b"x"})).notes
    )
    assert not any("beside the images" in note for note in found_in(zipped(flat)).notes)


def test_sizes_are_of_the_narrowest_and_the_widest(zipped):
    found = found_in(zipped({"a/1.png": picture("RGB", (3, 9)), "b/1.png": picture("RGB", (8, 2))}))
    assert found.images is not None
    assert (found.images.widths, found.images.heights, found.images.sizes) == ((3, 8), (2, 9), 2)


def test_images_that_end_too_early_are_counted_and_named(zipped, two_classes):
    found = found_in(zipped({**two_classes, "dog/half.png": two_classes["dog/0.png"][:50]}))
    assert found.broken == 1
    assert any("1 of 7 images" in note and "dog/half.png" in note for note in found.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "is empty: no image in it"),
        ({"../../a/1.png": picture("RGB")}, "1 names in it lead out of it"),
        ({"a/1.png": b"", "b/1.png": picture("RGB")[:50]}, "none of 2 images that were looked into can be read"),
        ({"a/1.png": bytes(70_000_000)}, "larger than 64 MB"),
    ],
    ids=["empty", "leads out", "all broken", "bomb"],
)
def test_a_zip_with_nothing_to_see_is_refused(zipped, content, words):
    with pytest.raises(DataRefused, match=words):
        found_in(zipped(content))


def test_names_that_lead_out_of_an_archive_are_passed_over_and_said(zipped, two_classes):
    found = found_in(zipped({**two_classes, "../cat/x.png": picture("RGB")}))
    assert found.samples == 6
    assert any("1 names lead out" in note for note in found.notes)


def test_an_empty_npz_is_refused(tmp_path: Path):
    (tmp_path / "zero.npz").touch()
    with pytest.raises(DataRefused, match=r"not an \.npz file, or a truncated one"):
        found_in(tmp_path / "zero.npz")


def test_arrays_tell_their_shapes_and_classes(saved):
    found = found_in(saved(image=np.zeros((10, 3, 4, 4), np.float32), labels=np.arange(10) % 2))
    assert [each.count for each in found.classes] == [5, 5]
    assert found.shown[0].facts == "image float32 [3, 4, 4]"


def test_texts_are_counted_by_their_labels(tmp_path: Path):
    path = tmp_path / "some.tsv"
    path.write_text("1\tgood\n0\tbad\n1\tfine\n")
    found = found_in(path)
    assert [each.count for each in found.classes] == [1, 2]
    assert {each.facts for each in found.shown} == {"good", "bad", "fine"}


def test_a_calibration_set_of_other_classes_is_counted_and_said(zipped, two_classes):
    say, mine = NullReporter(), zipped({f"cow/{n}.png": picture("RGB") for n in range(3)}, "other.zip")
    of = read_dataset(str(zipped(two_classes)), {})
    assert count(of, mine, say, ("cat", "dog")) == 3
    assert "cow" in say.warnings[0]
    assert count(of, Path(of.path), fresh := NullReporter(), ("cat", "dog")) == 6
    assert fresh.warnings == []
