"""Tags and a note on a run: a file in its folder, so that they go with it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ..errors import DAMAGED, StorageRefused, UsageError, from_os_error
from ..schema.ready import ready
from ..schema.run_summary import Remarks
from ..system.atomic_write import write_atomic
from ..system.plain_files import read_plain
from .folder import RunDir

REMARKS = "remarks.json"
MOST_TAGS, MOST_LETTERS, MOST_NOTE = 50, 60, 10_000
_TAG = re.compile(r"[^\W_][\w.+-]*")


def read_remarks(folder: RunDir) -> Remarks:
    """What was written on a run; nothing where the file is gone or damaged."""
    try:
        return msgspec.json.decode(read_plain(folder.path / REMARKS), type=ready(Remarks))
    except (OSError, StorageRefused, *DAMAGED):
        return Remarks()


def write_remarks(folder: RunDir, remarks: Remarks) -> None:
    """Write it down.

    Raises:
        StorageRefused: the folder cannot be written, or the disk is full.
    """
    try:
        write_atomic(folder.path / REMARKS, msgspec.json.encode(remarks))
    except OSError as error:
        raise from_os_error(error, path=folder.path) from None


def retagged(remarks: Remarks, words: Iterable[str]) -> Remarks:
    """With other tags: each word is one to add, or to take away with a minus before it.

    Raises:
        UsageError: a word can be no tag, or there are too many.
    """
    tags = set(remarks.tags)
    for word in words:
        tag = word.removeprefix("-").removeprefix("+")
        if not _TAG.fullmatch(tag) or len(tag) > MOST_LETTERS:
            raise UsageError(
                f"`{word[:MOST_LETTERS]}` can be no tag", fix=f"letters, digits, - . _ and +, at most {MOST_LETTERS}: field-3"
            )
        tags = tags - {tag} if word.startswith("-") else tags | {tag}
    if len(tags) > MOST_TAGS:
        raise UsageError(f"{len(tags)} tags on a run", fix=f"at most {MOST_TAGS}; take some away: -TAG")
    return msgspec.structs.replace(remarks, tags=tuple(sorted(tags)))


def renoted(remarks: Remarks, note: str) -> Remarks:
    """With another note; empty: none.

    Raises:
        UsageError: it is too long.
    """
    note = note.strip()
    if len(note) > MOST_NOTE:
        raise UsageError(f"a note of {len(note)} characters", fix=f"write at most {MOST_NOTE}")
    return msgspec.structs.replace(remarks, note=note)
