"""Whoever sits at the screen is told when a run ends, and the terminal too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from edgetui.engine.system.locks import take_lock
from edgetui.tui import terminal
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.endings import Endings
from screens import screen_text, shows, until


async def test_the_end_of_a_run_is_told_on_any_screen(bare_app: EdgetuiApp, past_run: Callable[..., str], own_state):
    run = past_run("done")
    lock = take_lock(own_state / "runs" / run / "alive.lock")
    assert lock is not None
    async with bare_app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        bare_app.link.expect(run)
        await pilot.press("R")
        await shows(pilot, "1 of 1")
        await pilot.pause(1.2)
        assert "run ended" not in screen_text(bare_app)
        lock.release()
        await shows(pilot, "run ended: tiny both: done, faster; smaller")


async def test_runs_that_end_together_are_told_once(bare_app: EdgetuiApp, past_run: Callable[..., str], own_state):
    """Three toasts of a group covered the verdict at 80 columns."""
    runs = tuple(past_run("done") for _ in range(2))
    locks = [take_lock(own_state / "runs" / run / "alive.lock") for run in runs]
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        endings = Endings(bare_app)
        await endings._expect(runs)
        for lock in locks:
            assert lock is not None
            lock.release()
        await endings._look()
        await shows(pilot, "2 runs ended: tiny both: done, faster; tiny both: done, faster")


async def test_one_that_had_ended_before_is_no_news(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("done")
    async with bare_app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.link.view is not None and bare_app.link.view.result is not None)
        await pilot.pause(1.2)
        assert "run ended" not in screen_text(bare_app)


@pytest.mark.parametrize(
    ("term", "tmux", "codes"),
    [
        ("xterm-256color", "", "\x07\x1b]9;edgetui: it]0;x ended\x07"),
        ("xterm-256color", "/tmp/t,1,0", "\x07\x1bPtmux;\x1b\x1b]9;edgetui: it]0;x ended\x07\x1b\\"),
        ("linux", "", "\x07"),
        ("dumb", "", ""),
    ],
)
def test_a_terminal_is_told_what_it_knows_and_nothing_else(monkeypatch: pytest.MonkeyPatch, term: str, tmux: str, codes: str):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("TMUX", tmux)
    assert terminal.told("it\x1b]0;x ended\x07\n") == codes
