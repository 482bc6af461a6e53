"""Image files as they lie, in memory, and the ways from one to the model's input one by one, as a camera's frames take them.

Apart from `images.py`, which gives samples as arrays: here each part is timed by itself (`measure/whole_frames.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .decoding import fitted, opened, unreadable

if TYPE_CHECKING:
    from PIL.Image import Image


class Way(NamedTuple):
    """How a file becomes pixels: see `decoding.decode`."""

    size: tuple[int, int]
    gray: bool
    letterbox: bool
    upright: bool


class Frames:
    """Encoded images, counted from 0. Files that cannot be read are passed over: whoever evaluates them says so."""

    def __init__(
        self,
        content: Iterable[tuple[str, bytes | OSError]],
        way: Way,
        feed: Callable[[NDArray[np.uint8]], dict[str, NDArray[np.generic]]],
        most_bytes: int,
    ) -> None:
        """`feed`: pixels (n, height, width, channels) to what the model takes."""
        self._way, self._feed = way, feed
        self._data: list[bytes] = []
        self.places: list[int] = []
        """Of each image its place in what was given."""
        held = 0
        for place, (_, data) in enumerate(content):
            if not isinstance(data, bytes) or not self._whole(data):
                continue
            held += len(data)
            if self._data and held > most_bytes:
                break
            self._data.append(data)
            self.places.append(place)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._data)

    def decoded(self, number: int) -> Image:
        """The pixels of one file, in the model's colours."""
        return self._opened(self._data[number])

    def fitted(self, image: Image) -> NDArray[np.uint8]:
        """Resized to the input, stretched or in a letterbox: (height, width, channels)."""
        return fitted(image, self._way.size, letterbox=self._way.letterbox)

    def fed(self, pixels: list[NDArray[np.uint8]]) -> dict[str, NDArray[np.generic]]:
        """As the model takes a batch of them: its layout, its type, normalised."""
        return self._feed(np.stack(pixels))

    def _opened(self, data: bytes) -> Image:
        way = self._way
        return opened(data, way.size, gray=way.gray, letterbox=way.letterbox, upright=way.upright)[0]

    def _whole(self, data: bytes) -> bool:
        try:
            self._opened(data)
        except unreadable():
            return False
        return True
