"""Where keys are named: the row at the foot, help, and dialogs."""

from __future__ import annotations

import re
from pathlib import Path

from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Ui
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.dialogs import Confirm
from edgetui.tui.screens.help import HelpScreen, paragraphs
from edgetui.tui.screens.page import Page
from screens import screen_text, shows, until


async def test_keys_that_end_the_typing_are_said_while_it_goes_on(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        bare_app.workbench.load_recipe("prune-5")
        await pilot.press("2")
        bare_app.workbench.settings.rows.point("field:0:amount")
        await pilot.press("enter")
        await shows(pilot, "enter takes it, esc leaves it")
        await pilot.press("escape")
        await until(pilot, lambda: "esc leaves it" not in screen_text(bare_app))


async def test_help_shows_the_names_for_the_configuration_also_on_a_narrow_screen(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(60, 16), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("2", "question_mark", "end")
        await shows(pilot, "under [ui.keys]", "move.last")
        await pilot.press("home")
        seen = ""
        for _ in range(10):
            seen += screen_text(bare_app)
            await pilot.press("pagedown")
        for name in ("settings.less", "suspend", "screenshot"):
            assert name in seen


async def test_keys_that_are_bound_anew_are_named_wherever_a_key_is_named(own_state: Path):
    config = Config(ui=Ui(keys={"run": "f6", "save": "f2", "pause": "f8", "models.open": "f3"}))
    async with EdgetuiApp(config, Engine(config, own_state)).run_test(size=(160, 45), notifications=True) as pilot:
        await shows(
            pilot,
            "then press f6",
            "f6 run   f2 save   u undo",
            "f8 pause",
            "or press f3 to open",
            "m monitor   f6 run   f8 pause",
        )


def foot(app: EdgetuiApp) -> str:
    return screen_text(app).splitlines()[-1].strip()


async def test_the_row_of_keys_is_that_of_the_dialog_on_top(bare_app: EdgetuiApp):
    """With help over a dialog it named keys of the workbench, which did nothing; a dialog with a row of its own had two."""
    app = bare_app
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        bench = foot(app)
        await pilot.press("colon", *"config", "enter")
        await until(pilot, lambda: isinstance(app.screen, Page) and foot(app) == "")
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and foot(app) == "esc back")
        await pilot.press("escape")
        await until(pilot, lambda: foot(app) == "")
        await pilot.press("escape")
        await until(pilot, lambda: foot(app) == bench)


async def test_a_question_is_read_whole(bare_app: EdgetuiApp):
    """At 80 columns what a study leaves out was cut at the frame."""
    app = bare_app
    cost = "QAT: step `train.qat` needs PyTorch, which this Python does not have, and neither has anybody else here"
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.push_screen(Confirm("Begin it?", cost))
        await shows(pilot, "Begin it?", "y yes")
        words = re.sub(r"[│╭╮╰╯─]", " ", screen_text(app)).split()
        assert set(cost.split()) <= set(words)


async def test_what_a_place_has_of_its_own_stands_first_in_help(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("colon", *"config", "enter")
        await until(pilot, lambda: isinstance(app.screen, Page))
        await pilot.press("question_mark")
        await shows(pilot, "page.copy", "move.last", "screenshot")
        names = re.findall(r"page\.copy|screenshot|palette|move\.up", screen_text(app))
        assert (names[0], names[-1]) == ("page.copy", "move.up"), names


def test_help_is_parted_where_its_lines_end_with_a_sentence():
    assert paragraphs("One\ntwo. Three.\nFour: a,\nb.") == ["One two. Three.", "Four: a, b."]


async def test_of_commands_whole_words_are_offered_and_of_no_runs_no_keys(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("colon")
        await until(pilot, lambda: "compare" in foot(app))
        assert foot(app).endswith("…")
        assert set(foot(app).strip(": …").split()) <= set(app.colon.choices(""))
        await pilot.press("escape", "R")
        await shows(pilot, "nothing has run yet")
        await until(pilot, lambda: foot(app) == "esc back   ctrl+p palette   ? help   q quit")
