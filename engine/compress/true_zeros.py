"""Which zeros among integers were zeros before, and which rounding made: what `quantize.weights` leaves for `train.qat`.

Apart from both: one writes it and the other, in another process, reads it. `lower` drops it.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from onnx import ModelProto

from ..errors import ModelRefused
from ..graph import metadata

KEY = "zeros"
_ALL = "all"


class TrueZeros(Struct, frozen=True, kw_only=True):
    """By the names of stored integers."""

    masks: dict[str, str]
    """A bit for each integer that is 0, in their order: whether the weight was 0. Deflated, in base64; `all`: each was; empty:
    none was."""


def mask_of(integers: NDArray[np.generic], before: NDArray[np.bool_]) -> str:
    """As `TrueZeros.masks` has it. `before`: where the weights were 0, in the shape of the integers."""
    were = before[np.asarray(integers) == 0]
    if were.all():
        return _ALL if were.size else ""
    return base64.b64encode(zlib.compress(np.packbits(were).tobytes())).decode() if were.any() else ""


def write_zeros(model: ModelProto, masks: dict[str, str]) -> None:
    """Leave them in the model, beside those of an earlier step."""
    earlier = metadata.read(model, KEY, TrueZeros)
    metadata.put(model, KEY, {"masks": {**(earlier.masks if earlier else {}), **masks}})


def true_zeros(model: ModelProto, name: str, zeros: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of the `zeros` of the integers `name` that were zeros before; all of them where nobody has said it.

    Raises:
        ModelRefused: what was said of them is of other integers.
    """
    said = metadata.read(model, KEY, TrueZeros)
    mask = _ALL if said is None else said.masks.get(name, _ALL)
    if mask == _ALL:
        return zeros
    found = np.zeros_like(zeros)
    if mask:
        try:
            bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(mask)), np.uint8))
            found[zeros] = bits[: int(zeros.sum())].astype(np.bool_)
        except (ValueError, zlib.error) as error:
            raise ModelRefused(
                f"metadata `edgetui.{KEY}` is not of the integers {name}", fix="make the model again with `edgetui run`"
            ) from error
    return found
