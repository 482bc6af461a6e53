"""What lies in the model folders, and hashes of models that change when any byte of them does. Light: no ONNX here."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from msgspec import Struct

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
    root = Path(folder).expanduser()
    if not root.is_dir():
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
    """SHA-256 of a model file; of one with external data also the names, sizes and times of its neighbours.

    Raises:
        ModelRefused: it cannot be read.
    """
    total = hashlib.sha256()
    outside = False
    try:
        with path.open("rb") as file:
            tail = b""
            while block := file.read(1 << 20):
                total.update(block)
                outside = outside or b"location" in tail + block
                tail = block[-8:]
        if outside:
            with os.scandir(path.parent) as entries:
                near = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries if e.is_file())
            total.update(repr(near).encode())
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelRefused(f"cannot read the model {path} ({why})", fix="check the path; `ls` its folder") from None
    return total.hexdigest()
