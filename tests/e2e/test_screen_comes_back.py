"""The whole job from the keyboard: choose, run, quit in the middle, come back, and find the past and the verdict."""

from __future__ import annotations

from pathlib import Path

from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config, Models
from edgetui.tui.app import Workbench
from live_runs import end_all
from screens import screen_text, shows, until


async def test_a_run_goes_on_when_the_screen_is_left_and_is_found_again(own_state: Path):
    config = Config(models=Models(folders=(str(PACKAGE / "profiles" / "demo"),)))
    try:
        first = Workbench(config, Engine(config, own_state))
        async with first.run_test(size=(160, 45), notifications=True) as pilot:
            await until(pilot, lambda: first.bench.models.facts)
            first.bench.load_recipe("weights-8")
            first.bench.settings.rows.point("run:preset")
            await pilot.press("2", "left", "r")
            await shows(pilot, "✓ inspect")
            await pilot.press("q")
        assert first.return_code == 0
        engine = Engine(config, own_state)
        assert (await engine.list())[0].state == "running"
        second = Workbench(config, engine)
        async with second.run_test(size=(160, 45), notifications=True) as pilot:
            await shows(pilot, "✓ inspect", "digits · weights-8")
            assert second.bench.settings.draft.asked.preset == "quick"
            await until(
                pilot, lambda: all(word in screen_text(second) for word in ("✓ measure", "of the time", "run done")), 120
            )
            assert "▲ smaller" in screen_text(second)
            chart = next(chart for chart in second.bench.live.charts if chart.title == "Frames/s")
            assert chart.count > 0
    finally:
        end_all(own_state)
