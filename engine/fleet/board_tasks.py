"""What a board is asked for: named by module and function, bytes in and bytes out, so that no two Pythons must agree on more.

An answer is JSON; what a person can act on comes back as a value in it and is never raised: a traceback that does not unpickle
at the other end is waited for without end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..config import state_home
from ..errors import EdgetuiError, StorageRefused
from ..schema.failure import Failure
from ..schema.ready import ready
from .asked_once import LOOK_S, TELL_S, AskedOnce, BoardAnswer, BoardTold, Tell
from .bundles import Bundle
from .quiet import TAKE, TOPIC

if TYPE_CHECKING:
    from distributed import Worker

    from ..runs.folder import RunDir

TAKE_S = 30.0
"""How long the scheduler may take to say whose it is."""


def _answer(board: str, work: Callable[[], BoardAnswer]) -> bytes:
    from ..system.defects import keep_traceback

    try:
        found = work()
    except EdgetuiError as error:
        found = BoardAnswer(error=Failure.of("", error))
    except Exception as error:
        kept = keep_traceback(state_home())
        what = f"a defect of edgetui ({type(error).__name__}: {str(error)[:200]})"
        found = BoardAnswer(error=Failure.of("", EdgetuiError(what, fix=f"report {kept}, which is on the board")))
    return msgspec.json.encode(msgspec.structs.replace(found, board=board))


def ensure_run(asked: bytes) -> bytes:
    """Have what was asked for by content done, and wait for its end, however often it is asked."""
    from distributed import get_worker

    worker = get_worker()
    board = str(worker.name)

    def tell(told: BoardTold) -> None:
        worker.log_event(TOPIC, msgspec.json.encode(told))

    told = msgspec.json.decode(asked, type=ready(AskedOnce))
    if told.of_any:
        taker, why = _taker(worker, told.once)
        if taker != board:
            refused = StorageRefused(f"the machine that asks: {why}", fix="free some space there")
            error = Failure.of("", refused) if why else None
            return msgspec.json.encode(BoardAnswer(board=board, taker=taker, error=error))
    return _answer(board, lambda: _ensured(board, told, tell))


def _taker(worker: Worker, once: str) -> tuple[str, str]:
    """Whose it is, as the scheduler has written it down, or why it could not. A link that is lost here is raised, and asked
    again: nothing has begun.
    """
    asked = getattr(worker.scheduler, TAKE)(once=once, board=str(worker.name))
    taker, why = asyncio.run_coroutine_threadsafe(asked, worker.loop.asyncio_loop).result(TAKE_S)
    return str(taker), str(why)


def _ensured(board: str, asked: AskedOnce, tell: Tell) -> BoardAnswer:
    from . import received, trained_stages
    from .driven_tasks import driven_to_its_end

    home = state_home()
    lacking = trained_stages.lacking(home, asked.stages)
    if missing := received.missing(home, (*asked.bundles, *lacking)):
        return BoardAnswer(missing=missing)
    if lacking:
        trained_stages.place(home, asked.stages)
    if asked.driven:
        return driven_to_its_end(home, board, asked, tell)
    return _ensured_runs(home, board, asked, tell)


def _ensured_runs(home: Path, board: str, asked: AskedOnce, tell: Tell) -> BoardAnswer:
    from ..runs.asking import is_done
    from ..runs.ensure import ensure_once
    from ..runs.folder import once_members
    from . import received

    specs = received.placed_specs(home, bytes(asked.plain))
    known = once_members(home, asked.once)
    found = len(known) == len(specs) and all(map(is_done, known))
    while True:
        members = ensure_once(home, specs, asked.once)
        told: BoardTold | None = None
        told_at = 0.0
        while any(run.alive() for run in members):
            if time.monotonic() - told_at > TELL_S:
                now = running(board, asked.once, members)
                if now != told:
                    tell(now)
                told, told_at = now, time.monotonic()
            time.sleep(LOOK_S)
        results = [run.result() for run in members]
        if all(results):  # else its supervisor was killed
            return BoardAnswer(found=found, results=tuple(filter(None, results)))


def running(board: str, once: str, members: Sequence[RunDir]) -> BoardTold:
    """What runs are at."""
    from ..runs.index import current_stage, waiting_for

    for run in members:
        if run.alive() and run.result() is None:
            past = run.last_events()
            return BoardTold(board=board, once=once, run=run.name, stage=current_stage(past), waiting_for=waiting_for(past))
    return BoardTold(board=board, once=once, run="")


async def have(board: str, bundle: bytes, at: str) -> bytes:
    """How many bytes of a bundle are there; where the board may have a copy of its own, all of them, or why that is another."""
    from . import received

    told = msgspec.json.decode(bundle, type=ready(Bundle))

    def offset() -> BoardAnswer:
        home = state_home()
        note = received.adopt(home, told, at) if at else ""
        return BoardAnswer(offset=received.have(home, told), note=note)

    return await asyncio.to_thread(_answer, board, offset)


async def put(board: str, bundle: bytes, offset: int, data: bytes) -> bytes:
    """Take the next bytes of a bundle."""
    from . import received

    told = msgspec.json.decode(bundle, type=ready(Bundle))
    return await asyncio.to_thread(_answer, board, lambda: BoardAnswer(offset=received.put(state_home(), told, offset, data)))


async def left(board: str, once: str) -> bytes:
    """What a run that was asked for by content has left of its stages."""
    from . import trained_stages

    return await asyncio.to_thread(_answer, board, lambda: BoardAnswer(left=trained_stages.left(state_home(), once)))


async def piece(board: str, key: str, bundle: bytes, offset: int) -> bytes:
    """The next bytes of that."""
    from . import trained_stages

    told = msgspec.json.decode(bundle, type=ready(Bundle))
    return await asyncio.to_thread(
        _answer, board, lambda: BoardAnswer(data=trained_stages.piece(state_home(), key, told, offset))
    )


async def cancel(board: str, once: str) -> bytes:
    """End what was asked for by content, where it is going."""
    return await asyncio.to_thread(_answer, board, lambda: ended(state_home(), once))


def ended(home: Path, once: str) -> BoardAnswer:
    """End it on this machine; returns when it has ended."""
    from ..runs import asking
    from ..runs.folder import once_members
    from .driven_tasks import end_driven

    end_driven(home, once)
    members = once_members(home, once)
    with contextlib.suppress(StorageRefused):  # it is not going
        going = asking.Cancelling(home, members) if members else None
        while going is not None and not going.ended():
            time.sleep(asking.LOOK_S)
    return BoardAnswer()


async def look_into(board: str, run: str, offset: int) -> bytes:
    """A run from a byte of its events on."""
    from . import glances

    return await asyncio.to_thread(_answer, board, lambda: BoardAnswer(run=glances.look_into(state_home(), run, offset)))


async def glance() -> bytes:
    """What the board is doing (`schema.fleet.BoardGlance`)."""
    from .glances import look

    return msgspec.json.encode(await asyncio.to_thread(look, state_home()))
