"""Runs that begin once others have ended well (`run --after`): which, how those stand, and who waits so.

A run's folder says in `after` for whom it waits, so that a run whose waiting was killed still waits when it is taken up again.
It is no place in the queue for the board: others go past it, and it enters the queue when its turn can come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import RunFailed, StorageRefused
from ..system.atomic_write import write_atomic
from .board_queue import GRACE_S
from .folder import RunDir

FILE = "after"
LOOK_S = 0.5
_MARK = "after "
"""Begins an entry of `queue/` that is none: who waits so is found by it, without looking into all runs."""


def come_after(home: Path, folders: Sequence[RunDir], others: Sequence[RunDir]) -> None:
    """Have runs that are carried together wait for the end of others.

    Raises:
        OSError: the disk is full or read-only.
    """
    for folder in folders:
        write_atomic(folder.path / FILE, "".join(f"{other.name}\n" for other in others).encode())
    (home / "queue").mkdir(mode=0o700, exist_ok=True)
    (home / "queue" / f"{_MARK}{folders[0].name}").touch(mode=0o600)


def waited_for(folder: RunDir) -> tuple[str, ...]:
    """The runs that it comes after; none: it comes when the board is free."""
    try:
        return tuple((folder.path / FILE).read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return ()


def refuse_ended_badly(others: Sequence[RunDir]) -> None:
    """Refuse to wait for what will not end well any more.

    Raises:
        StorageRefused: one of them has ended otherwise, or was broken off.
    """
    for other in others:
        state = _state(other)
        if state not in ("done", "going"):
            fix = f"`edgetui resume {other.name}` first, or leave --after out"
            raise StorageRefused(f"{other.name} {_was(state)}: what comes after it would never begin", fix=fix)


def refuse_circle(home: Path, folder: RunDir) -> None:
    """Raises StorageRefused where a run that is taken up again waits for one that waits for it, by however many."""
    seen: set[str] = set()
    left = [*waited_for(folder)]
    while left:
        name = left.pop()
        if name == folder.name:
            raise StorageRefused(f"{name} comes after itself, by {', '.join(sorted(seen))}", fix="begin one of them anew")
        if name not in seen:
            seen.add(name)
            left += waited_for(RunDir(home / "runs" / name))


def wait_for_ends(home: Path, folder: RunDir, waits: Callable[[str], None], stop: Callable[[], bool]) -> bool:
    """Wait until all that a run comes after have ended well; `waits` hears for which, whenever that changes. False: `stop` said
    so first.

    Raises:
        RunFailed: one of them ended otherwise, was broken off, or is gone.
    """
    told, quiet_since = "", time.monotonic()
    while not stop():
        left = [RunDir(home / "runs" / name) for name in waited_for(folder)]
        states = {other.name: _state(other) for other in left}
        first = next((name for name, state in states.items() if state != "done"), "")
        if not first:
            (home / "queue" / f"{_MARK}{folder.name}").unlink(missing_ok=True)
            return True
        if first != told:
            waits(first)
            told, quiet_since = first, time.monotonic()
        if states[first] == "going":
            quiet_since = time.monotonic()
        elif states[first] != "broken" or time.monotonic() - quiet_since > GRACE_S:  # it may be about to be taken up
            fix = f"`edgetui resume {first}`, then `edgetui resume {folder.name}`"
            if states[first] == "gone":
                fix = f"`edgetui restore {first}`, or start {folder.name} anew without --after"
            raise RunFailed(f"{first}, which it comes after, {_was(states[first])}", fix=fix)
        with suppress(OSError):
            (home / "queue" / f"{_MARK}{folder.name}").touch(mode=0o600)
        time.sleep(LOOK_S)
    (home / "queue" / f"{_MARK}{folder.name}").unlink(missing_ok=True)
    return False


def who_comes_after(home: Path) -> dict[str, tuple[str, ...]]:
    """Runs that wait so, to those that they wait for; of a group its first. What was left by a killed one is taken away."""
    found = {}
    for path in sorted((home / "queue").glob(f"{_MARK}*")):
        folder = RunDir(home / "runs" / path.name.removeprefix(_MARK))
        with suppress(FileNotFoundError):
            if folder.alive() or 0 <= time.time() - path.stat().st_mtime < GRACE_S:
                found[folder.name] = tuple(n for n in waited_for(folder) if _state(RunDir(home / "runs" / n)) != "done")
            else:
                path.unlink(missing_ok=True)
    return found


def _state(run: RunDir) -> str:
    """`going`, `broken` (nobody holds it, and it has not ended), `gone`, or how it ended."""
    if not run.path.is_dir():
        return "gone"
    if run.alive():
        return "going"
    result = run.result()
    return result.state if result is not None else "broken"


def _was(state: str) -> str:
    return {"failed": "failed", "gone": "is gone", "broken": "was interrupted"}.get(state, f"was {state}")
