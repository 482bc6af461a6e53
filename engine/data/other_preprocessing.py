"""A batch of images as other preprocessing would have made it: what a model may have been trained with instead.

Apart from `images.py` because the feeds are taken as they came: nothing is read again, and readers need not know of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ..schema.spec import ImageInput
from .samples import Array, Batch, Pixels

Floats = NDArray[np.float64]


class Preprocessing(NamedTuple):
    """How training frameworks make inputs of pixels: (pixel / scale - mean) / std, in the order red, green, blue."""

    name: str
    scale: float
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


COMMON = {
    3: (
        Preprocessing("0 to 1", 255),
        Preprocessing("ImageNet", 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        Preprocessing("-1 to 1", 255, (0.5,), (0.5,)),
        Preprocessing("0 to 255", 1),
        Preprocessing("Caffe", 1, (123.68, 116.78, 103.94)),
    ),
    1: (
        Preprocessing("0 to 1", 255),
        Preprocessing("MNIST", 255, (0.1307,), (0.3081,)),
        Preprocessing("-1 to 1", 255, (0.5,), (0.5,)),
        Preprocessing("0 to 255", 1),
    ),
}
"""By the number of channels; torchvision's own leaves 0 to 1."""


class OtherPreprocessing(NamedTuple):
    """Another way to make the input."""

    words: str
    """As a dataset's TOML file says it."""
    gain: Floats
    offset: Floats
    swapped: bool
    """Red and blue the other way round."""

    def applied(self, batch: Batch, pixels: Pixels) -> Batch:
        """The batch as it would be."""
        feed = batch.feeds[pixels.name]
        whole = np.moveaxis(feed, pixels.axis, -1).astype(np.float64)
        whole = (whole - np.array(pixels.offset)) / np.array(pixels.gain)
        whole = (whole[..., ::-1] if self.swapped else whole) * self.gain + self.offset
        made: Array = np.ascontiguousarray(np.moveaxis(whole, -1, pixels.axis)).astype(feed.dtype)
        return Batch(feeds={**batch.feeds, pixels.name: made}, labels=batch.labels, n=batch.n)


def other_way(pixels: Pixels, how: ImageInput) -> OtherPreprocessing:
    """Feed as `how` says what was fed as `pixels` says."""
    channels = len(pixels.gain)
    mean, std = (np.resize(np.array(each or (plain,)), channels) for each, plain in ((how.mean, 0.0), (how.std, 1.0)))
    gain, offset = 1 / (how.scale * std), -mean / std
    if pixels.whole:
        gain, offset = np.ones(channels), np.zeros(channels)
    return OtherPreprocessing("", gain, offset, swapped=(how.color == "BGR") != pixels.bgr)


def alternatives(pixels: Pixels) -> list[OtherPreprocessing]:
    """The usual ways that differ from the one there is; the first one swaps red and blue, where there are any."""
    channels, others = len(pixels.gain), []
    now = np.array(pixels.gain), np.array(pixels.offset)
    if channels == 3:
        others.append(OtherPreprocessing(f'color = "{"RGB" if pixels.bgr else "BGR"}"', now[0], now[1], swapped=True))
    for usual in () if pixels.whole else COMMON.get(channels, ()):
        turn = -1 if pixels.bgr else 1
        mean = np.resize(np.array(usual.mean or (0.0,)), channels)[::turn]
        std = np.resize(np.array(usual.std or (1.0,)), channels)[::turn]
        gain, offset = 1 / (usual.scale * std), -mean / std
        if not (np.allclose(gain, now[0], rtol=0.05) and np.allclose(offset, now[1], rtol=0.05, atol=0.02)):
            others.append(OtherPreprocessing(_words(usual, turn), gain, offset, swapped=False))
    return others


class NamedInput(NamedTuple):
    """A usual way to feed images."""

    name: str
    input: ImageInput


def usual_inputs(said: ImageInput, channels: int, *, whole: bool) -> list[NamedInput]:
    """All usual ways to feed images into an input of 1 or 3 channels, and first the one that is `said` where it is another.
    `whole`: the model takes whole pixels, so that only the order of colours is open.
    """
    found = []
    for color in ("RGB", "BGR") if channels == 3 else ("GRAY",):
        turn = -1 if color == "BGR" else 1
        for usual in () if whole else COMMON[channels]:
            changes = {"color": color, "scale": usual.scale, "mean": usual.mean[::turn], "std": usual.std[::turn]}
            found.append(NamedInput(f"{color} {usual.name}", replace(said, **changes)))
        if whole:
            found.append(NamedInput(f"{color} whole pixels", replace(said, color=color)))
    own = any(_alike(each.input, said) for each in found)
    return found if own else [NamedInput("as described", said), *found]


def _alike(one: ImageInput, other: ImageInput) -> bool:
    """Whether they feed the same: a number for all channels is as good as three."""

    def numbers(values: tuple[float, ...], default: float) -> Floats:
        return np.resize(np.array(values or (default,)), 3)

    return (
        one.color == other.color
        and one.scale == other.scale
        and np.array_equal(numbers(one.mean, 0.0), numbers(other.mean, 0.0))
        and np.array_equal(numbers(one.std, 1.0), numbers(other.std, 1.0))
    )


def _words(usual: Preprocessing, turn: int) -> str:
    parts = [f"scale = {usual.scale:g}"]
    for key, values in (("mean", usual.mean[::turn]), ("std", usual.std[::turn])):
        parts.append(f"{key} = [{', '.join(f'{value:g}' for value in values)}]" if values else f"no {key}")
    return ", ".join(parts)
