"""The fleet as fronts use it: up, down, how it stands, and runs on its boards.

Every part works without the fleet's packages until it is brought up; what comes from them is imported then.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ... import __version__
from ..errors import DAMAGED, BackendRefused, EdgetuiError, StorageRefused, from_os_error
from ..schema.failure import Failure
from ..schema.fleet import BoardNow, BoardOutcome, BoardStanding, FleetBoard, FleetStatus
from ..schema.spec import RunSpec
from .asked_once import AskedOnce, BoardAnswer, BoardTold
from .bundles import PackedBundle, Plain, paths_of, portable
from .certificates import make_keys
from .fleet_file import ANY, fleet_file, read_fleet, wanted
from .keeping import Keeping, KeptFleet
from .quiet import missing_packages, not_installed
from .takers import Takers
from .transport import free_port

if TYPE_CHECKING:
    from ..doctor.check import Check
    from .link import FleetLink

UP_S = 90.0
_BEGIN_S, _LOOK_S = 10.0, 0.1


class FleetAsk(NamedTuple):
    """Runs that are measured together, and where."""

    specs: tuple[RunSpec, ...]
    on: str
    """A board, or a resource: one board that has it."""
    again: str = ""
    """Whatever has not been asked with: it is done anew. Empty: what a board has done of the same is found."""


class DrivenAsk(NamedTuple):
    """A whole search or sweep, and where."""

    plain: Plain
    """One of `front/driven_asks.py`, as builtins."""
    paths: tuple[str, ...]
    """Of all files that it names."""
    on: str
    again: str = ""


class Fleet:
    """The boards of fleet.toml, kept up by a process of its own for this state folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._keeping = Keeping(home)
        self._takers = Takers(self._keeping.folder)
        self._looking: FleetLink | None = None

    async def bring_up(self) -> FleetStatus:
        """Start the scheduler here and a worker on each board; returns when each is up, or is known not to be.

        Raises:
            ConfigRefused: fleet.toml is not there or not valid.
            BackendRefused: the packages that it needs are not installed.
            StorageRefused: the state folder cannot be written.
        """
        boards = read_fleet()
        if missing_packages():
            raise not_installed()
        if not self._keeping.up() or self._kept() != boards:
            await asyncio.to_thread(self._start, boards)
        end = time.monotonic() + UP_S
        while time.monotonic() < end:
            standing = self._keeping.standing()
            if standing and all(each.state != "starting" for each in standing.values()):
                break
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
        now = {}
        if glances and any(each.state == "up" for each in known):
            self._looking = self._looking or self._link()
            with suppress(OSError, asyncio.TimeoutError):
                now = await self._looking.glances()
        pairs = tuple(BoardNow(standing=each, now=now.get(each.board)) for each in known)
        return FleetStatus(up=up, file=str(fleet_file()), boards=pairs)

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

    def wanted(self, text: str) -> tuple[str, ...]:
        """What `--on` names: boards, or resources.

        Raises:
            ConfigRefused: there is no such board.
            BackendRefused: the fleet is down, or a board is not up.
        """
        if not self._keeping.up():
            read_fleet()
            raise BackendRefused("the fleet is down", fix="`edgetui fleet up`")
        asked = wanted(self._kept(), text)
        standing = self._keeping.standing()
        for name in asked:
            able = [standing.get(board.name) or _down(board) for board in self._able_boards(name)]
            if not any(each.state == "up" for each in able):
                first = able[0]
                why = f"{first.state}: {first.reason}" if first.reason else first.state
                raise BackendRefused(f"board {first.board} is {why}", fix=first.fix or "`edgetui fleet status`")
        return asked

    def _able_boards(self, name: str) -> tuple[FleetBoard, ...]:
        """The boards that a word behind `--on` means."""
        return tuple(board for board in self._kept() if name in (board.name, ANY) or name in board.resources)

    def _able(self, name: str) -> tuple[str, ...]:
        return tuple(board.name for board in self._able_boards(name))

    async def carry(
        self,
        asks: Sequence[FleetAsk | DrivenAsk],
        hear: Callable[[BoardTold], None],
        ended: Callable[[int, BoardOutcome], None] | None = None,
    ) -> tuple[BoardOutcome, ...]:
        """Have runs, or whole searches and sweeps, done on boards, all boards at once and each one ask after another; what
        a board has done before is found there. Cancelling the task ends nothing there. `ended` hears each outcome with the
        number of its ask.

        Raises:
            DataRefused: a file cannot be read here.
        """
        boards = [board.name for board in self._kept()]
        told = await asyncio.to_thread(_told, asks, boards)
        link = self._link(hear)

        async def one(number: int) -> BoardOutcome:
            outcome = await self._carry(link, *told[number], asks[number].on)
            if ended is not None:
                ended(number, outcome)
            return outcome

        try:
            return tuple(await asyncio.gather(*map(one, range(len(asks)))))
        finally:
            await link.close()

    async def _carry(self, link: FleetLink, asked: AskedOnce, packed: dict[str, PackedBundle], name: str) -> BoardOutcome:
        """On one board, or on one that has a resource; that is sent what it lacks, and keeps what it was given."""
        able = self._able(name)
        board = able[0] if name == able[0] else self._taker(asked.once) if asked.of_any else ""
        try:
            if board:
                for each in packed.values():
                    await link.send(board, each)
            while True:
                answer = await link.ensure(asked, board or name, (board,) if board else able)
                board = answer.taker or answer.board
                if answer.taker:
                    continue
                if not answer.missing:
                    outcome = _outcome(name, answer)
                    if asked.of_any and not outcome.done:
                        self._takers.leave(asked.once)
                    return outcome
                for missing in answer.missing:
                    await link.send(board, packed[missing], lacking=True)
        except EdgetuiError as error:
            return BoardOutcome(on=name, board=board, error=Failure.of("", error))

    def _taker(self, once: str) -> str:
        """The board that took it before and is still one of ours; empty: any may."""
        board = self._takers.taker(once)
        if board and board not in [each.name for each in self._kept()]:
            self._takers.leave(once)
            return ""
        return board

    async def cancel(self, asks: Sequence[FleetAsk | DrivenAsk]) -> None:
        """End what `carry` began, on every board that may have it."""
        link = self._link()
        keys = [asked.once for asked, _ in await asyncio.to_thread(_told, asks, ())]
        wanted = dict.fromkeys((board, key) for ask, key in zip(asks, keys, strict=True) for board in self._able(ask.on))
        try:
            await asyncio.gather(*(link.cancel(board, key) for board, key in wanted), return_exceptions=True)
        finally:
            await link.close()


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


