"""The list of runs, opened from the workbench."""

from __future__ import annotations

from edgetui.tui.screens.runs import RunsScreen
from screens import until


async def open_list(pilot) -> RunsScreen:
    app = pilot.app
    await until(pilot, lambda: app.workbench.settings.draft is not None)
    await pilot.press("R")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.runs)
    return app.screen
