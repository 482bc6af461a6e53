"""What was asked of boards together, followed to its end by a front: what each says meanwhile, and what came of it.

Apart from `fleet_front.py`, which carries it: who follows may see enough before its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..schema.fleet import BoardOutcome, FleetOutcome
from .asked_once import BoardTold
from .asks import DrivenAsk, FleetAsk

if TYPE_CHECKING:
    from .fleet_front import Fleet


class FollowedAsks:
    """Asks that are carried together. To cancel who follows ends nothing on a board; `cancel` does."""

    def __init__(
        self,
        fleet: Fleet,
        asks: Sequence[FleetAsk | DrivenAsk],
        what: str = "",
        hear: Callable[[BoardTold], None] | None = None,
        ended: Callable[[BoardOutcome], None] | None = None,
    ) -> None:
        """`fleet`: one for these asks alone where they may be cancelled alone. `what`: see `Fleet.carry`. `hear`: what a board
        says that it is at; `ended`: what came of one ask, when `outcomes` has it.
        """
        self.fleet, self.asks, self.what = fleet, tuple(asks), what
        self.outcomes: list[BoardOutcome | None] = [None] * len(self.asks)
        """What came of each, None of those that have not ended."""
        self.told: dict[str, BoardTold] = {}
        """What each board has said last."""
        self._hear, self._ended = hear, ended

    @property
    def ended(self) -> tuple[BoardOutcome, ...]:
        """What came of those that have ended."""
        return tuple(each for each in self.outcomes if each is not None)

    @property
    def document(self) -> FleetOutcome:
        """The same, as one document."""
        return FleetOutcome(on=self.ended)

    async def follow(self) -> None:
        """Ask, and follow it until the last has ended.

        Raises:
            DataRefused: a file cannot be read here.
        """
        await self.fleet.carry(self.asks, self._take_told, self._take_ended, self.what)

    async def cancel(self) -> None:
        """End it on every board that may have it; when nobody follows any more."""
        await self.fleet.cancel()

    def _take_told(self, told: BoardTold) -> None:
        self.told[told.board] = told
        if self._hear is not None:
            self._hear(told)

    def _take_ended(self, number: int, outcome: BoardOutcome) -> None:
        self.outcomes[number] = outcome
        if self._ended is not None:
            self._ended(outcome)
