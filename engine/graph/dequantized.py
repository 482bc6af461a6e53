"""Weights that a graph stores as integers, as the numbers they stand for: for pictures of weights before and after.

Apart from `weights.py`, whose weights are those in floating point that a step can still change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from .integers import Readers, unpacked
from .values import array_of
from .walk import attribute_int, constants, nodes

Floats = NDArray[np.float32]

_BIAS = TensorProto.INT32
_BEHIND = -1
"""In place of an input: the scale stands behind the node."""
_PLACES = {
    "DequantizeLinear": (0, 1, 2, 1),
    "QuantizeLinear": (0, 1, 2, 1),
    "QLinearConv": (3, 4, 5, 0),
    "QLinearMatMul": (3, 4, 5, -1),
    "MatMulIntegerToFloat": (1, 3, 5, -1),
    "DynamicQuantizeMatMul": (1, 2, 3, -1),
    "ConvInteger": (1, _BEHIND, 3, 0),
    "MatMulInteger": (1, _BEHIND, 3, -1),
}
"""Where weights, scales and zero points stand among a node's inputs, and the axis of scales where the node says none."""


def dequantized(model: ModelProto) -> Iterator[Floats]:
    """The weights of each node that reads some as integers, or rounds constants to integers; one tensor at a time. Vectors are
    biases and settings, and are left out.
    """
    held, readers = constants(model), Readers(model)
    seen: set[str] = set()
    for node in nodes(model):
        if node.op_type == "MatMulNBits" and node.input[1] not in seen:
            seen.add(node.input[1])
            packed = unpacked(node, held)
            yield from () if packed is None else (packed,)
        places = _PLACES.get(node.op_type)
        if places is None or len(node.input) <= max(places[:2]):
            continue
        stored = held.get(node.input[places[0]])
        scale = readers.scale_behind(node, held) if places[1] == _BEHIND else held.get(node.input[places[1]])
        if (
            stored is None
            or scale is None
            or len(stored.dims) < 2
            or stored.data_type == _BIAS
            or node.input[places[0]] in seen
        ):
            continue
        seen.add(node.input[places[0]])
        yield _values(node, stored, scale, held, places)


def _values(
    node: NodeProto, stored: TensorProto, scale: TensorProto, held: Mapping[str, TensorProto], places: tuple[int, int, int, int]
) -> Floats:
    array = array_of(stored).astype(np.float32)
    point = held.get(node.input[places[2]]) if len(node.input) > places[2] else None
    scales = _spread(node, array_of(scale).astype(np.float32), array.shape, places[3])
    zero: Floats | np.float32 = np.float32(0)
    if point is not None:
        zero = _spread(node, array_of(point).astype(np.float32), array.shape, places[3])
    if node.op_type == "QuantizeLinear":
        low, high = _range(point)
        array = np.clip(np.rint(array / scales) + zero, low, high)
    found: Floats = (array - zero) * scales
    return found


def _range(point: TensorProto | None) -> tuple[float, float]:
    """What the integers of a zero point's type can hold; without one they are unsigned bytes."""
    if point is None:
        return 0, 255
    signed = helper.tensor_dtype_to_string(point.data_type).partition(".")[2].startswith("INT")
    bits = 4 if point.data_type in (TensorProto.INT4, TensorProto.UINT4) else 8
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def _spread(node: NodeProto, values: Floats, shape: tuple[int, ...], default: int) -> Floats:
    """One value, one for each place of an axis, or one for each block along it, in the weights' shape."""
    if values.size == 1:
        return values.reshape(())
    axis = attribute_int(node, "axis", default) % len(shape)
    block = attribute_int(node, "block_size", 0)
    if block:
        return np.repeat(values, block, axis=axis)[tuple(slice(length) for length in shape)]
    if values.size == shape[axis]:
        return values.reshape([-1 if place == axis else 1 for place in range(len(shape))])
    return values
