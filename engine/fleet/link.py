"""A client of the fleet's scheduler: what boards are asked, each with its deadline, and asked again where a link was lost.

Nothing here waits without end: who is asked for has to be up, as the keeper sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import BackendRefused, EdgetuiError, RunFailed
from ..schema.fleet import BoardGlance, BoardRun, BoardStanding
from ..schema.ready import ready
from ..system.log import logger
from . import received
from .asked_once import AskedOnce, BoardAnswer, BoardTold, LeftStage
from .away import PATIENCE_S, Away, Hear
from .bundles import PackedBundle
from .certificates import AUTHORITY, CLIENT
from .in_turn import InTurn
from .keeping import Keeping
from .quiet import TOPIC, of_files, set_up
from .transport import LOOPBACK

if TYPE_CHECKING:
    from distributed import Client

_log = logger(__name__)
CONNECT_S, ASK_S, GLANCE_S, CANCEL_S = 15.0, 60.0, 4.0, 20.0
_SLICE_S, _AGAIN_S = 5.0, 1.0
Seen = dict[str, tuple[BoardGlance | None, float]]
"""By the names of boards; see `FleetLink.glances`."""


class FleetLink:
    """One connection to the scheduler, made again when that was started again."""

    def __init__(self, keeping: Keeping, hear: Hear | None = None) -> None:
        set_up()
        self._keeping = keeping
        self._hear = hear
        self._client: Client | None = None
        self._closed = False
        self._connecting = asyncio.Lock()
        self._sending: dict[tuple[str, str], asyncio.Lock] = {}
        self._sent: set[tuple[str, str]] = set()
        self._in_turn = InTurn()
        self._last_up_s: dict[tuple[str, ...], float] = {}
        """When one of some boards was up last, for all that wait for them."""
        self._away: dict[tuple[str, ...], Away] = {}
        """What those are told meanwhile."""

    async def close(self) -> None:
        """Let go, for good; nothing on a board ends with it."""
        self._closed = True
        await self._drop()

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):  # whatever is left of a lost link
                await asyncio.wait_for(client.close(timeout=1), 3)

    def _refuse_closed(self) -> None:
        """Who still asks when it was closed gets no connection that nobody would close."""
        if self._closed:
            raise ConnectionError("the link was closed")

    async def _connected(self) -> Client:
        from distributed import Client

        async with self._connecting:
            self._refuse_closed()
            if self._client is not None and self._client.status == "running":
                return self._client
            await self._drop()
            self._client = client = Client(
                f"tls://{LOOPBACK}:{self._keeping.kept().port}",
                security=of_files(self._keeping.keys, "client", CLIENT, AUTHORITY),
                asynchronous=True,
                set_as_default=False,
                timeout=10,
            )
            try:
                await asyncio.wait_for(client, CONNECT_S)
                self._refuse_closed()
            except BaseException:
                self._client = client
                await self._drop()
                raise
            if self._hear is not None:
                client.subscribe_topic(TOPIC, self._heard)
            return client

    def _heard(self, event: tuple[float, Any]) -> None:
        if self._hear is not None and isinstance(event[1], bytes):
            self._hear(msgspec.json.decode(event[1], type=ready(BoardTold)))

    async def ensure(self, asked: AskedOnce, on: str, boards: tuple[str, ...]) -> BoardAnswer:
        """Have it done on a board, or on one that has a resource, and wait for its end, over lost links and new schedulers.
        `boards`: those that may do it.

        Raises:
            EdgetuiError: none of them is up, or has been for `PATIENCE_S`.
        """
        from .board_tasks import ensure_run

        data = msgspec.json.encode(asked)
        self._last_up_s[boards] = time.monotonic()
        while True:
            turn = self._in_turn.turn(on, lambda: self._joined(boards)) if len(boards) > 1 else contextlib.nullcontext()
            try:
                async with turn:
                    client = await self._connected()
                    key = f"run-{asked.once}-{time.monotonic_ns()}"
                    future = client.submit(ensure_run, data, resources={on: 1}, pure=False, key=key)
                    waiting = asyncio.ensure_future(future.result())
                    try:
                        while not (await asyncio.wait({waiting}, timeout=_SLICE_S))[0]:
                            self._look_up(boards)
                        if not waiting.cancelled():
                            return _answer(waiting.result())
                    finally:
                        waiting.cancel()
                        future.release()
            except EdgetuiError:
                raise
            except Exception as error:  # of many kinds, for a lost link and for a scheduler that is another: it is asked again
                _log.debug("asked again, after %r", error)
            self._look_up(boards)
            await asyncio.sleep(_AGAIN_S)

    async def _joined(self, boards: tuple[str, ...]) -> int:
        """How many of these the scheduler has."""
        self._look_up(boards)
        client = await self._connected()
        told = await asyncio.wait_for(client.scheduler.identity(n_workers=-1), CONNECT_S)
        return sum(worker["name"] in boards for worker in told["workers"].values())

    def _look_up(self, boards: tuple[str, ...]) -> None:
        """Note that one of these is up; who waits is told how they stand.

        Raises:
            EdgetuiError: none is, and the last was too long ago.
        """
        if not self._keeping.up():
            raise _taken_down()
        standing = self._keeping.standing()
        self._tell(boards, standing)
        if any(standing[board].state == "up" for board in boards if board in standing):
            self._last_up_s[boards] = time.monotonic()
        elif time.monotonic() - self._last_up_s[boards] > PATIENCE_S:
            one = standing.get(boards[0])
            why = f" ({one.reason})" if one and one.reason else ""
            raise RunFailed(
                f"board {', '.join(boards)} was away for {PATIENCE_S:.0f} s{why}",
                fix="what it has begun goes on there: ask again when it is back (of a resource, --again asks another board)",
            )

    def _tell(self, boards: tuple[str, ...], standing: Mapping[str, BoardStanding]) -> None:
        self._away.setdefault(boards, Away(boards, self._hear)).tell(standing)

    async def send(self, board: str, packed: PackedBundle, *, at: str = "", lacking: bool = False) -> None:
        """Send what a board does not have of a bundle, from where it ends there. `at`: where it may have a copy of its own;
        `lacking`: the board says that it lacks it, whatever was sent before.

        Raises:
            EdgetuiError: it has no room for it, or is gone.
        """
        from .board_tasks import have, put

        bundle = msgspec.json.encode(packed.bundle)
        whole = packed.bundle.size_bytes
        async with self._sending.setdefault((board, packed.bundle.id), asyncio.Lock()):
            if (board, packed.bundle.id) in self._sent and not lacking:
                return
            answer = await self.ask(board, have, bundle, at)
            offset = answer.offset
            if answer.note and self._hear is not None:
                self._hear(
                    BoardTold(
                        board=board, once="", run="", stage=f"its own {at} is not what is here: {answer.note}; it is sent"
                    )
                )
            while offset < whole:
                piece = await asyncio.to_thread(packed.piece, offset)
                offset = (await self.ask(board, put, bundle, offset, piece)).offset
            self._sent.add((board, packed.bundle.id))

    async def left(self, board: str, once: str) -> tuple[LeftStage, ...]:
        """What a run that was asked for with this key has left there of its stages.

        Raises:
            EdgetuiError: it is gone there, or the board is.
        """
        from .board_tasks import left

        return (await self.ask(board, left, once)).left

    async def fetch(self, home: Path, board: str, stage: LeftStage) -> PackedBundle:
        """Bring what a stage left on a board here, from where it ends here.

        Raises:
            EdgetuiError: it is gone there, or there is no room for it here.
        """
        from .board_tasks import piece

        bundle = msgspec.json.encode(stage.bundle)
        offset = await asyncio.to_thread(received.have, home, stage.bundle)
        while offset < stage.bundle.size_bytes:
            data = (await self.ask(board, piece, stage.key, bundle, offset)).data
            offset = await asyncio.to_thread(received.put, home, stage.bundle, offset, data)
        return PackedBundle(bundle=stage.bundle, root=received.folder_of(home, stage.bundle.id))

    async def cancel(self, board: str, once: str) -> None:
        """End runs there.

        Raises:
            EdgetuiError: it is away, or they do not end.
        """
        from .board_tasks import cancel

        await self.ask(board, cancel, once, patience_s=CANCEL_S)

    async def ask(self, board: str, task: Callable[..., Any], *words: object, patience_s: float | None = None) -> BoardAnswer:
        """A short question to one board, beside what it does, asked until it answers or for as long as `patience_s`; None: as
        what boards are asked for, and who waits is told why.

        Raises:
            EdgetuiError: what it answered, or that it does not.
        """
        end = time.monotonic() + (PATIENCE_S if patience_s is None else patience_s)
        while True:
            said: dict[str, bytes] = {}
            with contextlib.suppress(Exception):  # see `ensure`
                client = await self._connected()
                if address := await self._address(client, board):
                    left = min(ASK_S, max(1.0, end - time.monotonic()))
                    said = await asyncio.wait_for(client.run(task, board, *words, workers=[address]), left)
            for answer in said.values():
                return _raised(_answer(answer))
            if not self._keeping.up():
                raise _taken_down()
            standing = self._keeping.standing()
            if patience_s is None:
                self._tell((board,), standing)
            if time.monotonic() > end:
                one = standing.get(board)
                why = f" ({one.reason})" if one is not None and one.reason else ""
                raise RunFailed(f"board {board} does not answer{why}", fix="`edgetui fleet status` says how it stands")
            await asyncio.sleep(_AGAIN_S)

    async def _address(self, client: Client, board: str) -> str | None:
        info = await asyncio.wait_for(client.scheduler.identity(n_workers=-1), ASK_S)
        return next((address for address, worker in info["workers"].items() if worker["name"] == board), None)

    async def look_into(self, board: str, run: str, offset: int) -> BoardRun:
        """A run of a board from a byte of its events on.

        Raises:
            EdgetuiError: there is none, or the board does not answer at once.
        """
        from .board_tasks import look_into

        told = (await self.ask(board, look_into, run, offset, patience_s=GLANCE_S)).run
        assert told is not None
        return told

    async def glances(self) -> Seen:
        """Of each board that has joined, what it is doing where it answers at once, and when the scheduler heard it last."""
        from .board_tasks import glance

        client = await self._connected()
        info = await asyncio.wait_for(client.scheduler.identity(n_workers=-1), ASK_S)
        names = {address: str(worker["name"]) for address, worker in info["workers"].items()}

        async def one(address: str) -> BoardGlance | None:
            with contextlib.suppress(Exception):
                said = await asyncio.wait_for(client.run(glance, workers=[address]), GLANCE_S)
                return msgspec.json.decode(said[address], type=ready(BoardGlance))
            return None

        found = await asyncio.gather(*map(one, names))
        return {
            name: (now, float(info["workers"][address].get("last_seen", 0.0)))
            for (address, name), now in zip(names.items(), found, strict=True)
        }


def _taken_down() -> BackendRefused:
    return BackendRefused("the fleet was taken down", fix="`edgetui fleet up`, then ask again: what is done is found")


def _answer(data: bytes) -> BoardAnswer:
    return msgspec.json.decode(data, type=ready(BoardAnswer))


def _raised(answer: BoardAnswer) -> BoardAnswer:
    if answer.error is not None:
        raise EdgetuiError(answer.error.what, fix=answer.error.fixes or answer.error.fix)
    return answer
