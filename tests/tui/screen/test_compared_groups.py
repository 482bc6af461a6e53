"""The comparison of runs that share no baseline: one of each group, what differs, and neither front nor choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.runs.folder import RunDir
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.widgets.scatter import Dot, scatter
from screens import screen_text, shows, until
from told_runs import metrics, outcome


@pytest.fixture
def two(past_run: Callable[..., str], own_state: Path, tmp_path: Path) -> list[str]:
    """Runs of one model with one recipe; the second saw other images."""
    runs = [past_run(), past_run()]
    for run, data, top1 in zip(runs, ("shapes", "mirrored"), (0.81, 0.27), strict=True):
        told = outcome(run, tmp_path / "gone" / "tiny.onnx")
        asked = {"data": data, "data_hash": data, "preprocessing": "scale 255", "task": "classification", "samples": "all"}
        baseline = metrics(2.5, 1200, top1)
        RunDir.find(own_state, run).write_result(msgspec.structs.replace(told, conditions=asked, baseline=baseline))
    return runs


def beside(label: str, text: str) -> list[str]:
    """The cells of a row of the table, those of the columns that are shown."""
    row = next(line for line in text.splitlines() if label in line)
    return row.partition(label)[2].split()


@pytest.mark.parametrize(("size", "columns"), [((80, 24), 3), ((160, 45), 4)])
async def test_runs_with_other_data_stand_beside_their_own_baseline(
    bare_app: EdgetuiApp, two: list[str], size: tuple[int, int], columns: int
) -> None:
    app = bare_app
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.link.view)
        app.push_screen(CompareScreen(two))
        await shows(pilot, "FP32 shapes", "These runs differ in data (shapes; mirrored)", "no choice")
        text = screen_text(app)
        assert [name in text for name in ("FP32 mirrored", "both #2")] == [True, columns == 4]
        assert "Take" not in text
        if columns == 4:
            assert beside("top-1", text)[0::2][:1] == ["0.810"]
            assert "different data (shapes; mirrored)" in text
            assert "No front: different data" in text
            assert "●" not in text
            assert "on the front" not in text
        await pilot.press("right", "right")
        await shows(pilot, "FP32 mirrored", "both #2")
        assert "0.270" in beside("top-1", screen_text(app)) or columns < 4
        await pilot.press("i", "i")
        await shows(pilot, "Weights before and after", "FP32 tiny")


def test_a_scatter_without_a_front_has_no_legend_of_one() -> None:
    dots = [Dot(1, 1, "a", front=False), Dot(2, 3, "b", front=False)]
    drawn = [
        scatter([dot._replace(front=first and dot.x == 1) for dot in dots], 60, 12, "ms", "top-1") for first in (True, False)
    ]
    assert [any("on the front" in text for row in rows for text, _ in row) for rows in drawn] == [True, False]
    assert [len(rows) for rows in drawn] == [12, 12]
