"""Files that a run needs, by what is in them: a model with its external data, a dataset. Here: what is sent, and in which
pieces; `received.py` is the other end.

A bundle is a stream: its files one behind the other. How many bytes of it a board has says where to go on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..errors import DataRefused
from ..library.models import files_beside
from ..schema.spec import RunSpec
from ..system.hashing import sha256_of

PIECE_BYTES = 4 << 20
"""At once: 100 MB as one argument took the scheduler to 561 MB, so to 82."""
_MOST_FILES = 200_000
MARK = "bundle:"
"""Begins a path that stands for one in a bundle: `bundle:ID/NAME`."""


class BundleFile(Struct, frozen=True, kw_only=True):
    """A file of a bundle."""

    name: str
    """Relative, with slashes."""
    size_bytes: int
    sha256: str


class Bundle(Struct, frozen=True, kw_only=True):
    """Files that go together."""

    id: str
    """Hash of names and contents."""
    files: tuple[BundleFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)


class PackedBundle(Struct, frozen=True, kw_only=True):
    """A bundle, and where it lies here."""

    bundle: Bundle
    root: Path

    def piece(self, offset: int) -> bytes:
        """The next bytes of the stream from `offset` on; empty: that was the end.

        Raises:
            OSError: a file cannot be read.
            DataRefused: a file has become shorter.
        """
        found = bytearray()
        for file in self.bundle.files:
            if offset >= file.size_bytes:
                offset -= file.size_bytes
                continue
            with (self.root / file.name).open("rb") as stream:
                stream.seek(offset)
                part = stream.read(min(PIECE_BYTES - len(found), file.size_bytes - offset))
            if not part:
                raise DataRefused(f"{self.root / file.name} has changed while it was sent", fix="ask again")
            found += part
            if len(found) == PIECE_BYTES or offset + len(part) < file.size_bytes:
                break
            offset = 0
        return bytes(found)


def pack(root: Path, names: Iterable[str]) -> PackedBundle:
    """Files of a folder as a bundle.

    Raises:
        OSError: one cannot be read.
    """
    files = tuple(
        BundleFile(name=name, size_bytes=(root / name).stat().st_size, sha256=sha256_of([root / name])) for name in names
    )
    told = msgspec.json.encode([(file.name, file.size_bytes, file.sha256) for file in files])
    return PackedBundle(bundle=Bundle(id=hashlib.sha256(told).hexdigest()[:32], files=files), root=root)


def pack_path(path: Path) -> tuple[PackedBundle, str]:
    """A file or folder as a bundle, and what it is called in it; empty: the bundle's own folder is it.

    Raises:
        DataRefused: it is not there, cannot be read, or is a folder of too many files.
    """
    try:
        if path.is_dir():
            names = sorted(names_below(path))
            if len(names) > _MOST_FILES:
                raise DataRefused(f"{path} has {len(names)} files", fix="pack it as a zip, which is read as it is")
            return pack(path, names), ""
        return pack(path.parent, [path.name, *files_beside(path)]), path.name
    except OSError as error:
        raise DataRefused(f"cannot read {error.filename or path} ({error.strerror})", fix="check the path") from None


def names_below(folder: Path) -> list[str]:
    """All files below a folder, relative to it, with slashes."""
    walked = os.walk(folder, followlinks=True)
    return [(Path(root) / file).relative_to(folder).as_posix() for root, _, files in walked for file in files]


def portable(
    plain: Plain, paths: Iterable[str], known: dict[str, tuple[PackedBundle, str]]
) -> tuple[bytes, dict[str, PackedBundle]]:
    """What is asked as JSON in which `paths` stand for what lies there, and the bundles that they stand for by their ids.
    `known`: paths that were read before; what is read is added to it.

    Raises:
        DataRefused: a file cannot be read.
    """
    packed: dict[str, PackedBundle] = {}
    marks: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        known[path] = known.get(path) or pack_path(Path(path))
        found, name = known[path]
        packed[found.bundle.id] = found
        marks[path] = f"{MARK}{found.bundle.id}/{name}"
    return msgspec.json.encode(replaced(plain, marks)), packed


def paths_of(spec: RunSpec) -> list[str]:
    """Of all files that the run reads."""
    data = [each for each in (spec.dataset, spec.calibration) if each is not None]
    paths = [path for each in data for path in (each.path, each.calibration, each.tokenizer)]
    files = [file for step in spec.recipe.active for file in step.files]
    return list(filter(None, [spec.model, *paths, *files]))


def data_names(spec: RunSpec) -> dict[str, str]:
    """Where the samples lie, to what the dataset is called."""
    return {each.path: each.name for each in (spec.calibration, spec.dataset) if each is not None and each.name}


Plain = dict[str, Any] | list[Any] | str | float | bool | None
"""What JSON holds."""


def replaced(value: Plain, marks: dict[str, str]) -> Plain:
    """The same with texts replaced by what `marks` says of them, also before a colon, as in `FILE:FUNCTION`."""
    if isinstance(value, str):
        before, colon, behind = value.rpartition(":")
        return marks.get(value) or (f"{marks[before]}:{behind}" if colon and before in marks else value)
    if isinstance(value, dict):
        return {key: replaced(inner, marks) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(inner, marks) for inner in value]
    return value
