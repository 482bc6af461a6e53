"""Keys that work everywhere work in dialogs as well: a picture, help, and where there is a row of keys commands and jumping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.schema.fleet import BoardStanding
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.choose import Choose
from edgetui.tui.screens.dialog import Dialog
from edgetui.tui.screens.dialogs import Ask, Confirm
from edgetui.tui.screens.help import HelpScreen
from edgetui.tui.screens.page import Page
from edgetui.tui.screens.run_on_boards import RunOnBoards
from edgetui.tui.screens.sweep_setup import SweepSetup
from screens import shows, until


async def nothing(_: object) -> None:
    """Takes what a form hands over."""


async def rows(_: int) -> list[tuple[tuple[str, str], ...]]:
    return [(("a row", ""),)]


ONE = BoardStanding(board="one", host="o", state="up")
DIALOGS: dict[str, Callable[[], Dialog]] = {
    "confirm": lambda: Confirm("End it?", "It is gone then."),
    "ask": lambda: Ask("A name", "now", example="later"),
    "choose": lambda: Choose("One of these", (("a", "the first"), ("b", "the second")), "a"),
    "page": lambda: Page("A page", rows),
    "sweep": lambda: SweepSetup("Sweep", {}, {}, nothing),
    "boards": lambda: RunOnBoards(["a.onnx: int8"], [ONE], ["one"], nothing, learns=True),
}
TYPED = ("ask", "sweep")
"""Those in which letters are typed."""


@pytest.mark.parametrize("name", DIALOGS)
async def test_a_picture_is_saved_and_help_opens_over_it(
    bare_app: EdgetuiApp, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    app = bare_app
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        dialog = DIALOGS[name]()
        await app.push_screen(dialog)
        await pilot.pause()
        await pilot.press("f12" if name in TYPED else "S")
        await shows(pilot, "saved")
        assert len(list(tmp_path.glob("*.svg"))) == 1
        await pilot.press("f1" if name in TYPED else "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await shows(pilot, "for example", "screenshot")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is dialog)
        assert app.colon.entry is None
        await pilot.press("colon")
        assert (app.colon.entry is not None) == (name in ("page", "boards")), "commands are typed where there is a row of keys"


async def test_letters_that_are_typed_are_letters(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(100, 30)) as pilot:
        dialog = Ask("A name", "", example="later")
        await app.push_screen(dialog)
        await pilot.press("S", "question_mark", "J", "colon")
        assert app.screen is dialog
        assert dialog.query_one("#ask-line").value == "S?J:"


@pytest.mark.parametrize(
    ("begins_on", "typed", "taken"),
    [
        ("prune-5", "int8", "int8"),
        ("int8", "prune-5", "prune-5"),
        ("prune-5", "prune", "prune-50-repair"),
        ("zhang-int8", "paper", "zhang-int8"),
    ],
)
async def test_enter_takes_what_is_called_as_was_typed_wherever_the_cursor_was(
    bare_app: EdgetuiApp, begins_on: str, typed: str, taken: str
):
    names = ("hybrid-int8", "int8", "prune-50-repair", "prune-5", "zhang-int8")
    choices = tuple((name, "of a paper" if name.startswith("zhang") else "a recipe") for name in names)
    found: list[str | None] = []
    async with bare_app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "Models")
        await bare_app.push_screen(Choose("One of these", choices, begins_on), found.append)
        await pilot.press("slash", *("minus" if letter == "-" else letter for letter in typed), "enter")
        await until(pilot, lambda: found)
    assert found == [taken]
