"""Images with masks as samples: pixels as other images become them, and with each the class of every pixel.

Apart from `detection_images.py` because masks are images themselves: they are read with the image, never all at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..library.annotated_images import mask_folder, masks_of
from ..system.reporter import Reporter
from ..tasks.masks import PASSED_OVER, MaskedScene
from .decoding import decode_mask, unreadable, why_unreadable
from .folders import ImageFiles, images_in, open_store, readable_name
from .frames import Frames
from .images import Images, PixelRecipe
from .samples import NOTHING, Array, Pixels, Row, Truth, Truths, UnreadableSample

_MASK = "\0mask"
"""Beside the pixels of a row. No input is called so."""
_NAMED = 3


class MaskedFiles:
    """Image files in a fixed order, and the mask of each."""

    def __init__(self, files: ImageFiles, masks: tuple[str, ...]) -> None:
        self.files, self.masks = files, masks

    def mask(self, number: int) -> NDArray[np.int32]:
        """Of an image.

        Raises:
            OSError, SyntaxError, ValueError: it cannot be read.
        """
        return decode_mask(self.files.store.read(self.masks[number]))


def has_masks(path: Path) -> bool:
    """Whether some of the images are masks of others; without any, images are enough for whoever wants no labels.

    Raises:
        DataRefused: not there, or not a readable zip.
    """
    return bool(masks_of(open_store(path).files()))


def find_masked(path: Path, say: Reporter) -> MaskedFiles:
    """All images below `path` that have a mask.

    Raises:
        DataRefused: no images, or no masks.
    """
    store = open_store(path)
    sizes = images_in(store, path)
    pairs = masks_of(sizes)
    if not pairs:
        raise DataRefused(
            f"{path} has images, and no mask of any",
            fix="put a PNG of class numbers for each into a folder `masks`, of the same name as the image",
        )
    masks = set(pairs.values())
    alone = sorted(name for name in sizes if name not in pairs and name not in masks)
    _warn_of(say, path, [name for name in alone if not mask_folder(name)], "images have", "image has", "no mask")
    _warn_of(say, path, [name for name in alone if mask_folder(name)], "masks are", "mask is", "of no image")
    mean_bytes = sum(sizes[name] for name in pairs) / len(pairs)
    return MaskedFiles(ImageFiles(store, tuple(pairs), None, (), mean_bytes), tuple(pairs.values()))


def _warn_of(say: Reporter, path: Path, names: list[str], many: str, one: str, what: str) -> None:
    if names:
        shown = ", ".join(readable_name(name.rpartition("/")[2]) for name in names[:_NAMED])
        more = ", ..." if len(names) > _NAMED else ""
        say.warn(f"{path.name}: {len(names)} {one if len(names) == 1 else many} {what} ({shown}{more})")


class MaskedImages:
    """See `samples.Reader`."""

    labels: NDArray[np.int64] | None = None
    largest_batch: int | None = None
    points: int | None = None

    def __init__(self, found: MaskedFiles, recipe: PixelRecipe, classes: tuple[str, ...], *, labelled: bool) -> None:
        """`classes`: all that the model tells apart, in the order of its outputs; empty: nobody says. `labelled`: masks are
        wanted, not the images alone.
        """
        self._found, self._recipe = found, recipe
        self._images = Images(found.files, recipe, upright=True)
        self.truth: Truth = "masks" if labelled else ""
        self.classes = classes
        self.assumed = recipe.assumed
        self.pixels: Pixels | None = recipe.pixels

    def __len__(self) -> int:
        """How many images have a mask."""
        return len(self._found.masks)

    def name(self, number: int) -> str:
        """Its image's, within the folder or zip."""
        return self._images.name(number)

    def rows(self, order: Sequence[int]) -> Iterator[Row | UnreadableSample]:
        """Pixels and mask of each; an image whose mask cannot be read, or is of another size, is none."""
        for number, got in zip(order, self._images.sized(order), strict=True):
            if isinstance(got, UnreadableSample):
                yield got
            elif not self.truth:
                yield {self._recipe.name: got.pixels}
            else:
                mask, pixels = self._mask(number, got.size), {self._recipe.name: got.pixels}
                yield UnreadableSample(got.name, mask) if isinstance(mask, str) else pixels | {_MASK: mask}

    def _mask(self, number: int, size: tuple[int, int]) -> NDArray[np.int32] | str:
        """The mask, or why there is none."""
        try:
            mask = self._found.mask(number)
        except unreadable() as error:
            return f"its mask cannot be read: {why_unreadable(error)}"
        if mask.shape[::-1] != size:
            return f"its mask is of {mask.shape[1]} x {mask.shape[0]} pixels, and it has {size[0]} x {size[1]}"
        highest = int(mask.max(initial=0, where=mask != PASSED_OVER))
        if self.classes and highest >= len(self.classes):
            return f"its mask has class {highest}, and there are {len(self.classes)} (255 is passed over)"
        return mask

    def pack(self, rows: list[Row]) -> dict[str, Array]:
        """Pixels of many files to one input."""
        return self._images.pack(rows)

    def frames(self, order: Sequence[int], most_bytes: int) -> Frames:
        """See `samples.Reader`."""
        return self._images.frames(order, most_bytes)

    def truths(self, rows: Sequence[Row], numbers: Sequence[int]) -> Truths:
        """The masks of the images that `rows` are of."""
        del numbers
        return Truths(masks=tuple(self._scene(row) for row in rows)) if self.truth else NOTHING

    def _scene(self, row: Row) -> MaskedScene:
        mask = row[_MASK].astype(np.int32, copy=False)
        return MaskedScene(mask, self._recipe.laid((mask.shape[1], mask.shape[0])))
