"""A board's worker seen from here: the program at the other end of a transport, its hello, and what it ended with."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

import msgspec

from ..errors import DAMAGED, BackendRefused, Refusal
from ..schema.fleet import BoardHello, FleetBoard
from ..schema.ready import ready
from .complaints import complaint_of
from .transport import Start
from .worker_process import WorkerOrder

HELLO_S, JOIN_S = 40.0, 60.0
"""How long a board may take to say hello (ssh, and imports of a slow board), and to join."""
_SAID_BYTES, _LOGIN_LINES = 4000, 50


class BoardProcess:
    """Made by `begin`; `end` it in any case."""

    def __init__(self, board: FleetBoard, process: Process) -> None:
        self._board = board
        self._process = process
        self._said = bytearray()
        self._overdue = ""
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def begin(cls, board: FleetBoard, start: Start) -> BoardProcess:
        """Start it.

        Raises:
            BackendRefused: there is no such program here.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *start.argv, env=start.env, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            what = f"board {board.name}: {start.argv[0]} cannot be started ({error.strerror})"
            raise BackendRefused(what, fix="correct it in fleet.toml, or install it") from None
        return cls(board, process)

    async def hello(self, order: WorkerOrder) -> BoardHello | None:
        """What it says of itself; None: it ended, or said nothing in time. Lines before it are of a login shell."""
        await self._write(msgspec.json.encode(order))
        for _ in range(_LOGIN_LINES):
            line = await self._line(HELLO_S, f"it says nothing within {HELLO_S:.0f} s")
            if not line:
                return None
            with suppress(*DAMAGED):
                return msgspec.json.decode(line, type=ready(BoardHello))
        return None

    async def join(self) -> bool:
        """Let it come to the scheduler; whether it did."""
        await self._write(b"join")
        late = f"it does not come to the fleet's scheduler within {JOIN_S:.0f} s"
        return await self._line(JOIN_S, late) == b"joined\n"

    async def wait(self) -> None:
        """Until it has ended."""
        await self._process.wait()

    async def end(self) -> tuple[Refusal, bool]:
        """The end of its standard input ends it; who does not hear is killed. Returns why it may have ended by itself, and
        whether somebody must mend that.
        """
        process = self._process
        if process.stdin:
            process.stdin.close()
        if process.returncode is None:
            try:
                await asyncio.wait_for(process.wait(), 3.0)
            except asyncio.TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._listening, 1.0)
        return complaint_of(self._board, self._said.decode(errors="replace"), process.returncode, self._overdue)

    async def _write(self, line: bytes) -> None:
        assert self._process.stdin
        with suppress(ConnectionError):
            self._process.stdin.write(line + b"\n")
            await self._process.stdin.drain()

    async def _line(self, patience_s: float, overdue: str) -> bytes:
        """A line of its standard output; empty: it ended, or said nothing in time, which `overdue` says."""
        assert self._process.stdout
        try:
            return await asyncio.wait_for(self._process.stdout.readline(), patience_s)
        except asyncio.TimeoutError:
            self._overdue = overdue
        except ValueError:  # a line without an end
            pass
        return b""

    async def _listen(self) -> None:
        """Keep the end of what it says on standard error."""
        assert self._process.stderr
        while data := await self._process.stderr.read(4096):
            self._said += data
            del self._said[:-_SAID_BYTES]
