"""The list of runs, opened from the workbench."""

from __future__ import annotations

from edgetui.tui.screens.runs import RunsScreen
from screens import opened


async def open_list(pilot) -> RunsScreen:
    return await opened(pilot, "R", RunsScreen, lambda screen: screen.runs)
