"""Weights that a graph computes, as the initializers they are: filled by ConstantOfShape, or behind a Reshape; no Dropout.

Apart from `fold.py`, whose library leaves tensors of more than a few thousand values as it finds them.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from .walk import attribute, bodies, constants, is_onnx

LARGEST_BYTES = 1_500_000_000
"""All that is written out together: more would not fit into one file, or into a small board's memory."""


def write_out(model: ModelProto) -> int:
    """Turn computed constants of the outermost graph into initializers, and take out Dropout; how many nodes went."""
    graph = model.graph
    held = constants(model)
    inside = {name for node in graph.node for name in _read_inside(node)}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(inside)
    needed = inside | {value.name for value in graph.output}
    room = LARGEST_BYTES
    gone: list[NodeProto] = []
    renamed: dict[str, str] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        if not is_onnx(node) or not node.output or node.output[0] in needed:
            continue
        if node.op_type == "Dropout" and _idle(node, readers):
            renamed[node.output[0]] = node.input[0]
            gone.append(node)
            continue
        made = _filled(node, held) if node.op_type == "ConstantOfShape" else _reshaped(node, held, readers)
        if made is None or (size := len(made.raw_data)) > room:
            continue
        room -= size
        held[made.name] = made
        graph.initializer.append(made)
        gone.append(node)
    for node in gone:
        graph.node.remove(node)
    if gone:
        _drop_unread(graph, needed)
    return len(gone)


def _idle(node: NodeProto, readers: Counter[str]) -> bool:
    """A Dropout that passes its input on: not training, and nobody reads its mask."""
    mask = node.output[1] if len(node.output) > 1 else ""
    training = len(node.input) > 2 and node.input[2] != ""
    return not training and not readers[mask]


def _filled(node: NodeProto, held: dict[str, TensorProto]) -> TensorProto | None:
    shape = held.get(node.input[0])
    if shape is None or shape.external_data:
        return None
    lengths = tuple(int(length) for length in numpy_helper.to_array(shape))
    if 0 in lengths or np.prod(lengths, dtype=float) * 8 > LARGEST_BYTES:
        return None
    given = attribute(node, "value")
    value = numpy_helper.to_array(given.t) if given is not None else np.zeros(1, np.float32)
    return numpy_helper.from_array(np.full(lengths, value.reshape(-1)[0], value.dtype), node.output[0])


def _reshaped(node: NodeProto, held: dict[str, TensorProto], readers: Counter[str]) -> TensorProto | None:
    """A constant that only this Reshape reads, in its new shape."""
    if node.op_type != "Reshape" or len(node.input) != 2:
        return None
    source, shape = (held.get(name) for name in node.input)
    if source is None or shape is None or source.external_data or readers[source.name] > 1:
        return None
    allow_zero = attribute(node, "allowzero")
    array = numpy_helper.to_array(source)
    wanted = [int(length) for length in numpy_helper.to_array(shape)]
    if allow_zero is None or not allow_zero.i:
        wanted = [array.shape[place] if length == 0 else length for place, length in enumerate(wanted)]
    return numpy_helper.from_array(array.reshape(wanted), node.output[0])


def _drop_unread(graph: GraphProto, needed: set[str]) -> None:
    """Take out initializers that nothing reads any more."""
    read = {name for node in graph.node for name in node.input} | needed
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)


def _read_inside(node: NodeProto) -> set[str]:
    """Names that the bodies of a node read or give back, at any depth."""
    found: set[str] = set()
    for body in bodies(node):
        found.update(value.name for value in body.output)
        for inner in body.node:
            found.update(inner.input)
    return found
