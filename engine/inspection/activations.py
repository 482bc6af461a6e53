"""Between which values a model's activations lie, as far as the file says: the ranges that were chosen for its quantized ones.

Apart from `inspect.py`, which counts what weights and operators are.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper


def activation_range(model: ModelProto) -> tuple[float, float] | None:
    """The least and greatest value that any quantized activation can have; None: nothing says so.

    (q - zero-point) * scale at both ends of the integers (ONNX, QuantizeLinear), of nodes with one scale for a tensor.
    """
    constants = {each.name: each for each in model.graph.initializer if each.data_location != TensorProto.EXTERNAL}
    low, high = np.inf, -np.inf
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] in constants or node.input[1] not in constants:
            continue
        scale = numpy_helper.to_array(constants[node.input[1]])
        named = constants.get(node.input[2]) if len(node.input) > 2 else None
        point = numpy_helper.to_array(named) if named is not None else np.zeros((), np.uint8)
        if scale.size != 1 or point.size != 1 or not np.issubdtype(point.dtype, np.integer):
            continue
        ends, zero, step = np.iinfo(point.dtype), int(point.reshape(())), float(scale.reshape(()))
        low, high = min(low, (ends.min - zero) * step), max(high, (ends.max - zero) * step)
    return (float(low), float(high)) if low <= high else None
