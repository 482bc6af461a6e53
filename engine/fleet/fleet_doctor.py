"""What a fleet needs here, and how each board stands: asked of the keeper, or of the boards themselves where it is down."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence

from ..doctor.check import Check
from ..errors import BackendRefused, ConfigRefused, Refusal
from ..schema.fleet import BoardHello, BoardStanding, FleetBoard
from .board_process import BoardProcess
from .certificates import CLIENT, loose_keys, out_of_date
from .fleet_file import HERE, fleet_file, read_fleet
from .keeping import Keeping
from .match import refusal_of
from .quiet import missing_packages
from .transport import login_of, start_of
from .worker_process import WorkerOrder


async def examine(keeping: Keeping) -> tuple[Check, ...]:
    """All of it; raises nothing."""
    found = [*_packages()]
    try:
        boards = read_fleet()
    except ConfigRefused as error:
        return (*found, Check(name="fleet.toml", state="bad", text=error.what, mend=error.fix))
    found += [Check(name="fleet.toml", state="good", text=f"{len(boards)} boards in {fleet_file()}"), *_ssh(boards)]
    found += _keys(keeping)
    if keeping.up():
        standing = keeping.standing()
        found += [_stands(standing[board.name]) for board in boards if board.name in standing]
    elif not missing_packages():
        found += await _ask_all(boards)
    return tuple(found)


def _packages() -> Iterator[Check]:
    missing = missing_packages()
    text = f"not installed: {', '.join(missing)}" if missing else "distributed and cryptography are here"
    mend = "pip install 'edgetui[fleet]'" if missing else ""
    yield Check(name="packages", state="bad" if missing else "good", text=text, mend=mend)


def _ssh(boards: Sequence[FleetBoard]) -> Iterator[Check]:
    if any(board.host not in ("", HERE) for board in boards):
        found = shutil.which("ssh")
        mend = "" if found else "apt install openssh-client"
        yield Check(name="ssh", state="good" if found else "bad", text=found or "there is no ssh here", mend=mend)


def _keys(keeping: Keeping) -> Iterator[Check]:
    client = keeping.keys / CLIENT
    if not client.exists():
        yield Check(name="keys", state="good", text="none yet: `edgetui fleet up` makes them")
        return
    if keeping.up() and not missing_packages() and (late := out_of_date(keeping.keys)):
        mend = "set the clock here if it is wrong; then `edgetui fleet up`, which makes others"
        yield Check(name="keys", state="bad", text=late, mend=mend)
        return
    loose = loose_keys(keeping.keys)
    if loose:
        names = ", ".join(file.name for file in loose)
        mend = f"chmod 600 {keeping.keys}/*.pem, then `edgetui fleet down` and up, which makes others"
        yield Check(name="keys", state="bad", text=f"others may read {names}", mend=mend)
        return
    who = f"whoever reads {client} can run code as you on every board and here while the fleet is up"
    text = f"{who}; so can a board that has joined it"
    yield Check(name="keys", state="note", text=text)


def _stands(standing: BoardStanding) -> Check:
    if standing.state == "up":
        return _good(standing.board, standing.hello)
    text = f"{standing.state}: {standing.reason}" if standing.reason else standing.state
    return Check(name=standing.board, state="note" if standing.state == "starting" else "bad", text=text, mend=standing.fix)


def _good(board: str, hello: BoardHello) -> Check:
    text = f"{hello.machine}, Python {hello.python}, edgetui {hello.edgetui}, {hello.home}"
    return Check(name=board, state="good", text=text)


async def _ask_all(boards: Sequence[FleetBoard]) -> list[Check]:
    """Let each say hello, and end."""
    answers = await asyncio.gather(*map(_ask, boards))
    homes: dict[str, str] = {}
    found = []
    for board, answer in zip(boards, answers, strict=True):
        refusal = (
            answer
            if isinstance(answer, Refusal)
            else refusal_of(board.name, answer, homes, login=login_of(board), python=board.python)
        )
        if refusal is None and isinstance(answer, BoardHello):
            homes[answer.home] = board.name
            found.append(_good(board.name, answer))
        elif refusal is not None:
            what, mend = refusal.what.removeprefix(f"board {board.name}: "), refusal.fixes[0].words
            found.append(Check(name=board.name, state="bad", text=what, mend=mend))
    return found


async def _ask(board: FleetBoard) -> BoardHello | Refusal:
    start = start_of(board, 0)
    try:
        worker = await BoardProcess.begin(board, start)
    except BackendRefused as error:
        return error.refusal
    hello = None
    try:
        none = WorkerOrder(board=board.name, scheduler="", port=0, resources={}, authority="", key="")
        hello = await worker.hello(none)
    finally:
        complaint, _ = await worker.end()
    return hello or complaint
