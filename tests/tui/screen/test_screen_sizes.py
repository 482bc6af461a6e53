"""What the workbench does with a terminal's size: columns, what is never cut off, and what waits while it is too small."""

from __future__ import annotations

import pytest
from edgetui.engine.api import Engine
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.palette import Commands, Palette
from edgetui.tui.screens.help import HelpScreen
from edgetui.tui.screens.small import TooSmall
from edgetui.tui.screens.workbench import WorkbenchScreen
from screens import shows, until
from textual import events
from textual.geometry import Size


def bench_of(app: EdgetuiApp) -> WorkbenchScreen:
    return app.workbench


@pytest.mark.parametrize(("size", "wanted"), [((160, 45), "-three"), ((120, 30), "-two"), ((80, 24), "-one")])
async def test_the_width_decides_the_columns(bare_app: EdgetuiApp, size: tuple[int, int], wanted: str):
    app = bare_app
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        assert bench_of(app).has_class(wanted)


async def test_help_and_quit_are_never_cut_off(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(60, 16), notifications=True) as pilot:
        await shows(pilot, "? help", "q quit")


async def test_a_screen_that_is_too_small_says_so_and_swallows_keys(bare_app: EdgetuiApp, engine: Engine):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).settings.draft is not None)
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await shows(pilot, "too small: 50x12")
        await pilot.press("r", "R", "ctrl+p")
        assert isinstance(app.screen, TooSmall)
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: app.screen is bench_of(app))
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await pilot.press("q")
    assert app.return_code == 0
    assert await engine.list() == ()


async def test_what_is_chosen_from_the_palette_as_it_becomes_too_small_is_not_done(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).settings.draft is not None)
        await pilot.press("ctrl+p", *"help")
        await until(pilot, lambda: any(str(o.prompt).startswith("help") for c in app.screen.query(Commands) for o in c.options))
        palette = app.screen
        await pilot.press("down")
        app._driver._size = size = Size(50, 12)  # type: ignore[union-attr,assignment]
        palette.query_one(Commands).action_select()  # and before the palette has it:
        app.post_message(events.Resize(size, size))
        await until(pilot, lambda: isinstance(app.screen, TooSmall) and not palette.query_one(Commands).options)
        await pilot.pause()
        assert [type(screen) for screen in app.screen_stack] == [WorkbenchScreen, Palette, TooSmall]
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: app.screen is bench_of(app))


async def test_what_comes_up_while_it_is_too_small_waits_below(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).settings.draft is not None)
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await app.push_screen(HelpScreen(bench_of(app)))
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await pilot.press("escape", "ctrl+p")
        assert isinstance(app.screen, TooSmall)
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is bench_of(app))
