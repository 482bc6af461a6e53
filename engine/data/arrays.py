"""Samples from an .npz: one array for each input, and `labels`.

Apart from `images.py` because nothing is decoded here; what matters is that a large array is never whole in memory.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused, nearest
from ..schema.model_facts import TensorFacts
from ..system.reporter import Reporter
from .folders import DAMAGED_ZIP
from .known_ids import past
from .samples import NOTHING, Array, Pixels, Row, Truth, Truths, UnreadableSample

_NUMPY_NAMES = {"float": "float32", "double": "float64"}
_LABELS = "labels"
_LARGEST_LABEL = 2**31
_LARGEST_NUMBER = 1e100
_LARGEST_LABELS = 256_000_000
"""Bytes: labels are held whole."""
_NO_HEADER = (ValueError, SyntaxError, TokenError)
"""What numpy raises where an array's header, a line of Python, is damaged."""


@dataclass(frozen=True)
class ArrayMember:
    """An array in the archive, by its header alone."""

    entry: zipfile.ZipInfo
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    header_bytes: int

    @property
    def row_bytes(self) -> int:
        """Of one sample."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True)
class _Feed:
    """Which array feeds which input, and how."""

    member: ArrayMember
    dtype: np.dtype[np.generic]
    whole: bool
    """A row is the whole input, batch axis included."""


def open_arrays(
    path: Path,
    inputs: Sequence[TensorFacts],
    shapes: Mapping[str, tuple[int, ...]],
    known_ids: Mapping[str, int],
    *,
    labels: Truth,
    say: Reporter,
) -> Arrays:
    """Match the arrays of `path` with the model's inputs. `labels`: what the array of that name is used for; `known_ids`:
    how many ids an input may have, where that is known.

    Raises:
        DataRefused: not an .npz, an array missing, or one whose shape or type does not fit.
    """
    members = members_of(path)
    an_input = any(tensor.name == _LABELS for tensor in inputs)
    data = {name: member for name, member in members.items() if name != _LABELS or an_input}
    if not data:
        raise DataRefused(f"{path} is empty: no array in it", fix="save one array for each input of the model")
    feeds = {}
    for tensor in inputs:
        name = tensor.name if tensor.name in data else next(iter(data)) if len(inputs) == len(data) == 1 else ""
        if not name:
            wanted = ", ".join(one.name for one in inputs)
            raise DataRefused(
                f"{path} has no array for input {tensor.name}", fix=f"name its arrays {wanted}; {nearest(tensor.name, data)}"
            )
        feeds[tensor.name] = _fitting(name, data[name], tensor, shapes.get(tensor.name, ()))
    if unused := sorted(set(data) - set(feeds)) if len(data) > len(feeds) else []:
        say.note(f"{path.name}: no input is named {', '.join(unused)}; left aside")
    counts = {name: feed.member.shape[0] for name, feed in feeds.items()}
    if len(set(counts.values())) > 1:
        raise DataRefused(
            f"the arrays of {path} differ in their number of samples ({counts})", fix="save as many of one as of the other"
        )
    count = next(iter(counts.values()))
    own = _LABELS in members and not an_input
    if not own or not labels:
        return Arrays(path, feeds, count, known_ids)
    if labels == "numbers":
        return Arrays(path, feeds, count, known_ids, numbers=_numbers(path, members[_LABELS], count))
    return Arrays(path, feeds, count, known_ids, labels=class_labels(path, members[_LABELS], count))


class Arrays:
    """See `samples.Reader`."""

    classes: tuple[str, ...] = ()
    assumed = ""
    pixels: Pixels | None = None
    points: int | None = None

    def __init__(
        self,
        path: Path,
        feeds: dict[str, _Feed],
        count: int,
        known_ids: Mapping[str, int],
        *,
        labels: NDArray[np.int64] | None = None,
        numbers: NDArray[np.float64] | None = None,
    ) -> None:
        self._path = path
        self._feeds = feeds
        self._count = count
        self.labels = labels
        self._targets = numbers
        self._known_ids = known_ids
        self.truth: Truth = "classes" if labels is not None else "numbers" if numbers is not None else ""
        self._whole = any(feed.whole for feed in feeds.values())
        self.largest_batch = 1 if self._whole else None

    def __len__(self) -> int:
        """The length of every array's first axis."""
        return self._count

    def name(self, number: int) -> str:
        """Its place along the first axis, from 0."""
        return f"sample {number}"

    def rows(self, order: Sequence[int]) -> Iterator[Row | UnreadableSample]:
        """Rows in ascending order: from their place in the file where an array is stored, else from one pass of decompression.

        Raises:
            DataRefused: the compressed data are damaged.
        """
        try:
            with zipfile.ZipFile(self._path) as archive, ExitStack() as stack:
                sources = {}
                for name, feed in self._feeds.items():
                    sources[name] = _source(self._path, archive, feed.member)
                    stack.callback(sources[name].close)
                for number in order:
                    row = {name: self._row(name, source.row(number)) for name, source in sources.items()}
                    why = next(filter(None, (past(name, row[name], self._known_ids) for name in row)), "")
                    yield UnreadableSample(f"{self._path.name}, {self.name(number)}", why) if why else row
        except (
            *DAMAGED_ZIP,
            OSError,
            struct.error,
        ) as error:  # also where another file has taken its place since the headers were read
            raise DataRefused(f"{self._path} is damaged ({error})", fix="save it again") from None

    def _row(self, name: str, data: bytes) -> Array:
        feed = self._feeds[name]
        row = np.frombuffer(data, feed.member.dtype).reshape(feed.member.shape[1:])
        with np.errstate(over="ignore"):
            made = row.astype(feed.dtype)
        exact = feed.dtype.kind in "iu"
        if not np.array_equal(made, row) if exact else (np.isinf(made) & np.isfinite(row)).any():
            raise DataRefused(
                f"array for input {name} has numbers that do not fit {feed.dtype}",
                fix=f"save it as {feed.dtype} in the first place",
            )
        return made

    def pack(self, rows: list[Row]) -> dict[str, Array]:
        """Rows stacked; a whole input as it is."""
        if self._whole:
            return {name: rows[0][name] if feed.whole else rows[0][name][None] for name, feed in self._feeds.items()}
        return {name: np.stack([row[name] for row in rows]) for name in self._feeds}

    def frames(self, order: Sequence[int], most_bytes: int) -> None:
        """None: arrays are no image files."""

    def truths(self, rows: Sequence[Row], numbers: Sequence[int]) -> Truths:
        """The numbers that shall be told, where they are what is right."""
        del rows
        return NOTHING if self._targets is None else Truths(numbers=self._targets[list(numbers)])


