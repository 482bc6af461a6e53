"""Samples: what calibration and evaluation iterate over, whatever the files are.

Apart from the readers (`images.py`, `arrays.py`) because order, balance, batching and broken files are the same for all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..system.reporter import Reporter
from ..tasks.boxes import Scene
from ..tasks.masks import MaskedScene
from ..tasks.poses import PosedScene

if TYPE_CHECKING:
    from .frames import Frames

Array = NDArray[np.generic]
Row = dict[str, Array]
Truth = Literal["", "classes", "boxes", "keypoints", "masks", "numbers"]
"""What labels of samples are; empty: there are none."""

_HELD_BYTES = 64 * 1024 * 1024
"""Of samples that wait for their turn in a random order."""
_NAMED = 5
"""Broken files that are named one by one; the others are only counted."""


@dataclass(frozen=True)
class UnreadableSample:
    """A sample that cannot be read, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Truths:
    """What is right of some samples, where that is no class each; what nobody says is empty."""

    scenes: tuple[Scene, ...] = ()
    """Boxes in each image."""
    poses: tuple[PosedScene, ...] = ()
    """Keypoints in each image."""
    masks: tuple[MaskedScene, ...] = ()
    """The class of each pixel of each image."""
    numbers: NDArray[np.float64] | None = None
    """Shape (n, ...)."""


NOTHING = Truths()


@dataclass(frozen=True)
class Batch:
    """Samples stacked along the first axis."""

    feeds: dict[str, Array]
    """Input name to an array of shape (n, ...) in the model's own type."""
    labels: NDArray[np.int64] | None
    """Class of each sample, shape (n,); None: the dataset has no labels."""
    n: int
    truths: Truths = NOTHING
    """What is right of the `n` samples, beside classes."""


@dataclass(frozen=True)
class Pixels:
    """How a feed was made of pixels, `pixel * gain + offset` channel by channel, so that it can be tried otherwise."""

    name: str
    axis: int
    """Which axis of the feed has the channels: 1 or 3."""
    gain: tuple[float, ...]
    """One number a channel, in the feed's order."""
    offset: tuple[float, ...]
    bgr: bool
    """Blue comes first."""
    whole: bool
    """The model takes whole pixels, 0 to 255: nothing is subtracted or divided."""


class Reader(Protocol):
    """What a kind of dataset has to offer; samples are numbered from 0."""

    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]
    """Names in the order of their numbers; empty: not known."""
    largest_batch: int | None
    """None: any."""
    assumed: str
    """How samples become the input where nobody has said it, in words; empty: nothing is assumed."""
    pixels: Pixels | None
    """None: the input is not made of pixels here."""
    truth: Truth
    """What is known to be right of each sample."""
    points: int | None
    """Keypoints of a pose; None: there are no poses."""

    def __len__(self) -> int:
        """How many samples there are, broken ones included."""

    def name(self, number: int) -> str:
        """What a sample is called in its files: `cat/0017.png`, `line 12`."""

    def rows(self, order: Sequence[int]) -> Iterator[Row | UnreadableSample]:
        """Samples in the (ascending) order asked for, one at a time: memory does not grow with their number."""

    def pack(self, rows: list[Row]) -> dict[str, Array]:
        """Rows as one batch of feeds."""

    def frames(self, order: Sequence[int], most_bytes: int) -> Frames | None:
        """The files behind some samples as they lie, so many bytes of them at most; None: samples are no image files."""

    def truths(self, rows: Sequence[Row], numbers: Sequence[int]) -> Truths:
        """What is right of the samples that `rows` are of, and `numbers` too, beside their labels."""


