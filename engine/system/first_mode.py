"""The note of a power mode that has to come back: written before the first switch, gone when the mode is back.

Whoever switches modes holds a lock beside it, so that a note without a holder is of one who was killed; any process may then
put the mode back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import DAMAGED
from ..schema.power_mode import PowerMode
from ..schema.ready import ready
from .atomic_write import flush, write_atomic
from .locks import take_lock
from .power_modes import mode_now, set_mode, wait_for_others
from .root_files import Files

NOTE, LOCK = "first_mode.json", "alive.lock"
SetMode = Callable[[Files, PowerMode], str]
"""Sets a mode, and says why it has not come; empty: it has."""


class FirstMode(Struct, frozen=True, kw_only=True):
    """What stands in the note."""

    first: PowerMode
    switched_to: tuple[PowerMode, ...] = ()
    """All that may be on because of us, each written before it is set."""


class PutBack(Struct, frozen=True, kw_only=True):
    """What became of a mode that a killed process had left."""

    folder: Path
    first: PowerMode
    found: str = ""
    """The mode that was on; empty: it cannot be told."""
    why_not: str = ""
    """Why the first is not on now; empty: it is, or another program has set the mode since."""
    others: bool = False
    """The mode that is on was not set by us, and is left as it is."""


def write_note(folder: Path, note: FirstMode) -> None:
    """Keep it, on the disk before anything is switched.

    Raises:
        OSError: the disk is full.
    """
    write_atomic(folder / NOTE, msgspec.json.encode(note))
    flush(folder)


def read_note(folder: Path) -> FirstMode | None:
    """What a folder's note says; None: there is none, or it says nothing."""
    try:
        return msgspec.json.decode((folder / NOTE).read_bytes(), type=ready(FirstMode))
    except (OSError, *DAMAGED):
        return None


def put_back(files: Files, folder: Path, set_mode: SetMode = set_mode) -> PutBack | None:
    """Set the mode that a folder's note says, by whoever holds the folder's lock; None: there is no note. It is removed once
    the mode is on, or where another program has set a third one meanwhile.
    """
    note = read_note(folder)
    if note is None:
        return None
    wait_for_others()
    now = mode_now(files)
    told = PutBack(folder=folder, first=note.first, found=now.name if now else "")
    if now is not None and now not in (note.first, *note.switched_to):
        told = msgspec.structs.replace(told, others=True)
    elif why := set_mode(files, note.first):
        return msgspec.structs.replace(told, why_not=why)
    (folder / NOTE).unlink(missing_ok=True)
    return told


def put_back_all(files: Files, above: Path, set_mode: SetMode = set_mode) -> Iterator[PutBack]:
    """Do so in every folder whose holder was killed."""
    for path in sorted(above.glob(f"*/{NOTE}")):
        lock = take_lock(path.parent / LOCK)
        if lock is None:  # somebody works there, and puts it back
            continue
        try:
            told = put_back(files, path.parent, set_mode)
        finally:
            lock.release()
        if told is not None:
            yield told
