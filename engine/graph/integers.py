"""Integer weights of operators that keep the scale somewhere else than beside the weights' node input, or packed.

Apart from `dequantized.py`, whose operators say scale and zero point in one place: models that come quantized already have
these, by dynamic quantization (ConvInteger, MatMulInteger) or in blocks of 4 bits (MatMulNBits).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto

from .values import array_of
from .walk import attribute_int, nodes

Floats = NDArray[np.float32]
Held = Mapping[str, TensorProto]
_BITS = (2, 4, 8)


class Readers:
    """Who reads a tensor, and who makes it."""

    def __init__(self, model: ModelProto) -> None:
        self._read: dict[str, list[NodeProto]] = {}
        self._made: dict[str, NodeProto] = {}
        for node in nodes(model):
            for name in node.input:
                self._read.setdefault(name, []).append(node)
            self._made.update(dict.fromkeys(node.output, node))

    def scale_behind(self, node: NodeProto, held: Held) -> TensorProto | None:
        """The weights' scale, which a product of integers is multiplied by: Cast, then Mul with it, or with it times the scale
        of what came in. None: it is not told so.
        """
        for cast in self._read.get(node.output[0], ()):
            for product in self._read.get(cast.output[0], ()) if cast.op_type == "Cast" else ():
                for name in product.input if product.op_type == "Mul" else ():
                    if name in held:
                        return held[name]
                    maker = self._made.get(name)
                    if maker is not None and maker.op_type == "Mul":
                        return next((held[each] for each in maker.input if each in held), None)
        return None


def unpacked(node: NodeProto, held: Held) -> Floats | None:
    """The weights of a MatMulNBits, (outputs, inputs); None: they are no constants, or do not fit what the node says."""
    bits, block = attribute_int(node, "bits", 4), attribute_int(node, "block_size", 0)
    wide, out = attribute_int(node, "K", 0), attribute_int(node, "N", 0)
    if bits not in _BITS or min(block, wide, out) < 1:
        return None
    blocks = -(-wide // block)
    values = _rows(held, node.input[1:2], bits, out, blocks * block)
    scales = _rows(held, node.input[2:3], 0, out, blocks)
    points = _rows(held, node.input[3:4], bits, out, blocks)
    if values is None or scales is None or (points is None and any(node.input[3:4])):
        return None
    zeros = np.repeat(points, block, axis=1) if points is not None else 2 ** (bits - 1)
    found: Floats = ((values - zeros) * np.repeat(scales, block, axis=1))[:, :wide]
    return found


def _rows(held: Held, names: Sequence[str], bits: int, rows: int, columns: int) -> Floats | None:
    """A constant as so many rows, unpacked where it is bytes; None: it is none, or has other sizes."""
    tensor = held.get(names[0]) if names else None
    if tensor is None:
        return None
    array = _bits(tensor, bits) if tensor.data_type == TensorProto.UINT8 else array_of(tensor).astype(np.float32)
    if array.size % rows or array.size // rows < columns:
        return None
    found: Floats = array.reshape(rows, -1)[:, :columns]
    return found


def _bits(tensor: TensorProto, bits: int) -> Floats:
    """Numbers that lie in bytes, the low bits first; each row of bytes begins anew."""
    stored = array_of(tensor).view(np.uint8)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    found: Floats = ((stored[..., None] >> shifts) & (2**bits - 1)).astype(np.float32)
    return found.reshape(*stored.shape[:-1], -1)
