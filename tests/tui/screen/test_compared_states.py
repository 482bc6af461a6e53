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
from told_runs import difference, metrics, outcome

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


@pytest.mark.parametrize(("size", "front_key"), [((80, 24), "a"), ((160, 45), "")])
async def test_runs_that_were_measured_apart_show_whose_original_stands_there(
    bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path, tmp_path: Path, size: tuple[int, int], front_key: str
) -> None:
    """Ratios cannot be mistaken for those of figures that stand beside each other."""
    runs = [past_run(), past_run()]
    for run, name, before, after, ratio in zip(runs, ("int8", "prune"), (1.18, 1.79), (0.6, 0.757), (0.51, 0.432), strict=True):
        told = outcome(run, tmp_path / "gone" / "tiny.onnx")
        told = msgspec.structs.replace(
            told,
            recipe=msgspec.structs.replace(told.recipe, name=name),
            baseline=metrics(before, 1200, 0.81),
            candidate=metrics(after, 400, 0.80),
            difference=difference(ratio, 0.333),
        )
        RunDir.find(own_state, run).write_result(told)
    async with bare_app.run_test(size=size) as pilot:
        await until(pilot, lambda: bare_app.link.view)
        bare_app.push_screen(CompareScreen(runs))
        await shows(pilot, "FP32 of int8", "prune", "its run's FP32")
        for key in ("right", "left"):
            rows = {row.strip("│ ").partition("  ")[0]: row for row in screen_text(bare_app).splitlines()}
            assert "1.18 ms" in rows["latency, mean"]
            assert "0.757 ms" in rows["latency, mean"]
            assert "1.79 ms" in rows["its run's FP32"]
            assert any("0.432" in row for label, row in rows.items() if label.startswith("ratio to its"))
            await pilot.press(key)  # all columns are seen: it goes nowhere
            await pilot.pause()
        await pilot.press(*front_key)
        await shows(pilot, "No front: another pace of the machine", "FP32 of int8")
