"""What learns is trained on one board, once for all who ask for it, and what came of it goes with runs to those that measure.

Apart from `fleet_front.py`, which carries runs as they are. The run that trains stops behind the last step that learns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ..errors import EdgetuiError, RunFailed
from ..runs.cache import StageCache
from ..runs.ensure import ensure_once
from ..schema.fleet import BoardOutcome
from ..schema.result import Result
from ..schema.settings import BackendSettings
from ..schema.spec import RunSpec, TrainedElsewhere
from ..schema.steps import Recipe
from . import trained_stages
from .asked_once import LOOK_S, BoardTold, LeftStage
from .asks import FleetAsk, Sending, Sent
from .board_tasks import running
from .bundles import PackedBundle
from .fleet_file import HERE

if TYPE_CHECKING:
    from .link import FleetLink


class TrainedThere(NamedTuple):
    """What came of one: where it was, and what it left, each with its bundle as it lies here."""

    board: str
    left: tuple[tuple[LeftStage, PackedBundle], ...]


class Trainer:
    """Has what learns trained, each once."""

    def __init__(
        self,
        home: Path,
        link: FleetLink,
        sending: Sending,
        to_its_end: Callable[[Sent, str], Awaitable[BoardOutcome]],
        hear: Callable[[BoardTold], None],
    ) -> None:
        self._home, self._link, self._sending, self._to_its_end, self._hear = home, link, sending, to_its_end, hear
        self.begun_here: set[str] = set()
        """Keys of runs that train on this machine, without a board."""
        self._trainings: dict[str, asyncio.Task[TrainedThere]] = {}

    async def close(self) -> None:
        """Wait for no training any more; each goes on where it is."""
        for training in self._trainings.values():
            training.cancel()
        await asyncio.gather(*self._trainings.values(), return_exceptions=True)

    async def trained(self, ask: FleetAsk) -> Sent:
        """The ask with what its specs learn in the place of their training.

        Raises:
            EdgetuiError: it cannot be trained, or what came of it cannot be fetched.
        """
        specs, stages = await self._learnt(ask)
        return await asyncio.to_thread(self._sending.sent, ask._replace(specs=specs, train_on=""), stages)

    async def trained_for_here(self, ask: FleetAsk) -> tuple[RunSpec, ...]:
        """The same for this machine: what was learnt has its place in the cache here.

        Raises:
            EdgetuiError: as `trained`.
        """
        specs, stages = await self._learnt(ask)
        bundles = {key: packed.bundle.id for key, packed in stages.items()}
        await asyncio.to_thread(trained_stages.place, self._home, bundles)
        return specs

    async def _learnt(self, ask: FleetAsk) -> tuple[tuple[RunSpec, ...], dict[str, PackedBundle]]:
        specs: list[RunSpec] = []
        stages: dict[str, PackedBundle] = {}
        for spec in ask.specs:
            if not learns(spec):
                specs.append(spec)
                continue
            training = await self._training(FleetAsk((training_of(spec),), ask.train_on, ask.again))
            stages |= {left.key: packed for left, packed in training.left}
            keys = {left.name: left.key for left, _ in training.left}
            specs.append(msgspec.structs.replace(spec, trained=TrainedElsewhere(board=training.board, keys=keys)))
        return tuple(specs), stages

    async def _training(self, ask: FleetAsk) -> TrainedThere:
        """What came of it; whoever asks for the same waits for the same."""
        sent = await asyncio.to_thread(self._sending.sent, ask)
        once = sent.asked.once
        if once not in self._trainings:
            self._trainings[once] = asyncio.ensure_future(self._train(ask, sent))
        return await asyncio.shield(self._trainings[once])

    async def _train(self, ask: FleetAsk, sent: Sent) -> TrainedThere:
        once = sent.asked.once
        if ask.on == HERE and not self._sending.has(HERE):
            _refuse_unended(HERE, await self._here(ask, once))
            left = await asyncio.to_thread(trained_stages.left, self._home, once)
            cache = StageCache(self._home)
            return TrainedThere(
                HERE, tuple((each, PackedBundle(bundle=each.bundle, root=cache.path(each.key))) for each in left)
            )
        outcome = await self._to_its_end(sent, ask.on)
        if outcome.error is not None:
            error = outcome.error
            raise EdgetuiError(f"training on {outcome.board or ask.on}: {error.what}", fix=error.fixes or error.fix)
        _refuse_unended(outcome.board, outcome.runs[0])
        left = await self._link.left(outcome.board, once)
        return TrainedThere(
            outcome.board, tuple([(each, await self._link.fetch(self._home, outcome.board, each)) for each in left])
        )

    async def _here(self, ask: FleetAsk, once: str) -> Result:
        """On this machine, by an ordinary run of its own."""
        self.begun_here.add(once)
        while True:
            members = await asyncio.to_thread(ensure_once, self._home, ask.specs, once)
            told: BoardTold | None = None
            while any(run.alive() for run in members):
                now = running(HERE, once, members)
                if now != told:
                    self._hear(now)
                told = now
                await asyncio.sleep(LOOK_S)
            if (result := members[0].result()) is not None:  # else its supervisor was killed
                return result


def _refuse_unended(board: str, result: Result) -> None:
    """Refuse to go on from a run that did not end well.

    Raises:
        RunFailed: so it is.
    """
    if result.state != "done":
        why = f": {result.error.what}" if result.error is not None else ""
        fix = result.error.fixes or result.error.fix if result.error is not None else "ask again: it is taken up there"
        raise RunFailed(f"training on {board} was {result.state}{why}", fix=fix)


def learns(spec: RunSpec) -> bool:
    """Whether a step of it does."""
    return spec.recipe.last_learning >= 0


def training_of(spec: RunSpec) -> RunSpec:
    """The run that trains alone: nothing of how it is executed and measured is in its key."""
    steps = spec.recipe.active[: spec.recipe.last_learning + 1]
    recipe = Recipe(name=spec.recipe.name, title=spec.recipe.title, step=steps)
    return RunSpec(
        model=spec.model,
        recipe=recipe,
        backend=BackendSettings(),
        dataset=spec.dataset,
        calibration=spec.calibration,
        shapes=spec.shapes,
        seed=spec.seed,
        anew=spec.anew,
        guard=False,
        measure=False,
        only_train=True,
    )
