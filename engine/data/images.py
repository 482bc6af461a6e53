"""Image files in class folders, in a folder or in a zip that is read in place.

Apart from `folders.py`, which finds the files: this turns one file into the model's input.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..result import TensorFacts
from ..spec import ImageInput
from .folders import Files, find_files
from .samples import Array, Broken, Pixels, Row

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
"""What is tried, the usual first. Never all that pillow knows: one of them hands the file to another program."""
_LARGEST_PIXELS = 64_000_000
_DTYPES = {"float": np.float32, "float16": np.float16, "double": np.float64, "uint8": np.uint8}
_THREADED_BYTES = 20_000
"""Below this, handing a file to a thread costs more than decoding it: 500 files of 900 bytes take
65 ms, and 95 through threads; 12 of 100 kB take 60 ms, and 35 through threads."""


def open_images(
    path: Path, how: ImageInput, inputs: Sequence[TensorFacts], shapes: Mapping[str, tuple[int, ...]], *, labelled: bool
) -> Images:
    """Find the images below `path` and settle how they become the input.

    Raises:
        DataRefused: nothing there, or `how` does not fit the model.
    """
    return Images(find_files(path, labelled=labelled), _Recipe(how, _the_input(how, inputs), shapes))


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


class _Recipe:
    """How pixels become the input: size, layout, colour and the two numbers a channel of `pixel * gain + offset`."""

    def __init__(self, how: ImageInput, tensor: TensorFacts, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.name, self.how = tensor.name, how
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
        if how.color or how.mean or how.std or how.scale != ImageInput().scale:
            return ""
        done = "as whole pixels" if self.whole else "divided by 255, without mean and std,"
        return f"{self.color} {done}"

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


class Images:
    """See `samples.Reader`."""

    largest_batch: int | None = None

    def __init__(self, files: Files, recipe: _Recipe) -> None:
        self._files = files
        self._recipe = recipe
        self.labels = files.labels
        self.classes = files.classes
        self.assumed = recipe.assumed
        self.pixels: Pixels | None = recipe.pixels

    def __len__(self) -> int:
        """How many image files there are."""
        return len(self._files.names)

    def rows(self, order: Sequence[int]) -> Iterator[Row | Broken]:
        """Read in this thread, decode in two more where files are large; a few files are ahead, never all."""
        content = self._files.read(order)
        if self._files.mean_bytes < _THREADED_BYTES:
            yield from (self._decoded(name, data) for name, data in content)
            return
        with ThreadPoolExecutor(2) as pool:
            while ahead := list(islice(content, 16)):
                yield from pool.map(lambda one: self._decoded(*one), ahead)

    def _decoded(self, name: str, data: bytes | OSError) -> Row | Broken:
        """One file's pixels, (height, width, channels)."""
        if isinstance(data, OSError):
            return Broken(name, data.strerror or str(data))
        try:
            return {self._recipe.name: decode(data, self._recipe.size, gray=self._recipe.color == "GRAY")}
        except _unreadable() as error:
            return Broken(name, _why(error))

    def pack(self, rows: list[Row]) -> dict[str, Array]:
        """Pixels of many files to one input."""
        name = self._recipe.name
        return {name: self._recipe.pack(np.stack([row[name] for row in rows]))}


def decode(data: bytes, size: tuple[int, int], *, gray: bool) -> NDArray[np.uint8]:
    """An image file's pixels, resized to `size` (width, height; bilinear, stretched): (height, width, 1 or 3).

    A JPEG much larger than that is decoded at a half, a quarter or an eighth. As training frameworks do, an alpha channel is
    dropped and a rotation noted by the camera is not applied.

    Raises:
        OSError, SyntaxError, ValueError: no image, or a broken one.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        image.draft(None, (2 * size[0], 2 * size[1]))
        if image.width * image.height > _LARGEST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels are too many")
        shown = _in_color(image, "L" if gray else "RGB")
        if shown.size != size:
            shown = shown.resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(shown, np.uint8)
    return pixels[:, :, None] if gray else pixels


def _in_color(image: Image, mode: str) -> Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode != "F" or values.max(initial=0) > 255 else 255.0
        image = _from_array((values * (255 / top)).clip(0, 255).astype(np.uint8))
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)


def _from_array(values: NDArray[np.uint8]) -> Image:
    from PIL import Image

    return Image.fromarray(values)


def _unreadable() -> tuple[type[Exception], ...]:
    from PIL.Image import DecompressionBombError

    return (OSError, SyntaxError, ValueError, EOFError, MemoryError, DecompressionBombError)


def _why(error: Exception) -> str:
    text = str(error)
    if "cannot identify image file" in text:
        return "no image"
    return " ".join(text.split()) or type(error).__name__
