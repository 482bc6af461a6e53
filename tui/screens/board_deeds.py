"""What boards of the fleet are asked for from their screen: runs of what the workbench has, how far they are, their end.

Apart from `fleet.py`, which shows the boards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ...engine.errors import BackendRefused, ModelRefused
from ..widgets.lines import Line, hanging
from .choose import Choose
from .listed import ListedScreen
from .page import Page
from .run_on_boards import BoardsWanted, RunOnBoards

if TYPE_CHECKING:
    from ...engine.schema.fleet import FleetStatus
    from ..board_asks import BoardsAsk
    from ..desk import Desk
    from ..draft import Draft, RunSetup

LOOK_S = 2.0


class Bench(NamedTuple):
    """What boards would be asked to run: what the workbench has."""

    model: str = ""
    """The model under its cursor; empty: none is chosen."""
    draft: Draft | None = None


class BoardDeeds(ListedScreen):
    """A screen whose rows are boards."""

    def __init__(self, bench: Bench, ask_for: Sequence[str] | None = None) -> None:
        """`ask_for`: boards for which the form opens at once, of none the one under the cursor; None: it does not."""
        super().__init__()
        self.bench = bench
        self._ask_for = ask_for
        self._found: FleetStatus | None = None
        """What was shown last."""
        self._idle: frozenset[str] = frozenset()

    def idle_keys(self) -> frozenset[str]:
        """Keys that would say that there is nothing."""
        asks, found = self.desk.board_asks, self._found
        up = found is not None and found.up
        all_up = found is not None and all(each.standing.state == "up" for each in found.boards)
        of_use = (
            ("fleet.cancel", bool(asks.going)),
            ("fleet.outcome", bool(asks.asks)),
            ("fleet.up", not (up and all_up)),
            ("fleet.down", found is None or up),
        )
        return frozenset(key for key, there in of_use if not there)

    def _asked_for(self) -> None:
        """Open the form, where that was asked for from elsewhere; once."""
        asked, self._ask_for = self._ask_for, None
        if asked is not None:
            self._open(asked)

    def action_run(self) -> None:
        """Ask which boards shall run what the workbench has."""
        self._open(())

    def _open(self, marked: Sequence[str]) -> None:
        """The form.

        Raises:
            EdgetuiError: there is no model or no fleet, it is down, or a board that is marked is.
        """
        model, draft = self.bench
        if not model or draft is None:
            raise ModelRefused("no model is chosen", fix="highlight one in the pane Models of the workbench")
        fleet, found = self.desk.engine.fleet(), self._found
        if found is None:
            fleet.refuse_down()
            self.notify("the boards are asked how they stand: a moment", timeout=2)
            return
        if not found.up:
            raise BackendRefused("the fleet is down", fix="u brings it up")
        marked = fleet.wanted(",".join(marked)) if marked else (self.listed.cursor,)
        setups = [msgspec.structs.replace(draft.setup, recipe=recipe) for recipe in draft.recipes_to_run]
        standing = [each.standing for each in found.boards]
        learns = any(setup.recipe.last_learning >= 0 for setup in setups)
        ask = partial(self._ask_boards, setups, model)
        self.app.push_screen(RunOnBoards(_words(setups, model), standing, marked, ask, learns=learns, here=True))

    async def _ask_boards(self, setups: Sequence[RunSetup], model: str, wanted: BoardsWanted) -> None:
        """Ask them, unless it is known that it cannot be.

        Raises:
            EdgetuiError: so it is.
        """
        from ...engine.fleet.asks import runs_words

        desk, engine = self.desk, self.desk.engine
        specs = [await asyncio.to_thread(desk.link.spec, setup, model) for setup in setups]
        fleet, what, (on, train_on, again) = engine.fleet(), runs_words(specs), wanted
        if on:
            asks = await engine.plan_on_boards(fleet, specs, ",".join(on), train_on=train_on, again=again)
            desk.board_asks.run(fleet, asks, what)
        else:
            await engine.refuse_training(fleet, specs, train_on)
            desk.board_asks.train(fleet, specs, train_on, what, desk.link.begin, again=again)
        engine.ask_no_more()
        self._read()

    def action_outcome(self) -> None:
        """How far each ask is, and what came of it."""
        self.app.push_screen(Page("Asked of boards", partial(_asked_rows, self.desk), look_s=LOOK_S))

    def action_cancel(self) -> None:
        """Ask, then end what the board under the cursor was asked for, else what is asked at all."""
        going = self.desk.board_asks.going
        asks = [ask for ask in going if ask.asked_of(self.listed.cursor)] or going
        if len(asks) == 1:
            self._ask_to_cancel(asks[0])
        elif asks:
            names = {f"{ask.number}": ask for ask in asks}

            def answer(name: str | None) -> None:
                if name in names:
                    self._ask_to_cancel(names[name])

            choices = [(name, ask.title) for name, ask in names.items()]
            self.app.push_screen(Choose("Cancel which?", choices, choices[-1][0]), answer)
        else:
            self.notify("no board is asked for anything from here", timeout=3)

    def _ask_to_cancel(self, ask: BoardsAsk) -> None:
        cost = "It is cancelled on its boards. Finished stages stay in their caches; asking again takes it up."
        self.ask(f"Cancel {ask.title}?", cost, partial(self._cancel, ask))

    async def _cancel(self, ask: BoardsAsk) -> None:
        await self.desk.board_asks.cancel(ask)
        await self.fill()


def _words(setups: Sequence[RunSetup], model: str) -> list[str]:
    """What would be run, in two lines."""
    first = setups[-1]
    shapes = [f"{name} {'x'.join(map(str, shape))}" for name, shape in first.shapes.get(model, {}).items()]
    about = (
        f"data {first.dataset}" if first.dataset else "no data",
        first.backend.name,
        first.workload.text,
        first.preset,
        *shapes,
    )
    return [f"{Path(model).name}: {', '.join(setup.recipe.name for setup in setups)}", ", ".join(about)]


async def _asked_rows(desk: Desk, width: int) -> list[Line]:
    """Every ask of this session, the newest first: how it stands, what its boards say, and what came of it."""
    rows: list[Line] = []
    for ask in reversed(desk.board_asks.asks):
        rows += [*hanging(((" ", ""),), ask.title, width, "title"), *hanging(((" ", ""),), ask.stands(), width, "dim")]
        ended = {name for each in ask.followed.ended for name in (each.on, each.board)}
        for board, told in ask.followed.told.items():
            if ask.state == "going" and board not in ended and told.text:
                rows += hanging(((" ▶ ", "accent"), (f"{board}  ", "value")), told.text, width)
        if ask.followed.ended and ask.table is not None:
            rows += [((f" {row}", ""),) for row in (await ask.table(width - 2)).split("\n")]
        rows += [*_failures(ask, width), ()]
    return rows[:-1] or [((" nothing was asked of boards from here yet: r asks", "dim"),)]


def _failures(ask: BoardsAsk, width: int) -> list[Line]:
    """What went wrong on boards, each with what mends it."""
    rows: list[Line] = []
    for outcome in ask.followed.ended:
        for failure in (outcome.error, *(result.error for result in outcome.runs)):
            if failure is not None:
                text = f"{outcome.board or outcome.on}: {failure.refusal}"
                rows += hanging(((" ! ", "warn"),), text, width, "warn")
    return rows
