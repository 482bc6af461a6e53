"""What is asked of boards, from the asking to what came of it: files go where they are missing, what was taken stays there,
what learns is trained on one board before others measure it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import EdgetuiError
from ..schema.failure import Failure
from ..schema.fleet import BoardOutcome
from ..schema.spec import RunSpec
from .asked_once import BoardAnswer, BoardTold
from .asks import DrivenAsk, FleetAsk, Sending, Sent, able
from .carried import Carried
from .keeping import Keeping
from .takers import Takers
from .trainer import Trainer, learns

if TYPE_CHECKING:
    from .link import FleetLink


class Carriage:
    """Carries some asks to their ends."""

    def __init__(self, keeping: Keeping, link: FleetLink, hear: Callable[[BoardTold], None]) -> None:
        self.link = link
        self.boards = keeping.kept().boards
        self.begun: dict[tuple[str, str], bool] = {}
        """Boards, and keys that they may have begun; whether no other board has it in its place."""
        self._fleet = keeping.folder
        self._sending = Sending(self.boards, keeping.folder)
        self._takers = Takers(keeping.folder)
        self._trainer = Trainer(keeping.home, link, self._sending, self.to_its_end, hear)

    @property
    def keys(self) -> set[str]:
        """Of all that may have begun: boards tell everybody who listens what they are at."""
        return {key for _, key in self.begun} | self.begun_here

    @property
    def begun_here(self) -> set[str]:
        """Keys of runs that train on this machine."""
        return self._trainer.begun_here

    async def close(self) -> None:
        """Follow nothing more, and let go of the link; boards go on."""
        await self._trainer.close()
        await self.link.close()

    async def carry(
        self, asks: Sequence[FleetAsk | DrivenAsk], ended: Callable[[int, BoardOutcome], None] | None, what: str
    ) -> tuple[BoardOutcome, ...]:
        """See `Fleet.carry`."""
        with Carried(self._fleet, what, ((ask.on, _runs(ask)) for ask in asks)) as count:
            return await self._carry(asks, ended, count)

    async def _carry(
        self, asks: Sequence[FleetAsk | DrivenAsk], ended: Callable[[int, BoardOutcome], None] | None, count: Carried
    ) -> tuple[BoardOutcome, ...]:
        sent = await asyncio.to_thread(lambda: [None if _trains(ask) else self._sending.sent(ask) for ask in asks])

        async def one(number: int) -> BoardOutcome:
            outcome = await self._one(asks[number], sent[number])
            count.done(asks[number].on, sum(result.state == "done" for result in outcome.runs))
            if ended is not None:
                ended(number, outcome)
            return outcome

        return tuple(await asyncio.gather(*map(one, range(len(asks)))))

    async def train(self, ask: FleetAsk) -> tuple[RunSpec, ...]:
        """Have what learns trained, for runs on this machine.

        Raises:
            EdgetuiError: it cannot be trained, or what came of it cannot be fetched.
        """
        return await self._trainer.trained_for_here(ask)

    async def _one(self, ask: FleetAsk | DrivenAsk, sent: Sent | None) -> BoardOutcome:
        if sent is not None or not isinstance(ask, FleetAsk):
            return await self.to_its_end(sent or self._sending.sent(ask), ask.on)
        try:
            sent = await self._trainer.trained(ask)
        except EdgetuiError as error:
            return BoardOutcome(on=ask.on, error=Failure.of("", error))
        return await self.to_its_end(sent, ask.on)

    async def to_its_end(self, sent: Sent, name: str) -> BoardOutcome:
        """On one board, or on one that has a resource; that is sent what it lacks, and keeps what it was given."""
        asked, packed, names = sent
        may = able(self.boards, name)
        board = may[0] if name == may[0] else self._taker(asked.once) if asked.of_any else ""
        for each in may:
            alone = [each] in ([board], list(may))
            self.begun[each, asked.once] = alone or self.begun.get((each, asked.once), False)
        try:
            if board:
                for bundle in asked.bundles:
                    await self.link.send(board, packed[bundle], at=self._own(board, names.get(bundle, "")))
            while True:
                answer = await self.link.ensure(asked, board or name, (board,) if board else may)
                board = answer.taker or answer.board
                if answer.taker:
                    continue
                if not answer.missing:
                    outcome = _outcome(name, answer)
                    if asked.of_any and not outcome.done:
                        self._takers.leave(asked.once)
                    return outcome
                for missing in answer.missing:
                    await self.link.send(board, packed[missing], at=self._own(board, names.get(missing, "")), lacking=True)
        except EdgetuiError as error:
            return BoardOutcome(on=name, board=board, error=Failure.of("", error))

    def _own(self, board: str, dataset: str) -> str:
        """Where a board has a copy of its own of a dataset, by fleet.toml; empty: nowhere."""
        return next((each.datasets.get(dataset, "") for each in self.boards if each.name == board), "") if dataset else ""

    def _taker(self, once: str) -> str:
        """The board that took it before and is still one of ours; empty: any may."""
        board = self._takers.taker(once)
        if board and board not in [each.name for each in self.boards]:
            self._takers.leave(once)
            return ""
        return board


def _runs(ask: FleetAsk | DrivenAsk) -> int:
    return len(ask.specs) if isinstance(ask, FleetAsk) else 0


def _trains(ask: FleetAsk | DrivenAsk) -> bool:
    return isinstance(ask, FleetAsk) and bool(ask.train_on) and any(map(learns, ask.specs))


def _outcome(name: str, answer: BoardAnswer) -> BoardOutcome:
    return BoardOutcome(
        on=name,
        board=answer.board,
        found=answer.found,
        runs=answer.results,
        search=answer.search,
        sweep=answer.sweep,
        error=answer.error,
    )
