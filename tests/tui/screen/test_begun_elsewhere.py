"""What another terminal begins or takes up again is shown, unless something else is looked at; from here it is no news."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.events import Queued, RunBegan, encode
from edgetui.engine.system.locks import take_lock
from edgetui.tui.app import EdgetuiApp
from screens import screen_text, shows, until


def go(own_state: Path, run: str):
    """Its supervisor lives."""
    lock = take_lock(own_state / "runs" / run / "alive.lock")
    assert lock is not None
    return lock


async def test_what_begins_elsewhere_is_shown_once_nothing_goes_here(
    bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path
):
    app, first = bare_app, past_run("done")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: app.link.view is not None and app.link.view.result is not None)
        await pilot.pause(1.2)  # what was there has been looked at
        second = past_run("measure")
        lock = go(own_state, second)
        await shows(pilot, "tiny both has begun elsewhere; it is shown")
        await until(pilot, lambda: app.link.view.run == second)
        third = past_run("measure")
        other = go(own_state, third)
        await shows(pilot, "tiny both has begun elsewhere; R lists it")
        assert app.link.view.run == second, "what goes on here is still shown"
        app.link.own.add(mine := "20261120-2314-tiny-both")
        assert past_run("measure") == mine
        held = go(own_state, mine)
        app.clear_notifications()
        await pilot.pause(2.2)
        assert "elsewhere" not in screen_text(app)
        for each in (lock, other, held):
            each.release()
    assert first != second


async def test_what_is_taken_up_again_elsewhere_is_shown_once_more(
    bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path
):
    app, run = bare_app, past_run("measure")
    folder = RunDir(own_state / "runs" / run)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: app.link.view is not None and app.link.view.state == "crashed")
        await pilot.pause(1.2)
        with folder.hold():
            with (folder.path / "events.jsonl").open("ab") as file:
                file.write(encode(RunBegan(n=90, t=90.0, stages=("measure",), resumed=True)) + b"\n")
            os.utime(own_state / "runs")
            await shows(pilot, "tiny both was taken up again elsewhere; it is shown")
            await until(pilot, lambda: app.link.view.run == run and not app.link.view.state)
            app.clear_notifications()
            os.utime(own_state / "runs")
            await pilot.pause(1.2)
            assert "elsewhere" not in screen_text(app), "it is said once"
        await until(pilot, lambda: app.link.view.state == "crashed")
        with folder.hold():  # the list was not read in between
            os.utime(own_state / "runs")
            await shows(pilot, "tiny both was taken up again elsewhere; it is shown")
        app.clear_notifications()
        app.link.own.add(run)
        with folder.hold():
            os.utime(own_state / "runs")
            await until(pilot, lambda: run not in app.link.own)
            assert "elsewhere" not in screen_text(app)


async def test_who_opens_the_screen_sees_the_run_that_works_not_the_last_that_waits(
    bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path
):
    works, waits = past_run("measure"), past_run("measure")
    with (own_state / "runs" / waits / "events.jsonl").open("wb") as file:
        file.write(encode(Queued(n=1, waiting_for=works, holder=works)) + b"\n")
    held = [go(own_state, run) for run in (works, waits)]
    async with bare_app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: bare_app.link.view is not None)
        assert bare_app.link.view.run == works
    for each in held:
        each.release()
