"""Looking for models and data in folders: keys, previews, and what lies there that nobody would wish for."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.folder_entries import entries_of, glance_at
from edgetui.engine.runs import queries
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.kept_look import kept_places
from edgetui.tui.screens.browse import BrowseScreen, last_path
from edgetui.tui.widgets.pictures import gallery, half_blocks
from monkey import look_closely
from screens import same_as_snapshot, screen_text, shows, until


@pytest.fixture
def shelf(tmp_path: Path, model: Path) -> Path:
    """A folder with a model, data, a hidden one and what cannot be read."""
    folder = tmp_path / "home" / "shelf"
    (folder / "inner").mkdir(parents=True)
    (folder / "first.onnx").write_bytes(model.read_bytes())
    (folder / "later10.txt").touch()
    (folder / "later9.txt").touch()
    (folder / ".hidden").touch()
    (folder / "gone.zip").symlink_to(folder / "nowhere")
    np.savez(folder / "some.npz", image=np.zeros((6, 1, 8, 8), np.float32), labels=np.arange(6) % 3)
    return folder


async def opened(pilot, folder: Path) -> BrowseScreen:
    app = pilot.app
    await until(pilot, lambda: app.workbench.settings.draft is not None)
    app.workbench.browse("a model or data")
    await until(pilot, lambda: isinstance(app.screen, BrowseScreen))
    app.screen.go(folder)
    await until(pilot, lambda: app.screen.entries is not None)
    return app.screen


def test_names_are_sorted_with_folders_first_and_numbers_as_numbers(shelf: Path):
    found = {entry.name: entry for entry in entries_of(shelf)}
    names = list(found)
    assert names[0] == "inner"
    assert names.index("later9.txt") < names.index("later10.txt")
    assert found["gone.zip"].why == "a link to what is not there"
    assert [found[name].kind for name in ("inner", "first.onnx", "some.npz", "later9.txt")] == [
        "folder",
        "model",
        "data",
        "other",
    ]


def test_a_folder_of_class_folders_is_told_as_data_and_one_with_models_is_not(tmp_path: Path, shelf: Path):
    (tmp_path / "set" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "cat" / "1.png").touch()
    assert glance_at(tmp_path / "set").data
    assert not glance_at(shelf).data


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_what_the_cursor_stands_on_is_looked_into(app: EdgetuiApp, shelf: Path, size: tuple[int, int]):
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = await opened(pilot, shelf)
        assert ".hidden" not in screen_text(app)
        screen.rows.point(":first.onnx")
        await shows(pilot, "opset 17", "logits")
        same_as_snapshot(app, f"browse-{size[0]}x{size[1]}")
        screen.rows.point(":some.npz")
        await shows(pilot, "6 samples of 3 classes")
        screen.rows.point(":gone.zip")
        await shows(pilot, "✗ a link to what is not there")
        await pilot.press("full_stop")
        await shows(pilot, ".hidden")


async def test_what_is_passed_by_is_no_longer_read(app: EdgetuiApp, shelf: Path):
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, shelf)
        screen.rows.point(":some.npz")
        await until(pilot, lambda: queries._ASKED)
        screen.rows.point(":later9.txt")
        await shows(pilot, "neither a model nor data")
        await until(pilot, lambda: not queries._ASKED)


async def test_a_model_is_taken_and_the_folder_kept_for_the_next_time(app: EdgetuiApp, shelf: Path, own_state: Path):
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, shelf.parent)
        screen.rows.point(":shelf")
        await pilot.press("l")
        await until(pilot, lambda: screen.folder == shelf and screen.entries)
        await pilot.press("h")
        await until(pilot, lambda: screen.folder == shelf.parent and screen.rows.cursor == ":shelf")
        await pilot.press("enter")
        await until(pilot, lambda: screen.folder == shelf and screen.entries)
        await pilot.press("slash", *"FIRST", "enter", "enter")
        await until(pilot, lambda: app.screen is app.workbench)
        await until(pilot, lambda: app.workbench.models.model == str(shelf / "first.onnx"))
        assert kept_places(own_state) == (str(shelf),)


async def test_data_are_taken_for_the_row_that_asked_and_a_model_is_not(app: EdgetuiApp, shelf: Path):
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("2")
        app.workbench.settings.rows.point("run:calibration")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, BrowseScreen))
        screen = app.screen
        screen.go(shelf)
        await until(pilot, lambda: screen.entries is not None)
        screen.rows.point(":first.onnx")
        await pilot.press("enter")
        await shows(pilot, "first.onnx is no data")
        (shelf / "train.tsv").touch()
        (shelf / "test.tsv").touch()
        with pytest.raises(DataRefused, match="holds parts"):
            app.workbench.take_data(str(shelf))
        screen.rows.point(":some.npz")
        await pilot.press("t")
        await until(pilot, lambda: app.screen is app.workbench)
        assert app.workbench.settings.draft.setup.calibration == str(shelf / "some.npz")


@pytest.mark.long
async def test_fifty_thousand_names_are_gone_through(bare_app: EdgetuiApp, tmp_path: Path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(50_000):
        os.close(os.open(folder / f"{number}.jpg", os.O_CREAT | os.O_WRONLY))
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await opened(pilot, folder)
        await shows(pilot, "50 000 names")
        await pilot.press("G")
        assert screen.rows.cursor == ":49999.jpg"
        await pilot.press("slash", *"31415", "enter")
        await shows(pilot, "1 of 50 000")


async def test_names_that_a_terminal_would_obey_are_only_shown(bare_app: EdgetuiApp, tmp_path: Path):
    folder = tmp_path / "evil"
    folder.mkdir()
    for name in ("\x1b[31mred\x1b]0;title\x07.zip", "two\nlines.npz", "[red]x[ ]", " blank", "日本語\u202etxt.onnx"):
        (folder / name).touch()
    Path(os.fsdecode(os.fsencode(str(folder)) + b"/\xff.onnx")).touch()
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await opened(pilot, folder)
        await shows(pilot, "[red]x[ ]", "two lines.npz", "blank")
        for key in screen.rows.keys:
            screen.rows.point(key)
            await pilot.pause(0.05)
            await look_closely(bare_app, pilot)
        screen.rows.point(":\udcff.onnx")
        await pilot.press("enter")
        await shows(pilot, "not UTF-8")


def test_a_picture_is_drawn_two_pixels_a_letter():
    rows = half_blocks(bytes(range(18)), 2)  # three rows of two
    assert rows[0] == (("▀", "#000102 on #060708"), ("▀", "#030405 on #090a0b"))
    assert rows[1] == (("▀", "#0c0d0e"), ("▀", "#0f1011"))


def test_pictures_stand_beside_each_other_as_far_as_there_is_room():
    lines = gallery([(bytes(12), 2, f"n{n}") for n in range(5)], 10, 4, 100)
    assert ["".join(text for text, _ in line).split() for line in lines if "n" in "".join(text for text, _ in line)] == [
        ["n0", "n1"],
        ["n2", "n3"],
        ["n4"],
    ]


def test_a_zip_is_not_unpacked_for_a_look(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../out.png", b"")
    assert [entry.kind for entry in entries_of(tmp_path) if entry.name == "x.zip"] == ["data"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/a/b/c", "/a/b/c"),
        ("/a/b//data/x", "/data/x"),
        ("/a/~/x", "~/x"),
        ("/a//b//c", "/c"),
        ("~/m", "~/m"),
        ("/a/~b", "/a/~b"),
    ],
)
def test_a_path_that_is_typed_behind_the_folder_counts(typed: str, meant: str):
    assert last_path(typed) == meant
