"""Weights that are places in a list of values: a Gather over stored places, with a Cast between.

`quantize.shared` writes them; counting and lowering must know them for weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from .values import array_of
from .walk import attribute_int, constants, graphs, is_onnx

PLACES = (TensorProto.UINT8, TensorProto.UINT4)
"""Types in which places are stored."""


@dataclass(frozen=True)
class SharedWeight:
    """A weight behind its codebook."""

    graph: GraphProto
    cast: NodeProto
    gather: NodeProto
    places: TensorProto
    values: TensorProto

    def array(self) -> NDArray[np.generic]:
        """The weight as floats."""
        return array_of(self.values)[array_of(self.places).astype(np.uint8)]


def shared_weights(model: ModelProto) -> list[SharedWeight]:
    """Every weight of this form."""
    held = constants(model)
    found = []
    for graph in graphs(model.graph):
        casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast" and is_onnx(node)}
        for node in graph.node:
            if node.op_type != "Gather" or not is_onnx(node) or attribute_int(node, "axis", 0):
                continue
            values, cast = held.get(node.input[0]), casts.get(node.input[1])
            places = None if cast is None else held.get(cast.input[0])
            if cast is None or values is None or places is None or len(values.dims) != 1 or places.data_type not in PLACES:
                continue
            found.append(SharedWeight(graph, cast, node, places, values))
    return found
