"""Constants in one form: sparse tensors, and the numbers that a Constant node has as an attribute, as plain tensors.

ONNX has seven ways to say a constant, and what counts, prunes and quantizes knows one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

from ..errors import ModelRefused
from .walk import graphs, is_onnx

_FORMS: dict[str, Callable[[AttributeProto], object]] = {
    "value_float": lambda entry: np.float32(entry.f),
    "value_floats": lambda entry: np.array(entry.floats, np.float32),
    "value_int": lambda entry: np.int64(entry.i),
    "value_ints": lambda entry: np.array(entry.ints, np.int64),
}


def write_out(model: ModelProto) -> None:
    """Give every constant of the model the plain form, its name kept; texts stay as they are.

    Raises:
        ModelRefused: the indices of a sparse tensor do not fit its shape.
    """
    for graph in graphs(model.graph):
        graph.initializer.extend(_dense(sparse, sparse.values.name) for sparse in graph.sparse_initializer)
        del graph.sparse_initializer[:]
        for node in graph.node:
            if node.op_type == "Constant" and is_onnx(node) and len(node.attribute) == 1:
                _plain(node)


def _plain(node: NodeProto) -> None:
    entry = node.attribute[0]
    if entry.name == "sparse_value":
        tensor = _dense(entry.sparse_tensor, node.output[0])
    elif entry.name in _FORMS:
        tensor = numpy_helper.from_array(np.asarray(_FORMS[entry.name](entry)), node.output[0])
    else:
        return
    entry.CopyFrom(helper.make_attribute("value", tensor))


def _dense(sparse: SparseTensorProto, name: str) -> TensorProto:
    shape = tuple(sparse.dims)
    try:
        values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
        dense = np.zeros(shape, values.dtype)
        dense[np.unravel_index(indices, shape) if indices.ndim == 1 else tuple(indices.T)] = values
    except (IndexError, ValueError, TypeError, MemoryError) as error:
        raise ModelRefused(
            f"the sparse tensor {name} of the model is broken ({error})", fix="export the model again"
        ) from error
    return numpy_helper.from_array(dense, name)
