"""What is the same on every screen and in every dialog: keys that move and find, help with an example, one step back by escape,
commands and jumping, a row of keys that work, and sizes that lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.panes.pane import Pane
from edgetui.tui.screens.dialog import Dialog
from edgetui.tui.screens.help import HelpScreen
from edgetui.tui.widgets.keybar import KeyBar, being_typed, key_hints
from edgetui.tui.widgets.lines import Details, Lines, Rows
from screens import screen_text, shows, until
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

FROM_BENCH: dict[str, tuple[str, ...]] = {
    "WorkbenchScreen": (),
    "RunsScreen": ("R",),
    "StudiesScreen": ("P",),
    "FleetScreen": ("F",),
    "DatasetScreen": ("D",),
    "LayersScreen": ("L",),
    "SearchesScreen": ("f",),
    "SweepsScreen": ("W",),
    "SensitivityScreen": ("e",),
    "MonitorScreen": ("m",),
    "CompareScreen": ("R", "C"),
    "BrowseScreen": ("1", "o"),
    "DeployScreen": ("E",),
    "Page": ("colon", *"config", "enter"),
    "Choose": ("R", "s"),
    "Confirm": ("R", "D"),
    "Ask": ("R", "a"),
    "SweepSetup": ("W", "r"),
    "HelpScreen": ("question_mark",),
    "Palette": ("ctrl+p",),
}
"""Keys that open each from the workbench; what wants sensors has tests of its own."""
MOVES = {"up": "move.up", "k": "move.up", "down": "move.down", "j": "move.down", "g": "move.first", "G": "move.last"}
NO_ROWS = {"live", "past"}
"""Charts: nothing in them to walk through."""


async def opened(pilot, name: str) -> Screen:
    for key in FROM_BENCH[name]:
        before = pilot.app.screen
        await pilot.press(key)
        if key not in "oconfig1" and key != "colon":
            await until(pilot, lambda left=before: pilot.app.screen is not left)
    await until(pilot, lambda: type(pilot.app.screen).__name__ == name)
    if isinstance(pilot.app.screen, Screen) and name in ("RunsScreen", "Choose"):
        await until(pilot, lambda: pilot.app.screen.query_one(Rows).cursor)
    return pilot.app.screen


def enabled(screen: Screen) -> dict[str, str]:
    """What each key does now, by the names of bindings."""
    return {key: active.binding.id or "" for key, active in screen.active_bindings.items() if active.enabled}


def looked_at(screen: Screen, widget: Widget, wrong: list[str]) -> None:
    """Keys of one part with the focus."""
    keys, here = enabled(screen), f"{type(screen).__name__} {widget.id}"
    if isinstance(widget, Lines):
        wrong += [f"{here}: {key} does {keys.get(key)}" for key, name in MOVES.items() if keys.get(key) != name]
        if not isinstance(screen, Dialog) or screen.query(KeyBar):
            wrong += [f"{here}: / finds nothing"] if not keys.get("slash", "").endswith(("find", "filter")) else []
    elif widget.id not in NO_ROWS and not isinstance(widget, Input):
        wrong.append(f"{here}: it has the focus and no keys that move")
    if not isinstance(widget, Input):
        everywhere = ("S", "question_mark", *(("colon", "J", "ctrl+p") if screen.query(KeyBar) else ()))
        wrong += [f"{here}: {key} does nothing" for key in everywhere if key not in keys]
    parts = getattr(next((each for each in widget.ancestors if isinstance(each, Pane)), screen), "PARTS", {})
    if isinstance(widget, Details) and widget.id not in parts:
        wrong.append(f"{here}: help does not say what it is")
    hinted = {name for name, _, _ in key_hints(screen) if name}
    wrong += [f"{here}: the row of keys has {name}, which does nothing" for name in hinted - set(keys.values())]


@pytest.mark.long
async def test_habits_hold_on_every_screen_and_in_every_dialog(app: EdgetuiApp, past_run: Callable[..., str], model: Path):
    past_run(model=model)
    wrong: list[str] = []
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.link.view and app.link.view.state == "done" and app.workbench.models.facts is not None)
        for name, keys in FROM_BENCH.items():
            screen = await opened(pilot, name)
            chain = list(screen.focus_chain)
            for widget in chain if name != "Palette" else ():
                screen.set_focus(widget)
                await pilot.pause()
                looked_at(screen, widget, wrong)
                told = "".join(text for line in HelpScreen(screen)._lines() for text, _ in line)
                if name != "HelpScreen" and "for example" not in told:
                    wrong.append(f"{name} {widget.id}: help has no example")
            await resized(pilot, screen, wrong)
            for _ in range(len(keys) + 2):
                if app.screen is app.workbench:
                    break
                depth = len(app.screen_stack)
                await pilot.press("escape")
                await pilot.pause()
                await until(pilot, lambda before=depth: len(app.screen_stack) != before or app.screen.focused is not None)
                if len(app.screen_stack) < depth - 1:
                    wrong.append(f"{name}: escape goes two steps back")
            assert app.screen is app.workbench, f"escape does not lead back from {name}:\n{screen_text(app)}"
            app.workbench.models.query_one(Rows).focus()
    assert not wrong, "\n".join(wrong)


async def resized(pilot, screen: Screen, wrong: list[str]) -> None:
    """Small, too small, and back: cursor, focus and what is typed remain."""

    def state() -> tuple[object, ...]:
        lines = [rows.cursor for rows in screen.query(Rows)], [line.value for line in screen.query(Input)]
        return (screen.focused.id if screen.focused is not None else "", *lines)

    before = state()
    for size in ((60, 16), (59, 15), (120, 40)):
        await pilot.resize_terminal(*size)
        await until(pilot, lambda wanted=size: tuple(pilot.app.size) == wanted)
        await pilot.pause()
    await until(pilot, lambda: pilot.app.screen is screen)
    if state() != before:
        wrong.append(f"{type(screen).__name__}: {before} became {state()} by sizes")


LINES = {"2 j enter": "data ", "1 slash": " / ", "R slash": "Runs", "o slash": "Open", "D enter": "data ", "colon": " :"}
"""By keys what stands before the line that they have typed."""


@pytest.mark.parametrize("keys", LINES)
async def test_the_caret_is_in_sight_in_every_line_that_is_typed(
    app: EdgetuiApp, past_run: Callable[..., str], model: Path, keys: str
):
    """At 80 columns a path that was typed in the settings went out of sight at the edge."""
    past_run(model=model)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "faster")
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: being_typed(app.screen) is not None)
        line = being_typed(app.screen)
        assert line is not None
        line.text, line.at = "", 0
        line.insert("/folder" * 20 + "/the-en")
        await pilot.press("d")
        await shows(pilot, "/the-end")
        row = next(row for row in screen_text(app).splitlines() if "/the-end" in row)
        assert LINES[keys] in row, row
        assert "…" in row, row
