"""Jumping to a part of the screen by its letter."""

from __future__ import annotations

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.jump import Sign
from edgetui.tui.screens.headlines import WORDS
from monkey import press_at_once
from screens import screen_text, until
from textual.widget import Widget


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_each_letter_goes_to_its_part(bare_app: EdgetuiApp, size: tuple[int, int]):
    app = bare_app
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("2", "J")
        await until(pilot, lambda: app.screen.query(Sign) and "a letter goes to the part" in screen_text(app))
        parts = app.jump._targets
        in_sight = [part for part in app.screen.focus_chain if part.is_on_screen]
        assert len(parts) >= len(in_sight)
        for letter, place in list(parts.items()):
            if place.at is None:
                assert f"{letter} {place.word}" in screen_text(app).splitlines()[-1]
                continue
            column, row = place.at
            assert screen_text(app).splitlines()[row][column : column + 3].strip() == letter
        await pilot.press(list(parts)[len(in_sight) - 1])
        assert in_sight[-1].has_focus
        await until(pilot, lambda: not app.screen.query(Sign))


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 24), (120, 40), (160, 45)])
async def test_every_pane_is_gone_to_by_its_letter(bare_app: EdgetuiApp, size: tuple[int, int]):
    """In one column four of five stood behind tabs that had none; with two columns and few rows the log."""
    app = bare_app
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None and app.workbench.has_class("-fresh"))
        for name in ("log", "run", "models", "live", "settings"):
            await pilot.press("J")
            await until(pilot, lambda: app.jump.entry is not None)
            for letter, place in app.jump._targets.items():
                goes_there = place.word == WORDS[name]
                part = getattr(place.go, "__self__", None)
                if isinstance(part, Widget):
                    goes_there = any(node.id == name for node in part.ancestors_with_self)
                if goes_there and place.at is None:
                    await until(pilot, lambda wanted=f"{letter} {place.word}": wanted in screen_text(app))
                if goes_there:
                    await pilot.press(letter)
                    break
            await until(pilot, lambda wanted=name: app.workbench.tab == wanted and app.screen.query_one(f"#{wanted}").display)
            assert app.screen.query_one(f"#{name}").has_focus_within


async def test_other_keys_and_sizes_end_it_and_do_nothing(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        focused = app.focused
        press_at_once(app, "J", "R")
        await until(pilot, lambda: app.jump.entry is None)
        await pilot.pause()
        assert app.screen is app.workbench
        assert app.focused is focused
        await pilot.press("J")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.jump.entry is None and not app.screen.query(Sign))
