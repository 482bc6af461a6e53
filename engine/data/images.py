"""Image files in class folders, in a folder or in a zip that is read in place.

Apart from `folders.py`, which finds the files: this turns one file into the model's input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..schema.model_facts import TensorFacts
from ..schema.spec import ImageInput
from ..tasks.boxes import Laid, letterboxed, stretched
from ..tasks.exporter import ExportNotes
from .decoding import decode, unreadable, why_unreadable
from .folders import ImageFiles, find_files
from .frames import Frames, Way
from .samples import NOTHING, Array, Pixels, Row, Truth, Truths, UnreadableSample

_DTYPES = {"float": np.float32, "float16": np.float16, "double": np.float64, "uint8": np.uint8}
_THREADED_BYTES = 20_000
"""Below this, handing a file to a thread costs more than decoding it: 500 files of 900 bytes take
65 ms, and 95 through threads; 12 of 100 kB take 60 ms, and 35 through threads."""


def open_images(path: Path, recipe: PixelRecipe, *, labelled: bool, upright: bool, classes: Sequence[str] = ()) -> Images:
    """Find the images below `path`. `upright`: see `Images`; `classes`: see `find_files`.

    Raises:
        DataRefused: nothing there.
    """
    return Images(find_files(path, labelled=labelled, classes=classes), recipe, upright=upright)


def pixel_recipe(
    how: ImageInput, inputs: Sequence[TensorFacts], shapes: Mapping[str, tuple[int, ...]], notes: ExportNotes
) -> PixelRecipe:
    """Settle how images become the input.

    Raises:
        DataRefused: `how` does not fit the model.
    """
    return PixelRecipe(how, _the_input(how, inputs), shapes, notes)


def _the_input(how: ImageInput, inputs: Sequence[TensorFacts]) -> TensorFacts:
    names = ", ".join(tensor.name for tensor in inputs)
    if how.name:
        for tensor in inputs:
            if tensor.name == how.name:
                return tensor
        raise DataRefused(f"the model has no input {how.name!r}", fix=f"its inputs are: {names}")
    if len(inputs) != 1:
        raise DataRefused(
            f"images feed one input and the model has {len(inputs)} ({names})",
            fix="give an .npz with one array for each input",
        )
    return inputs[0]


class PixelRecipe:
    """How pixels become the input: size, layout, colour and the two numbers a channel of `pixel * gain + offset`."""

    def __init__(self, how: ImageInput, tensor: TensorFacts, shapes: Mapping[str, tuple[int, ...]], notes: ExportNotes) -> None:
        self.name, self.how = tensor.name, how
        self._known = notes.ultralytics
        """Its exporter feeds RGB divided by 255."""
        self.letterbox = notes.letterbox if how.letterbox is None else how.letterbox
        shape = shapes.get(tensor.name) or tuple(axis if isinstance(axis, int) else 1 for axis in tensor.shape)
        if len(shape) != 4:
            raise DataRefused(
                f"input {tensor.name} of shape {list(shape)} takes no images", fix="give an .npz with an array of that shape"
            )
        if tensor.dtype not in _DTYPES:
            raise DataRefused(
                f"input {tensor.name} wants {tensor.dtype}, which images are not", fix="give an .npz with an array of that type"
            )
        self.dtype = _DTYPES[tensor.dtype]
        self.layout = how.layout or ("NHWC" if shape[3] in (1, 3) and shape[1] not in (1, 3) else "NCHW")
        channels, height, width = shape[1:] if self.layout == "NCHW" else (shape[3], *shape[1:3])
        if channels not in (1, 3):
            raise DataRefused(
                f"input {tensor.name} of shape {list(shape)} has {channels} channels as {self.layout}",
                fix="set `layout` in the dataset's TOML file, or give an .npz",
            )
        self.color = how.color or ("RGB" if channels == 3 else "GRAY")
        if (self.color == "GRAY") != (channels == 1):
            raise DataRefused(
                f"color {self.color} does not fit the {channels} channel{'s' if channels > 1 else ''} of input {tensor.name}",
                fix=('write color = "GRAY"' if channels == 1 else 'write color = "RGB" or "BGR"') + ", or leave it out",
            )
        self.size = (width, height)
        _refuse_size(how.size, self.size, tensor.name)
        self.whole = self.dtype is np.uint8
        if self.whole and (how.mean or how.std):
            raise DataRefused(
                f"input {tensor.name} takes whole pixels (uint8), which `mean` and `std` would break", fix="leave both out"
            )
        std = _by_channel(how.std, 1.0, channels, "std")
        self.gain = (1.0 / (how.scale * std)).astype(np.float32)
        self.offset = (-_by_channel(how.mean, 0.0, channels, "mean") / std).astype(np.float32)

    @property
    def assumed(self) -> str:
        """What nobody has said of how pixels become the input, in words; empty: somebody has."""
        how = self.how
        if self._known or how.color or how.mean or how.std or how.scale != ImageInput().scale:
            return ""
        done = "as whole pixels" if self.whole else "divided by 255, without mean and std,"
        return f"{self.color} {done}"

    def laid(self, size: tuple[int, int]) -> Laid:
        """How an image of `size` (width, height) lies in the input."""
        return letterboxed(size, self.size)[0] if self.letterbox else stretched(size, self.size)

    @property
    def pixels(self) -> Pixels:
        """See `samples.Pixels`."""
        gain, offset = (tuple(map(float, values)) for values in (self.gain, self.offset))
        if self.whole:
            gain, offset = (1.0,) * len(gain), (0.0,) * len(offset)
        return Pixels(self.name, 1 if self.layout == "NCHW" else 3, gain, offset, bgr=self.color == "BGR", whole=self.whole)

    def pack(self, pixels: NDArray[np.uint8]) -> Array:
        """(n, height, width, channels) of uint8 to the model's own layout and type."""
        if self.color == "BGR":
            pixels = pixels[..., ::-1]
        gain, offset = self.gain, self.offset
        if self.layout == "NCHW":
            pixels = pixels.transpose(0, 3, 1, 2)
            gain, offset = gain[:, None, None], offset[:, None, None]
        if self.whole:
            return np.ascontiguousarray(pixels)
        made = np.empty(pixels.shape, np.float32)
        np.multiply(pixels, gain, out=made)
        made += offset
        return made.astype(self.dtype, copy=False)


