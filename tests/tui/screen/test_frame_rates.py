"""Compare shows the frame rates of `cycle` as box plots, real frames and interference apart."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from edgetui.engine.measure.cycle import FRAMES, REAL, Cycle, rate_figures
from edgetui.engine.runs.folder import RunDir
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from screens import screen_text, shows, until


@pytest.fixture
def cycled(past_run: Callable[..., str], own_state) -> str:
    """A run whose result has frame rates: real frames at 50 and 80 a second, others at 200."""
    run = past_run("done")
    folder = RunDir(own_state / "runs" / run)
    draw, result = np.random.default_rng(0), folder.result()
    real = np.arange(FRAMES) < REAL
    sides = {}
    for side, ms in (("baseline", 20), ("candidate", 12.5)):
        took = [np.where(real, ms, 5) * draw.normal(1, 0.05, FRAMES) * 1e6 for _ in range(4)]
        figures, _ = rate_figures([Cycle(each.astype(np.int64), real, 0) for each in took])
        sides[side] = msgspec.structs.replace(getattr(result, side), workload=msgspec.structs.replace(figures, kind="cycle"))
    folder.write_result(msgspec.structs.replace(result, **sides))
    return run


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_frame_rates_stand_behind_the_latencies(bare_app: EdgetuiApp, cycled: str, size):
    app = bare_app
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.push_screen(CompareScreen([cycled]))
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.comparison)
        await pilot.press("b", "b")
        await shows(pilot, "Frame rate", "FP32 real", "FP32 other", "both real", "both other", "frames/s")
        assert screen_text(app).count("├") >= 4
        await pilot.press("b")
        await until(pilot, lambda: "Advice" in screen_text(app))


async def test_without_frames_of_two_kinds_there_is_no_such_picture(bare_app: EdgetuiApp, past_run):
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.push_screen(CompareScreen([past_run("done")]))
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.comparison)
        await pilot.press("b", "b")
        await until(pilot, lambda: "Advice" in screen_text(app))
        assert "Frame rate" not in screen_text(app)
