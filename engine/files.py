"""What lies in the model folders, and hashes of models that change when any byte of them does. Light: no ONNX here."""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from .config import typed_path
from .errors import ModelRefused
from .onnxfile import is_plan as onnx_is_plan

PLANS = (".plan", ".engine", ".trt")
"""What files with plans of TensorRT end with."""


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
    return path.suffix in PLANS or onnx_is_plan(path)


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
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return hashlib.sha256(b"").hexdigest()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                total = hashlib.sha256(data)
                beside = sorted(set(_locations(data)))
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelRefused(f"cannot read the model {path} ({why})", fix="check the path; `ls` its folder") from None
    for name in beside:
        try:
            found = (path.parent / os.fsdecode(name)).stat()
            total.update(repr((name, found.st_size, found.st_mtime_ns)).encode())
        except (OSError, ValueError):
            total.update(repr(name).encode())
    return total.hexdigest()


def _locations(data: mmap.mmap) -> Iterator[bytes]:
    """Names of the files with external data, without parsing the model: a protobuf string is its length and its bytes."""
    for found in re.finditer(rb"\x0a\x08location\x12([\x80-\xff]?[\x00-\x7f])", data):
        length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(found[1]))
        yield data[found.end() : found.end() + length]
