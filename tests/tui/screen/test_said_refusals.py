"""What a key, a click or an answer asks for and cannot be is said, and ends nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.config import here
from edgetui.engine.errors import DataRefused
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.background import in_background
from edgetui.tui.desk import AtDesk
from edgetui.tui.screens.browse import BrowseScreen
from edgetui.tui.screens.dialogs import Ask
from edgetui.tui.screens.runs import RunsScreen
from edgetui.tui.screens.safe_dismiss import SafeDismiss
from screens import screen_text, shows, until
from textual import events
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input


async def test_a_path_that_is_too_long_is_refused_while_it_can_be_mended(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("1", "o")
        await until(pilot, lambda: isinstance(bare_app.screen, BrowseScreen))
        await pilot.press("p")
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        bare_app.screen.query_one(Input).value = f"/{'x' * 300}"
        await pilot.press("enter")
        await shows(pilot, "is too long;")
        assert isinstance(bare_app.screen, Ask)


async def test_the_folder_that_it_was_started_in_is_removed(
    bare_app: EdgetuiApp, past_run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    past_run("done")
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        gone.rmdir()
        with pytest.raises(FileNotFoundError):
            os.getcwd()
        assert here() == Path.home()
        await pilot.press("1", "o")
        await until(pilot, lambda: isinstance(bare_app.screen, BrowseScreen))
        await pilot.press("escape", "R")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen) and bare_app.screen.runs)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        assert bare_app.screen.value.startswith(str(Path.home()))
        bare_app.screen.query_one(Input).value = "report"
        await pilot.press("enter")
        await shows(pilot, "error: the folder that this was started in is gone")


class Refusing(SafeDismiss, Screen[None]):
    """Its keys, its messages and its ticks ask for what cannot be."""

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if event.key == "x":
            self.app.push_screen(Ask("a name", "text", example="x"), self.take)
        else:
            raise DataRefused(f"{event.key} cannot be read", fix="take another")

    def take(self, text: str | None) -> None:
        raise DataRefused(f"{text} is no data", fix="take a folder")

    ticks = 0

    def tick(self) -> None:
        self.ticks += 1
        raise DataRefused("a tick asks again and again", fix="look into it")


async def test_an_answer_and_a_key_that_cannot_be_are_said(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        bare_app.push_screen(Refusing())
        await pilot.pause()
        await pilot.press("y")
        await shows(pilot, "error: y cannot be read; take another")
        await pilot.press("x", "enter")
        await shows(pilot, "error: text is no data; take a folder")
        assert isinstance(bare_app.screen, Refusing)


class RefusingPart(AtDesk, Vertical):
    """A part of a screen that is asked for what cannot be, and reads what cannot be read."""

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if event.key == "x":
            in_background(self, self.read, "reading")
        else:
            raise DataRefused(f"{event.key} cannot be read", fix="take another")

    async def read(self) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/data/gone")


async def test_what_a_part_of_a_screen_cannot_do_or_read_is_said(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        part = RefusingPart()
        part.can_focus = True
        await bare_app.workbench.mount(part)
        part.focus()
        await pilot.press("y")
        await shows(pilot, "error: y cannot be read; take another")
        await pilot.press("x")
        await shows(pilot, "error: No such file or directory at /data/gone")


async def test_the_tools_lines_of_a_run_that_was_deleted(bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path):
    """The pane Log asked for them, and what it was told ended the program."""
    past_run("done")
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.link.view is not None and bare_app.link.view.result is not None)
        shutil.rmtree(own_state / "runs")
        await pilot.press("5", "o")
        await shows(pilot, "error: there is no run")


async def test_what_ticks_cannot_have_is_said_once(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        screen = Refusing()
        bare_app.push_screen(screen)
        await pilot.pause()
        bare_app.pace.add(screen, screen.tick)
        for _ in range(3):
            bare_app.pace.tick()
        assert screen.ticks == 3
        await shows(pilot, "again and again")
        assert screen_text(bare_app).count("again and again") == 1
