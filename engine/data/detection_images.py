"""Annotated images as samples: pixels as other images become them, and with each the boxes or keypoints that are in it.

Apart from `images.py` because an image's own size is needed to tell where a box in the input lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..tasks.boxes import Scene
from ..tasks.poses import PosedScene
from .annotated import AnnotatedFiles, AnnotatedImage
from .annotation import in_image
from .frames import Frames
from .images import Images, PixelRecipe
from .samples import Array, Pixels, Row, Truth, Truths, UnreadableSample

_SIZE = "\0size"
"""Beside the pixels of a row: width and height of the image. No input is called so."""


class DetectionImages:
    """See `samples.Reader`."""

    labels: NDArray[np.int64] | None = None
    largest_batch: int | None = None

    def __init__(self, found: AnnotatedFiles, recipe: PixelRecipe) -> None:
        self._found = found
        self.points = found.points
        self.truth: Truth = "boxes" if found.points is None else "keypoints"
        self._recipe = recipe
        self._images = Images(found.files, recipe, upright=True)
        self.classes = found.classes
        self.assumed = recipe.assumed
        self.pixels: Pixels | None = recipe.pixels

    def __len__(self) -> int:
        """How many images are annotated."""
        return len(self._found.images)

    def name(self, number: int) -> str:
        """Its image's, within the folder or zip."""
        return self._images.name(number)

    def rows(self, order: Sequence[int]) -> Iterator[Row | UnreadableSample]:
        """Pixels and size of each; an image whose annotation cannot be read, or is of another size, is none."""
        for number, got in zip(order, self._images.sized(order), strict=True):
            said = self._found.images[number]
            if isinstance(got, UnreadableSample):
                yield got
            elif isinstance(said, str):
                yield UnreadableSample(got.name, said)
            elif said.size is not None and said.size != got.size:
                shown = " x ".join(map(str, said.size)), " x ".join(map(str, got.size))
                yield UnreadableSample(got.name, f"its annotation is of {shown[0]} pixels, and it has {shown[1]}")
            elif said.size is None and not said.shares and in_image(said.truth, *got.size) is None:
                yield UnreadableSample(got.name, "a box of its annotation lies outside it")
            else:
                yield {self._recipe.name: got.pixels, _SIZE: np.array(got.size, np.int64)}

    def pack(self, rows: list[Row]) -> dict[str, Array]:
        """Pixels of many files to one input."""
        return self._images.pack(rows)

    def frames(self, order: Sequence[int], most_bytes: int) -> Frames:
        """See `samples.Reader`."""
        return self._images.frames(order, most_bytes)

    def truths(self, rows: Sequence[Row], numbers: Sequence[int]) -> Truths:
        """What is in each of the images that `rows` are of."""
        pairs = list(zip(rows, numbers, strict=True))
        if self.points is None:
            return Truths(scenes=tuple(self._scene(*pair) for pair in pairs))
        return Truths(poses=tuple(self._posed(*pair) for pair in pairs))

    def _posed(self, row: Row, number: int) -> PosedScene:
        width, height = row[_SIZE].tolist()
        said = self._found.images[number]
        assert isinstance(said, AnnotatedImage)
        assert said.poses is not None
        truth = said.poses
        if said.shares:
            scale = np.array([width, height], np.float64)
            points = truth.points * np.array([width, height, 1.0])
            truth = replace(truth, points=points, boxes=truth.boxes * np.tile(scale, 2), areas=truth.areas * width * height)
        return PosedScene(truth, self._recipe.laid((width, height)))

    def _scene(self, row: Row, number: int) -> Scene:
        width, height = row[_SIZE].tolist()
        said = self._found.images[number]
        assert isinstance(said, AnnotatedImage)
        truth = said.truth
        if said.shares:
            truth = replace(truth, corners=truth.corners * np.array([width, height] * 2))
        elif said.size is None:
            truth = in_image(truth, width, height) or truth
        return Scene(truth, self._recipe.laid((width, height)))
