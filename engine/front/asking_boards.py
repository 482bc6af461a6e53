"""Boards of a fleet asked for runs, studies, searches and sweeps, or to train for runs here: refused before anything starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..schema.spec import RunSpec

if TYPE_CHECKING:
    from ..fleet.asks import DrivenAsk, FleetAsk
    from ..fleet.fleet_front import Fleet
    from ..schema.study import StudyRequest
    from .driven_asks import DrivenAsked, SearchAsked, SweepAsked


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

    def plan_study_on_boards(
        self, fleet: Fleet, asked: StudyRequest, on: str, *, train_on: str = "", again: bool = False
    ) -> tuple[FleetAsk, ...]:
        """A study on boards, each doing all of it: its groups, board by board. What learns is trained as for runs.

        Raises:
            EdgetuiError: nothing of it can be run, or a board is not up or lacks something.
        """
        from ..fleet.asks import FleetAsk, never_asked

        boards = fleet.wanted(on)
        fleet.refuse_unable(boards, specs_of(asked), train_on)
        salt = never_asked(again)
        return tuple(FleetAsk(group.specs, board, salt, train_on) for board in boards for group in asked.groups)

    async def plan_search_on_boards(
        self, fleet: Fleet, asked: SearchAsked, on: str, *, again: bool = False
    ) -> tuple[DrivenAsk, ...]:
        """A whole search on boards, each for itself.

        Raises:
            EdgetuiError: a board is not up, or nothing can come of it; or as `check`.
        """
        from ..fleet.bundles import data_names, paths_of
        from .searching import refuse_unsearchable

        boards = fleet.wanted(on)
        refuse_unsearchable(asked.spec, asked.goal, asked.builds, asked.over)
        await self.check(asked.spec, elsewhere=True, goal=asked.goal)
        return _driven(asked, paths_of(asked.spec), data_names(asked.spec), boards, again=again)

    def plan_sweep_on_boards(self, fleet: Fleet, asked: SweepAsked, on: str, *, again: bool = False) -> tuple[DrivenAsk, ...]:
        """A whole sweep on boards, each for itself.

        Raises:
            EdgetuiError: a board is not up, or the wish is none.
        """
        from ..advice.sweep_answer import parse_want

        boards = fleet.wanted(on)
        parse_want(asked.said.want)
        return _driven(asked, [asked.model], {}, boards, again=again)


def specs_of(asked: StudyRequest) -> tuple[RunSpec, ...]:
    """All runs of a study, group by group.

    Raises:
        UsageError: nothing of it can be run.
    """
    if not asked.groups:
        reasons = "; ".join(dict.fromkeys(each.reason for each in asked.left_out))
        raise UsageError(f"nothing of {asked.study.name} can be run: {reasons}", fix="mend what its file names")
    return tuple(spec for group in asked.groups for spec in group.specs)


def with_trained(asked: StudyRequest, trained: Sequence[RunSpec]) -> StudyRequest:
    """A study whose runs go on from what a board has trained: `trained`, one of each, in their order."""
    import msgspec

    left = iter(trained)
    groups = tuple(msgspec.structs.replace(group, specs=tuple(next(left) for _ in group.specs)) for group in asked.groups)
    return msgspec.structs.replace(asked, groups=groups)


def _driven(
    asked: DrivenAsked, paths: Sequence[str], names: dict[str, str], boards: Sequence[str], *, again: bool
) -> tuple[DrivenAsk, ...]:
    import msgspec

    from ..fleet.asks import DrivenAsk, never_asked

    plain, salt = msgspec.to_builtins(asked), never_asked(again)
    return tuple(DrivenAsk(plain, tuple(paths), board, salt, names) for board in boards)
