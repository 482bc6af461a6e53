"""What a run that is looked at again has kept of the board: it comes into the charts after the first paint."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .desk import Desk

if TYPE_CHECKING:
    from .feed import LiveFeed
    from .runview import RunView


class RunPast:
    """Told at each tick of the screen; reads once for each run that goes on and began before the first sample."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._asked: tuple[RunView, ...] = ()

    def tick(self) -> None:
        """Ask for what the runs that are followed have kept, when their events and the first sample are here."""
        link = self.desk.link
        feed, members = link.feed, link.members
        if members is self._asked or feed is None or feed.first_s is None or not members:
            return
        if not all(view.caught_up for view in members):  # a day of telemetry read beside takes 0.9 s of the same processor
            return
        self._asked = members
        going = [view for view in members if not view.state]
        if going:
            self.desk.run_in_background(partial(self._read, feed, feed.first_s, members), "run-past")

    async def _read(self, feed: LiveFeed, first_s: float, members: tuple[RunView, ...]) -> None:
        engine = self.desk.engine
        past, read = engine.history(), False
        for view in members:
            clock = view.clock()
            if clock is not None and clock.zero_s + clock.from_t < first_s:
                right = await engine.telemetry_past(view.run, clock, first_s, past)
                if right is not None:
                    view.began_by(right)
                    read = True
        if read and self.desk.link.members is members:
            feed.add_past(past)
