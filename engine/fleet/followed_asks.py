"""What was asked of boards together, followed to its end by a front: what each says meanwhile, and what came of it.

Apart from `fleet_front.py`, which carries it: who follows may see enough before its end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import EdgetuiError
from ..schema.fleet import BoardOutcome, FleetOutcome
from ..schema.spec import RunSpec
from .asked_once import BoardTold
from .asks import DrivenAsk, FleetAsk, never_asked

if TYPE_CHECKING:
    from .fleet_front import Fleet

Hear = Callable[[BoardTold], None]


class Followed(ABC):
    """Something that boards were asked for. To cancel who follows ends nothing on a board; `cancel` does."""

    def __init__(self, fleet: Fleet, hear: Hear | None) -> None:
        """`fleet`: one for this alone where it may be cancelled alone. `hear`: what a board says that it is at."""
        self.fleet, self._hear = fleet, hear
        self.told: dict[str, BoardTold] = {}
        """What each board has said last."""

    @property
    def ended(self) -> tuple[BoardOutcome, ...]:
        """What came of those that have ended."""
        return ()

    @property
    def document(self) -> FleetOutcome:
        """The same, as one document."""
        return FleetOutcome(on=self.ended)

    @abstractmethod
    async def follow(self) -> None:
        """Ask, and follow it until the last has ended.

        Raises:
            EdgetuiError: it cannot be asked, or what was asked for as a whole has not come.
        """

    async def cancel(self) -> tuple[EdgetuiError, ...]:
        """End it on every board that may have it, when nobody follows any more; returns why that cannot be where it goes on."""
        return await self.fleet.cancel()

    def _take_told(self, told: BoardTold) -> None:
        self.told[told.board] = told
        if self._hear is not None:
            self._hear(told)


class FollowedAsks(Followed):
    """Runs, searches or sweeps."""

    def __init__(
        self,
        fleet: Fleet,
        asks: Sequence[FleetAsk | DrivenAsk],
        what: str = "",
        hear: Hear | None = None,
        ended: Callable[[BoardOutcome], None] | None = None,
    ) -> None:
        """`what`: see `Fleet.carry`. `ended`: hears what came of one ask, when `outcomes` has it."""
        super().__init__(fleet, hear)
        self.asks, self.what = tuple(asks), what
        self.outcomes: list[BoardOutcome | None] = [None] * len(self.asks)
        """What came of each, None of those that have not ended."""
        self._ended = ended

    @property
    def ended(self) -> tuple[BoardOutcome, ...]:
        """What came of those that have ended."""
        return tuple(each for each in self.outcomes if each is not None)

    def by_board(self) -> dict[str, list[BoardOutcome | None]]:
        """`outcomes` of each board or resource that was asked."""
        found: dict[str, list[BoardOutcome | None]] = {}
        for ask, outcome in zip(self.asks, self.outcomes, strict=True):
            found.setdefault(ask.on, []).append(outcome)
        return found

    async def follow(self) -> None:
        """See `Followed.follow`."""
        await self.fleet.carry(self.asks, self._take_told, self._take_ended, self.what)

    def _take_ended(self, number: int, outcome: BoardOutcome) -> None:
        self.outcomes[number] = outcome
        if self._ended is not None:
            self._ended(outcome)


class FollowedTraining(Followed):
    """What learns of runs that this machine measures."""

    def __init__(
        self, fleet: Fleet, specs: Sequence[RunSpec], train_on: str, *, again: bool = False, hear: Hear | None = None
    ) -> None:
        """`train_on`: a board, a resource, or this machine. `again`: anew, whatever was trained of it."""
        super().__init__(fleet, hear)
        self.specs, self.train_on, self._again = tuple(specs), train_on, never_asked(again)
        self.trained: tuple[RunSpec, ...] = ()
        """The same specs, which go on from what came of it; empty: it has not ended."""

    async def follow(self) -> None:
        """See `Followed.follow`."""
        self.trained = await self.fleet.train(self.specs, self.train_on, self._take_told, self._again)
