"""A model's outputs as detections, batch by batch: the decoder is found with the first outputs and kept.

Apart from the decoders because it also counts what they cannot: classes that the model does not have, and boxes that are no
numbers.
"""

from __future__ import annotations

import numpy as np

from .boxes import Detections
from .decoder import Asked, Decoder, Layout, Outputs
from .find_decoder import DecoderName, find_decoder
from .suppression import LEAST_SCORE


class Detector:
    """What both sides of a comparison are read with."""

    def __init__(self, size: tuple[int, int], classes: int | None, name: DecoderName = "auto") -> None:
        """`size`: width and height of the input; `classes`: how many the model shall tell apart."""
        self._size, self._classes, self._name = size, classes, name
        self._decoder: Decoder | None = None
        self.not_finite = 0
        """Outputs with values that are no numbers; what is boxed by them is no detection."""

    @property
    def layout(self) -> Layout | None:
        """See `decoder.Decoder`; None, too, before it has looked."""
        return self._decoder.layout if self._decoder is not None else None

    def look(self, outputs: Outputs, n: int, batch: int, least: float = LEAST_SCORE) -> list[Detections]:
        """What the model says, with a score of `least` or more, of each of the first `n` samples of a batch, in pixels of its
        input.

        Raises:
            DataRefused: as `find_decoder`, or the values are no scores.
        """
        if self._decoder is None:
            self._decoder = find_decoder(outputs, Asked(self._size, self._classes, batch), self._name)
        self.not_finite += sum(
            not np.isfinite(array).all()
            for array in outputs.values()
            if isinstance(array, np.ndarray) and array.dtype.kind == "f"
        )
        return [self._known(found) for found in self._decoder.detections(outputs, n, least)]

    def _known(self, found: Detections) -> Detections:
        known = (found.classes >= 0) & (self._classes is None or found.classes < (self._classes or 0))
        return found if known.all() else Detections(found.corners[known], found.classes[known], found.scores[known])


def image_size(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Width and height of an input that takes images: (batch, channels, height, width), or channels last; None: others."""
    if len(shape) != 4:
        return None
    if shape[1] in (1, 3):
        return shape[3], shape[2]
    return (shape[2], shape[1]) if shape[3] in (1, 3) else None
