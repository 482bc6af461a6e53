"""What lies in a folder, for somebody who looks for a model or data: names, sizes and kinds; and what a folder is likely for.

Apart from `models.py`, which lists the folders of edgetui.toml. Light: names and sizes alone, no file is opened.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from ..backends.cards import by_suffix
from ..errors import from_os_error
from .annotated_images import IMAGE_SUFFIXES, suffix_of
from .dataset_parts import parts_of

EntryKind = Literal["folder", "model", "plan", "data", "image", "other"]
_KINDS: dict[str, EntryKind] = {
    ".onnx": "model",
    **dict.fromkeys((".zip", ".npz", ".tsv", ".toml"), "data"),
    **dict.fromkeys(IMAGE_SUFFIXES, "image"),
}
_GLANCED, _INNER, _EACH = 2000, 20, 200
"""Entries of a folder that are glanced at, folders in it, and entries of each of those."""
_DIGITS = re.compile(r"(\d{1,18})")


class FolderEntry(NamedTuple):
    """A name in a folder."""

    name: str
    kind: EntryKind
    size_bytes: int | None
    """None: a folder, or it cannot be told."""
    why: str = ""
    """Why it cannot be read; empty: nothing is known against it."""

    @property
    def hidden(self) -> bool:
        """Its name begins with a dot."""
        return self.name.startswith(".")


def entries_of(folder: Path) -> list[FolderEntry]:
    """All names in it, folders first, numbers in names as numbers: 50 000 take 0.7 s on a busy machine.

    Raises:
        StorageRefused: it cannot be read, or is no folder.
    """
    try:
        with os.scandir(folder) as entries:
            found = [_entry(entry) for entry in entries]
    except OSError as error:
        raise from_os_error(error, path=folder, then="look again") from None
    return sorted(found, key=lambda entry: (entry.kind != "folder", _by_number(entry.name)))


def _by_number(name: str) -> list[tuple[int, int, str]]:
    if name.isalpha():
        return [(1, 0, name.casefold())]
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(name.casefold())]


def _entry(entry: os.DirEntry[str]) -> FolderEntry:
    try:
        if entry.is_dir():
            reads = os.access(entry.path, os.R_OK | os.X_OK)
            return FolderEntry(entry.name, "folder", None, "" if reads else "you may not read it")
        stat = entry.stat()
    except OSError as error:
        dangling = entry.is_symlink() and isinstance(error, FileNotFoundError)
        return FolderEntry(
            entry.name, kind_of_name(entry.name), None, "a link to what is not there" if dangling else error.strerror or "?"
        )
    if not entry.is_file():
        return FolderEntry(entry.name, "other", None, "a pipe, a socket or a device")
    # who may read what everybody may need not be asked: of 50 000 names that was a third of the time
    reads = stat.st_mode & 0o444 == 0o444 or os.access(entry.path, os.R_OK)
    return FolderEntry(entry.name, kind_of_name(entry.name), stat.st_size, "" if reads else "you may not read it")


def kind_of_name(name: str) -> EntryKind:
    """What a file is by its name."""
    suffix = suffix_of(name)
    known = _KINDS.get(suffix)
    if known is not None:
        return known
    return "plan" if suffix and by_suffix(Path(name)) is not None else "other"


class FolderGlance(NamedTuple):
    """What a folder holds, by the first names in it."""

    folders: int
    files: int
    models: int
    images: int
    """Those in its folders as well."""
    parts: bool
    """It holds `train` and `test`."""
    more: bool
    """There are more than were counted."""

    @property
    def data(self) -> bool:
        """Whether it is likely a dataset."""
        return not self.models and (self.images > 0 or self.parts)


def glance_at(folder: Path) -> FolderGlance:
    """A look that ends soon, however much lies there.

    Raises:
        StorageRefused: it cannot be read.
    """
    try:
        listed = _names(folder, _GLANCED)
        inside = [name for name, is_folder in listed if is_folder]
        files = [name for name, is_folder in listed if not is_folder]
        images = sum(kind_of_name(name) == "image" for name in files)
        for name in inside[:_INNER]:
            images += sum(kind_of_name(each) == "image" for each, _ in _inner(folder / name))
    except OSError as error:
        raise from_os_error(error, path=folder, then="look again") from None
    models = sum(kind_of_name(name) == "model" for name in files)
    return FolderGlance(len(inside), len(files), models, images, parts_of(folder) is not None, len(listed) == _GLANCED)


def _names(folder: Path, most: int) -> list[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        return [(entry.name, _is_folder(entry)) for entry in islice(entries, most) if not entry.name.startswith(".")]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _inner(folder: Path) -> list[tuple[str, bool]]:
    try:
        return _names(folder, _EACH)
    except OSError:
        return []
