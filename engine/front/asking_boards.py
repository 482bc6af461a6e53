"""Boards of a fleet asked for runs, or to train for runs here: planned, and refused before anything starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..schema.spec import RunSpec

if TYPE_CHECKING:
    from ..fleet.asks import FleetAsk
    from ..fleet.fleet_front import Fleet


class AskingBoards(ABC):
    """The part of the engine that asks boards."""

    home: Path

    @abstractmethod
    async def check(
        self, spec: RunSpec, *, backend: bool = False, elsewhere: bool = False, goal: str | None = None
    ) -> tuple[str, ...]:
        """See `Engine.check`."""

    def fleet(self) -> Fleet:
        """The boards of fleet.toml."""
        from ..fleet.fleet_front import Fleet

        return Fleet(self.home)

    async def plan_on_boards(
        self, fleet: Fleet, specs: Sequence[RunSpec], on: str, *, train_on: str = "", again: bool = False
    ) -> tuple[FleetAsk, ...]:
        """Runs on boards, as they are asked for: all of them on each board that `on` names. `train_on`: where what learns is
        trained; empty: on each board. `again`: anew, whatever the boards have done of it.

        Raises:
            EdgetuiError: a board is not up or lacks something; or as `check`.
        """
        from ..fleet.asks import FleetAsk, never_asked

        boards = fleet.wanted(on)
        fleet.refuse_unable(boards, specs, train_on)
        for spec in specs:
            await self.check(spec, elsewhere=True)
        salt = never_asked(again)
        return tuple(FleetAsk(tuple(specs), name, salt, train_on) for name in boards)

    async def refuse_training(self, fleet: Fleet, specs: Sequence[RunSpec], train_on: str) -> None:
        """Refuse to have runs trained on a board that are then measured here, where that cannot be: before anything starts.

        Raises:
            EdgetuiError: nothing of them learns, the board is not up or lacks something, or this machine what it needs
                to go on from what comes of it; or as `check`.
        """
        fleet.refuse_untrainable(train_on, specs)
        for spec in specs:
            fleet.refuse_unmeasured_here(spec)
            await self.check(spec, elsewhere=True)
