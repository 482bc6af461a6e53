"""A dataset that a board has already, in place of a copy that is sent: held against the hashes of what would be, then linked.

fleet.toml says where (`datasets`). Its files stay the board's: when one has changed, it stands for the bundle no more.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import DAMAGED, from_os_error
from ..schema.ready import ready
from ..system.atomic_write import write_atomic
from ..system.hashing import sha256_of
from .bundles import Bundle, names_below


class OwnCopy(Struct, frozen=True, kw_only=True):
    """Beside a bundle's link: what it was when it was held against its hashes."""

    at: str
    stamps: dict[str, tuple[int, int]]
    """Size and time of change of each file, by its name in the bundle."""


def adopt(folder: Path, mark: Path, bundle: Bundle, at: str) -> str:
    """Let what lies at `at` stand for a bundle; why it cannot, empty: it does, and `folder` leads to it.

    Raises:
        StorageRefused: the link cannot be made.
    """
    path = Path(at).expanduser()
    try:
        files = _files(path, bundle)
        if isinstance(files, str):
            return files
        for file in bundle.files:
            if files[file.name].stat().st_size != file.size_bytes or sha256_of([files[file.name]]) != file.sha256:
                return f"{file.name} is another"
        stamps = {name: _stamp(file) for name, file in files.items()}
    except OSError as error:
        return f"{error.filename or path} cannot be read ({error.strerror})"
    try:
        forget(folder)
        write_atomic(
            mark, msgspec.json.encode(OwnCopy(at=str(path), stamps=stamps))
        )  # first: no link is taken for what was sent
        if path.is_dir():
            folder.symlink_to(path.absolute(), target_is_directory=True)
        else:
            folder.mkdir(mode=0o700)
            (folder / bundle.files[0].name).symlink_to(path.absolute())
    except OSError as error:
        raise from_os_error(error, path=folder) from None
    return ""


def _files(path: Path, bundle: Bundle) -> Mapping[str, Path] | str:
    """The files there by their names in the bundle; or why they are not those."""
    wanted = {file.name for file in bundle.files}
    if path.is_dir():
        there = set(names_below(path))
        if there != wanted:
            more, fewer = sorted(there - wanted), sorted(wanted - there)
            return f"it has {more[0]} besides" if more else f"it has no {fewer[0]}"
        return {name: path / name for name in wanted}
    if not path.is_file():
        return "there is nothing"
    return {bundle.files[0].name: path} if len(wanted) == 1 else "it is one file"


def unchanged(folder: Path, mark: Path) -> bool:
    """Whether what stands for a bundle is still as it was held against it; a bundle that was sent is."""
    try:
        kept = msgspec.json.decode(mark.read_bytes(), type=ready(OwnCopy))
        return all(_stamp(folder / name) == stamp for name, stamp in kept.stamps.items()) and len(kept.stamps) == len(
            names_below(folder)
        )
    except FileNotFoundError:
        return not mark.exists()
    except (OSError, *DAMAGED):
        return False


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def forget(folder: Path) -> None:
    """Remove a bundle's files, or the link to the board's own, which stay."""
    if folder.is_symlink():
        with suppress(OSError):
            os.unlink(folder)  # noqa: PTH108 - of the link, wherever it leads
    else:
        shutil.rmtree(folder, ignore_errors=True)
