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
from ..library.annotated_images import IMAGE_SUFFIXES, is_hidden, suffix_of
from ..library.dataset_parts import PARTS

try:
    from lzma import LZMAError
except ImportError:  # a Python built without it reads no such zip
    LZMAError = zlib.error  # type: ignore[misc,assignment]

DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, RuntimeError)
"""What reading a zip raises, beside OSError. RuntimeError: encrypted, or packed in a way that this Python does not know."""
_LARGEST_BYTES = 64_000_000
"""A file that says (or turns out) to be larger is no photograph: a zip of zeros grows a thousandfold."""


class Store(Protocol):
    """Where the bytes of files come from."""

    outside: int
    """Names in it that lead out of it (`../`); they are passed over."""

    def files(self) -> dict[str, int]:
        """Files in it that are not hidden: name to size in bytes."""

    def read(self, name: str) -> bytes:
        """The file's content.

        Raises:
            OSError: it cannot be read.
        """


@dataclass(frozen=True)
class ImageFiles:
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
                yield readable_name(name), self.store.read(name)
            except OSError as error:
                yield readable_name(name), error


def find_files(path: Path, *, labelled: bool, classes: Sequence[str] = ()) -> ImageFiles:
    """All images below `path`. Class folders give the labels, numbered in the order of their names (as numbers, where all are);
    images that lie flat have none. One folder around everything is looked through. `classes`: their order, where it is said.

    Raises:
        DataRefused: not there, not a readable zip, no image in it, parts (train, test) in place of classes, or folders that are
            none of `classes`.
    """
    store = open_store(path)
    listed = images_in(store, path)
    names = sorted(listed)
    mean_bytes = sum(listed.values()) / len(listed)
    skip = _depth_around(names)
    inside = [name for name in names if name.count("/") > skip]
    if not labelled or not inside:
        return ImageFiles(store, tuple(names), None, (), mean_bytes)
    folder_of = [name.split("/")[skip] for name in inside]
    found = _sorted_classes(set(folder_of) | (_empty_classes(path, inside, skip) if path.is_dir() else set()))
    if {word.lower() for word in found} <= PARTS:
        raise DataRefused(
            f"{path} holds parts ({', '.join(found)}), not classes",
            fix=f"name one of them as the dataset, e.g. {path / found[0]}" if path.is_dir() else "zip each part by itself",
        )
    if classes and (foreign := [name for name in dict.fromkeys(folder_of) if name not in classes]):
        raise DataRefused(
            f"{path} has folders that are none of `classes`: {', '.join(map(readable_name, foreign[:5]))}",
            fix="write all of the model's classes, in the order of its outputs and as the folders are called",
        )
    classes = tuple(classes) or found
    number = {name: position for position, name in reversed(list(enumerate(classes)))}
    labels = np.array([number[name] for name in folder_of], np.int64)
    return ImageFiles(store, tuple(inside), labels, tuple(map(readable_name, classes)), mean_bytes)


def open_store(path: Path) -> Store:
    """A folder, or a zip that is read in place.

    Raises:
        DataRefused: not there, or not a readable zip.
    """
    if not path.exists():
        raise DataRefused(f"dataset {path} is not there", fix="check the path")
    return _Zip(path) if path.is_file() else _Folder(path)


def images_in(store: Store, path: Path) -> dict[str, int]:
    """Images of `store`, which is of `path`: name to size in bytes.

    Raises:
        DataRefused: there is none, or the zip wants a password.
    """
    listed = {name: size for name, size in store.files().items() if suffix_of(name) in IMAGE_SUFFIXES}
    if not listed:
        out = f", and {store.outside} names in it lead out of it (../), which are passed over" if store.outside else ""
        raise DataRefused(
            f"{path} is empty: no image in it{out}", fix=f"put images into it ({' '.join(sorted(IMAGE_SUFFIXES))})"
        )
    return listed


def readable_name(name: str) -> str:
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


class _Folder:
    outside = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    def files(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder, inner, files in os.walk(self._path, onerror=_refuse_folder):
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            for file in files:
                path = Path(folder, file)
                if path.exists() and not path.is_file():
                    continue  # a pipe would be waited at for ever
                if not is_hidden(name := path.relative_to(self._path).as_posix()):
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
            raise DataRefused(
                f"{path} is not a zip file, or a truncated or damaged one", fix="copy or download it again"
            ) from None
        except OSError as error:
            raise DataRefused(f"{path} cannot be read ({error.strerror})", fix="check its permissions") from None

        # Windows' own tools wrote backslashes into zips for years.
        entries = [(entry.filename.replace("\\", "/"), entry) for entry in self._archive.infolist()]
        self.outside = sum(".." in name.split("/") for name, _ in entries)
        self._entries = {name: entry for name, entry in entries if not name.endswith("/") and not is_hidden(name)}

    def files(self) -> dict[str, int]:
        if any(entry.flag_bits & 1 for entry in self._entries.values()):
            raise DataRefused(f"{self._path} is encrypted", fix="zip it again without a password")
        return {name: entry.file_size for name, entry in self._entries.items()}

    def read(self, name: str) -> bytes:
        try:
            with self._archive.open(self._entries[name]) as file:
                return _bounded(file.read(_LARGEST_BYTES + 1))
        except DAMAGED_ZIP as error:
            raise OSError(str(error) or "damaged in the zip") from None


def _refuse_folder(error: OSError) -> None:
    raise DataRefused(f"{error.filename} cannot be read ({error.strerror})", fix="check its permissions")


def _bounded(data: bytes) -> bytes:
    if len(data) > _LARGEST_BYTES:
        raise OSError(f"larger than {_LARGEST_BYTES / 1e6:.0f} MB")
    return data
