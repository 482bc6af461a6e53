"""The screens as text, as they were looked at and found good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Ui
from edgetui.tui.app import EdgetuiApp
from screens import same_as_snapshot, screen_text, shows, until


async def settled(pilot, *words: str) -> None:
    """All that the screen shows has come."""
    app = pilot.app
    await until(pilot, lambda: "1 run like it" in str(app.workbench.settings.forecast_lines))
    await until(pilot, lambda: str(app.workbench.settings.what.border_title) == "what will happen")
    await shows(pilot, *words)
    live = app.workbench.live
    await until(pilot, lambda: not live.is_on_screen or "no sensors" in live.figures.plain())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 45)])
async def test_workbench_with_a_run_that_is_done(
    app: EdgetuiApp, past_run: Callable[..., str], model: Path, size: tuple[int, int]
):
    past_run(model=model)
    async with app.run_test(size=size) as pilot:
        await settled(pilot, "faster", "GB free")
        same_as_snapshot(app, f"workbench-{size[0]}x{size[1]}")


@pytest.mark.parametrize("pane", ["settings", "live", "run", "log"])
async def test_each_pane_alone_at_80x24(app: EdgetuiApp, past_run: Callable[..., str], model: Path, pane: str):
    past_run(model=model)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, "faster", "GB free")
        app.workbench.action_pane(pane)
        await until(pilot, lambda: app.workbench.query_one(f"#{pane}").is_on_screen)
        app.pace.tick()
        await settled(pilot)
        await pilot.pause()
        same_as_snapshot(app, f"{pane}-80x24")


async def test_runs(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run(), past_run("failed"), past_run("measure")
    app = bare_app
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.link.view)
        await pilot.press("R")
        await shows(pilot, "3 of 3")
        same_as_snapshot(app, "runs-80x24")


async def test_compare(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run()
    app = bare_app
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "faster")
        await pilot.press("R")
        await shows(pilot, "1 of 1")
        await pilot.press("C")
        await shows(pilot, "ratio to FP32", "●", "Take")
        same_as_snapshot(app, "compare-120x40")


async def test_a_terminal_without_utf8_gets_nothing_else_than_ascii(
    engine: Engine, config: Config, past_run: Callable[..., str], model: Path
):
    past_run(model=model)
    app = EdgetuiApp(Config(models=config.models, ui=Ui(graph="ascii")), engine)
    async with app.run_test(size=(160, 45)) as pilot:
        await settled(pilot, "of the time")
        assert screen_text(app).isascii()
        same_as_snapshot(app, "workbench-ascii-160x45")
