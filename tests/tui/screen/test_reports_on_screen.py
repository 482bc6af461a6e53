"""A report from the keyboard: asked for where to, written beside the screen, refused where something is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.dialogs import Ask
from edgetui.tui.screens.runs import RunsScreen
from screens import screen_text, shows, until
from textual.widgets import Input

SIZES = [(80, 24), (160, 45)]


async def asked(pilot, key: str = "e") -> Input:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, Ask))
    return pilot.app.screen.query_one(Input)


async def on_runs(pilot) -> None:
    await until(pilot, lambda: pilot.app.workbench.models.folders is not None)
    await pilot.press("R")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) and pilot.app.screen.current())


@pytest.mark.parametrize("size", SIZES)
async def test_e_writes_the_report_of_the_run_under_the_cursor(
    bare_app: EdgetuiApp, past_run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
):
    monkeypatch.chdir(tmp_path)
    run = past_run()
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        await on_runs(pilot)
        line = await asked(pilot)
        assert line.value == str(tmp_path / f"edgetui-{run}")
        await pilot.press("enter")
        await shows(pilot, "wrote")
    page = (tmp_path / f"edgetui-{run}" / "report.html").read_text()
    assert run in page
    assert "Nothing was computed again from latencies.npz" in page


async def test_a_folder_with_something_in_it_is_refused_while_it_can_be_changed(
    bare_app: EdgetuiApp, past_run: Callable[..., str], tmp_path: Path
):
    past_run()
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await on_runs(pilot)
        line = await asked(pilot)
        line.value = str(tmp_path)
        await pilot.press("enter")
        await shows(pilot, "is there already")
        assert isinstance(bare_app.screen, Ask)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen))


async def test_marked_runs_and_the_comparison_make_one_report(
    bare_app: EdgetuiApp, past_run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    past_run()
    past_run()
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await on_runs(pilot)
        await pilot.press("space", "space")
        assert (await asked(pilot)).value == str(tmp_path / "edgetui-2-runs")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen))
        await pilot.press("C")
        await shows(pilot, "Advice")
        assert (await asked(pilot)).value == str(tmp_path / "edgetui-2-runs")
        await pilot.press("enter")
        await shows(pilot, "wrote")
    assert (tmp_path / "edgetui-2-runs" / "report.html").is_file()


async def test_the_palette_names_it(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run()
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await on_runs(pilot)
        await pilot.press("ctrl+p")
        await pilot.press(*"export")
        await shows(pilot, "export  (e)", "Write a report of the marked runs")
        assert "export" in screen_text(bare_app)
