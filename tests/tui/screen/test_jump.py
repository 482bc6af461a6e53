"""Jumping to a part of the screen by its letter."""

from __future__ import annotations

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.jump import Sign
from monkey import press_at_once
from screens import screen_text, until


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_each_letter_goes_to_its_part(bare_app: EdgetuiApp, size: tuple[int, int]):
    app = bare_app
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("2", "J")
        await until(pilot, lambda: app.screen.query(Sign) and "a letter goes to the part" in screen_text(app))
        parts = app.jump._targets
        assert len(parts) == len([part for part in app.screen.focus_chain if part.is_on_screen])
        for letter, part in list(parts.items()):
            row = screen_text(app).splitlines()[part.region.y]
            assert row[part.region.x : part.region.x + 3].strip() == letter
        letter, part = list(parts.items())[-1]
        await pilot.press(letter)
        assert part.has_focus
        await until(pilot, lambda: not app.screen.query(Sign))


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
