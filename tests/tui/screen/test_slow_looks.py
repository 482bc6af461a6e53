"""Lists that are read again and again, and what takes longer to be read than it is until the next time."""

from __future__ import annotations

import asyncio

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens import listed
from edgetui.tui.widgets.lines import Details, Rows
from screens import shows, until
from textual.app import ComposeResult


class SlowList(listed.ListedScreen):
    """What it reads answers when `answers` is set."""

    KIND = "slow"

    def __init__(self) -> None:
        super().__init__()
        self.answers, self.asked = asyncio.Event(), 0

    def compose(self) -> ComposeResult:
        yield Rows(id="slow-rows")
        yield Details(id="slow-details")

    async def fill(self) -> None:
        self.asked += 1
        await self.answers.wait()
        self.listed.fill([("one", (("answered at last", ""),))])


async def test_an_answer_that_comes_after_the_next_look_is_due_is_shown(bare_app: EdgetuiApp, monkeypatch: pytest.MonkeyPatch):
    """Of a board that took more than two seconds the screen of the fleet never showed anything."""
    monkeypatch.setattr(listed, "REFRESH_S", 0.01)
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        screen, due = SlowList(), list[int]()
        bare_app.push_screen(screen)
        await until(pilot, lambda: screen.asked)
        screen.set_interval(0.01, lambda: due.append(1))
        await until(pilot, lambda: len(due) > 5)
        assert screen.asked == 1, "a look that waits is not begun anew"
        screen.answers.set()
        await shows(pilot, "answered at last")
        await until(pilot, lambda: screen.asked > 2)
