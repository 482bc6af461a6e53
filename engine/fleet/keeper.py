"""One light process a fleet: its scheduler and each board's worker, started again whenever they end. Nothing of a run is here.

`python -m edgetui.engine.fleet.keeper HOME`, detached. It holds `fleet/keeper.lock`; how each board stands it writes into
`fleet/boards.json`. Its children end with it: each reads the end of its standard input.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import traceback
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec

from ..errors import BackendRefused, Refusal, from_os_error
from ..schema.fleet import BoardStanding, BoardState, FleetBoard
from ..system.atomic_write import write_atomic
from ..system.locks import take_lock
from ..system.log import logger, start_log
from .board_process import BoardProcess
from .keeping import Keeping, KeptFleet, order_of
from .match import refusal_of
from .transport import login_of, start_of

_log = logger(__name__)
AGAIN_S, MOST_AGAIN_S, REFUSED_AGAIN_S = 1.0, 30.0, 15.0


class Keeper:
    """Keeps a fleet up."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self.fleet: KeptFleet = keeping.kept()
        self._at_once = asyncio.Event()
        self.standing = {
            board.name: BoardStanding(
                board=board.name,
                host=board.host or " ".join(board.command),
                state="starting",
                resources=tuple(board.resources),
            )
            for board in self.fleet.boards
        }

    async def keep(self) -> None:
        """Until SIGTERM; SIGUSR1 has boards that are not up tried at once."""
        end = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._hurry)
        self._tell()
        tasks = [asyncio.create_task(self._keep_scheduler())]
        tasks += [asyncio.create_task(self._keep_board(board)) for board in self.fleet.boards]
        ended = asyncio.create_task(end.wait())
        await asyncio.wait({ended, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for failure in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(failure, Exception):
                traceback.print_exception(failure)

    async def _keep_scheduler(self) -> None:
        command = ("-m", "edgetui.engine.fleet.scheduler_process", str(self.keeping.keys), str(self.fleet.port))
        with (self.keeping.folder / "scheduler.log").open("ab") as log:
            while True:
                process = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=PIPE, stdout=log, stderr=log)
                try:
                    await process.wait()
                finally:
                    await _end(process)
                _log.warning("the scheduler ended with %s", process.returncode)
                await asyncio.sleep(AGAIN_S)

    async def _keep_board(self, board: FleetBoard) -> None:
        pause_s = AGAIN_S
        while True:
            try:
                refusal, refuses, was_up = await self._carry(board)
            except OSError as error:  # keys that are gone, no process more: one board's fault ends no other's worker
                refusal, refuses, was_up = from_os_error(error).refusal, True, False
            pause_s = REFUSED_AGAIN_S if refuses else AGAIN_S if was_up else min(2 * pause_s, MOST_AGAIN_S)
            self._say(board, "refused" if refuses else "away", refusal)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._at_once.wait(), pause_s)

    def _hurry(self) -> None:
        """Who waits now begins; who waits later does as ever."""
        for board in self.fleet.boards:
            if self.standing[board.name].state != "up":
                self._say(board, "starting")
        at_once, self._at_once = self._at_once, asyncio.Event()
        at_once.set()

    async def _carry(self, board: FleetBoard) -> tuple[Refusal, bool, bool]:
        """A board's worker from its start to its end: why it ended, whether somebody must mend that, whether it was up."""
        start = start_of(board, self.fleet.port)
        was = self.standing[board.name]
        self.standing[board.name] = msgspec.structs.replace(was, tries=was.tries + 1)
        try:
            worker = await BoardProcess.begin(board, start)
        except BackendRefused as error:
            return error.refusal, True, False
        refusal, was_up = None, False
        try:
            hello = await worker.hello(order_of(board, start, self.keeping))
            if hello is not None:
                self.standing[board.name] = msgspec.structs.replace(self.standing[board.name], hello=hello)
                refusal = refusal_of(board.name, hello, self._homes(board.name), login=login_of(board), python=board.python)
                was_up = refusal is None and await worker.join()
                if was_up:
                    self._say(board, "up")
                    await worker.wait()
        finally:
            complaint, refuses = await worker.end()
        return refusal or complaint, refusal is not None or refuses, was_up

    def _homes(self, but: str) -> dict[str, str]:
        """Of boards that are up: their state folders, to their names."""
        return {each.hello.home: name for name, each in self.standing.items() if name != but and each.state == "up"}

    def _say(self, board: FleetBoard, state: BoardState, refusal: Refusal | None = None) -> None:
        """How a board stands from now on."""
        what = refusal.what.removeprefix(f"board {board.name}: ") if refusal else ""
        fix = refusal.fixes[0].words if refusal else ""
        was = self.standing[board.name]
        heard_wall_s = 0.0 if state == "up" else time.time() if was.state == "up" else was.heard_wall_s
        told = msgspec.structs.replace(was, state=state, reason=what, fix=fix, heard_wall_s=heard_wall_s)
        if told != self.standing[board.name]:
            self.standing[board.name] = told
            _log.info("board %s is %s: %s", board.name, state, what)
            self._tell()

    def _tell(self) -> None:
        with suppress(OSError):  # a full disk here stops no board
            write_atomic(self.keeping.standings, msgspec.json.encode(list(self.standing.values())))


async def _end(scheduler: Process) -> None:
    """The end of its standard input ends it; who does not hear is killed."""
    if scheduler.stdin:
        scheduler.stdin.close()
    if scheduler.returncode is None:
        try:
            await asyncio.wait_for(scheduler.wait(), 2.0)
        except asyncio.TimeoutError:
            scheduler.kill()
            await scheduler.wait()


def main() -> int:
    """Keep the fleet of the state folder that the command line names, in a session of its own."""
    home = Path(sys.argv[1])
    if os.fork():
        return 0
    os.setsid()
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    start_log(home)
    keeping = Keeping(home)
    lock = take_lock(keeping.lock, patience_s=1.0)
    if lock is None:
        return 1
    lock.write(str(os.getpid()))
    try:
        asyncio.run(Keeper(keeping).keep())
    finally:
        lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
