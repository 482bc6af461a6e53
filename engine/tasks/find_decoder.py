"""Which decoder reads a model's outputs: by their shapes and the number of classes, or as the dataset's file says."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import DataRefused
from .decoder import Asked, Decoder, Outputs
from .ssd import BoxesAndScores
from .yolo import EndToEndYolo, RawYolo5, RawYolo8

DecoderName = Literal["auto", "yolov5", "yolov8", "yolo-end2end", "ssd"]
_ALL = (RawYolo8, RawYolo5, EndToEndYolo, BoxesAndScores)
"""Those that shapes tell more about come first."""
BOX_DECODERS: dict[str, DecoderName] = {kind.name: kind.name for kind in _ALL}  # type: ignore[misc]


def find_decoder(outputs: Outputs, asked: Asked, name: DecoderName = "auto") -> Decoder:
    """The decoder of these outputs.

    Raises:
        DataRefused: none fits them, or the one that is named does not, or the model tells other classes apart.
    """
    fitting = _fitting(outputs, asked, name)
    found = next((each for each in fitting if asked.classes is None or each.classes in (None, asked.classes)), None)
    if found is not None:
        return found
    if fitting:
        told = fitting[0].classes
        raise DataRefused(
            f"the dataset has {asked.classes} classes and the model's output tells {told} apart (read as {fitting[0].name})",
            fix="write `classes` into the dataset's TOML file, all of the model's in their order, or name the right `decoder`",
        )
    shapes = ", ".join(f"{output} {list(np.shape(array))}" for output, array in outputs.items())
    if name == "auto":
        raise DataRefused(
            f"no decoder fits the model's outputs ({shapes})",
            fix='name one as `decoder` in the dataset\'s TOML file, or set task = "none" to compare outputs without labels',
        )
    raise DataRefused(f"decoder {name} does not fit the model's outputs ({shapes})", fix='write decoder = "auto", or another')


def recognised(outputs: Outputs, asked: Asked) -> Decoder | None:
    """The decoder where the outputs can hardly mean anything else, for whoever must not take other models for detectors."""
    fits = (each for each in _fitting(outputs, asked, "auto") if each.sure)
    return next((each for each in fits if asked.classes is None or each.classes in (None, asked.classes)), None)


def _fitting(outputs: Outputs, asked: Asked, name: DecoderName) -> list[Decoder]:
    """Of `auto` only what is sure; of a name all that can be."""
    found: list[Decoder] = [each for kind in _ALL if name in ("auto", kind.name) for each in kind.fitting(outputs, asked)]
    known = [each for each in found if each.classes is not None and each.classes == asked.classes]
    return [*(each for each in found if each.sure), *(each for each in known if not each.sure), *_named(found, name)]


def _named(found: list[Decoder], name: DecoderName) -> list[Decoder]:
    return [] if name == "auto" else [each for each in found if not each.sure]
