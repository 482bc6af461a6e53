"""What lies in the model folders, and hashes of models that change when any byte of them does. Light: no ONNX here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from ..backends.cards import by_suffix, owner
from ..config import typed_path
from ..errors import Fix, ModelRefused
from ..schema.model_facts import ModelFacts

if TYPE_CHECKING:
    import hashlib

_READ_BYTES = 1 << 20
_SEAM_BYTES = 1 << 15
"""More than the longest name with what stands before it."""


class ModelFile(Struct, frozen=True, kw_only=True):
    """An ONNX file in a model folder."""

    path: str
    size_bytes: int


class Folder(Struct, frozen=True, kw_only=True):
    """A model folder and what is in it."""

    path: str
    models: tuple[ModelFile, ...] = ()
    error: str = ""
    """Why it could not be read; empty: it was."""


def is_plan(path: Path) -> bool:
    """Whether a file is what a backend loads, not a model: told by its name, or by what `build` left in it."""
    return owner(path) is not None


def backend_of(path: Path, chosen: str | None) -> str | None:
    """The backend whose plan a file is by its name; else the one that is chosen."""
    card = by_suffix(path)
    return card.name if card else chosen


def list_folder(folder: str) -> Folder:
    """The .onnx files of a folder and of the folders in it, sorted by path."""
    root = typed_path(folder)
    if not os.path.isdir(root):  # noqa: PTH112  (a name that is too long is no error there)
        return Folder(path=folder, error="there is no such folder")
    try:
        found = [
            ModelFile(path=str(path), size_bytes=path.stat().st_size)
            for pattern in ("*.onnx", "*/*.onnx")
            for path in root.glob(pattern)
            if path.is_file()
        ]
    except OSError as error:
        return Folder(path=folder, error=error.strerror or str(error))
    return Folder(path=folder, models=tuple(sorted(found, key=lambda m: m.path)))


def model_hash(path: Path) -> str:
    """SHA-256 of a model file; of one with external data also the names, sizes and times of the files that hold them.

    Raises:
        ModelRefused: it cannot be read.
    """
    total, beside = _read(path)
    for name in sorted(beside):
        try:
            found = (path.parent / os.fsdecode(name)).stat()
            total.update(repr((name, found.st_size, found.st_mtime_ns)).encode())
        except (OSError, ValueError):
            total.update(repr(name).encode())
    return total.hexdigest()


def files_beside(path: Path) -> list[str]:
    """Names of the files that go with a model or a plan, below its folder, that are there.

    Raises:
        ModelRefused: it cannot be read.
    """
    card = by_suffix(path)
    own = [path.name + end for end in card.beside_plans] if card is not None else []
    return [*(name for name in own if (path.parent / name).is_file()), *external_files(path)]


def external_files(path: Path) -> list[str]:
    """Names of the files that hold a model's external data, below its folder, that are there.

    Raises:
        ModelRefused: the model cannot be read.
    """
    if path.suffix.lower() != ".onnx":
        return []
    names = sorted(os.fsdecode(name) for name in _read(path)[1] if b"\0" not in name)
    inside = [name for name in names if not Path(name).is_absolute() and ".." not in Path(name).parts]
    return [name for name in inside if (path.parent / name).is_file()]


def _read(path: Path) -> tuple[hashlib._Hash, set[bytes]]:
    """The hash of a model file, and what it names as external data.

    The file is read and not mapped: a mapped one that is copied over meanwhile ends the process with SIGBUS.
    """
    import hashlib

    total, beside, before = hashlib.sha256(), set[bytes](), b""
    buffer = memoryview(bytearray(_READ_BYTES))
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                part = buffer[:count]
                total.update(part)
                beside.update(_locations(part))
                beside.update(_locations(before + part[:_SEAM_BYTES]))
                before = (before + part[-_SEAM_BYTES:])[-_SEAM_BYTES:]
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelRefused(f"cannot read the model {path} ({why})", fix="check the path; `ls` its folder") from None
    return total, beside


def _locations(data: bytes | memoryview) -> Iterator[bytes]:
    """Names of the files with external data, without parsing the model: a protobuf string is its length and its bytes."""
    for found in re.finditer(rb"\x0a\x08location\x12([\x80-\xff]?[\x00-\x7f])", data):
        length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(found[1]))
        name = bytes(data[found.end() : found.end() + length])
        if len(name) == length:  # else it goes on in the next part
            yield name


def open_axes(facts: ModelFacts) -> ModelRefused:
    """The error for axes without a size, with the flags that give them."""
    return ModelRefused(
        f"{facts.name} has axes without a size", fix=Fix("give each `?` a number: {}", "shape", facts.open_axes)
    )
