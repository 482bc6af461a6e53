"""Masks of images: the class of each pixel that is there, and what a model says of it; intersection over union.

A model gives a score for each class and place, (batch, classes, height, width) or classes last, one share of two classes, or
the class itself where the choice is made inside. Its map covers the whole input, whatever its size. Scores are laid on the
mask's own pixels bilinearly, as frameworks resize them (corners not aligned), and then the best is taken; classes are taken
from the nearest place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from .boxes import Laid
from .decoder import Array, Outputs

PASSED_OVER = 255
"""The class of pixels that nobody has labelled."""
_AT_ONCE = 4_000_000
"""Scores that are laid on pixels at once."""
_SLACK = 0.02
_MOST_CLASSES = 4096
"""Beyond, what a model says is one class more, and what a mask says unknown: counts are held by class, image by image."""

Labels = NDArray[np.int32]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MaskedScene:
    """One image that a model is asked about."""

    mask: Labels
    """Shape (height, width): the class of each pixel of the image, or PASSED_OVER."""
    laid: Laid


class ClassMap(NamedTuple):
    """What a model says of one image: a score for each class and place, or the class of each place."""

    scores: NDArray[np.float32] | None
    """Shape (classes, height, width)."""
    labels: Labels | None
    """Shape (height, width)."""

    def chosen(self) -> Labels:
        """The class of each place of the map."""
        if self.labels is not None:
            return self.labels
        assert self.scores is not None
        found: Labels = self.scores.argmax(axis=0).astype(np.int32)
        return found

    def on(self, laid: Laid, into: tuple[int, int]) -> Labels:
        """The class of each pixel of an image that lies in an input of `into` (width, height) as `laid` says."""
        width, height = laid.size
        shape = (self.labels if self.labels is not None else self.scores).shape[-2:]  # type: ignore[union-attr]
        down = _spots(height, laid.scale[1], laid.shift[1], shape[0] / into[1])
        across = _spots(width, laid.scale[0], laid.shift[0], shape[1] / into[0])
        if self.labels is not None:
            rows, columns = (
                np.clip(np.rint(at).astype(np.intp), 0, n - 1) for at, n in zip((down, across), shape, strict=True)
            )
            return self.labels[np.ix_(rows, columns)]
        assert self.scores is not None
        found = np.empty((height, width), np.int32)
        step = max(1, _AT_ONCE // max(1, self.scores.shape[0] * width))
        for start in range(0, height, step):
            part = slice(start, start + step)
            found[part] = _between(_between(self.scores, down[part], 1), across, 2).argmax(axis=0)
        return found


def _spots(count: int, scale: float, shift: float, places: float) -> Floats:
    """Where the middles of so many pixels lie among the middles of the map's places."""
    found: Floats = (((np.arange(count) + 0.5) * scale + shift) * places - 0.5).astype(np.float64)
    return found


def _between(scores: NDArray[np.float32], at: Floats, axis: int) -> NDArray[np.float32]:
    """Scores at spots between places of an axis, linear between neighbours."""
    last = scores.shape[axis] - 1
    inside = np.clip(at, 0, last)
    low = np.minimum(np.floor(inside).astype(np.intp), max(last - 1, 0))
    part = (inside - low).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
    found: NDArray[np.float32] = scores.take(low, axis) * (1 - part) + scores.take(np.minimum(low + 1, last), axis) * part
    return found


def class_maps(
    outputs: Outputs, n: int, batch: int, classes: int | None, size: tuple[int, int] | None = None
) -> list[ClassMap]:
    """What the model says of the first `n` samples of a batch; `classes`: how many there are; `size`: width and height of the
    input, whose shape a map has, too.

    Raises:
        DataRefused: no output is such a map, or it tells other classes apart.
    """
    for name, array in outputs.items():
        found = _map_of(name, array, batch, classes, size) if isinstance(array, np.ndarray) else None
        if found is not None:
            scores, labels = found
            if scores is not None:
                return [ClassMap(each.astype(np.float32), None) for each in scores[:n]]
            assert labels is not None
            return [ClassMap(None, np.clip(each, -1, _MOST_CLASSES).astype(np.int32)) for each in labels[:n]]
    shapes = ", ".join(f"{name} {list(np.shape(array))}" for name, array in outputs.items())
    raise DataRefused(
        f"no output of the model says the class of each pixel ({shapes})",
        fix='set task = "none" in the dataset\'s TOML file to compare outputs without labels',
    )


