"""Whether weights have the 2:4 pattern that sparse tensor cores (Ampere and later) skip: of four in a row, two are zero.

It reads the file that is built, where weights are floats, half floats or integers, or stand before Q/DQ pairs.
The pattern is NVIDIA's (TensorRT's documentation, "Structured Sparsity"): for each output channel and each place of a kernel,
of every four input channels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from .load import load
from .values import array_of
from .walk import attribute_int, constants, is_onnx, nodes

_THROUGH = ("QuantizeLinear", "DequantizeLinear", "Cast", "Identity")
"""What may stand between a weight and its reader; zero stays zero in it, for TensorRT's zero points are 0."""
_GROUP, _ZEROS = 4, 2


def two_of_four(path: Path) -> int:
    """How many weights of Conv, Gemm and MatMul in the file have the pattern.

    Raises:
        ModelRefused: the file cannot be read.
    """
    model = load(path)
    held = constants(model)
    axes: dict[str, int] = {}
    for name, axis in _weights(model):
        if name in held and len(held[name].dims) >= 2:
            axes.setdefault(name, axis)
    return sum(_has_pattern(array_of(held[name]), axis) for name, axis in axes.items())


def _weights(model: ModelProto) -> list[tuple[str, int]]:
    """What each such node multiplies with, traced to where it is stored, and the axis that is summed over."""
    made = {name: node for node in nodes(model) for name in node.output}
    found = []
    for node in nodes(model):
        if node.op_type in ("Conv", "Gemm", "MatMul") and is_onnx(node) and attribute_int(node, "group", 1) == 1:
            name, before = node.input[1], made.get(node.input[1])
            while before is not None and before.op_type in _THROUGH:
                name, before = before.input[0], made.get(before.input[0])
            found.append((name, _summed(node)))
    return found


def _summed(node: NodeProto) -> int:
    return 1 if node.op_type == "Conv" else -1 if attribute_int(node, "transB", 0) else -2


def _has_pattern(array: NDArray[np.generic], axis: int) -> bool:
    """Counts first: most weights are dense, and that alone rules them out."""
    if array.shape[axis] % _GROUP or 2 * np.count_nonzero(array) > array.size:
        return False
    rows = np.moveaxis(array != 0, axis, -1).reshape(-1, _GROUP)
    return bool(array.size) and int(np.count_nonzero(rows, axis=1).max()) <= _GROUP - _ZEROS
