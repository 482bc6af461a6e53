"""Weight-only integers that TensorRT cannot read, turned back into floats of the same values.

`quantize.weights` writes one file for every backend, and only here its forms are too many: TensorRT shares
scales in blocks along the last two axes only (TensorRT-RTX 1.7 says so of a convolution's), and before strong typing (10) it
reads integer weights through pairs only. A recurrent node is a loop to it, and nobody has seen weights stay integers in one;
nor a Gather of integers.
"""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from ..graph.codebooks import shared_weights
from ..graph.values import array_of
from ..graph.walk import attribute_int, constants, graphs, is_onnx, nodes
from ..graph.weights import RECURRENT
from .token_tables import fold_tables


def fold(model: ModelProto, *, everything: bool) -> int:
    """Compute DequantizeLinear nodes over constants that TensorRT refuses, in place; returns how many.

    everything: all of them, those that it would read as well.
    """
    held = constants(model)
    looped = {name for node in nodes(model) if node.op_type in RECURRENT and is_onnx(node) for name in node.input}
    tables = fold_tables(model)
    count, folded = _codebooks(model)
    for graph in graphs(model.graph):
        here = count
        whole = [node for node in graph.node if _stored(node, held)]
        for node in whole if everything else [node for node in whole if node.output[0] in looped or not readable(node, held)]:
            graph.initializer.append(_computed(node, held))
            graph.node.remove(node)
            count += 1
        folded += [graph] if count > here else []
    read = {name for graph in graphs(model.graph) for node in graph.node for name in node.input}  # bodies see what is around
    read.update(value.name for graph in graphs(model.graph) for value in graph.output)
    for graph in folded:
        kept = [tensor for tensor in graph.initializer if tensor.name in read or tensor.name not in held]
        del graph.initializer[:]
        graph.initializer.extend(kept)
    return count + tables


def _codebooks(model: ModelProto) -> tuple[int, list[GraphProto]]:
    """Let weights behind codebooks be floats again: TensorRT has no places of 8 or 4 bits."""
    folded: list[GraphProto] = []
    found = shared_weights(model)
    for one in found:
        one.graph.initializer.append(numpy_helper.from_array(one.array(), one.gather.output[0]))
        one.graph.node.remove(one.gather)
        if not any(one.cast.output[0] in node.input for node in one.graph.node):
            one.graph.node.remove(one.cast)
        folded += [] if one.graph in folded else [one.graph]
    return len(found), folded


def readable(node: NodeProto, held: dict[str, TensorProto]) -> bool:
    """Whether TensorRT reads the grouping of scales of a DequantizeLinear over a constant."""
    if not attribute_int(node, "block_size", 0):
        return True
    rank = len(held[node.input[0]].dims)
    return attribute_int(node, "axis", 1) % rank >= rank - 2


def _stored(node: NodeProto, held: dict[str, TensorProto]) -> bool:
    return node.op_type == "DequantizeLinear" and is_onnx(node) and all(name in held for name in node.input if name)


def _computed(node: NodeProto, held: dict[str, TensorProto]) -> TensorProto:
    """(q - zero point) x scale, as ONNX defines it, in the scale's type."""
    integers = array_of(held[node.input[0]]).astype(np.float32)
    scale = array_of(held[node.input[1]])
    kind = scale.dtype
    zero = array_of(held[node.input[2]]) if len(node.input) > 2 and node.input[2] else np.zeros(scale.shape)
    block, axis = attribute_int(node, "block_size", 0), attribute_int(node, "axis", 1)
    parameters = []
    for values in (zero, scale):
        wide = values.astype(np.float32)
        if block:
            wide = np.repeat(wide, block, axis=axis).take(range(integers.shape[axis]), axis=axis)
        elif wide.size > 1:
            wide = wide.reshape([-1 if place == axis % integers.ndim else 1 for place in range(integers.ndim)])
        else:
            wide = wide.reshape(())
        parameters.append(wide)
    return numpy_helper.from_array(((integers - parameters[0]) * parameters[1]).astype(kind), node.output[0])