def _map_of(
    name: str, array: Array, batch: int, classes: int | None, size: tuple[int, int] | None
) -> tuple[Array | None, Array | None] | None:
    """(scores, labels) of an output, one of them; None: it is no map."""
    if array.ndim not in (3, 4) or array.shape[0] != batch or array.dtype.kind not in "fiu":
        return None
    if array.ndim == 4 and 1 not in (array.shape[1], array.shape[3]):
        if array.dtype.kind != "f":
            return None
        last = array.shape[3] == classes or (array.shape[1] != classes and array.shape[3] < min(array.shape[1:3]))
        scores = np.moveaxis(array, 3, 1) if last else array
        if classes is not None and scores.shape[1] != classes:
            raise DataRefused(
                f"the dataset has {classes} classes and output {name} tells {scores.shape[1]} apart",
                fix="write `classes` into the dataset's TOML file, all of the model's in their order, the background too",
            )
        return scores, None
    flat = array if array.ndim == 3 else array[:, 0] if array.shape[1] == 1 else array[..., 0]
    if min(flat.shape[1:]) < 2 or (size is not None and not _alike(flat.shape[2] / flat.shape[1], size[0] / size[1])):
        return None
    if flat.dtype.kind != "f":
        return None, flat
    low, high = (float(edge(flat, initial=0.5, where=np.isfinite(flat))) for edge in (np.min, np.max))
    if low < -_SLACK or high > 1 + _SLACK:
        raise DataRefused(
            f"output {name} has one number a pixel, from {low:.3g} to {high:.3g}, which is no share of two classes",
            fix="export the model with its sigmoid, or with the choice made inside",
        )
    return np.stack([np.full_like(flat, 0.5), flat], axis=1), None


_COUNTED = ("right", "there", "said")


def _alike(one: float, other: float) -> bool:
    """Two shapes, but for what rounding makes of small maps."""
    return 0.8 < one / other < 1.25


class UnionMeter:
    """Add images, then ask for the mean intersection over union and its bootstrap."""

    def __init__(self) -> None:
        self._counts: list[tuple[Counts, Counts, Counts]] = []
        """Of each image, by class: pixels that are right, that are there, that are said."""
        self.unknown = 0
        """Pixels of classes that the model does not have; they are passed over."""
        self.equal: list[float] = []
        """Share of the pixels of each image that are right."""

    @property
    def images(self) -> int:
        """That were added."""
        return len(self._counts)

    def add(self, said: Labels, truth: Labels, classes: int | None = None) -> None:
        """What a model says of the next image's pixels and what is right of them; `classes`: how many it tells apart."""
        kept = truth != PASSED_OVER
        foreign = kept & (truth >= min(classes or _MOST_CLASSES, _MOST_CLASSES))
        self.unknown += int(foreign.sum())
        kept &= ~foreign
        said, truth = said[kept], truth[kept]
        said = np.where(said < 0, PASSED_OVER, said)
        self._counts.append((np.bincount(truth[said == truth]), np.bincount(truth), np.bincount(said)))
        self.equal.append(float((said == truth).mean()) if len(truth) else 1.0)

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """All that the figure follows from, by `again`: pixels of each image by class."""
        return {"images": np.array([self.images])} | dict(zip(_COUNTED, self._matrices(), strict=True))

    @classmethod
    def again(cls, kept: Mapping[str, Floats]) -> UnionMeter:
        """A meter of the same figure, from what `kept` gave, each flat and as floats."""
        made, images = cls(), int(kept["images"][0])
        rows = [kept[name].reshape(images, -1).astype(np.int64) for name in _COUNTED]
        made._counts = [(right, there, said) for right, there, said in zip(*rows, strict=True)]
        return made

    def _matrices(self) -> list[Floats]:
        many = max((len(each) for image in self._counts for each in image), default=0)
        return [
            np.array([np.pad(image[kind], (0, many - len(image[kind]))) for image in self._counts], np.float64)
            for kind in range(len(_COUNTED))
        ]

    def figure(self) -> float | None:
        """Mean over the classes that are there or are said, of all pixels together; None: there is no labelled pixel."""
        found = self._under(np.ones((1, self.images)))
        return None if np.isnan(found).any() else float(found[0])

    def bootstrap(self, seed: int, resamples: int = 1000) -> Floats:
        """The figure of sets of images drawn with replacement; two meters of the same images draw the same ones."""
        draw = np.random.default_rng(seed)
        return self._under(draw.multinomial(self.images, np.full(self.images, 1 / self.images), resamples).astype(np.float64))

    def _under(self, weights: Floats) -> Floats:
        """Of each row of weights, one an image."""
        right, there, said = (weights @ matrix for matrix in self._matrices())
        union = there + said - right
        shares = np.divide(right, union, out=np.zeros_like(right), where=union > 0)
        seen = (union > 0).sum(axis=1)
        found: Floats = np.divide(shares.sum(axis=1), seen, out=np.full(len(weights), np.nan), where=seen > 0)
        return found