def _told(asks: Sequence[FleetAsk | DrivenAsk], boards: Sequence[str]) -> list[tuple[AskedOnce, dict[str, PackedBundle]]]:
    """What goes over the wire, and the bundles that it needs; a file that several asks have is read once."""
    known: dict[str, tuple[PackedBundle, str]] = {}
    found = []
    for ask in asks:
        driven = isinstance(ask, DrivenAsk)
        plain, packed = portable(*_plain(ask), known)
        asked = AskedOnce(
            once=once_key(plain, ask.again),
            plain=msgspec.Raw(plain),
            driven=driven,
            again=bool(ask.again),
            of_any=ask.on not in boards,
            bundles=tuple(packed),
        )
        found.append((asked, packed))
    return found


def _plain(ask: FleetAsk | DrivenAsk) -> tuple[Plain, list[str]]:
    """As builtins, and the paths in them."""
    if isinstance(ask, DrivenAsk):
        return ask.plain, list(ask.paths)
    return [msgspec.to_builtins(spec) for spec in ask.specs], [path for spec in ask.specs for path in paths_of(spec)]


def once_key(plain: bytes, again: str = "") -> str:
    """What the same runs on the same board are found by: what is asked, by content, and the version that does it."""
    return hashlib.sha256(b"\0".join([plain, __version__.encode(), again.encode()])).hexdigest()[:32]


def _down(board: FleetBoard) -> BoardStanding:
    return BoardStanding(
        board=board.name, host=board.host or " ".join(board.command), state="down", resources=tuple(board.resources)
    )