class _Source(Protocol):
    def row(self, number: int) -> bytes: ...

    def close(self) -> None: ...


class _Stored:
    """A stored member: its bytes lie in the file as they are. Read, not mapped: mapped pages count as the process's memory."""

    def __init__(self, path: Path, member: ArrayMember, start: int) -> None:
        self._file = path.open("rb")
        self._start, self._row_bytes = start, member.row_bytes

    def row(self, number: int) -> bytes:
        self._file.seek(self._start + number * self._row_bytes)
        data = self._file.read(self._row_bytes)
        if len(data) < self._row_bytes:
            raise EOFError("ends too early")
        return data

    def close(self) -> None:
        self._file.close()


class _Inflated:
    """A compressed member: rows that are not wanted are decompressed and dropped."""

    def __init__(self, archive: zipfile.ZipFile, member: ArrayMember) -> None:
        self._file: IO[bytes] = archive.open(member.entry)
        self._file.read(member.header_bytes)
        self._next, self._row_bytes = 0, member.row_bytes

    def row(self, number: int) -> bytes:
        while self._next <= number:
            data = self._file.read(self._row_bytes)
            if len(data) < self._row_bytes:
                raise EOFError("ends too early")
            self._next += 1
        return data

    def close(self) -> None:
        self._file.close()


def _source(path: Path, archive: zipfile.ZipFile, member: ArrayMember) -> _Source:
    if member.entry.compress_type != zipfile.ZIP_STORED:
        return _Inflated(archive, member)
    with path.open("rb") as file:  # the local header repeats name and extra field, of lengths of its own
        file.seek(member.entry.header_offset + 26)
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
    start = member.entry.header_offset + 30 + name_bytes + extra_bytes + member.header_bytes
    return _Stored(path, member, start)


