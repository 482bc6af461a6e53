"""Keys: what begins a value, what is said while one is typed, and what goes through every list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Ui
from edgetui.engine.schema.events import Note
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.choose import Choose
from edgetui.tui.screens.runs import RunsScreen
from edgetui.tui.widgets.lines import Lines, Rows
from screens import screen_text, shows, until
from textual.binding import Binding


async def on_amount(pilot) -> None:
    """The cursor stands on a numeric row of the settings."""
    bench = pilot.app.workbench
    await until(pilot, lambda: bench.settings.draft is not None)
    bench.load_recipe("prune-5")
    await pilot.press("2")
    bench.settings.rows.point("field:0:amount")
    await pilot.pause()


def footer(app: EdgetuiApp) -> str:
    return screen_text(app).splitlines()[-1]


@pytest.mark.parametrize(("digit", "tab"), [("1", "models"), ("3", "live"), ("4", "run"), ("5", "log")])
async def test_digits_of_the_tabs_go_to_their_panes_from_a_numeric_row(bare_app: EdgetuiApp, digit: str, tab: str):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await on_amount(pilot)
        await pilot.press(digit)
        assert bare_app.workbench.tab == tab
        assert bare_app.workbench.settings.rows.entry is None
        await pilot.press("2")
        assert bare_app.workbench.tab == "settings"
        assert bare_app.workbench.settings.draft.recipe.step[0].amount == 0.05


@pytest.mark.parametrize("key", ["0", "6", "7", "8", "9", "full_stop"])
async def test_other_digits_begin_a_value(bare_app: EdgetuiApp, key: str):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await on_amount(pilot)
        await pilot.press(key)
        assert bare_app.workbench.settings.rows.entry.text == {"full_stop": "."}.get(key, key)


async def test_where_a_tab_has_another_key_its_digit_begins_a_value(engine: Engine):
    app = EdgetuiApp(Config(ui=Ui(keys={"pane.models": "f6"})), engine)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await on_amount(pilot)
        await pilot.press("1")
        assert app.workbench.settings.rows.entry.text == "1"


async def test_the_footer_says_the_keys_of_typing_and_afterwards_the_others(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await on_amount(pilot)
        assert "run" in footer(bare_app)
        await pilot.press("enter")
        await until(pilot, lambda: "enter takes it   esc leaves it as it was" in footer(bare_app))
        assert "quit" not in footer(bare_app)
        await pilot.press("escape")
        await until(pilot, lambda: "quit" in footer(bare_app))
        await pilot.press("enter", "tab")
        await until(pilot, lambda: "quit" in footer(bare_app))


async def test_the_footer_says_the_keys_of_filters(app: EdgetuiApp, past_run: Callable[..., str]):
    past_run()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "tiny")
        await pilot.press("1", "slash")
        await until(pilot, lambda: "enter takes it   esc shows all" in footer(app))
        await pilot.press("t", "enter")
        await until(pilot, lambda: "quit" in footer(app))
        await pilot.press("R")
        await shows(pilot, "1 of 1")
        await pilot.press("slash")
        await until(pilot, lambda: "esc shows all" in footer(app))
        await pilot.press("escape")
        await until(pilot, lambda: "quit" in footer(app))


async def test_first_and_last_of_the_settings(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await on_amount(pilot)
        rows = bare_app.workbench.settings.rows
        await pilot.press("G")
        assert rows.cursor == rows.keys[-1]
        await pilot.press("g")
        assert rows.cursor == rows.keys[0]


async def test_first_and_last_of_the_log_and_the_help(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run()
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.link.view and bare_app.link.view.state == "done")
        for number in range(40):
            bare_app.link.view.take(Note(t=float(number), stage="build", text=f"note {number}"))
        await pilot.press("5")
        log = bare_app.workbench.log_pane.rows
        await until(pilot, lambda: log.top > 0)
        await pilot.press("g")
        assert log.top == 0
        await pilot.press("G")
        assert log.top > 0
        await pilot.press("question_mark", "G")
        page = bare_app.screen.query_one("#help-rows", Lines)
        assert page.top == len(page.lines) - page.size.height > 0


async def test_the_list_of_runs_is_found_again_as_it_was_left(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("done"), past_run("failed"), past_run("done")
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.link.view)
        await pilot.press("R")
        await shows(pilot, "3 of 3")
        await pilot.press("G")
        assert app.screen.rows.keys.index(app.screen.current()) == 2
        await pilot.press("g")
        assert app.screen.rows.keys.index(app.screen.current()) == 0
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("slash", *"model", "enter")
        await shows(pilot, "sorted: model")
        await pilot.press("space", "slash", *"done", "enter", "G")
        await shows(pilot, "2 of 3")
        at = app.screen.current()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.workbench)
        await pilot.press("R")
        await shows(pilot, "2 of 3", "filter `done`", "sorted: model", "marked: 1")
        assert isinstance(app.screen, RunsScreen)
        assert app.screen.current() == at
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.workbench)
        await pilot.press("R")
        await shows(pilot, "2 of 3")
        assert app.screen.current() == at


async def test_the_recipe_row_lists_recipes_with_titles_to_search_in(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.workbench.load_recipe("prune-5")
        await pilot.press("2")
        app.workbench.settings.rows.point("recipe")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        rows = app.screen.query_one(Rows)
        assert rows.cursor == "prune-5"
        foot, title = app.screen.query_one("#choose-whole", Lines), dict(app.screen.choices)["qin-quantize"]
        rows.point("qin-quantize")
        await until(pilot, lambda: " ".join(foot.plain().split()) == title)
        assert foot.size.height == len(foot.lines) == 2, "all of a title that its row has no room for"
        assert "…" not in next(line for line in rows.plain().splitlines() if "shared-4 " in line)[:-20], "cut at its end alone"
        await pilot.press("g")
        assert rows.cursor == rows.keys[0]
        title = next(recipe.title for recipe in app.workbench.settings.draft.recipes if recipe.name == "weights-4")
        await pilot.press("slash", *title.split()[0].lower(), "space", *"4")
        await until(pilot, lambda: "weights-4" in rows.keys and "fp16" not in rows.keys)
        rows.point("weights-4")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.workbench)
        assert app.workbench.settings.draft.recipe.name == "weights-4"
        await pilot.press("enter", "escape")
        await until(pilot, lambda: app.screen is app.workbench)
        assert app.workbench.settings.draft.recipe.name == "weights-4"


def bindings() -> Iterator[tuple[str, Binding]]:
    """Of every screen, pane and widget of ours: its name and one binding."""
    from edgetui.tui import panes, screens, widgets
    from textual.dom import DOMNode

    for package in (screens, panes, widgets):
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            for kind in vars(module).values():
                if isinstance(kind, type) and issubclass(kind, DOMNode) and kind.__module__ == module.__name__:
                    own = [each for each in kind.__dict__.get("BINDINGS", ()) if isinstance(each, Binding)]
                    yield from ((kind.__name__, each) for each in own)


def test_no_screen_takes_a_key_that_works_everywhere():
    """But for leaving and help, which what lies over a screen does in a way of its own."""
    everywhere = {key for each in EdgetuiApp.BINDINGS if isinstance(each, Binding) for key in each.key.split(",")}
    taken = [
        (name, key)
        for name, each in bindings()
        for key in each.key.split(",")
        if name != "Dialog" and key in everywhere - {"q", "question_mark"}
    ]
    assert "S" in everywhere
    assert taken == []


def test_keys_that_move_do_nothing_else_anywhere():
    """hjkl beside their arrows, g and G beside home and end, n and N to what was found, a mark or an alert; n is also no."""
    beside = {"h": "left", "j": "down", "k": "up", "l": "right", "g": "home", "G": "end"}
    wrong = [
        (name, each.key, each.id)
        for name, each in bindings()
        for key in each.key.split(",")
        if (key in beside and beside[key] not in each.key.split(","))
        or (key in "nN" and name != "Confirm" and (each.id or "").split(".")[0] not in ("find", "monitor"))
    ]
    assert wrong == []
    forgotten = [
        (name, each.key)
        for name, each in bindings()
        for letter, arrow in beside.items()
        if arrow in each.key.split(",") and letter not in each.key.split(",")
    ]
    assert forgotten == []


def test_each_key_of_the_list_has_a_name_and_words_for_help():
    """So that it can be moved by `[ui.keys]`, and stands in what `?` shows; questions are answered by fixed keys."""
    asked = {"Confirm", "Ask", "Choose", "HelpScreen", "SweepSetup"}
    assert [(name, each.key) for name, each in bindings() if name not in asked and not each.id] == []


async def test_letters_are_found_in_rows_that_are_read(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run()
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.link.view and bare_app.link.view.state == "done")
        for number in range(60):
            bare_app.link.view.take(Note(t=float(number), stage="build", text=f"note {number}"))
        await pilot.press("5")
        log = bare_app.workbench.log_pane.rows
        await until(pilot, lambda: log.top > 0)
        await pilot.press("g", "slash", *"NOTE 5")
        await until(pilot, lambda: "/ NOTE 5" in footer(bare_app))
        await pilot.press("enter")
        found = [at for at, line in enumerate(log.texts()) if "note 5" in line]
        assert log.found == found[0]
        await pilot.press("n", "n")
        assert log.found == found[2]
        await pilot.press("N")
        assert log.found == found[1]
        assert log.top <= found[1] < log.top + log.size.height
        await pilot.press(*["n"] * len(found))
        assert log.found == found[1], "round the end"
        await pilot.press("slash", *"no such", "enter")
        await shows(pilot, "no row has `no such`")
        await pilot.press("escape")
        assert not log.sought
        await pilot.press("slash", *"note", "escape")
        await until(pilot, lambda: "quit" in footer(bare_app))


async def test_settings_are_found_and_h_and_l_change_them(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await on_amount(pilot)
        rows = bare_app.workbench.settings.rows
        await pilot.press("l")
        assert bare_app.workbench.settings.draft.recipe.step[0].amount == 0.1
        await pilot.press("h", "h")
        assert bare_app.workbench.settings.draft.recipe.step[0].amount == 0.0
        await pilot.press("slash", *"workload", "enter")
        assert rows.cursor == "run:workload"
        assert rows.entry is None
        await pilot.press("g", "space")
        await shows(pilot, "✓ marked")


async def test_keys_of_before_come_back_by_their_names(engine: Engine, past_run: Callable[..., str]):
    """`g` for the goal, where the user says so of both names that had it."""
    past_run(), past_run()
    app = EdgetuiApp(Config(ui=Ui(keys={"compare.goal": "g", "move.first": "home", "settings.mark": "t"})), engine)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(
            pilot, lambda: app.workbench.settings.draft is not None and app.workbench.settings.draft.recipe.name == "both"
        )
        await pilot.press("2", "t")
        await shows(pilot, "✓ marked")
        await pilot.press("R")
        await shows(pilot, "2 of 2")
        await pilot.press("space", "space", "C")
        await shows(pilot, "Advice  goal: fastest")
        await pilot.press("g")
        await shows(pilot, "goal: smallest")
