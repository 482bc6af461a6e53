"""Runs that boards of the fleet were asked for from the screen: they are followed whatever is on it, and their ends are said.

Boards go on when the screen is left or ends; asking for the same again collects what they have done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from textual.app import App
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from ..engine.errors import EdgetuiError
from ..engine.report.table import plain
from .background import in_background, refusal
from .fix_words import on_screen

if TYPE_CHECKING:
    from ..engine.fleet.asked_once import BoardTold
    from ..engine.fleet.asks import DrivenAsk, FleetAsk
    from ..engine.fleet.fleet_front import Fleet
    from ..engine.fleet.followed_asks import Followed, FollowedAsks
    from ..engine.schema.fleet import BoardOutcome
    from ..engine.schema.spec import RunSpec

State = Literal["going", "done", "cancelled", "failed"]
MakeTable = Callable[["FollowedAsks", int], Awaitable[str]]
COLLECTS = "boards go on when you quit; asking again collects what they have done"
KEPT = 20
"""Of asks that have ended, so many of the newest can be looked at."""


class BoardsAsk:
    """One ask: what for, whom, and how it stands."""

    def __init__(self, number: int, title: str, on: tuple[str, ...], followed: Followed) -> None:
        self.number, self.title, self.on, self.followed = number, title, on, followed
        self.state: State = "going"
        self.why = ""
        """Why it failed as a whole, or could not be cancelled."""
        self.worker: Worker[None] | None = None
        self.of = 1
        """What it consists of: so many are ended at its end."""
        self.table: Callable[[int], Awaitable[str]] | None = None
        """What came of it by now, in a table of that width."""

    def asked_of(self, board: str) -> bool:
        """Whether a board may have it, or has."""
        return board in self.on or board in self.followed.told or any(board == each.board for each in self.followed.ended)

    def stands(self) -> str:
        """How it stands, in words."""
        ended = self.followed.ended
        far = f"{len(ended)} of {self.of} have ended" if self.of > 1 else ""
        if self.state == "failed":
            return self.why
        if self.state == "done":
            short = [each.board or each.on for each in ended if not each.done]
            return f"ended, not well on {', '.join(short)}" if short else "done"
        return ", ".join(filter(None, (self.state, far, self.why)))


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

    def run(self, fleet: Fleet, asks: Sequence[FleetAsk | DrivenAsk], what: str, table: MakeTable | None = None) -> BoardsAsk:
        """Ask boards for runs, searches or sweeps, and follow them beside the screen. `fleet`: one for these alone. `what`:
        what they are of. `table`: of what came of them, for who looks at it; None: that of runs.
        """
        from ..engine.fleet.followed_asks import FollowedAsks

        on = tuple(dict.fromkeys(ask.on for ask in asks))
        followed = FollowedAsks(fleet, asks, what, self._hear)

        async def tell() -> None:
            self._tell_end(f"boards: {ask.title}: {'; '.join(map(ended_words, ask.followed.ended))}")

        ask = self._begin(f"{what} on {', '.join(on)}", on, followed, tell)
        ask.of, ask.table = len(asks), partial(table or _runs_table, followed)
        return ask

    def train(
        self,
        fleet: Fleet,
        specs: Sequence[RunSpec],
        train_on: str,
        what: str,
        run_here: Callable[[Sequence[RunSpec]], Awaitable[object]],
        *,
        again: bool,
    ) -> BoardsAsk:
        """Have what learns trained on a board, and then the runs begun here by `run_here`."""
        from ..engine.fleet.followed_asks import FollowedTraining

        followed = FollowedTraining(fleet, specs, train_on, again=again, hear=self._hear)

        async def begin() -> None:
            await run_here(followed.trained)
            self._tell_end(f"{what}: trained on {train_on}; it runs here now")

        return self._begin(f"{what} trained on {train_on}, measured here", (train_on,), followed, begin)

    def _begin(self, title: str, on: tuple[str, ...], followed: Followed, then: Callable[[], Awaitable[None]]) -> BoardsAsk:
        self._begun += 1
        ask = BoardsAsk(self._begun, title, on, followed)
        old = [each for each in self.asks if each.state != "going"]
        self.asks = [each for each in self.asks if each not in old[: max(0, len(old) - KEPT + 1)]] + [ask]
        self._app.notify(f"asked: {title}; {COLLECTS}", timeout=6)
        ask.worker = in_background(self._app, lambda: self._follow(ask, then), f"boards-ask-{ask.number}")
        return ask

    def _hear(self, told: BoardTold) -> None:
        """What keeps a board from being asked is said when it begins, and that it is over."""
        if told.trouble:
            self._app.notify(f"board {told.board} {told.trouble}", severity="warning", timeout=8)
        elif told.stage == "is up again":
            self._app.notify(f"board {told.board} is up again", timeout=4)

    async def _follow(self, ask: BoardsAsk, then: Callable[[], Awaitable[None]]) -> None:
        try:
            await ask.followed.follow()
            await then()
        except (EdgetuiError, OSError) as error:
            ask.state, ask.why = "failed", on_screen(refusal(error))
            self._show_error(refusal(error))
        else:
            ask.state = "done"

    async def cancel(self, ask: BoardsAsk) -> None:
        """End it on its boards; where that cannot be it is said."""
        if ask.state == "going":
            ask.state = "cancelled"
            await _end(ask.worker)
            failed = await ask.followed.cancel()
            for why in failed:
                self._show_error(why)
            ask.why = "; ".join(f"not cancelled: {on_screen(why)}" for why in failed)
            if not failed:
                self._app.notify(f"cancelled: {ask.title}", timeout=4)

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


async def _runs_table(followed: FollowedAsks, width: int) -> str:
    from ..engine.report.fleet_table import outcome_table

    return outcome_table(followed.document, width, plain)


def ended_words(outcome: BoardOutcome) -> str:
    """How it ended on a board, in a few words."""
    name = outcome.board or outcome.on
    if outcome.error is not None:
        return f"{name}: {outcome.error.what}"
    driven = outcome.search or outcome.sweep
    if driven is not None:
        return f"{name}: {driven.why or driven.state}" + (" (done before)" if outcome.found else "")
    said = [result.error.what if result.error else result.verdict.get("latency", result.state) for result in outcome.runs]
    return f"{name}: {', '.join(said)}" + (" (done before)" if outcome.found else "")
