"""The fleet as fronts use it: up, down, how it stands, and runs on its boards.

Every part works without the fleet's packages until it is brought up; what comes from them is imported then.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..advice.forecast import refuse_without_packages
from ..backends.cards import CARDS
from ..errors import DAMAGED, BackendRefused, EdgetuiError, StorageRefused, UsageError, from_os_error
from ..library.recipes import missing_package
from ..schema.fleet import BoardGlance, BoardNow, BoardOutcome, BoardRun, BoardStanding, FleetBoard, FleetStatus
from ..schema.spec import RunSpec, TrainedElsewhere
from .asked_once import BoardTold
from .asks import DrivenAsk, FleetAsk, able
from .board_tasks import ended
from .carriage import Carriage
from .carried import carried
from .certificates import make_keys, out_of_date
from .fleet_file import HERE, fleet_file, read_fleet, wanted
from .keeping import Keeping, KeptFleet
from .quiet import missing_packages, not_installed
from .trainer import learns, training_of
from .transport import free_port

if TYPE_CHECKING:
    from ..doctor.check import Check
    from .link import FleetLink, Seen

UP_S = 90.0
_INSTALL = "`python3 -m pip install 'edgetui[train]'` there, then `edgetui fleet down` and up"
_TRAIN = f"{_INSTALL}; or --train-on a board that has it (localhost: this machine)"
_EXECUTE = f"{_INSTALL}; or run with another backend"
_BEGIN_S, _LOOK_S = 10.0, 0.1


class Fleet:
    """The boards of fleet.toml, kept up by a process of its own for this state folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._keeping = Keeping(home)
        self._carriages: list[Carriage] = []
        self._looking: FleetLink | None = None

    async def bring_up(self, hear: Callable[[Sequence[BoardStanding]], None] | None = None) -> FleetStatus:
        """Start the scheduler here and a worker on each board; returns when each is up, or is known not to be. `hear` is told
        meanwhile how they stand.

        Raises:
            ConfigRefused: fleet.toml is not there or not valid.
            BackendRefused: the packages that it needs are not installed.
            StorageRefused: the state folder cannot be written.
        """
        boards = read_fleet()
        if missing_packages():
            raise not_installed()
        if not self._keeping.up() or self._kept() != boards or out_of_date(self._keeping.keys):
            await asyncio.to_thread(self._start, boards)
        elif any(each.state != "up" for each in self._keeping.standing().values()):
            await asyncio.to_thread(self._keeping.hurry)
        end = time.monotonic() + UP_S
        while time.monotonic() < end:
            standing = self._keeping.standing()
            if standing and all(each.state != "starting" for each in standing.values()):
                break
            if hear is not None:
                hear(tuple(standing.values()))
            await asyncio.sleep(_LOOK_S)
        return await self.status(glances=False)

    def _kept(self) -> tuple[FleetBoard, ...]:
        with suppress(OSError, *DAMAGED):
            return self._keeping.kept().boards
        return ()

    def _start(self, boards: tuple[FleetBoard, ...]) -> None:
        self._keeping.end()
        try:
            make_keys(self._keeping.keys, [board.name for board in boards])
            self._keeping.ask(KeptFleet(port=free_port(), boards=boards))
            log_path = self._keeping.folder / "keeper.log"
            with log_path.open("ab") as log:
                command = [sys.executable, "-m", "edgetui.engine.fleet.keeper", str(self.home)]
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home, check=False)
        except OSError as error:
            raise from_os_error(error, path=self._keeping.folder) from None
        end = time.monotonic() + _BEGIN_S
        while not (self._keeping.up() and self._keeping.standing()):
            if time.monotonic() > end:
                raise StorageRefused("the fleet's keeper did not start", fix=f"see {log_path}")
            time.sleep(0.02)

    async def take_down(self) -> bool:
        """End scheduler and workers; runs on boards go on. Returns whether there was anything to end."""
        return await asyncio.to_thread(self._keeping.end)

    async def status(self, *, glances: bool = True) -> FleetStatus:
        """How each board stands; with `glances` also what it is doing.

        Raises:
            ConfigRefused: fleet.toml is not there or not valid, and no fleet is up.
        """
        up = self._keeping.up()
        boards = self._kept() if up else read_fleet()
        standing = self._keeping.standing() if up else {}
        known = [standing.get(board.name) or _down(board) for board in boards]
        seen: Seen = {}
        if glances and any(each.state == "up" for each in known):
            self._looking = self._looking or self._link()
            with suppress(Exception):  # of many kinds, for a link that is lost, or closed meanwhile
                seen = await self._looking.glances()
        pairs = tuple(_now(each, *seen.get(each.board, (None, 0.0))) for each in known)
        return FleetStatus(up=up, file=str(fleet_file()), boards=pairs, asked=carried(self._keeping.folder))

    async def look_into(self, board: str, run: str, offset: int = 0) -> BoardRun:
        """A run of a board that is up, from a byte of its events on.

        Raises:
            EdgetuiError: there is no such run, or the board does not answer.
        """
        self._looking = self._looking or self._link()
        return await self._looking.look_into(board, run, offset)

    async def close(self) -> None:
        """Look no more: `status` keeps its link for the next time."""
        looking, self._looking = self._looking, None
        if looking is not None:
            await looking.close()

    async def examine(self) -> tuple[Check, ...]:
        """What the fleet needs here, and how each board stands, asked anew where it is not up; raises nothing."""
        from .fleet_doctor import examine

        return await examine(self._keeping)

    def _link(self, hear: Callable[[BoardTold], None] | None = None) -> FleetLink:
        from .link import FleetLink

        return FleetLink(self._keeping, hear)

    def refuse_down(self) -> None:
        """Refuse where there is no fleet that is up.

        Raises:
            ConfigRefused: fleet.toml is not there or not valid.
            BackendRefused: the fleet is down.
        """
        if not self._keeping.up():
            read_fleet()
            raise BackendRefused("the fleet is down", fix="`edgetui fleet up`")

    def wanted(self, text: str) -> tuple[str, ...]:
        """What `--on` names: boards, or resources.

        Raises:
            ConfigRefused: there is no such board.
            BackendRefused: the fleet is down, or a board is not up.
        """
        self.refuse_down()
        if late := out_of_date(self._keeping.keys):
            raise BackendRefused(late, fix="set the clock here if it is wrong; then `edgetui fleet up`, which makes others")
        asked = wanted(self._kept(), text)
        standing = self._keeping.standing()
        for name in asked:
            those = set(able(self._kept(), name))
            may = [standing.get(board.name) or _down(board) for board in self._kept() if board.name in those]
            if not any(each.state == "up" for each in may):
                first = may[0]
                why = f"{first.state}: {first.reason}" if first.reason else first.state
                raise BackendRefused(f"board {first.board} is {why}", fix=first.fix or "`edgetui fleet status`")
        return asked

    async def carry(
        self,
        asks: Sequence[FleetAsk | DrivenAsk],
        hear: Callable[[BoardTold], None],
        tell: Callable[[int, BoardOutcome], None] | None = None,
        what: str = "",
    ) -> tuple[BoardOutcome, ...]:
        """Have runs, or whole searches and sweeps, done on boards, all boards at once and each one ask after another; what
        a board has done before is found there. Cancelling the task ends nothing there. `tell` hears each outcome with the
        number of its ask. `what`: what they are of, for who looks at the fleet, e.g. `study qin2018`.

        Raises:
            DataRefused: a file cannot be read here.
        """
        async with self._carrying(hear) as carriage:
            return await carriage.carry(asks, tell, what)

    async def train(
        self, specs: Sequence[RunSpec], train_on: str, hear: Callable[[BoardTold], None], again: str = ""
    ) -> tuple[RunSpec, ...]:
        """Have what learns trained on a board, for runs on this machine: the same specs, which go on from what came of it. What
        this machine trains itself is left to its runs.

        Raises:
            EdgetuiError: it cannot be trained there, or what came of it cannot be fetched.
        """
        if train_on == HERE and not self.has(HERE):
            return tuple(specs)
        async with self._carrying(hear) as carriage:
            return await carriage.train(FleetAsk(tuple(specs), HERE, again, train_on))

    @asynccontextmanager
    async def _carrying(self, hear: Callable[[BoardTold], None]) -> AsyncIterator[Carriage]:
        def mine(told: BoardTold) -> None:
            if not told.once or told.once in carriage.keys:
                hear(told)

        carriage = Carriage(self._keeping, self._link(mine), hear)
        self._carriages.append(carriage)
        try:
            yield carriage
        finally:
            await carriage.close()

    async def cancel(self) -> tuple[EdgetuiError, ...]:
        """End what `carry` began, on every board that may have it; returns why that cannot be where one goes on with it."""
        link = self._link()
        begun: dict[tuple[str, str], bool] = {}
        for carriage in self._carriages:
            begun |= carriage.begun
        try:
            here = [asyncio.to_thread(ended, self.home, key) for carriage in self._carriages for key in carriage.begun_here]
            there = [link.cancel(board, key) for board, key in begun]
            told = await asyncio.gather(*there, *here, return_exceptions=True)
        finally:
            await link.close()
        sure = [*begun.values(), *(True for _ in here)]
        return tuple(why for why, mine in zip(told, sure, strict=True) if mine and isinstance(why, EdgetuiError))

    def refuse_unable(self, boards: Sequence[str], specs: Sequence[RunSpec], train_on: str) -> None:
        """Refuse what a board lacks something for, before the first begins. `train_on`: as of `FleetAsk`.

        Raises:
            EdgetuiError: so it is, with the board's name.
        """
        if train_on:
            self.refuse_untrainable(train_on, specs)
        for board in boards:
            self.refuse_lacking(board, specs, trained=bool(train_on))

    def refuse_untrainable(self, train_on: str, specs: Sequence[RunSpec]) -> None:
        """Refuse to have runs trained where that cannot be: before anything starts.

        Raises:
            UsageError: nothing of them learns.
            ConfigRefused: there is no such board.
            BackendRefused: it is not up, or lacks what training needs.
        """
        training = [training_of(spec) for spec in specs if learns(spec)]
        if not training:
            raise UsageError("no step of these recipes learns", fix="leave --train-on out")
        if train_on == HERE and not self.has(HERE):
            if missing := next(filter(None, (missing_package(spec.recipe.active) for spec in training)), None):
                raise missing
            return
        for name in self.wanted(train_on):
            self.refuse_lacking(name, training)

    def refuse_unmeasured_here(self, spec: RunSpec) -> None:
        """Refuse what this machine cannot go on with when another one has trained.

        Raises:
            EdgetuiError: a step behind the last that learns, or the backend, is not installed here.
        """
        told = TrainedElsewhere(board="", keys={}) if learns(spec) else None
        refuse_without_packages(msgspec.structs.replace(spec, trained=told))

    def refuse_lacking(self, name: str, specs: Sequence[RunSpec], *, trained: bool = False) -> None:
        """Refuse where no board that a word means has what runs need. `trained`: elsewhere.

        Raises:
            BackendRefused: so it is.
        """
        for spec in specs:
            steps = spec.recipe.active[spec.recipe.last_learning + 1 if trained else 0 :]
            self._refuse_without(name, tuple(package for step in steps for package in step.packages), "train", _TRAIN)
            executed = CARDS[spec.backend.name]
            self._refuse_without(name, executed.must_have, f"execute with {executed.title}", _EXECUTE)

    def _refuse_without(self, name: str, packages: Sequence[str], cannot: str, fix: str) -> None:
        standing = self._keeping.standing()
        ups = [standing[board] for board in able(self._kept(), name) if board in standing and standing[board].state == "up"]
        lacking = [package for package in packages if not any(package in each.hello.packages for each in ups)]
        if lacking:
            what = f"board {' and '.join(each.board for each in ups)} cannot {cannot}: its Python has no {lacking[0]}"
            raise BackendRefused(what, fix=fix)

    def has(self, board: str) -> bool:
        """Whether a board of the fleet is called so."""
        return board in [each.name for each in self._kept()]


def _now(standing: BoardStanding, now: BoardGlance | None, beat_wall_s: float) -> BoardNow:
    """`beat_wall_s`: when the scheduler heard it last, seconds since 1970; 0: it does not know it."""
    heard = time.time() if now is not None else beat_wall_s or standing.heard_wall_s
    return BoardNow(standing=standing, now=now, heard_s=round(max(0.0, time.time() - heard), 1) if heard else None)


def _down(board: FleetBoard) -> BoardStanding:
    return BoardStanding(
        board=board.name, host=board.host or " ".join(board.command), state="down", resources=tuple(board.resources)
    )
