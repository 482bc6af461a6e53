"""Runs that boards of the fleet were asked for from the screen: they are followed whatever is on it, and their ends are said.

Boards go on when the screen is left or ends; asking for the same again collects what they have done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from textual.app import App
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from ..engine.errors import EdgetuiError
from .background import in_background, refusal
from .fix_words import on_screen

if TYPE_CHECKING:
    from ..engine.fleet.asked_once import BoardTold
    from ..engine.fleet.asks import FleetAsk
    from ..engine.fleet.fleet_front import Fleet
    from ..engine.fleet.followed_asks import FollowedAsks
    from ..engine.schema.fleet import BoardOutcome

State = Literal["going", "done", "cancelled", "failed"]
KEPT = 20
"""Of asks that have ended, so many of the newest can be looked at."""


class BoardsAsk:
    """One ask: what for, whom, and how it stands."""

    def __init__(self, number: int, what: str, on: tuple[str, ...]) -> None:
        self.number, self.what, self.on = number, what, on
        self.asking: FollowedAsks
        self.state: State = "going"
        self.why = ""
        """Why it failed as a whole."""
        self.worker: Worker[None] | None = None

    @property
    def title(self) -> str:
        """What it is, in a line: `digits int8 on one, two`."""
        return f"{self.what} on {', '.join(self.on)}"

    def asked_of(self, board: str) -> bool:
        """Whether a board may have it, or has."""
        return board in self.on or any(each.board == board for each in self.asking.ended) or board in self.asking.told

    def stands(self) -> str:
        """How it stands, in words."""
        done = f"{len(self.asking.ended)} of {len(self.on)} boards have ended"
        return {"going": done, "done": "ended", "cancelled": f"cancelled, {done}", "failed": self.why}[self.state]


class BoardAsks:
    """All of this session; those that have ended stay to be looked at."""

    def __init__(self, app: App[int], tell_end: Callable[[str], None], show_error: Callable[[EdgetuiError], None]) -> None:
        """`tell_end` says that what was waited for has ended."""
        self._app, self._tell_end, self._show_error = app, tell_end, show_error
        self.asks: list[BoardsAsk] = []
        self._begun = 0

    @property
    def going(self) -> list[BoardsAsk]:
        """Those that are followed."""
        return [ask for ask in self.asks if ask.state == "going"]

    def begin(self, fleet: Fleet, asks: Sequence[FleetAsk], what: str) -> BoardsAsk:
        """Ask, and follow it beside the screen. `fleet`: one for these alone."""
        from ..engine.fleet.followed_asks import FollowedAsks

        self._begun += 1
        made = BoardsAsk(self._begun, what, tuple(ask.on for ask in asks))
        made.asking = FollowedAsks(fleet, asks, what, self._hear)
        ended = [ask for ask in self.asks if ask.state != "going"]
        self.asks = [ask for ask in self.asks if ask not in ended[: max(0, len(ended) - KEPT + 1)]] + [made]
        made.worker = in_background(self._app, lambda: self._follow(made), f"boards-ask-{made.number}")
        return made

    def _hear(self, told: BoardTold) -> None:
        """What keeps a board from being asked is said when it begins, and that it is over."""
        if told.trouble:
            self._app.notify(f"board {told.board} {told.trouble}", severity="warning", timeout=8, markup=False)
        elif told.stage == "is up again":
            self._app.notify(f"board {told.board} is up again", timeout=4, markup=False)

    async def _follow(self, ask: BoardsAsk) -> None:
        try:
            await ask.asking.follow()
        except (EdgetuiError, OSError) as error:
            ask.state, ask.why = "failed", on_screen(refusal(error))
            self._show_error(refusal(error))
            return
        ask.state = "done"
        self._tell_end(f"boards: {ask.title}: {'; '.join(map(ended_words, ask.asking.ended))}")

    async def cancel(self, ask: BoardsAsk) -> None:
        """End it on its boards."""
        if ask.state != "going":
            return
        ask.state = "cancelled"
        await _end(ask.worker)
        await ask.asking.cancel()

    async def close(self) -> None:
        """Follow none any more; boards go on."""
        for ask in self.going:
            await _end(ask.worker)


async def _end(worker: Worker[None] | None) -> None:
    if worker is not None:
        worker.cancel()
        try:
            await worker.wait()
        except (WorkerCancelled, WorkerFailed):
            return


def ended_words(outcome: BoardOutcome) -> str:
    """How it ended on a board, in a few words."""
    name = outcome.board or outcome.on
    if outcome.error is not None:
        return f"{name}: {outcome.error.what}"
    said = [result.error.what if result.error else result.verdict.get("latency", result.state) for result in outcome.runs]
    return f"{name}: {', '.join(said)}" + (" (done before)" if outcome.found else "")
