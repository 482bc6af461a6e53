"""Commands behind a colon: what they do, what they complete, and that nothing typed there harms."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import UsageError
from edgetui.engine.report.width import width_of
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.colon import MOST, parted
from edgetui.tui.command_list import commands
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.screens.dialogs import Confirm
from edgetui.tui.screens.runs import RunsScreen
from edgetui.tui.widgets.entry import Entry
from edgetui.tui.widgets.keybar import _led
from hypothesis import given
from hypothesis import strategies as st
from monkey import press_at_once
from screens import screen_text, shows, until
from textual import events


def names(keys: str) -> list[str]:
    """Characters as the terminal names their keys."""
    known = {":": "colon", " ": "space", "\r": "enter", "/": "slash", ".": "full_stop", "-": "minus", "_": "underscore"}
    return [known.get(character, character) for character in keys]


def foot(app: EdgetuiApp) -> str:
    return screen_text(app).splitlines()[-1]


async def ready(pilot) -> None:
    await until(
        pilot, lambda: pilot.app.workbench.settings.draft is not None and pilot.app.workbench.models.folders is not None
    )


async def say(pilot, text: str) -> None:
    """Type a command and enter."""
    await pilot.press(*names(":" + text), "enter")
    await pilot.pause()


@given(st.text(max_size=300))
def test_any_text_is_parted_or_refused(text: str):
    with suppress(UsageError):
        assert all(isinstance(word, str) for word in parted(text))


def test_quotes_hold_words_together_and_nothing_is_expanded():
    assert parted(':open "/a b/c" $HOME `id` ;rm * ~') == ["open", "/a b/c", "$HOME", "`id`", ";rm", "*", "~"]
    with pytest.raises(UsageError):
        parted("open 'x")


async def test_settings_are_set_by_their_names_and_undone(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(100, 30), notifications=True) as pilot:
        await ready(pilot)
        draft = bare_app.workbench.settings.draft
        await say(pilot, "recipe prune-5")
        assert draft.recipe.name == "prune-5"
        await say(pilot, "set steps.0.amount 0.3")
        assert draft.recipe.step[0].amount == 0.3
        assert bare_app.workbench.settings.rows.cursor == "field:0:amount"
        await say(pilot, "set step.0.on no")
        assert not draft.recipe.step[0].on
        await say(pilot, "set preset quick")
        await say(pilot, "set workload paced 15")
        await say(pilot, "set backend.threads 2")
        assert (draft.setup.preset, draft.setup.workload.text, draft.setup.backend.threads) == ("quick", "paced 15 Hz", 2)
        await say(pilot, "add quantize.int8")
        assert [step.method for step in draft.recipe.step] == ["prune.magnitude", "quantize.int8"]
        await say(pilot, "undo")
        await until(pilot, lambda: len(draft.recipe.step) == 1)


async def test_names_as_they_stand_on_the_screen_are_known_and_a_long_value_is_seen(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await ready(pilot)
        await say(pilot, "set threads 2")
        assert bare_app.workbench.settings.draft.setup.backend.threads == 2
        typed = "set data profiles/demo/digits.toml"
        await pilot.press(*names(":" + typed))
        await until(pilot, lambda: typed in foot(bare_app))


async def test_what_is_opened_may_be_data(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(160, 45), notifications=True) as pilot:
        await ready(pilot)
        await say(pilot, "open profiles/demo/digits.toml")
        await until(pilot, lambda: bare_app.workbench.settings.draft.setup.dataset.endswith("profiles/demo/digits.toml"))
        assert bare_app.workbench.tab == "settings"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("set steps.0.amount 7", "error:"),
        ("set steps.9.amount 1", "there is no setting `steps.9.amount`"),
        ("set preset fast", "give one of quick, normal, precise"),
        ("recipe prune5", "did you mean `prune-5`?"),
        ("recipe zzz", " more"),
        (f"model {'x' * 240}", "xxx…xxx"),
        ("model nothing", "no model here is called"),
        ("open /no/such/place", "there is no /no/such/place"),
        ("open README.md", "README.md is neither a model nor data"),
        ("model profiles/demo/digits.onnx", ":open profiles/demo/digits.onnx"),
        ("set", "`set` wants KEY"),
        ("quit now", "`quit` takes no words"),
        ("sweeep", "did you mean `sweeps`?"),
        ("open 'x", "a quote is not closed"),
        ("save ../../etc/x", "is not a valid recipe name"),
    ],
)
async def test_what_cannot_be_is_said_and_changes_nothing(bare_app: EdgetuiApp, said: str, answer: str):
    async with bare_app.run_test(size=(160, 45), notifications=True) as pilot:
        await ready(pilot)
        bare_app.workbench.load_recipe("prune-5")
        before = bare_app.workbench.settings.draft.setup
        await say(pilot, said)
        await shows(pilot, answer)
        assert bare_app.colon.entry is not None, "it can be mended there"
        assert bare_app.workbench.settings.draft.setup == before
        await pilot.press("escape")
        await until(pilot, lambda: "quit" in foot(bare_app))


async def test_keys_of_one_packet_are_the_commands(bare_app: EdgetuiApp, engine: Engine):
    """`:` opens nothing that has to be waited for: r, R and q would run, list and quit."""
    async with bare_app.run_test(size=(100, 30), notifications=True) as pilot:
        await ready(pilot)
        press_at_once(bare_app, *names(":Rrq"))
        await until(pilot, lambda: ":Rrq" in foot(bare_app))
        assert bare_app.screen is bare_app.workbench
        press_at_once(bare_app, *["backspace"] * 4)
        await until(pilot, lambda: "quit" in foot(bare_app))
        press_at_once(bare_app, *names(":q\r"))
        await until(pilot, lambda: not bare_app.is_running)
    assert bare_app.return_code == 0
    assert await engine.list() == ()


async def test_tab_completes_names_and_what_they_take(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(160, 45), notifications=True) as pilot:
        await ready(pilot)
        bare_app.workbench.load_recipe("prune-5")
        await pilot.press(*names(":reci"), "tab")
        assert bare_app.colon.entry.text == "recipe"
        await pilot.press("space", *names("zhang-p"), "tab")
        assert bare_app.colon.entry.text == "recipe zhang-prune-1e-3"
        await pilot.press("ctrl+u", *names("set st"), "tab")
        assert bare_app.colon.entry.text == "set steps.0."
        await pilot.press("tab")
        assert bare_app.colon.entry.text.startswith("set steps.0.")
        assert len(bare_app.colon.entry.text) > len("set steps.0.")
        await pilot.press("escape", "colon")
        assert bare_app.colon.entry.text == ""
        await pilot.press("escape")


async def test_doctor_and_config_have_pages(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(100, 30), notifications=True) as pilot:
        await ready(pilot)
        await say(pilot, "doctor")
        await shows(pilot, "Doctor", "onnxruntime")
        await pilot.press("slash", *"state", "enter", "escape", "escape")
        await until(pilot, lambda: bare_app.screen is bare_app.workbench)
        await say(pilot, "config ui")
        await shows(pilot, "ui.rate_hz", "4.0", '"auto"', "your own")
        await pilot.press("escape")
        await say(pilot, "config factories")
        await shows(pilot, "factories  {}")
        await pilot.press("escape")
        await say(pilot, "config models.folders")
        await shows(pilot, "[")  # as edgetui.toml has a list; it was Python's `('a',)`
        await pilot.press("escape")
        await say(pilot, "config no.such")
        await shows(pilot, "error:")


@pytest.mark.parametrize("text", [" ", "  ", " x", "set ", "set  ", "   set steps", "nothing here", '"', "\u3000 \u3000"])
async def test_spaces_and_unknown_words_complete_to_nothing_bad(bare_app: EdgetuiApp, text: str):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("colon")
        bare_app.colon.takes(events.Paste(f"x{text}"))
        bare_app.colon.entry.text, bare_app.colon.entry.at = text, len(text)
        await pilot.press("space", "tab", "tab", "enter")
        await pilot.pause()
        assert bare_app.is_running


async def test_the_book_has_every_command_that_can_be_typed(bare_app: EdgetuiApp):
    book = (PACKAGE / "docs" / "screen.md").read_text()
    async with bare_app.run_test(size=(80, 24)):
        known = [command for command in commands(bare_app, bare_app.screen).values() if command.own]
    assert [command.name for command in known if not re.search(rf"`:{command.name}[ `]", book)] == []
    assert len(known) > 12


async def test_past_commands_come_back(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(100, 30), notifications=True) as pilot:
        await ready(pilot)
        await say(pilot, "recipe fp16")
        await say(pilot, "recipe int8")
        await pilot.press("colon", "up", "up")
        assert bare_app.colon.entry.text == "recipe fp16"
        await pilot.press("enter")
        assert bare_app.workbench.settings.draft.recipe.name == "fp16"


async def test_runs_are_shown_and_compared_from_any_screen(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    first, second = past_run(), past_run()
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.link.view)
        await say(pilot, "runs")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await say(pilot, f"show {first}")
        await until(pilot, lambda: app.screen is app.workbench and app.link.view.run == first)
        await say(pilot, f"compare {first} {second}")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.comparison)
        await say(pilot, "goal smallest top1>=0.1")
        await shows(pilot, "goal: smallest top1>=0.1")
        await say(pilot, "show no-such-run")
        await shows(pilot, "error:", "no-such-run")


async def test_a_recipe_is_written_over_only_after_a_yes(bare_app: EdgetuiApp, tmp_path: Path):
    app = bare_app
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await ready(pilot)
        await say(pilot, "recipe prune-5")
        await say(pilot, "save mine")
        await shows(pilot, "saved")
        await say(pilot, "set steps.0.amount 0.4")
        await say(pilot, "save mine")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is app.workbench)
        assert next(recipe for recipe in app.engine.recipes() if recipe.name == "mine").step[0].amount == 0.05
        await say(pilot, "save mine")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: next(each for each in app.engine.recipes() if each.name == "mine").step[0].amount == 0.4)


async def test_a_paste_has_one_line_and_a_limit(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("colon")
        bare_app.colon.takes(events.Paste("set\nx\x1b[31m" + "日" * 5000))
        await pilot.pause()
        assert len(bare_app.colon.entry.text) <= MOST
        assert "\x1b" not in bare_app.colon.entry.text
        assert all(len(row) <= 80 for row in screen_text(bare_app).splitlines())
        await pilot.press("enter")
        await shows(pilot, "error:", "not done: why stands above")
        await pilot.resize_terminal(50, 12)
        await pilot.pause()
        await pilot.press("a")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "quit" in foot(bare_app))


@pytest.mark.parametrize("room", [-9, 0, 1, 2, 30])
def test_what_has_no_room_is_left_out(room: int):
    typed = Entry("set 日本 steps", lead=":")
    assert sum(width_of(text) for text, _ in _led(typed, room)) <= max(0, room) + 3


async def test_the_palette_finds_settings_runs_and_commands(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    run = past_run()
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.link.view)
        await pilot.press("ctrl+p", *names("setting backend.thr"))
        await shows(pilot, "setting backend.threads")
        await pilot.press("enter")
        await until(pilot, lambda: app.workbench.settings.rows.cursor == "backend:threads")
        await pilot.press("ctrl+p", *names("run 2026"))
        await shows(pilot, run)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is app.workbench)
        await pilot.press("ctrl+p", *names(":set"))
        await shows(pilot, ":set KEY [VALUE]")
        await pilot.press("enter")
        await until(pilot, lambda: app.colon.entry is not None and app.colon.entry.text == "set ")
