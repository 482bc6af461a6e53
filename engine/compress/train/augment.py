"""Images shown in another way each time: mirrored, moved. Classes stay, and boxes go with them.

Apart from the loop, which knows no images; how a feed was made of pixels is `Samples.pixels`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...data.samples import Batch, Samples
from ...errors import RecipeRefused
from ...schema.steps import Training
from ...system.reporter import Reporter


class Augment:
    """Changes the images of a batch as a step wants it, and the boxes in them."""

    def __init__(self, step: Training, samples: Samples, say: Reporter) -> None:
        """With `step.ways` each image has so many ways of its own, and is shown in them by turns.

        Raises RecipeRefused where images are to be changed and places marked in them are no boxes. Samples that are none
        stay.
        """
        self._flip, self._shift, self._pixels = step.flip, step.shift, samples.pixels
        self._seed, self._ways = step.seed, step.ways
        if not (step.flip or step.shift):
            return
        if samples.pixels is None:
            say.note(f"`flip` and `shift` change images, and {samples.source} has none: its samples stay as they are")
        elif step.needs == "labelled" and samples.truth not in ("", "classes", "boxes"):
            raise RecipeRefused(
                f"`flip` and `shift` of {step.method} would move images away from their {samples.truth}",
                fix="leave them out of the step",
            )

    def __call__(self, batch: Batch, draw: np.random.Generator, epoch: int = 0) -> Batch:
        """The batch with its images changed, each in a way of its own: drawn, or whose turn it is in this epoch."""
        if self._pixels is None or not (self._flip or self._shift):
            return batch
        images = np.array(batch.feeds[self._pixels.name])
        down, across = (1, 2) if self._pixels.axis == 1 else (0, 1)
        scenes = list(batch.truths.scenes)
        for place, image in enumerate(images):
            if self._ways is not None:
                draw = self._turn(image, epoch)
            flipped, by = self._flip and draw.random() < 0.5, (0, 0)
            if flipped:
                image[...] = np.flip(image, across).copy()
            if self._shift:
                by = (
                    moved(image, down, round(self._shift * image.shape[down]), draw),
                    moved(image, across, round(self._shift * image.shape[across]), draw),
                )
            if place < len(scenes):
                scene = scenes[place].mirrored(image.shape[across]) if flipped else scenes[place]
                scenes[place] = scene.moved(by[1], by[0])
        truths = replace(batch.truths, scenes=tuple(scenes))
        return replace(batch, feeds={**batch.feeds, self._pixels.name: images}, truths=truths)

    def _turn(self, image: NDArray[np.generic], epoch: int) -> np.random.Generator:
        """What draws the way whose turn it is. Images are known by their pixels; each begins with another of its ways."""
        number = int.from_bytes(hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8).digest(), "little")
        return np.random.default_rng([self._seed, number, (epoch + number) % (self._ways or 1)])


def moved(image: NDArray[np.generic], axis: int, most: int, draw: np.random.Generator) -> int:
    """Move an image in place along an axis by up to `most` places either way, and say by how many; 0 comes in from beyond its
    edge.
    """
    by = int(draw.integers(-most, most + 1))
    along = np.moveaxis(image, axis, 0)
    along[...] = np.roll(along, by, axis=0)
    along[: max(by, 0)] = 0
    along[len(along) + min(by, 0) :] = 0
    return by
