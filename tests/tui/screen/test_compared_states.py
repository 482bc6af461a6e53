"""Runs that were made in different states of the machine: the comparison says so above its advice, and is silent otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.stamps import BoardStamp
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from screens import screen_text, shows, until
from told_runs import outcome

COOL = BoardStamp(name="a board", governor="schedutil", temps_c={"cpu-thermal": 41.0}, wall="2026-11-20T23:11:00+00:00")
HOT = msgspec.structs.replace(COOL, governor="performance", temps_c={"cpu-thermal": 83.0})


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
@pytest.mark.parametrize("second", [HOT, COOL], ids=["other", "same"])
async def test_states_that_differ_are_told(
    bare_app: EdgetuiApp,
    past_run: Callable[..., str],
    own_state: Path,
    tmp_path: Path,
    size: tuple[int, int],
    second: BoardStamp,
) -> None:
    runs = [past_run(), past_run()]
    for run, board in zip(runs, (COOL, second), strict=True):
        told = outcome(run, tmp_path / "gone" / "tiny.onnx")
        RunDir.find(own_state, run).write_result(msgspec.structs.replace(told, board=board))
    async with bare_app.run_test(size=size) as pilot:
        await until(pilot, lambda: bare_app.link.view)
        bare_app.push_screen(CompareScreen(runs))
        await shows(pilot, "Advice", "FP32")
        await until(pilot, lambda: "Goal:" in screen_text(bare_app) or "states" in screen_text(bare_app))
        text = " ".join(screen_text(bare_app).replace("│", " ").split())
        if second is HOT:
            assert "! These runs were made in different states: governor" in text
        else:
            assert "different states" not in text
