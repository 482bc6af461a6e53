"""The pixels of one image file, as large as the model's input.

Apart from `images.py`, which knows samples: `frames.py` goes the same ways, each by itself.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..tasks.boxes import letterboxed

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
"""What is tried, the usual first. Never all that pillow knows: one of them hands the file to another program."""
_LARGEST_PIXELS = 64_000_000
_LARGEST_MASK = 36_000_000
"""Pixels: 8K. What is said of each is held beside what is right, four bytes each."""
_LAST_CLASS = 65_535
"""Of a mask: a PNG has 16 bits, and counts are held by class."""
_ORIENTATION, _SIDEWAYS = 0x0112, frozenset((5, 6, 7, 8))
"""EXIF's tag, and the values that swap width and height."""
_GREY = 114
_WITH_ALPHA = {"P": "PA", "L": "LA", "RGB": "RGBA"}


def decode(
    data: bytes, size: tuple[int, int], *, gray: bool, letterbox: bool = False, upright: bool = False
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """An image file's pixels, resized to `size` (width, height): (height, width, 1 or 3); and its own width and height.

    Stretched, bilinear; a JPEG much larger than that is decoded at a half, a quarter or an eighth. Or in a `letterbox`, as
    Ultralytics' exports are fed: on grey (114), and between the four nearest pixels alone, as OpenCV resizes. As training
    frameworks do, an alpha channel is dropped and a rotation noted by the camera is not applied, unless it shall be `upright`.

    Raises:
        OSError, SyntaxError, ValueError: no image, or a broken one.
    """
    shown, own = opened(data, size, gray=gray, letterbox=letterbox, upright=upright)
    return fitted(shown, size, letterbox=letterbox), own


def decode_mask(data: bytes) -> NDArray[np.int32]:
    """A mask file's numbers, (height, width): those of its palette's colours, not the colours.

    Raises:
        OSError, SyntaxError, ValueError: no image, a broken one, or one of colours.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        if image.width * image.height > _LARGEST_MASK:
            raise ValueError(f"{image.width} x {image.height} pixels are too many")
        if image.mode not in ("L", "P", "1", "I;16", "I"):
            raise ValueError(f"it is a picture of colours ({image.mode}); save the number of each pixel's class")
        mask = np.asarray(image).astype(np.int32)
    low, high = int(mask.min(initial=0)), int(mask.max(initial=0))
    if low < 0 or high > _LAST_CLASS:
        raise ValueError(f"it has the number {low if low < 0 else high}, and classes are 0 to {_LAST_CLASS}")
    return mask


def head_of(data: bytes) -> tuple[tuple[int, int], str]:
    """Width and height of an image file, and pillow's word for its colours, with the alpha channel that a palette or a key
    colour means. Its pixels are read too, of a large JPEG an eighth of them: most broken files begin well.

    Raises:
        OSError, SyntaxError, ValueError: no image, or a broken one.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        size, mode = image.size, image.mode
        if size[0] * size[1] > _LARGEST_PIXELS:
            raise ValueError(f"{size[0]} x {size[1]} pixels are too many")
        if "transparency" in image.info:
            mode = _WITH_ALPHA.get(mode, mode)
        image.draft(None, (8, 8))
        image.load()
    return size, mode


def small_picture(data: bytes, most: int) -> tuple[bytes, int]:
    """An image as red, green and blue of each pixel, row by row, of at most so many pixels a side; and its width.

    Raises:
        OSError, SyntaxError, ValueError: no image, or a broken one.
    """
    shown, _ = opened(data, (most, most), gray=False, letterbox=False, upright=True)
    shown.thumbnail((most, most))
    return shown.tobytes(), shown.width


def opened(data: bytes, size: tuple[int, int], *, gray: bool, letterbox: bool, upright: bool) -> tuple[Image, tuple[int, int]]:
    """The first half of `decode`: the image in its colours, and its own width and height.

    Raises:
        OSError, SyntaxError, ValueError: no image, or a broken one.
    """
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        if image.width * image.height > _LARGEST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels are too many")
        turned = upright and image.getexif().get(_ORIENTATION, 1) in _SIDEWAYS
        own = (image.height, image.width) if turned else image.size
        if not letterbox:
            image.draft(None, (2 * size[0], 2 * size[1]))
        shown = _in_color(ImageOps.exif_transpose(image) if upright else image, "L" if gray else "RGB")
        shown.load()
    return shown, own


def fitted(shown: Image, size: tuple[int, int], *, letterbox: bool) -> NDArray[np.uint8]:
    """The second half: (height, width, 1 or 3) of `size` (width, height)."""
    from PIL import Image

    if letterbox:
        shown = _in_a_letterbox(shown, size)
    elif shown.size != size:
        shown = shown.resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(shown, np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _in_a_letterbox(image: Image, size: tuple[int, int]) -> Image:
    from PIL import Image

    _, (left, top, width, height) = letterboxed(image.size, size)
    whole = Image.new(image.mode, size, _GREY if image.mode == "L" else (_GREY,) * 3)
    if (width, height) != image.size:
        # `resize` averages over all pixels that fall into one, which exporters' OpenCV does not.
        image = image.transform((width, height), Image.Transform.EXTENT, (0, 0, *image.size), Image.Resampling.BILINEAR)
    whole.paste(image, (left, top))
    return whole


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


def unreadable() -> tuple[type[Exception], ...]:
    """What reading an image file raises where there is none in it, or a broken one."""
    from PIL.Image import DecompressionBombError

    return (OSError, SyntaxError, ValueError, EOFError, MemoryError, DecompressionBombError)


def why_unreadable(error: Exception) -> str:
    """The same in words."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no image"
    return " ".join(str(error).split()) or type(error).__name__
