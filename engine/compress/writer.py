"""Writes a graph anew, node by node, with quantized constants beside it: what both insertion passes share.

Apart because names must stay unique, constants used twice must be stored once, and dead ones must go.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..graph.walk import bodies
from .grid import Floats, Grid, Stored


class Writer:
    """Collects nodes and initializers, then puts them in place of a model's."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.nodes: list[NodeProto] = []
        self._fresh: list[TensorProto] = []
        graph = model.graph
        self._taken = {name for node in graph.node for name in (node.name, *node.output)}
        self._taken |= {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
        self._made: dict[tuple[object, ...], tuple[str, ...]] = {}

    def unique(self, wanted: str) -> str:
        """A name nothing in the graph has yet."""
        name, count = wanted, 1
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name

    def constant(self, wanted: str, values: NDArray[np.generic] | np.generic) -> str:
        """Store a constant; returns its name."""
        name = self.unique(wanted)
        self._fresh.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes: int) -> str:
        """Append a node of ONNX's own operators, named after what it makes; returns its output."""
        node = helper.make_node(operator, inputs, [output], name=self.unique(f"{output}/{operator}"))
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return output

    def grid(self, tensor: str, grid: Grid) -> tuple[str, str]:
        """Store scale and zero-point of a tensor; returns their names."""
        return self.constant(f"{tensor}_scale", grid.scale), self.constant(f"{tensor}_zero_point", grid.zero)

    def dequantized(self, name: str, stored: Stored) -> str:
        """Weights as int8 through DequantizeLinear; the same weights are stored once. Returns the float tensor's name."""
        key = (name, stored.axis, stored.scale.tobytes(), stored.zero.tobytes(), stored.values.tobytes())
        if key not in self._made:
            integers = self.constant(f"{name}_int8", stored.values)
            names = [integers, self.constant(f"{name}_scale", stored.scale), self.constant(f"{name}_zero_point", stored.zero)]
            axis = {} if stored.axis is None else {"axis": stored.axis}
            self._made[key] = (self.add("DequantizeLinear", names, self.unique(f"{name}_dq"), **axis),)
        return self._made[key][0]

    def bias(self, name: str, steps: NDArray[np.int32], scale: Floats) -> str:
        """A bias as int32 through DequantizeLinear."""
        names = [self.constant(f"{name}_int32", steps), self.constant(f"{name}_scale", scale)]
        names.append(self.constant(f"{name}_zero_point", np.zeros_like(scale, np.int32)))
        axis = {"axis": 0} if scale.ndim else {}
        return self.add("DequantizeLinear", names, self.unique(f"{name}_dq"), **axis)

    def finish(self) -> None:
        """Put what was collected into the model; constants that nobody reads any more are dropped."""
        graph = self.model.graph
        read = {name for node in self.nodes for name in node.input} | {value.name for value in graph.output}
        for node in self.nodes:
            for body in bodies(node):
                read.update(name for inner in body.node for name in inner.input)
                read.update(value.name for value in body.output)
        kept = [tensor for tensor in graph.initializer if tensor.name in read]
        inputs = [value for value in graph.input if value.name in read or value.name not in {t.name for t in graph.initializer}]
        nodes = [node for node in self.nodes if node.op_type != "Constant" or node.output[0] in read]
        for entries, fresh in ((graph.initializer, [*kept, *self._fresh]), (graph.node, nodes), (graph.input, inputs)):
            copies = list(fresh)
            del entries[:]
            entries.extend(copies)
        del graph.value_info[:]
