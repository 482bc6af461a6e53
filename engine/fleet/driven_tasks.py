"""A whole search or sweep that a board was asked for: begun by a process of its own, followed in its folder, told at its end.

Apart from `board_tasks.py`, whose runs are begun by the worker itself: what plans a search stands above this room, and takes
memory that a worker shall not keep.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from ..config import state_home
from ..errors import DAMAGED, EdgetuiError, RunFailed
from ..runs.driven_folder import DrivenDir
from ..runs.search_folder import SearchDir
from ..runs.sweep_folder import SWEEPS, SweepDir
from ..schema.failure import Failure
from ..schema.ready import ready
from ..schema.search import SearchDocument
from ..schema.sweep import SweepReport
from ..system.atomic_write import write_atomic
from ..system.defects import keep_traceback
from .asked_once import LOOK_S, TELL_S, AskedOnce, BoardAnswer, BoardTold, Tell
from .bundles import Plain
from .received import placed

MODULE = "asked_of_board"
"""What plans and begins them, and makes their documents."""


class DrivenOrder(Struct, frozen=True, kw_only=True):
    """What that process is told on its standard input."""

    once: str
    asked: Plain = None
    """As it was asked, with paths of this board; None: tell what came of it."""
    again: bool = False


class DrivenTold(Struct, frozen=True, kw_only=True):
    """What it answers."""

    found: bool = False
    """It had been done before."""
    search: SearchDocument | None = None
    sweep: SweepReport | None = None
    error: Failure | None = None


class KeptKey(Struct, frozen=True, kw_only=True):
    """Which folder was made for a key."""

    folder: str
    """Within the state folder, e.g. `searches/ID`."""


def _kept(home: Path, once: str) -> Path:
    return home / "fleet" / "asked" / f"{once}.json"


def folder_of_key(home: Path, once: str) -> SearchDir | SweepDir | None:
    """The folder that was made for a key; None: none was, or it is gone."""
    with suppress(OSError, *DAMAGED):
        path = home / msgspec.json.decode(_kept(home, once).read_bytes(), type=ready(KeptKey)).folder
        if path.is_dir():
            return SweepDir(path) if path.parent.name == SWEEPS else SearchDir(path)
    return None


def keep_folder(home: Path, once: str, folder: DrivenDir) -> None:
    """Write which folder is a key's, before anything in it begins.

    Raises:
        OSError: it cannot be written.
    """
    file = _kept(home, once)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(file, msgspec.json.encode(KeptKey(folder=folder.path.relative_to(home).as_posix())))


def driven_to_its_end(home: Path, board: str, asked: AskedOnce, tell: Tell) -> BoardAnswer:
    """Begin it, or find it, and wait until it has ended; what was broken off is taken up again.

    Raises:
        RunFailed: nothing can be planned or begun here, for a reason that is a defect.
    """
    order = DrivenOrder(once=asked.once, asked=placed(home, bytes(asked.plain)), again=asked.again)
    while True:
        begun = _told(home, order)
        folder = folder_of_key(home, asked.once)
        if begun.error is not None or folder is None:
            return BoardAnswer(error=begun.error)
        _follow(board, asked.once, folder, tell)
        if folder.state() != "crashed":
            ended = _told(home, DrivenOrder(once=asked.once))
            return BoardAnswer(found=begun.found, search=ended.search, sweep=ended.sweep, error=ended.error)


def _told(home: Path, order: DrivenOrder) -> DrivenTold:
    """What that process says."""
    command = [sys.executable, "-m", f"edgetui.engine.{MODULE}", str(home)]
    ended = subprocess.run(command, input=msgspec.json.encode(order), capture_output=True, cwd=home, check=False)
    try:
        return msgspec.json.decode(ended.stdout, type=ready(DrivenTold))
    except DAMAGED:
        said = ended.stderr.decode(errors="replace").strip()[-300:]
        raise RunFailed(f"what begins searches and sweeps ended with {ended.returncode}: {said}", fix="ask again") from None


def _follow(board: str, once: str, folder: SearchDir | SweepDir, tell: Tell) -> None:
    said, told_at, size = "", 0.0, -1
    while folder.alive():
        if time.monotonic() - told_at > TELL_S:
            told_at, (now, size) = time.monotonic(), _doing(folder, said, size)
            if now != said:
                tell(BoardTold(board=board, once=once, run=folder.id, stage=now))
            said = now
        time.sleep(LOOK_S)


def _doing(folder: SearchDir | SweepDir, before: str, size: int) -> tuple[str, int]:
    """What it is at, in words, and the size of the file that says it: read again when that has grown."""
    file = folder.path / ("told.jsonl" if isinstance(folder, SweepDir) else "found.jsonl")
    try:
        now = file.stat().st_size
    except OSError:
        return before, size
    return (before if now == size else doing(folder)), now


def doing(folder: SearchDir | SweepDir) -> str:
    """What a search or sweep is at, in words; empty: nothing is known yet."""
    if isinstance(folder, SweepDir):
        at = folder.doing()
        return "" if at is None else f"{f'round {at.round}, ' if at.round else ''}{at.text}"
    lines = folder.found()
    checks, builds = (sum(getattr(line, part) is not None for line in lines) for part in ("checked", "measured"))
    note = next((line.note for line in reversed(lines) if line.note), "")
    counts = f"{checks} check{'' if checks == 1 else 's'}, {builds} measurement{'' if builds == 1 else 's'}"
    return counts if checks or builds else note


def end_driven(home: Path, once: str) -> None:
    """Have it end; returns when nobody carries it."""
    folder = folder_of_key(home, once)
    if folder is None or not folder.alive():
        return
    folder.ask_to_end()
    while folder.alive():
        time.sleep(LOOK_S)


def answered(work: DrivenTold | EdgetuiError | Exception) -> bytes:
    """As that process prints it; what went wrong is a value in it."""
    if isinstance(work, EdgetuiError):
        work = DrivenTold(error=Failure.of("", work))
    elif isinstance(work, Exception):
        kept = keep_traceback(state_home())
        what = f"a defect of edgetui ({type(work).__name__}: {str(work)[:200]})"
        work = DrivenTold(error=Failure.of("", EdgetuiError(what, fix=f"report {kept}, which is on the board")))
    return msgspec.json.encode(work)
