"""Keys and clicks faster than the screen: sent as a terminal sends them, none waits for what the one before has done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from edgetui.tui.app import Workbench
from edgetui.tui.link import Link
from edgetui.tui.palette import Palette
from edgetui.tui.screens.dialogs import Ask, Confirm
from edgetui.tui.screens.leaving import Leavable
from edgetui.tui.screens.runs import RunsScreen
from monkey import press_at_once
from screens import shows, until
from textual import events
from textual.css.query import NoMatches
from textual.screen import Screen


@pytest.mark.parametrize("key", ["home", "pagedown", "down", "enter", "x"])
async def test_a_key_that_comes_before_the_palette_has_its_list(bare_app: Workbench, key: str):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.bench.settings.draft is not None)
        press_at_once(bare_app, "ctrl+p", key)
        await until(pilot, lambda: isinstance(bare_app.screen, Palette))
        await pilot.press("escape")
        await until(pilot, lambda: bare_app.screen is bare_app.bench)


async def test_a_page_in_the_palette_while_its_list_is_being_filled(bare_app: Workbench):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.bench.settings.draft is not None)
        await pilot.press("ctrl+p", "down")
        press_at_once(bare_app, *"re", "pagedown", *"ci", "pageup", "pagedown")
        await shows(pilot, "recipe int8")


async def test_escape_twice_closes_the_palette_once(bare_app: Workbench):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.bench.settings.draft is not None)
        await pilot.press("R", "ctrl+p")
        palette = bare_app.screen
        palette.dismiss(), palette.dismiss()
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen))


async def test_enter_twice_on_a_run_opens_it_and_stays(bare_app: Workbench, past_run: Callable[..., str]):
    past_run("done")
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.bench.settings.draft is not None)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen) and bare_app.screen.runs)
        press_at_once(bare_app, "enter", "enter", "escape")
        await until(pilot, lambda: bare_app.screen is bare_app.bench)
        await shows(pilot, "▲ faster")


async def test_enter_twice_answers_a_question_once(bare_app: Workbench):
    answers: list[str | None] = []
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.bench.settings.draft is not None)
        await pilot.press("R")
        bare_app.push_screen(Ask("a name", "text"), answers.append)
        await until(pilot, lambda: bare_app.focused is not None and bare_app.focused.id == "ask-line")
        press_at_once(bare_app, "enter", "enter")
        await until(pilot, lambda: answers)
        await pilot.pause()
        assert answers == ["text"]
        assert isinstance(bare_app.screen, RunsScreen)


async def test_an_answer_after_the_question_was_left_answers_nothing(bare_app: Workbench):
    answers: list[bool | None] = []
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.bench.settings.draft is not None)
        question = Confirm("sure?")
        bare_app.push_screen(question, answers.append)
        await pilot.press("n")
        question.action_answer(True)
        await pilot.pause()
        assert answers == [False]
        assert bare_app.screen is bare_app.bench


async def test_typing_ends_where_the_cursor_leaves_its_row(bare_app: Workbench):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.bench.settings.draft is not None)
        bare_app.bench.load_recipe("prune-5")
        settings = bare_app.bench.settings
        await pilot.press("2")
        settings.rows.point("field:0:amount")
        await pilot.press("9")
        await shows(pilot, "enter takes it")
        settings.rows.point("recipe")
        await pilot.press("enter")
        assert settings.rows.entry is None
        await pilot.press("escape")
        settings.rows.point("field:0:amount")
        await shows(pilot, "0.05")
        assert settings.rows.entry is None


async def test_the_palette_stays_away_from_a_screen_that_is_too_small(bare_app: Workbench):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.bench.settings.draft is not None)
        await pilot.resize_terminal(20, 5)
        await pilot.press("ctrl+p")
        await pilot.resize_terminal(80, 24)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen))
        assert len(bare_app.screen_stack) == 2


async def test_an_answer_nobody_waits_for_may_be_an_error(app: Workbench, caplog: pytest.LogCaptureFixture):
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.bench.models.model)
        worker = app.run_worker(app.link.inspect(app.bench.models.model.replace("tiny", "zz-broken")))
        await until(pilot, lambda: app.link._asking)
        worker.cancel()
        await until(pilot, lambda: not app.link._asking)
    assert isinstance(app.link, Link)
    assert "never retrieved" not in caplog.text


class Hasty(Leavable, Screen[None]):
    """Looks for a widget that it has not; on x and q while it or the app is being left."""

    def on_key(self, event: events.Key) -> None:
        if event.key == "x":
            self.app.pop_screen()
        elif event.key == "q":
            self.app.exit(0)
        self.query_one("#none")


@pytest.mark.parametrize("key", ["x", "q"])
async def test_a_screen_that_is_being_left_ends_nothing(bare_app: Workbench, key: str):
    async with bare_app.run_test(size=(80, 24)) as pilot:
        bare_app.push_screen(Hasty())
        await pilot.pause()
        await pilot.press(key)
        assert bare_app.is_running or key == "q"


async def test_a_defect_of_a_screen_that_stands_is_not_hidden(bare_app: Workbench):
    async def look() -> None:
        async with bare_app.run_test(size=(80, 24)) as pilot:
            bare_app.push_screen(Hasty())
            await pilot.pause()
            await pilot.press("y")

    with pytest.raises(NoMatches, match="none"):
        await look()
