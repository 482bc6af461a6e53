"""A goal with limits typed on the comparison: refused while it can be mended, advised for, and one of those of `g`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.screens.dialogs import Ask
from screens import screen_text, shows, until
from textual.widgets import Input


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_a_goal_with_limits_is_advised_for(bare_app: EdgetuiApp, past_run: Callable[..., str], size: tuple[int, int]):
    run = past_run()
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: bare_app.link.view)
        bare_app.push_screen(CompareScreen([run]))
        await shows(pilot, "goal: fastest")
        await pilot.press("a")  # the picture covers the advice on a narrow screen
        await until(pilot, lambda: bare_app.screen.has_class("-picture"))
        await pilot.press("T")
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        bare_app.screen.query_one(Input).value = "smallest memroy_mb<=9"
        await pilot.press("enter")
        await shows(pilot, "there is no metric `memroy_mb`")
        bare_app.screen.query_one(Input).value = "smallest latency_ms<=0.5"
        await pilot.press("enter")
        await shows(pilot, "goal: smallest latency_ms<=0.5", "No column keeps the limits")
        await pilot.press("t")
        await until(pilot, lambda: "goal: fastest" in screen_text(bare_app))