def _refuse_size(asked: tuple[int, int] | None, wanted: tuple[int, int], name: str) -> None:
    if asked is None or asked == wanted:
        return
    swapped = f"; size is [width, height], so write [{wanted[0]}, {wanted[1]}]" if asked[::-1] == wanted else ""
    raise DataRefused(
        f"size {list(asked)} does not fit input {name}, which is {wanted[0]} wide and {wanted[1]} high{swapped}",
        fix="mend `size` in the dataset's TOML file, or leave it out",
    )


def _by_channel(values: tuple[float, ...], default: float, channels: int, key: str) -> NDArray[np.float64]:
    if len(values) not in (0, 1, channels):
        raise DataRefused(
            f"`{key}` has {len(values)} numbers for {channels} channels", fix="give one number a channel, or one for all"
        )
    return np.resize(np.asarray(values or (default,), np.float64), channels)


class SizedImage(NamedTuple):
    """An image file as it was decoded."""

    name: str
    pixels: NDArray[np.uint8]
    """(height, width, channels) of the input."""
    size: tuple[int, int]
    """Width and height of the image itself."""


class Images:
    """See `samples.Reader`."""

    largest_batch: int | None = None
    points: int | None = None

    def __init__(self, files: ImageFiles, recipe: PixelRecipe, *, upright: bool) -> None:
        """`upright`: a rotation noted by the camera is applied, as those do who draw boxes."""
        self._files = files
        self._recipe = recipe
        self._upright = upright
        self.labels = files.labels
        self.truth: Truth = "" if files.labels is None else "classes"
        self.classes = files.classes
        self.assumed = recipe.assumed
        self.pixels: Pixels | None = recipe.pixels

    def __len__(self) -> int:
        """How many image files there are."""
        return len(self._files.names)

    def name(self, number: int) -> str:
        """Its file's, within the folder or zip."""
        return self._files.names[number]

    def rows(self, order: Sequence[int]) -> Iterator[Row | UnreadableSample]:
        """The pixels of each file."""
        for got in self.sized(order):
            yield got if isinstance(got, UnreadableSample) else {self._recipe.name: got.pixels}

    def sized(self, order: Sequence[int]) -> Iterator[SizedImage | UnreadableSample]:
        """Read in this thread, decode in two more where files are large; a few files are ahead, never all."""
        content = self._files.read(order)
        if self._files.mean_bytes < _THREADED_BYTES:
            yield from (self._decoded(name, data) for name, data in content)
            return
        with ThreadPoolExecutor(2) as pool:
            while ahead := list(islice(content, 16)):
                yield from pool.map(lambda one: self._decoded(*one), ahead)

    def _decoded(self, name: str, data: bytes | OSError) -> SizedImage | UnreadableSample:
        if isinstance(data, OSError):
            return UnreadableSample(name, data.strerror or str(data))
        recipe = self._recipe
        gray = recipe.color == "GRAY"
        try:
            pixels, size = decode(data, recipe.size, gray=gray, letterbox=recipe.letterbox, upright=self._upright)
        except unreadable() as error:
            return UnreadableSample(name, why_unreadable(error))
        return SizedImage(name, pixels, size)

    def pack(self, rows: list[Row]) -> dict[str, Array]:
        """Pixels of many files to one input."""
        name = self._recipe.name
        return {name: self._recipe.pack(np.stack([row[name] for row in rows]))}

    def frames(self, order: Sequence[int], most_bytes: int) -> Frames:
        """See `samples.Reader`."""
        recipe = self._recipe
        way = Way(recipe.size, gray=recipe.color == "GRAY", letterbox=recipe.letterbox, upright=self._upright)
        return Frames(self._files.read(order), way, lambda pixels: {recipe.name: recipe.pack(pixels)}, most_bytes)

    def truths(self, rows: Sequence[Row], numbers: Sequence[int]) -> Truths:
        """Nothing beside classes."""
        del rows, numbers
        return NOTHING