def members_of(path: Path) -> dict[str, ArrayMember]:
    """The arrays of an .npz, by their headers alone.

    Raises:
        DataRefused: it is none, or an array of it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
            return {entry.filename[:-4]: _member(path, archive, entry) for entry in entries}
    except DAMAGED_ZIP:
        raise DataRefused(f"{path} is not an .npz file, or a truncated one", fix="save it again with numpy.savez") from None
    except OSError as error:
        raise DataRefused(
            f"{path} cannot be read ({error.strerror or error})", fix="check the path and its permissions"
        ) from None


def _member(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> ArrayMember:
    name = entry.filename[:-4]
    try:
        with archive.open(entry) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_column, dtype = read(file)
            header_bytes = file.tell()
    except _NO_HEADER as error:
        raise DataRefused(f"array {name} of {path} cannot be read ({error})", fix="save it again with numpy.savez") from None
    if dtype.hasobject or dtype.kind not in "fiub":
        raise DataRefused(f"array {name} of {path} holds {dtype}, not numbers", fix="save numbers of a fixed type")
    if by_column and len(shape) > 1:
        raise DataRefused(f"array {name} of {path} is stored column by column", fix="save it through numpy.ascontiguousarray")
    member = ArrayMember(entry, dtype, tuple(shape), header_bytes)
    if not shape:
        raise DataRefused(f"array {name} of {path} is a single number", fix="save one row for each sample")
    if entry.file_size != header_bytes + member.row_bytes * shape[0]:
        raise DataRefused(f"array {name} of {path} is shorter than its header says", fix="save it again")
    return member


def _fitting(name: str, member: ArrayMember, tensor: TensorFacts, shape: tuple[int, ...]) -> _Feed:
    try:
        wanted = np.dtype(_NUMPY_NAMES.get(tensor.dtype, tensor.dtype))
    except TypeError:
        raise DataRefused(
            f"input {tensor.name} is of type {tensor.dtype}", fix="export the model with numbers as inputs"
        ) from None
    row = member.shape[1:]
    if row not in (shape, shape[1:]):
        raise DataRefused(
            f"array {name} has samples of shape {list(row)}, and input {tensor.name} wants {list(shape[1:])}",
            fix=f"save it with shape [samples, {', '.join(map(str, shape[1:]))}]",
        )
    if not np.can_cast(member.dtype, wanted, "same_kind"):
        raise DataRefused(f"array {name} is {member.dtype}, and input {tensor.name} wants {wanted}", fix=f"save it as {wanted}")
    return _Feed(member, wanted, whole=row == shape)


def _whole(path: Path, member: ArrayMember) -> Array:
    if member.row_bytes * member.shape[0] > _LARGEST_LABELS:
        raise DataRefused(f"`labels` of {path} takes over {_LARGEST_LABELS / 1e6:.0f} MB", fix="save one label a sample")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[_LABELS])
    except (*DAMAGED_ZIP, *_NO_HEADER, OSError) as error:
        raise DataRefused(f"`labels` of {path} is damaged ({error})", fix="save it again") from None


def _numbers(path: Path, member: ArrayMember, count: int) -> NDArray[np.float64]:
    """What shall be told, shape (count, ...)."""
    found = _whole(path, member).astype(np.float64)
    if len(found) != count:
        raise DataRefused(f"`labels` of {path} is of {len(found)} samples, and there are {count}", fix="save one for each")
    if np.abs(found, where=np.isfinite(found), out=np.zeros_like(found)).max(initial=0) > _LARGEST_NUMBER:
        raise DataRefused(
            f"`labels` of {path} has numbers beyond {_LARGEST_NUMBER:g}, whose squares are none",
            fix="save them in a larger unit",
        )
    if not np.isfinite(found).all():
        broken = int((~np.isfinite(found.reshape(count, -1))).any(axis=1).sum())
        raise DataRefused(f"`labels` of {path} is no number for {broken} of {count} samples", fix="leave those samples out")
    return found


def class_labels(path: Path, member: ArrayMember, count: int) -> NDArray[np.int64]:
    """The class of each of `count` samples.

    Raises:
        DataRefused: they are no classes, or not as many.
    """
    whole = _whole(path, member).reshape(-1)
    odd = member.dtype.kind not in "iu" or len(whole) != count
    low, high = (0, 0) if odd or not len(whole) else (int(whole.min()), int(whole.max()))
    if odd or low < 0 or high > _LARGEST_LABEL:
        raise DataRefused(
            f"`labels` of {path} is {member.dtype} of shape {list(member.shape)}" + ("" if odd else f", from {low} to {high}"),
            fix=f"save one whole number from 0 for each of the {count} samples"
            + (', or set task = "regression" in a dataset\'s TOML file' if member.dtype.kind == "f" else ""),
        )
    return whole.astype(np.int64)
