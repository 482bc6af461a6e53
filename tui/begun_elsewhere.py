"""Runs that another terminal has begun or taken up again: noticed within two seconds, by the folder of all runs, which changes
with each.

A stat a second; the list is read only when that folder has changed, and nothing is drawn unless a run goes that did not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from .desk import Desk
from .link import GOING

if TYPE_CHECKING:
    from ..engine.api import RunSummary

LOOK_S = 1.0
SETTLES_S = 20.0
"""A folder is there before its run is: so long it may take to begin."""


class BegunElsewhere:
    """Told at each tick of the screen."""

    def __init__(self, desk: Desk, follow: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """`follow` shows a run."""
        self.desk, self._follow = desk, follow
        self._known: dict[str, int] | None = None
        """Runs that are no news, and when what carries them took them (`taken_at`); 0: nobody did when it was seen first.
        None: not looked yet.
        """
        self._stamp = -1
        self._until_s = 0.0
        self._next_s = 0.0
        self._looking = False

    def tick(self) -> None:
        """Look, when it is time and something has changed. Not while a run is begun from here, which is no news."""
        now = time.monotonic()
        if self._looking or now < self._next_s or self.desk.link.submitting:
            return
        self._next_s = now + LOOK_S
        stamp = self.desk.engine.runs_stamp()
        if stamp != self._stamp:
            self._stamp, self._until_s = stamp, now + SETTLES_S
        if now < self._until_s:
            self._looking = True
            self.desk.run_in_background(self._look, "begun-elsewhere")

    async def _look(self) -> None:
        engine, own = self.desk.engine, self.desk.link.own
        try:
            runs = await engine.list()
        finally:
            self._looking = False
        if self.desk.link.submitting:  # begun meanwhile, and perhaps in the list: looked at once it is known to be ours
            return
        going = {run.run: engine.taken_at(run.run) for run in runs if run.state in GOING}
        if self._known is None:
            self._known, self._until_s = {run.run: going.get(run.run, 0) for run in runs}, 0.0  # what is there is no news
            return
        known = self._known
        fresh = [run for run in runs if run.run not in known and run.run not in own]
        begun = [run for run in fresh if run.run in going]
        again = [
            run for run in runs if run.run in known and run.run not in own and going.get(run.run, 0) not in (0, known[run.run])
        ]
        newest_known = next((run.run for run in runs if run not in fresh), "")
        own -= {run.run for run in runs if run.state != "crashed"}  # whoever takes one of them up later is somebody else
        # one that nobody holds may be about to begin
        known |= {run.run: 0 for run in runs if run.run not in known and (run.state != "crashed" or run not in fresh)} | going
        if not {run.run for run in runs} - known.keys():
            self._until_s = min(self._until_s, time.monotonic() + 2 * LOOK_S)
        if begun:
            await self._tell(begun, newest_known, "has begun elsewhere")
        elif again:
            await self._tell(again, newest_known, "was taken up again elsewhere")

    async def _tell(self, begun: list[RunSummary], newest_before: str, what: str) -> None:
        """Show the oldest of them where what is shown has ended and is one of them, or was the newest before; say so, unless it
        is part of a study or a search, of which there are many.
        """
        link, first = self.desk.link, begun[-1]
        view = link.view
        mine = newest_before, *(run.run for run in begun)
        shown = view is None or (bool(view.state) and view.run in mine)
        part = await self.desk.engine.part_of(first.run)
        if not part:
            link.expect(*(run.run for run in begun))
            name = f"{first.model.removesuffix('.onnx')} {first.recipe}"
            others = f" and {len(begun) - 1} more" if len(begun) > 1 else ""
            where = "it is shown" if shown else "R lists it"
            self.desk.notify(f"{name}{others} {what}; {where}", timeout=5)
        if shown:
            self.desk.run_in_background(partial(self._follow, first.run), "follow")
