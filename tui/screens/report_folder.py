"""A report of runs from the screen: asks for a new folder, and writes what `edgetui export` writes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...engine.config import here, typed_path
from ..desk import Desk
from .dialogs import Ask

QUESTION = "Write a report, with charts and all files that were made, into the new folder"


def ask_for_report(desk: Desk, runs: Sequence[str], goal: str = "") -> None:
    """Ask where to, then write it beside the screen."""
    name = f"edgetui-{runs[0]}" if len(runs) == 1 else f"edgetui-{len(runs)}-runs"

    def take(text: str | None) -> None:
        if text:
            desk.run_in_background(partial(_write, desk, tuple(runs), typed_path(text).absolute(), goal), "report")

    desk.push_screen(Ask(QUESTION, str(here() / name), _check, example="~/reports/int8"), take)


def _check(text: str) -> None:
    """Refused while the folder can still be changed.

    Raises:
        StorageRefused: there is something in it.
    """
    from ...engine.report.run_export import refuse_full  # a page and its charts, which nobody has asked for before

    refuse_full(typed_path(text))


async def _write(desk: Desk, runs: tuple[str, ...], to: Path, goal: str) -> None:
    desk.notify("the report is being written", timeout=3)
    found = await desk.engine.export(runs, to, goal)
    for run, paths in found.different.items():
        desk.notify(f"{len(paths)} figures of {run} are not what its raw samples give", severity="warning")
    desk.notify(f"wrote {to / 'report.html'}", timeout=8)
