"""Ending what the workbench shows: a run, or all that were started together with it."""

from __future__ import annotations

from functools import partial

from ..desk import Desk


def ask_to_end(desk: Desk) -> None:
    """Ask, then end the run that is shown and those that were started with it."""
    from .dialogs import Confirm

    view = desk.link.view
    if view is None:
        return
    going = sum(not member.state for member in desk.link.members)
    several = f"all {going} runs that were started with {view.title}" if going > 1 else f"the run {view.title}"
    cost = "Finished stages stay in the cache; ctrl+r takes it up again."
    cost += " The list of runs (R) ends one alone." if going > 1 else ""

    def answer(yes: bool | None) -> None:
        if yes:
            desk.run_in_background(partial(_end, desk, view.run), "cancel")

    desk.push_screen(Confirm(f"End {several}?", cost), answer)


async def _end(desk: Desk, run: str) -> None:
    await desk.engine.cancel(await desk.engine.group_of(run))
