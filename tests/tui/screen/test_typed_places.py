"""Tab completes paths where they are typed: behind a colon, and in rows of settings and of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.dataset import DatasetScreen
from edgetui.tui.typed_places import completed, places
from screens import shows, until
from textual.pilot import Pilot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "cats").mkdir(parents=True)
    (tmp_path / "data" / "cars.npz").touch()
    (tmp_path / "data" / ".cache").touch()
    (tmp_path / "data" / "two words.npz").touch()
    return tmp_path / "data"


def test_a_path_becomes_what_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch):
    assert places(f"{folder}/ca") == [f"{folder}/cars.npz", f"{folder}/cats/"]
    assert completed(f"{folder}/c") == f"{folder}/ca"
    assert completed(f"{folder}/cat") == f"{folder}/cats/"
    assert places(f"{folder}/.") == [f"{folder}/.cache"]
    assert len(places(f"{folder}/")) == 3
    assert completed(f"{folder}/nothing") == f"{folder}/nothing"
    assert completed("/no/such/folder/x") == "/no/such/folder/x"
    monkeypatch.setenv("HOME", str(folder.parent))
    assert completed("~") == "~/"
    assert completed("~/da") == "~/data/"
    monkeypatch.chdir(folder)
    assert completed("cat") == "cats/"


async def typed(pilot: Pilot, text: str) -> None:
    for letter in text:
        await pilot.press({"/": "slash", " ": "space", ".": "full_stop", "-": "minus", "_": "underscore"}.get(letter, letter))


async def test_behind_a_colon(bare_app: EdgetuiApp, folder: Path):
    async with bare_app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await typed(pilot, ":open ")
        for letter in f"{folder}/ca":
            bare_app.colon.entry.insert(letter)
        await pilot.press("tab")
        await shows(pilot, "cars.npz    cars.npz  cats/")
        await pilot.press("tab", "backspace", "tab")
        assert bare_app.colon.entry.text == f"open {folder}/cats/"


async def test_in_the_rows_of_a_dataset_tab_completes_and_the_typing_goes_on(bare_app: EdgetuiApp, folder: Path):
    """It ended the typing and took the keys to another part: enter did nothing any more."""
    async with bare_app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("D", "enter")
        await until(pilot, lambda: isinstance(bare_app.screen, DatasetScreen) and bare_app.screen.rows.entry is not None)
        rows = bare_app.screen.rows
        rows.entry.insert(f"{folder}/cat")
        await pilot.press("tab")
        assert rows.entry is not None
        assert rows.entry.text == f"{folder}/cats/"
        assert rows.has_focus


async def test_runs_are_completed_too(bare_app: EdgetuiApp, past_run):
    first, second = past_run(), past_run()
    async with bare_app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        for words in ("show ", "compare ", "resume ", "after "):
            assert bare_app.colon.choices(words) == ["last", second, first]
