"""The screen Sweeps: the table as it grows, its answer, its chart, another wish, and how one is begun and refused."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from edgetui.engine.advice.sweep_answer import rows_of
from edgetui.engine.schema.sweep import ShotTold
from edgetui.engine.schema.sweep_shot import Shot
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.dialogs import Ask, Confirm
from edgetui.tui.screens.sweep_picture import columns
from edgetui.tui.screens.sweep_setup import ROWS, SweepSetup
from edgetui.tui.screens.sweeps import SweepsScreen
from screens import opened, same_as_snapshot, screen_text, shows, until
from textual.widgets import Input, Static
from told_sweeps import swept


async def open_sweeps(pilot) -> SweepsScreen:
    return await opened(pilot, "W", SweepsScreen)


async def typed(pilot, text: str) -> None:
    """In place of what stands in the line, and enter."""
    line = pilot.app.screen.focused
    assert isinstance(line, Input)
    line.value = text
    await pilot.press("enter")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 45)])
async def test_a_sweep_shows_its_table_its_answer_and_its_chart(bare_app: EdgetuiApp, own_state: Path, size):
    swept(own_state)
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        screen = await open_sweeps(pilot)
        await shows(pilot, "-sweep-digits", "done", "★ 25W", "needs a reboot", "184 ± 1", "over power_w 12")
        await shows(pilot, "the power mode is 25W again", "wanted: fps >= 30 and power_w <= 12")
        same_as_snapshot(bare_app, f"sweeps-{size[0]}x{size[1]}")
        if size[0] < 150:
            await pilot.press("a")
        await shows(pilot, "mJ a frame", "★ 25W, batch 1", "on the front")
        if size[0] < 150:
            same_as_snapshot(bare_app, f"sweeps-chart-{size[0]}x{size[1]}")
        assert all(len(row) <= size[0] for row in screen_text(bare_app).splitlines())
        await pilot.press("a", "d")
        assert screen.details.has_focus
        await pilot.press("escape")
        assert screen.listed.has_focus
        await pilot.press("escape")
        assert not isinstance(bare_app.screen, SweepsScreen)


async def test_one_that_goes_says_its_round_its_mode_and_how_long(bare_app: EdgetuiApp, own_state: Path):
    folder = swept(own_state, ended=False)
    with folder.path.joinpath("alive.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
            await open_sweeps(pilot)
            await shows(pilot, "going", "round 2 of 3, 15W, 1 row, about 4 min left")
            await shows(pilot, "mode now 15W, will be back to 25W (what it was) · 48 °C", "41.2")
            folder.tell(ShotTold(shot=Shot(point=4, round=0, reason="its plan cannot be loaded")))
            await shows(pilot, "its plan cannot be loaded")
            await pilot.press("c")
            await shows(pilot, "End the sweep", "the first power mode comes back")
            await pilot.press("n")
            assert not (folder.path / "cancel").exists()


async def test_where_nobody_carries_it_the_mode_that_is_left_is_said(bare_app: EdgetuiApp, own_state: Path):
    swept(own_state, ended=False)
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_sweeps(pilot)
        await shows(pilot, "not finished", "! the power mode 25W, which was on before, is not back", "`edgetui doctor`")


async def test_another_wish_is_answered_from_what_was_measured(bare_app: EdgetuiApp, own_state: Path):
    swept(own_state)
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_sweeps(pilot)
        await shows(pilot, "★ 25W")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        await typed(pilot, "fps>=70")
        await shows(pilot, "★ MAXN_SUPER", "wanted: fps >= 70 (typed here)")
        await pilot.press("t")
        await typed(pilot, "top1>=0.8")
        await shows(pilot, "a sweep does not measure top1")
        await typed(pilot, "fps>=700")
        await shows(pilot, "none reaches fps >= 700; nearest is MAXN_SUPER, batch 1 with fps 71.4")
        assert "★" not in screen_text(bare_app)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        await pilot.press("escape")
        await shows(pilot, "none reaches fps >= 700")
        await pilot.press("t")
        await typed(pilot, "")
        await shows(pilot, "★ 25W", "wanted: the cheapest (typed here)")


async def test_without_joules_the_lowest_latency_is_told_and_why(bare_app: EdgetuiApp, own_state: Path):
    swept(own_state, power=False)
    async with bare_app.run_test(size=(160, 45), notifications=True) as pilot:
        await open_sweeps(pilot)
        await shows(pilot, "★ MAXN_SUPER", "are not known (no sensor here tells the power)", "ms an inference")
        await shows(pilot, "the fastest that reaches it", "joules are not known: no sensor here tells the power")


def test_columns_go_in_the_order_of_what_they_matter(own_state: Path):
    folder = swept(own_state, (1, 4))
    rows = rows_of(folder.asked(), folder.shots(), folder.modes())
    heads = {width: [column.head for column in columns(rows, width)] for width in (80, 60, 50, 40)}
    assert heads[80] == ["mode", "batch", "frames/s", "latency ms", "power W", "mJ a frame"]
    assert heads[60] == ["mode", "batch", "frames/s", "ms", "power W", "mJ a frame"]
    assert heads[50] == ["mode", "batch", "frames/s", "mJ a frame"]
    assert heads[40] == ["mode", "batch", "frames/s", "mJ a frame"]


async def test_a_sweep_is_begun_from_the_form_after_a_yes(app: EdgetuiApp, own_state: Path):
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model.endswith("tiny.onnx"))
        await open_sweeps(pilot)
        await shows(pilot, "no sweeps yet", "r sweeps tiny.onnx")
        await pilot.press("r")
        await shows(pilot, "Sweep tiny.onnx", "this board has none", "limits: the cheapest", "e.g. fps>=30")
        await typed(pilot, "fps<=30")
        await shows(pilot, "limits fps on its better side")
        await typed(pilot, "fps>=1")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await shows(pilot, "Begin the sweep of tiny?", "in 3 rounds")
        await pilot.press("n")
        assert not list(own_state.glob("sweeps/*"))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, SweepSetup))
        assert app.screen.said()["want"] == "fps>=1"
        await pilot.press("end", "j", "k")
        assert app.screen.said()["want"] == "fps>=1jk", "letters are letters here"
        await pilot.press("backspace", "backspace")
        await pilot.press("down", "down")
        await pilot.press("1", "comma", "x")
        await shows(pilot, "batch `1,x` is not numbers from 1 to 4096")
        for row in ROWS:
            line = app.screen.query_one(f"#sweep-{row.name}", Input)
            line.focus()
            await shows(pilot, "e.g.", row.example.split()[-1])
            assert line.placeholder, "an empty row says what it means"
            row.check(row.example)
            if row.check is not str:
                line.value = "§"
                await until(pilot, lambda: str(app.screen.query_one("#sweep-refused", Static).content))
                line.value = ""
        app.screen.query_one("#sweep-rounds", Input).value = "1"
        app.screen.query_one("#sweep-modes", Input).focus()
        await pilot.press("enter")
        await shows(pilot, "`1` is no number of rounds")
        assert app.screen.focused.id == "sweep-rounds", "the row that is wrong"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, SweepsScreen))


@pytest.mark.long
async def test_a_sweep_goes_to_its_end_on_the_screen(app: EdgetuiApp, own_state: Path, monkeypatch):
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.05")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model.endswith("tiny.onnx"))
        screen = await open_sweeps(pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, SweepSetup))
        await pilot.press("down", "down")
        await typed(pilot, "1,2")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: screen.shown is not None and screen.shown.state == "done", 150.0)
        await shows(pilot, f"★ {screen.shown.answer.batch:>5}", "the lowest latency")
        await pilot.press("o")
        await shows(pilot, "the workbench shows no run whose plan could be swept")
        await pilot.press("ctrl+r")
        await shows(pilot, "is done")
