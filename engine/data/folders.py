"""Find image files in a folder or a zip, and the classes their folders name.

Apart from `images.py`, which decodes them. A zip is read in place and never extracted, so the names in it cannot lead anywhere.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused

_SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"])
_PARTS = frozenset(["train", "training", "val", "valid", "validation", "test", "testing"])
_LARGEST_BYTES = 64_000_000
"""A file that says (or turns out) to be larger is no photograph: a zip of zeros grows a thousandfold."""


class Store(Protocol):
    """Where the bytes of files come from."""

    def sizes(self) -> dict[str, int]:
        """Images in it: name to size in bytes."""

    def read(self, name: str) -> bytes:
        """The file's content.

        Raises:
            OSError: it cannot be read.
        """


@dataclass(frozen=True)
class Files:
    """Image files in a fixed order, and what their folders say."""

    store: Store
    names: tuple[str, ...]
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]
    mean_bytes: float

    def read(self, order: Sequence[int]) -> Iterator[tuple[str, bytes | OSError]]:
        """Name and content of the files asked for, one at a time; the error in place of what cannot be read."""
        for number in order:
            name = self.names[number]
            try:
                yield in_words(name), self.store.read(name)
            except OSError as error:
                yield in_words(name), error


def find_files(path: Path, *, labelled: bool) -> Files:
    """All images below `path`. Class folders give the labels, numbered in the order of their names (as numbers, where all are);
    images that lie flat have none. One folder around everything is looked through.

    Raises:
        DataRefused: not there, not a readable zip, no image in it, or parts (train, test) in place of classes.
    """
    if not path.exists():
        raise DataRefused(f"dataset {path} is not there", fix="check the path")
    store: Store = _Zip(path) if path.is_file() else _Folder(path)
    listed = store.sizes()
    if not listed:
        raise DataRefused(f"{path} is empty: no image in it", fix=f"put images into it ({' '.join(sorted(_SUFFIXES))})")
    names = sorted(listed)
    mean_bytes = sum(listed.values()) / len(listed)
    skip = _depth_around(names)
    inside = [name for name in names if name.count("/") > skip]
    if not labelled or not inside:
        return Files(store, tuple(names), None, (), mean_bytes)
    folder_of = [name.split("/")[skip] for name in inside]
    classes = _sorted_classes(set(folder_of) | (_empty_classes(path, inside, skip) if path.is_dir() else set()))
    if {word.lower() for word in classes} <= _PARTS:
        raise DataRefused(
            f"{path} holds parts ({', '.join(classes)}), not classes",
            fix=f"name one of them as the dataset, e.g. {path / classes[0]}" if path.is_dir() else "zip each part by itself",
        )
    number = {name: position for position, name in enumerate(classes)}
    labels = np.array([number[name] for name in folder_of], np.int64)
    return Files(store, tuple(inside), labels, tuple(map(in_words, classes)), mean_bytes)


def in_words(name: str) -> str:
    """A file's name as it can be written down: bytes that are no UTF-8 become replacement characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _depth_around(names: Sequence[str]) -> int:
    """How many folders are around everything and hold folders themselves: `root/cat/1.jpg` has one, `cat/1.jpg` none."""
    depth = 0
    while len({name.split("/")[depth] for name in names}) == 1 and all(name.count("/") > depth + 1 for name in names):
        depth += 1
    return depth


def _empty_classes(path: Path, names: Sequence[str], skip: int) -> set[str]:
    """Folders without an image keep their place among the classes."""
    root = path.joinpath(*names[0].split("/")[:skip])
    return {entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__"))}


def _sorted_classes(names: set[str]) -> tuple[str, ...]:
    numbers = all(name.isdecimal() for name in names)
    return tuple(sorted(names, key=(lambda name: (int(name), name)) if numbers else (lambda name: (0, name))))


def _wanted(name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    return not hidden and os.path.splitext(name)[1].lower() in _SUFFIXES  # noqa: PTH122


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def sizes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder, inner, files in os.walk(self._path, onerror=_refuse_folder):
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            for file in files:
                path = Path(folder, file)
                if path.exists() and not path.is_file():
                    continue  # a pipe would be waited at for ever
                if _wanted(name := path.relative_to(self._path).as_posix()):
                    # A dangling link has no size; it is met again, and named, when it is read.
                    found[name] = path.stat().st_size if path.exists() else 0
        return found

    def read(self, name: str) -> bytes:
        with (self._path / name).open("rb") as file:
            return _bounded(file.read(_LARGEST_BYTES + 1))


class _Zip:
    """Opened once: reading the directory of a zip of 10000 files takes 50 ms."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError):
            raise DataRefused(f"{path} is no zip, or a truncated or damaged one", fix="copy or download it again") from None
        except OSError as error:
            raise DataRefused(f"{path} cannot be read ({error.strerror})", fix="check its permissions") from None

        # Windows' own tools wrote backslashes into zips for years.
        entries = ((entry.filename.replace("\\", "/"), entry) for entry in self._archive.infolist())
        self._images = {name: entry for name, entry in entries if not name.endswith("/") and _wanted(name)}

    def sizes(self) -> dict[str, int]:
        if any(entry.flag_bits & 1 for entry in self._images.values()):
            raise DataRefused(f"{self._path} is encrypted", fix="zip it again without a password")
        return {name: entry.file_size for name, entry in self._images.items()}

    def read(self, name: str) -> bytes:
        try:
            with self._archive.open(self._images[name]) as file:
                return _bounded(file.read(_LARGEST_BYTES + 1))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise OSError(str(error) or "damaged in the zip") from None


def _refuse_folder(error: OSError) -> None:
    raise DataRefused(f"{error.filename} cannot be read ({error.strerror})", fix="check its permissions")


def _bounded(data: bytes) -> bytes:
    if len(data) > _LARGEST_BYTES:
        raise OSError(f"larger than {_LARGEST_BYTES / 1e6:.0f} MB")
    return data
