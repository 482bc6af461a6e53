"""What is in a folder, in rows: for the screen that looks for models and data."""

from __future__ import annotations

from ...engine.advice.words import size
from ...engine.library.folder_entries import FolderEntry, FolderGlance
from ...engine.report.sanitize import sanitize
from ...engine.report.width import shortened, width_of
from ..widgets.lines import Line


def entry_line(entry: FolderEntry, room: int, *, wanted: bool) -> Line:
    """A name with its size, or why it cannot be read, in `room` columns; `wanted`: it can be taken, or leads further."""
    beside = entry.why or ("" if entry.size_bytes is None else size(entry.size_bytes))
    name = f"{sanitize(entry.name)}/" if entry.kind == "folder" else sanitize(entry.name)
    shown = shortened(name, max(4, room - width_of(beside) - 2))
    gap = " " * max(1, room - width_of(shown) - width_of(beside))
    tone = "accent" if entry.kind == "folder" else "value" if wanted else "dim"
    return ((shown, "warn" if entry.why else tone), (gap, ""), (beside, "warn" if entry.why else "dim"))


def glance_words(seen: FolderGlance) -> str:
    """`3 folders, 12 files, 2 models`."""
    more = "more than " if seen.more else ""
    parts = [
        f"{more}{seen.folders} folder{'' if seen.folders == 1 else 's'}",
        f"{seen.files} file{'' if seen.files == 1 else 's'}",
    ]
    parts += [f"{seen.models} model{'' if seen.models == 1 else 's'}"] if seen.models else []
    parts += ["`train` and `test`"] if seen.parts else []
    return ", ".join(parts)
