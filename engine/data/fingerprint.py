"""A hash of a dataset for cache keys: what is asked of it, and what is in its files.

Apart from the readers because the supervisor needs it before any child runs: no numpy, no pillow.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..config import what_is
from ..errors import DataRefused
from ..schema.spec import Dataset
from ..system.hashing import add_file

if TYPE_CHECKING:
    from hashlib import blake2b

_HASHED_BYTES = 256 * 1024 * 1024
"""Up to this the content is hashed (a quarter of a second here); above it names, sizes and times of change stand for it."""


def fingerprint(dataset: Dataset) -> str:
    """32 hexadecimal digits that change when the description or the content does; where the files lie does not matter.

    Raises:
        DataRefused: a file is not there or cannot be read.
    """
    from hashlib import blake2b  # with OpenSSL, in a process that may have no data

    digest = blake2b(digest_size=16)
    digest.update(msgspec.json.encode(_without_places(dataset).described()))
    for path in (dataset.path, dataset.calibration):
        digest.update(b"\0part\0")
        if path:
            _add(digest, Path(path))
    if dataset.tokenizer:
        digest.update(b"\0tokenizer\0")
        _add(digest, Path(dataset.tokenizer))
    return digest.hexdigest()


def _without_places(dataset: Dataset) -> Dataset:
    return msgspec.structs.replace(dataset, path="", calibration="", tokenizer="", name="")


def samples_alone(dataset: Dataset) -> str:
    """32 hexadecimal digits of the files with the samples, whatever is asked of them and whatever else calibrates.

    Raises:
        DataRefused: a file is not there or cannot be read.
    """
    from hashlib import blake2b

    digest = blake2b(dataset.kind.encode(), digest_size=16)
    _add(digest, Path(dataset.path))
    return digest.hexdigest()


def _add(digest: blake2b, path: Path) -> None:
    try:
        files = sorted(_files(path)) if path.is_dir() else [path]
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise DataRefused(f"{path} is {what_is(path)} now", fix="give the run's data back, or start a new run")
        sizes = [file.stat().st_size for file in files]
        whole = sum(sizes) <= _HASHED_BYTES
        for file, size in zip(files, sizes, strict=True):
            name = str(file.relative_to(path)) if file != path else ""
            digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
            if whole:
                add_file(digest, file)
            else:
                digest.update(str(file.stat().st_mtime_ns).encode())
    except OSError as error:
        raise DataRefused(f"{error.filename} cannot be read ({error.strerror})", fix="check the dataset's files") from None


def _files(folder: Path) -> list[Path]:
    """Regular files below `folder`; dangling links are left to the reader, which names them."""
    return [Path(root, name) for root, _, names in os.walk(folder) for name in names if Path(root, name).is_file()]
