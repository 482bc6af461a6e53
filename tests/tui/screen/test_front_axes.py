"""The front on the comparison: `a` changes the axis across, `A` the one up, over whatever was measured."""

from __future__ import annotations

from collections.abc import Callable

from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from screens import screen_text, shows, until


async def test_any_two_axes_can_be_drawn(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    run = past_run()
    async with bare_app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: bare_app.link.view)
        bare_app.push_screen(CompareScreen([run]))
        await shows(pilot, "Front  ms × top-1")
        await pilot.press("A")
        await shows(pilot, "Front  ms × MB")
        await pilot.press("a")
        await until(pilot, lambda: "Front  MB × " in screen_text(bare_app))
        seen = set()
        for _ in range(6):
            await pilot.press("A")
            await pilot.pause()
            seen.add(
                next(line for line in screen_text(bare_app).splitlines() if "Front  MB × " in line).split("×")[1].split()[0]
            )
        assert {"top-1", "ms"} <= seen
        assert "MB" not in seen


async def test_on_a_low_screen_the_front_has_all_of_it_and_escape_goes_back_to_the_advice(
    bare_app: EdgetuiApp, past_run: Callable[..., str]
):
    """There it had no room to be drawn, and escape left the comparison."""
    run = past_run()
    async with bare_app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: bare_app.link.view)
        bare_app.push_screen(CompareScreen([run]))
        await shows(pilot, "Advice  goal: fastest", "latency, mean")
        await pilot.press("a")
        await shows(pilot, "Front  ms × top-1", "FP32", "● both")
        assert "latency, mean" not in screen_text(bare_app)
        await pilot.press("escape")
        await shows(pilot, "Advice  goal: fastest", "latency, mean")
        await pilot.press("escape")
        await until(pilot, lambda: bare_app.screen is bare_app.workbench)
