"""A screen takes a file and a key: those of CONTRIBUTING.md, in a copy of the package that knows nothing else of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from newcomer import Scratch

OPENED = """
import asyncio, json
from edgetui.engine.config import Config
from edgetui.engine.api import Engine
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.palette import BenchCommands
from edgetui.tui.widgets.keybar import key_hints
from edgetui.tui.widgets.lines import Lines

async def until(pilot, true):
    for _ in range(200):
        if true():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never came")

async def main():
    config = Config()
    app = EdgetuiApp(config, Engine(config))
    async with app.run_test(size=(80, 24)) as pilot:
        first = app.screen
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("f8")
        await until(pilot, lambda: app.screen is not first and app.screen.query_one("#endings", Lines).lines)
        screen = app.screen
        rows = screen.query_one("#endings", Lines).plain().splitlines()
        hints = [words for _, _, words in key_hints(screen)]
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen is not screen)
        page = app.screen.query_one("#help-rows", Lines).plain()
        await pilot.press("escape", "escape", "escape")
        await until(pilot, lambda: app.screen is first)
        words = [hit.command for hit in [hit async for hit in BenchCommands(first).search("endings")]]
        await words[0]()
        await until(pilot, lambda: app.screen is not first)
        opened = type(app.screen).__name__
    print(json.dumps({"rows": rows, "hints": hints, "help": page, "opened": opened}))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    return Scratch(tmp_path_factory.mktemp("newcomer"), "Add a screen")


def test_two_files_are_all(scratch: Scratch) -> None:
    assert set(scratch.files) == {"tui/screens/endings.py", "tui/screens/workbench.py"}


@pytest.mark.long
def test_it_opens_by_its_key_and_by_its_name(scratch: Scratch, past_run: Callable[..., str], own_state: Path) -> None:
    past_run("done"), past_run("failed"), past_run("done")
    shutil.copytree(own_state / "runs", scratch.folder / "state" / "edgetui" / "runs")
    found = json.loads(scratch.python("-c", OPENED))
    assert [row.split() for row in found["rows"]] == [["2", "done"], ["1", "failed"]]
    assert {"back", "help", "quit"} <= set(found["hints"])
    assert "How many runs are in which state." in found["help"]
    assert "endings.back" in found["help"]
    assert found["opened"] == "EndingsScreen"
