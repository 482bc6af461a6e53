"""Keys and clicks faster than the screen: sent as a terminal sends them, none waits for what the one before has done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Ui
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.background import in_background
from edgetui.tui.desk import AtDesk
from edgetui.tui.link import Link
from edgetui.tui.palette import Commands, Palette
from edgetui.tui.screens.choose import Choose
from edgetui.tui.screens.dialogs import Ask, Confirm
from edgetui.tui.screens.runs import RunsScreen
from edgetui.tui.screens.safe_dismiss import SafeDismiss
from edgetui.tui.widgets.lines import Rows
from monkey import press_at_once, send
from screens import shows, until
from textual import events
from textual.app import ComposeResult
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.screen import Screen


@pytest.mark.parametrize("key", ["home", "pagedown", "down", "enter", "x"])
async def test_a_key_that_comes_before_the_palette_has_its_list(bare_app: EdgetuiApp, key: str):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        press_at_once(bare_app, "ctrl+p", key)
        await until(pilot, lambda: isinstance(bare_app.screen, Palette))
        await pilot.press("escape")
        await until(pilot, lambda: bare_app.screen is bare_app.workbench)


async def test_a_page_in_the_palette_while_its_list_is_being_filled(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("ctrl+p", "down")
        press_at_once(bare_app, *"re", "pagedown", *"ci", "pageup", "pagedown")
        await shows(pilot, "recipe ")


async def test_escape_twice_closes_the_palette_once(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("R", "ctrl+p")
        palette = bare_app.screen
        palette.dismiss(), palette.dismiss()
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen))


async def test_the_palette_over_what_has_come_over_the_palette(bare_app: EdgetuiApp):
    """What a colon had asked for came while the palette was looked through."""
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("ctrl+p")
        bare_app.workbench.action_runs()
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: [type(each) for each in bare_app.screen_stack[1:]] == [Palette, RunsScreen, Palette])
        await pilot.press("escape", "escape", "escape")
        await until(pilot, lambda: bare_app.screen is bare_app.workbench)


async def test_enter_twice_on_a_run_opens_it_and_stays(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("done")
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen) and bare_app.screen.runs)
        press_at_once(bare_app, "enter", "enter", "escape")
        await until(pilot, lambda: bare_app.screen is bare_app.workbench)
        await shows(pilot, "▲ faster")


async def test_enter_twice_answers_a_question_once(bare_app: EdgetuiApp):
    answers: list[str | None] = []
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("R")
        bare_app.push_screen(Ask("a name", "text", example="another"), answers.append)
        await until(pilot, lambda: bare_app.focused is not None and bare_app.focused.id == "ask-line")
        press_at_once(bare_app, "enter", "enter")
        await until(pilot, lambda: answers)
        await pilot.pause()
        assert answers == ["text"]
        assert isinstance(bare_app.screen, RunsScreen)


async def test_an_answer_after_the_question_was_left_answers_nothing(bare_app: EdgetuiApp):
    answers: list[bool | None] = []
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        question = Confirm("sure?")
        bare_app.push_screen(question, answers.append)
        await pilot.press("n")
        question.action_answer(True)
        await pilot.pause()
        assert answers == [False]
        assert bare_app.screen is bare_app.workbench


async def test_typing_ends_where_the_cursor_leaves_its_row(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        bare_app.workbench.load_recipe("prune-5")
        settings = bare_app.workbench.settings
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


async def test_a_click_of_a_place_that_the_terminal_has_lost_is_passed_over(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(bare_app.screen, Palette))
        bare_app.screen.post_message(events.Click(None, 74, 8, 0, 0, 1, False, False, False, 100, 30))
        await pilot.pause()
        assert isinstance(bare_app.screen, Palette)


async def test_the_palette_stays_away_from_a_screen_that_is_too_small(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.resize_terminal(20, 5)
        await pilot.press("ctrl+p")
        await pilot.resize_terminal(80, 24)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen))
        assert len(bare_app.screen_stack) == 2


async def test_an_answer_nobody_waits_for_may_be_an_error(app: EdgetuiApp, caplog: pytest.LogCaptureFixture):
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.workbench.models.model)
        broken, before = app.workbench.models.model.replace("tiny", "zz-broken"), set(app.link._asking)
        worker = app.run_worker(partial(app.link.inspect, broken))
        while app.link._asking <= before:  # an answer takes some milliseconds: it has to be asked for, and not there yet
            await asyncio.sleep(0)
        worker.cancel()
        await until(pilot, lambda: not app.link._asking)
    assert isinstance(app.link, Link)
    assert "never retrieved" not in caplog.text


class Hasty(SafeDismiss, Screen[None]):
    """Looks for a widget that it has not; on x and q while it or the app is being left."""

    def on_key(self, event: events.Key) -> None:
        if event.key == "x":
            self.app.pop_screen()
        elif event.key == "q":
            self.app.exit(0)
        self.query_one("#none")


class HastyRows(Rows):
    """The same of a part: it has messages of its own."""

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if event.key == "x":
            self.app.pop_screen()
        elif event.key == "q":
            self.app.exit(0)
        self.screen.query_one("#none")


class AroundHastyRows(Screen[None]):
    """Stands around them."""

    def compose(self) -> ComposeResult:
        yield HastyRows(id="hasty")


@pytest.mark.parametrize("kind", [Hasty, AroundHastyRows])
@pytest.mark.parametrize("key", ["x", "q"])
async def test_a_screen_that_is_being_left_ends_nothing(bare_app: EdgetuiApp, key: str, kind: type[Screen[None]]):
    async with bare_app.run_test(size=(80, 24)) as pilot:
        bare_app.push_screen(kind())
        await pilot.pause()
        await pilot.press(key)
        assert bare_app.is_running or key == "q"


@pytest.mark.parametrize("kind", [Hasty, AroundHastyRows])
async def test_a_defect_of_a_screen_that_stands_is_not_hidden(bare_app: EdgetuiApp, kind: type[Screen[None]]):
    async def look() -> None:
        async with bare_app.run_test(size=(80, 24)) as pilot:
            bare_app.push_screen(kind())
            await pilot.pause()
            await pilot.press("y")

    with pytest.raises(NoMatches, match="none"):
        await look()


@pytest.mark.parametrize("first", [(), ("d",)], ids=["list", "details"])
async def test_letters_at_once_after_the_filter_key_are_no_keys(app: EdgetuiApp, first: tuple[str, ...]):
    """In the list they filter it, in the details they are looked for there."""

    def typed() -> str:
        models = app.workbench.models
        found = models.details
        return (found.seeking.text if found.seeking else found.sought) if first else models.filter_text

    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model and app.workbench.settings.draft is not None)
        await pilot.press("1", *first)
        press_at_once(app, "slash", *"rseq")  # which would run, save, and quit
        await until(pilot, lambda: typed() == "rseq")
        press_at_once(app, "enter", "2")
        await until(pilot, lambda: app.workbench.tab == "settings")
        assert typed() == "rseq"
        assert len(app.screen_stack) == 1


async def test_letters_at_once_after_another_filter_key_as_well(model: object, own_state: Path, config: Config):
    app = EdgetuiApp(msgspec.structs.replace(config, ui=Ui(keys={"models.filter": "f4"})), Engine(config, own_state))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model)
        await pilot.press("1")
        press_at_once(app, "slash", *"tn")
        press_at_once(app, "f4", *"tin")
        await until(pilot, lambda: app.workbench.models.filter_text == "tin")


async def runs_of(app: EdgetuiApp, pilot: Pilot[int]) -> RunsScreen:
    """The list of runs, opened and filled."""
    await until(pilot, lambda: app.workbench.settings.draft is not None)
    await pilot.press("R")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.runs)
    assert isinstance(app.screen, RunsScreen)
    return app.screen


async def test_letters_at_once_after_the_filter_key_of_runs(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("done"), past_run("failed")
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await runs_of(bare_app, pilot)
        press_at_once(bare_app, "slash", *"Ds fail", "backspace", "backspace")
        await until(pilot, lambda: screen.filter_text == "Ds fa")
        assert bare_app.screen is screen
        assert screen.order.text == "began"


async def test_a_colon_at_once_behind_the_filter_key_is_the_filters(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("done"), past_run("failed")
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await runs_of(bare_app, pilot)
        press_at_once(bare_app, "slash", *"state:fai", "enter", "colon", *"q")
        await until(pilot, lambda: screen.filter_text == "state:fai")
        await until(pilot, lambda: bare_app.colon.entry is not None and bare_app.colon.entry.text == "q")
        assert [run.state for run in screen.shown()] == ["failed"]


async def test_letters_at_once_after_enter_on_a_value(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        bare_app.workbench.load_recipe("prune-5")
        settings = bare_app.workbench.settings
        await pilot.press("2")
        settings.rows.point("field:0:amount")
        press_at_once(bare_app, "enter", "ctrl+u", *"0.25", "enter", "down")
        await until(pilot, lambda: settings.rows.cursor != "field:0:amount")
        assert settings.draft is not None
        assert settings.draft.recipe.step[0].amount == 0.25
        settings.rows.point("run:dataset")
        press_at_once(bare_app, "enter", *"/xrsu")
        await until(pilot, lambda: settings.rows.entry is not None and settings.rows.entry.text == "/xrsu")


async def test_what_is_pasted_goes_into_the_filter(app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("done"), past_run("failed")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model and app.workbench.settings.draft is not None)
        await pilot.press("1", "slash")
        send(app, events.Paste("tin\n"))
        await until(pilot, lambda: app.workbench.models.filter_text == "tin")
        await pilot.press("enter", "R")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.runs)
        await pilot.press("slash")
        send(app, events.Paste(" failed "))
        await until(pilot, lambda: app.screen.filter_text == "failed")
        await pilot.press("enter", "escape", "2", "g", "enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("slash")
        send(app, events.Paste("half"))
        await until(pilot, lambda: app.screen.letters == "half")


async def test_a_palette_that_is_left_before_it_says_that_nothing_matches(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("ctrl+p", *"zzqq")
        palette = bare_app.screen
        assert isinstance(palette, Palette)
        for part in palette.query(Commands):
            await part.remove()  # as it is while a screen goes
        await asyncio.sleep(0.8)
        assert bare_app.is_running


async def test_work_whose_screen_was_left_meanwhile_is_no_defect(bare_app: EdgetuiApp):
    """Its answer came as the screen of layers went: one of three monkeys found it."""
    screen, left = Screen[None](), asyncio.Event()

    async def look() -> None:
        await left.wait()
        screen.query_one("#gone")

    async with bare_app.run_test():
        await bare_app.push_screen(screen)
        work = in_background(screen, look, "look")
        screen.display = False  # as in the moment of leaving, before its work is ended with it
        left.set()
        await work.wait()


async def test_what_is_asked_by_a_screen_that_is_being_left_is_not_for_the_one_below(bare_app: EdgetuiApp):
    """The cursor of Sweeps moved in the moment of leaving: its work found the workbench on top, and no rows of its own."""

    class Listing(AtDesk, SafeDismiss, Screen[None]):
        """Looks for rows that it has not."""

        async def fill(self) -> None:
            self.query_one("#gone")

    async with bare_app.run_test() as pilot:
        screen = Listing()
        await bare_app.push_screen(screen)
        await bare_app.pop_screen()
        screen.run_in_background(screen.fill, "fill")
        await bare_app.workers.wait_for_complete([each for each in bare_app.workers if each.group == "fill"])
        await pilot.pause()
        assert bare_app.is_running


async def test_what_was_to_be_drawn_once_there_is_room_and_a_key_by_its_name_come_too_late(bare_app: EdgetuiApp):
    """The screen below draws for one that was left: Textual gives callbacks to the one that is on top."""
    called = []
    async with bare_app.run_test() as pilot:
        screen = Hasty()
        await bare_app.push_screen(screen)
        screen.call_after_refresh(called.append, "drawn")
        await until(pilot, lambda: called)
        screen.call_after_refresh(screen.query_one, "#none")
        await bare_app.pop_screen()
        await bare_app.act("quit", screen)
        await pilot.pause()
        assert bare_app.is_running


class Pointed(SafeDismiss, Screen[None]):
    """Looks for a widget that it has not when a row says something."""

    def on_rows_moved(self) -> None:
        self.query_one("#none")


async def test_what_a_row_says_of_a_screen_that_is_being_left_ends_nothing(bare_app: EdgetuiApp):
    async with bare_app.run_test() as pilot:
        screen = Pointed()
        await bare_app.push_screen(screen)
        screen.display = False  # as in the moment of leaving
        screen.post_message(Rows.Moved(Rows(), "a"))
        await pilot.pause()
        assert bare_app.is_running


async def test_what_a_row_says_of_a_screen_that_stands_is_not_hidden(bare_app: EdgetuiApp):
    async def look() -> None:
        async with bare_app.run_test() as pilot:
            screen = Pointed()
            await bare_app.push_screen(screen)
            screen.post_message(Rows.Moved(Rows(), "a"))
            await pilot.pause()

    with pytest.raises(NoMatches, match="none"):
        await look()
