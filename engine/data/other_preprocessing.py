"""A batch of images as other preprocessing would have made it: what a model may have been trained with instead.

Apart from `images.py` because the feeds are taken as they came: nothing is read again, and readers need not know of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .samples import Array, Batch, Pixels

Floats = NDArray[np.float64]


class Preprocessing(NamedTuple):
    """How training frameworks make inputs of pixels: (pixel / scale - mean) / std, in the order red, green, blue."""

    scale: float
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


COMMON = {
    3: (
        Preprocessing(255),
        Preprocessing(255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        Preprocessing(255, (0.5,), (0.5,)),
        Preprocessing(1),
        Preprocessing(1, (123.68, 116.78, 103.94)),
    ),
    1: (Preprocessing(255), Preprocessing(255, (0.1307,), (0.3081,)), Preprocessing(255, (0.5,), (0.5,)), Preprocessing(1)),
}
"""By the number of channels: torchvision's, ImageNet's, -1 to 1, pixels as they are, Caffe's; for grey pictures MNIST's."""


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


def _words(usual: Preprocessing, turn: int) -> str:
    parts = [f"scale = {usual.scale:g}"]
    for key, values in (("mean", usual.mean[::turn]), ("std", usual.std[::turn])):
        parts.append(f"{key} = [{', '.join(f'{value:g}' for value in values)}]" if values else f"no {key}")
    return ", ".join(parts)
