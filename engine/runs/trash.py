"""Runs that were deleted and can still be had back: whole run folders, moved aside, until they are old or too many."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import StorageRefused, from_os_error
from .folder import RunDir

_DAY_S = 86400.0
_AGAIN = "~"
"""Between a name and a number, where a run of that name is in the trash already."""


class Deleted(Struct, frozen=True, kw_only=True):
    """A run in the trash."""

    run: str
    deleted: float
    """Seconds since the epoch."""
    age_s: float
    """Seconds since then; 0 where the clock was set back."""
    size_bytes: int
    path: str


def deleted_runs(home: Path) -> tuple[Deleted, ...]:
    """What is in the trash, what was deleted last first; sizes are not read: 0."""
    found = []
    with suppress(OSError), os.scandir(home / "trash") as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    found.append((entry.stat(follow_symlinks=False).st_mtime, entry.name))
    found.sort(reverse=True)
    return tuple(
        Deleted(
            run=name.partition(_AGAIN)[0],
            deleted=when,
            age_s=max(0.0, time.time() - when),
            size_bytes=0,
            path=str(home / "trash" / name),
        )
        for when, name in found
    )


def with_sizes(deleted: Sequence[Deleted]) -> tuple[Deleted, ...]:
    """The same, with the bytes that they take: those of files that nobody else has a name of."""
    return tuple(msgspec.structs.replace(each, size_bytes=_size(Path(each.path))) for each in deleted)


def put_aside(home: Path, folder: RunDir) -> None:
    """Move a run folder into the trash.

    Raises:
        StorageRefused: it cannot be moved.
    """
    trash = home / "trash"
    try:
        trash.mkdir(mode=0o700, exist_ok=True)
        os.utime(folder.path)  # when it was deleted: a folder that is renamed keeps its time
        for again in range(1000):
            target = trash / (folder.name + (f"{_AGAIN}{again + 1}" if again else ""))
            if not os.path.lexists(target):
                folder.path.rename(target)
                return
    except OSError as error:
        raise from_os_error(error) from None
    raise StorageRefused(f"{trash} is full of {folder.name}", fix="`edgetui delete --for-good` it")


def bring_back(home: Path, run: str) -> str:
    """Move a run out of the trash, the one of that name that was deleted last; returns its id. `last`: of all.

    Raises:
        StorageRefused: it is not there, several are meant, or there is a run of that name again.
    """
    there = deleted_runs(home)
    hits = list(there[:1]) if run == "last" else [each for each in there if each.run == run][:1]
    if not hits:
        hits = list({each.run: each for each in reversed(there) if run and run in each.run}.values())
    if not hits and run == "last":
        raise StorageRefused("the trash is empty", fix="runs stay there for a week, or as `[trash]` in edgetui.toml says")
    if not hits:
        raise StorageRefused(f"no run `{run}` is in the trash", fix="`edgetui restore` lists what is")
    if len(hits) > 1:
        names = ", ".join(each.run for each in hits[-3:])
        raise StorageRefused(f"`{run}` means {len(hits)} deleted runs", fix=f"say more of the name: {names}")
    back = home / "runs" / hits[0].run
    if os.path.lexists(back):
        raise StorageRefused(f"there is a run {hits[0].run} again", fix="delete that one first")
    try:
        Path(hits[0].path).rename(back)
    except OSError as error:
        raise from_os_error(error) from None
    return hits[0].run


def empty(home: Path, keep_days: float, limit_mb: int) -> None:
    """Remove for good what was deleted longer ago than `keep_days`, then what was deleted first until the rest fits in
    `limit_mb`. A clock that was set back keeps everything; what cannot be removed stays.
    """
    room = limit_mb * 1_000_000
    for each in deleted_runs(home):
        size = _size(Path(each.path)) if each.age_s <= keep_days * _DAY_S else None
        if size is None or size > room:
            shutil.rmtree(each.path, ignore_errors=True)
            room = 0 if size is not None else room
        else:
            room -= size


def _size(folder: Path) -> int:
    """Bytes of files that lie in this folder alone: what it shares with the cache costs nothing to keep."""
    total = 0
    for inside, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                stat = os.lstat(os.path.join(inside, name))  # noqa: PTH118  a Path for each file of each run
                total += stat.st_blocks * 512 if stat.st_nlink == 1 else 0
    return total