class Samples:
    """A part of a dataset, iterated again as often as wanted, always in the order of the files."""

    def __init__(self, reader: Reader, order: NDArray[np.int64], source: str, say: Reporter) -> None:
        self._reader = reader
        self._order = order
        self._reserve = order[:0]
        self._say = say
        self.source = source
        """Where the samples came from, in words, e.g. `10 % of test.zip (seed 0)`."""
        self.classes = reader.classes
        """Class names in the order of the labels' numbers; empty: not known, or no labels."""
        self.labels = reader.labels is not None
        """Whether batches have labels."""
        self.truth: Truth = reader.truth
        """What batches say is right."""
        self.points = reader.points
        """Keypoints of a pose, where batches have poses."""
        self.pixels = reader.pixels
        """How the feeds were made of pixels; None: they were not."""
        self._first_why = ""
        """Of the first broken sample met."""
        self.skipped: list[str] = []
        """Broken samples met so far, in the order met."""
        self.read = 0
        """Samples that the last going through them has given, broken ones not among them."""
        self._given = array("q")
        """Their numbers, where they were given in the order of the files."""

    def __len__(self) -> int:
        """Samples asked for; broken ones, known only once met, are counted."""
        return len(self._order)

    def names(self) -> list[str]:
        """What the samples are called that `batches` has given last, in that order."""
        return [self._reader.name(number) for number in self._given]

    def take(self, n: int) -> Samples:
        """The first `n` of the seeded, class-balanced order. A broken one is made up for by the next that is whole, as long as
        there are any; broken files count for this part and for the taken one alike.
        """
        part = Samples(self._reader, self._order[:n], self.source, self._say)
        part._reserve = np.concatenate([self._order[n:], self._reserve])
        part.skipped = self.skipped
        return part

    def half(self, first: int) -> Samples:
        """Every other one of each class in the seeded order, from its `first` (0 or 1) on. Neither half makes up for a broken
        one of its own.

        Every other one of the order itself gave one half 147 and the other 353 of the 500 dogs of CIFAR-10's test set: classes
        keep their places from round to round for long.
        """
        places, rounds = _rounds(self.known_labels() if self.labels else np.zeros(len(self._order), np.int64))
        source = f"every other one of {self.source}"
        part = Samples(self._reader, self._order[(rounds + places) % 2 == first], source, self._say)
        part.skipped = self.skipped
        return part

    def apart(self, n: int) -> tuple[Samples, Samples]:
        """All but the last `n` of the seeded, class-balanced order, and those: neither makes up for a broken one of its own."""
        parts = []
        for order in (self._order[: len(self) - n], self._order[len(self) - n :]):
            part = Samples(self._reader, order, self.source, self._say)
            part.skipped = self.skipped
            parts.append(part)
        return parts[0], parts[1]

    def batches(self, size: int, *, padded: bool = False) -> Iterator[Batch]:
        """All samples in batches of `size`, the last one shorter; or, `padded`, filled with its last sample, for a model whose
        batch is fixed (`n` and `labels` still tell of real samples only). One batch is in memory at a time.

        Raises:
            DataRefused: not one sample can be read.
        """
        size = min(size, self._reader.largest_batch or size)
        rows: list[Row] = []
        numbers: list[int] = []
        self.read, self._given = 0, array("q")
        for number, row in self._whole():
            rows.append(row)
            numbers.append(number)
            self._given.append(number)
            self.read += 1
            if len(rows) == size:
                yield self._batch(rows, numbers)
                rows, numbers = [], []
        if rows:
            yield self._batch(rows + rows[-1:] * (size - len(rows) if padded else 0), numbers)
        if not self.read:
            raise self._unreadable()

    def frames(self, most: int) -> Frames | None:
        """Image files of the first `most` samples, whole ones, to be decoded again and again; None: they are no image files.

        Raises:
            DataRefused: not one can be read.
        """
        found = self._reader.frames(self._order[:most].tolist(), _HELD_BYTES)
        if found is not None and not len(found):
            raise self._unreadable()
        return found

    def scenes_of(self, frames: Frames) -> list[Scene | None]:
        """What is in each of the images that `frames` of these samples hold; None: nobody says, or not of this size."""
        order = self._order[frames.places].tolist()
        found: list[Scene | None] = []
        for number in order:
            row = next(iter(self._reader.rows([number])))
            scenes = () if isinstance(row, UnreadableSample) else self._reader.truths([row], [number]).scenes
            found.append(scenes[0] if scenes else None)
        return found

    def known_labels(self) -> NDArray[np.int64]:
        """The labels of all samples asked for, broken ones included; empty when there are none."""
        return np.empty(0, np.int64) if self._reader.labels is None else self._reader.labels[self._order]

    def shuffled(self, size: int, draw: np.random.Generator) -> Iterator[Batch]:
        """All samples once, in an order that is drawn anew, in batches of `size`, the last one shorter.

        Readers go through their files from front to end: a random share of all samples, as many as 64 MiB hold, is read in that
        order and mixed in memory, then the next. Broken ones are left out.

        Raises:
            DataRefused: not one sample can be read.
        """
        size = min(size, self._reader.largest_batch or size)
        order = draw.permutation(self._order)
        share = max(_HELD_BYTES // self._row_bytes(), size)
        waiting: list[tuple[int, Row]] = []
        self.read = 0
        for start in range(0, len(order), share):
            held = self._read(np.sort(order[start : start + share]).tolist())
            self.read += len(held)
            waiting += [held[place] for place in draw.permutation(len(held))]
            last = start + share >= len(order)
            while len(waiting) >= size or (waiting and last):
                now, waiting = waiting[:size], waiting[size:]
                yield self._batch([row for _, row in now], [number for number, _ in now])

    def _read(self, order: list[int]) -> list[tuple[int, Row]]:
        found: list[tuple[int, Row]] = []
        for number, row in zip(order, self._reader.rows(order), strict=True):
            if isinstance(row, UnreadableSample):
                self._skip(row)
            else:
                found.append((number, row))
        return found

    def _row_bytes(self) -> int:
        """Bytes of one sample as it is held."""
        for _, row in self._whole():
            return max(sum(array.nbytes for array in row.values()), 1)
        raise self._unreadable()

    def _unreadable(self) -> DataRefused:
        return DataRefused(
            f"none of the {len(self._order) + len(self._reserve)} samples can be read (the first: "
            f"{next(iter(self.skipped), '-')}: {self._first_why})",
            fix="check the files",
        )

    def _whole(self) -> Iterator[tuple[int, Row]]:
        """Number and row of every sample that can be read; those in reserve come after the others, if they are needed."""
        asked, used = self._order, 0
        while len(asked):
            order = np.sort(asked).tolist()
            broken = 0
            for number, row in zip(order, self._reader.rows(order), strict=True):
                if isinstance(row, UnreadableSample):
                    self._skip(row)
                    broken += 1
                else:
                    yield number, row
            asked = self._reserve[used : used + broken]
            used += broken

    def _batch(self, rows: list[Row], numbers: list[int]) -> Batch:
        labels = None if self._reader.labels is None else self._reader.labels[numbers]
        truths = self._reader.truths(rows[: len(numbers)], numbers)
        return Batch(feeds=self._reader.pack(rows), labels=labels, n=len(numbers), truths=truths)

    def _skip(self, broken: UnreadableSample) -> None:
        self._first_why = self._first_why or broken.why
        if broken.name in self.skipped:
            return
        self.skipped.append(broken.name)
        if len(self.skipped) <= _NAMED:
            self._say.warn(f"{broken.name} is passed over: {broken.why}")
        elif len(self.skipped) == _NAMED + 1:
            self._say.warn(f"more than {_NAMED} broken files; the result counts the others without naming them")


def balanced_order(labels: NDArray[np.int64] | None, n: int, seed: int) -> NDArray[np.int64]:
    """A seeded order of 0..n-1 in which every beginning holds the classes as evenly as they allow.

    Each class is shuffled; then its first samples come, one a class, then its second ones, and so on, the classes of each round
    in random order.
    """
    draw = np.random.default_rng(seed)
    order = draw.permutation(n)
    if labels is None:
        return order.astype(np.int64)
    _, rounds = _rounds(labels[order])
    return order[np.argsort(rounds, kind="stable")].astype(np.int64)


def _rounds(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each sample the place of its class among those that there are, and how many of the class come before it."""
    ascending = np.sort(labels)  # np.unique imports numpy.ma, which takes longer than most questions
    distinct = ascending[np.append(True, ascending[1:] != ascending[:-1])]
    places = np.searchsorted(distinct, labels).astype(np.int64)
    by_class = np.argsort(places, kind="stable")
    counts = np.bincount(places)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    rounds = np.empty(len(labels), np.int64)
    rounds[by_class] = np.arange(len(labels)) - starts
    return places, rounds
