"""The whole job from the keyboard: choose, run, quit in the middle, come back, and find the past and the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config, Models
from edgetui.tui.app import EdgetuiApp
from live_runs import end_all
from measuring import short_elsewhere
from screens import screen_text, shows, until


@pytest.mark.long
async def test_a_run_goes_on_when_the_screen_is_left_and_is_found_again(own_state: Path, monkeypatch: pytest.MonkeyPatch):
    short_elsewhere(monkeypatch)
    config = Config(models=Models(folders=(str(PACKAGE / "profiles" / "demo"),)))
    try:
        first = EdgetuiApp(config, Engine(config, own_state))
        async with first.run_test(size=(160, 45), notifications=True) as pilot:
            await until(pilot, lambda: first.workbench.models.facts)
            first.workbench.load_recipe("weights-8")
            first.workbench.settings.rows.point("run:preset")
            await pilot.press("2", "left", "r")
            await shows(pilot, "✓ inspect")
            await pilot.press("q")
        assert first.return_code == 0
        engine = Engine(config, own_state)
        assert (await engine.list())[0].state == "running"
        second = EdgetuiApp(config, engine)
        async with second.run_test(size=(160, 45), notifications=True) as pilot:
            await shows(pilot, "✓ inspect", "digits · weights-8")
            assert second.workbench.settings.draft.setup.preset == "quick"
            await until(
                pilot, lambda: all(word in screen_text(second) for word in ("✓ measure", "of the time", "run done")), 120
            )
            assert "▲ smaller" in screen_text(second)
            chart = next(chart for chart in second.workbench.live.charts if chart.title == "Frames/s")
            await until(pilot, lambda: chart.count > 0)
    finally:
        end_all(own_state)
