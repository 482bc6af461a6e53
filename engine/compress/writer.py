"""Writes a graph anew, node by node, with quantized constants beside it: what both insertion passes share.

Names must stay unique, constants used twice must be stored once, and dead ones must go.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..graph.constant_views import seen
from ..graph.names import Names
from ..graph.walk import bodies
from .grid import Floats, Grid, Stored


class Writer:
    """Collects nodes and initializers, then puts them in place of a model's."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.nodes: list[NodeProto] = []
        self._fresh: list[TensorProto] = []
        self.unique = Names(model).free
        """Gives a name that nothing in the model has yet."""
        self._constant = set(seen(model.graph))
        self._made: dict[tuple[object, ...], tuple[str, str, str]] = {}
        self._floats: dict[tuple[object, ...], str] = {}

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

    def integers(self, name: str, stored: Stored) -> tuple[str, str, str]:
        """Weights as int8, the same ones stored once; returns the names of integers, scale and zero-point."""
        key = (name, stored.axis, stored.scale.tobytes(), stored.zero.tobytes(), stored.values.tobytes())
        if key not in self._made:
            parts = (("int8", stored.values), ("scale", stored.scale), ("zero_point", stored.zero))
            values, scale, zero = (self.constant(f"{name}_{part}", array) for part, array in parts)
            self._made[key] = values, scale, zero
        return self._made[key]

    def dequantized(self, name: str, stored: Stored) -> str:
        """Weights as int8 through DequantizeLinear; returns the float tensor's name."""
        return self.moved(self.integers(name, stored), [], stored.axis)

    def moved(self, held: tuple[str, str, str], order: list[int], axis: int | None) -> str:
        """Integers through DequantizeLinear, transposed before by `order`; one for all that want the same."""
        key = (*held, *order, axis)
        if key not in self._floats:
            values, scale, zero = held
            if order != sorted(order):
                turned = self.unique(f"{values}_t")
                self.add("Transpose", [values], turned)
                self.nodes[-1].attribute.append(helper.make_attribute("perm", order))
                values = turned
            attributes = {} if axis is None else {"axis": axis}
            name = self.unique(f"{held[0].removesuffix('_int8')}_dq")
            self._floats[key] = self.add("DequantizeLinear", [values, scale, zero], name, **attributes)
        return self._floats[key]

    def bias(self, name: str, steps: NDArray[np.int32], scale: Floats) -> str:
        """A bias as int32 through DequantizeLinear."""
        names = [self.constant(f"{name}_int32", steps), self.constant(f"{name}_scale", scale)]
        names.append(self.constant(f"{name}_zero_point", np.zeros_like(scale, np.int32)))
        axis = {"axis": 0} if scale.ndim else {}
        return self.add("DequantizeLinear", names, self.unique(f"{name}_dq"), **axis)

    def finish(self) -> None:
        """Put what was collected into the model; constants that nobody reads any more are dropped."""
        graph = self.model.graph
        read = {value.name for value in graph.output}
        for node in self.nodes:
            for body in bodies(node):
                read.update(name for inner in body.node for name in inner.input)
                read.update(value.name for value in body.output)
        nodes = self._needed(read)
        read = read.union(*(node.input for node in nodes))
        kept = [tensor for tensor in graph.initializer if tensor.name in read]
        inputs = [value for value in graph.input if value.name in read or value.name not in {t.name for t in graph.initializer}]
        for entries, fresh in ((graph.initializer, [*kept, *self._fresh]), (graph.node, nodes), (graph.input, inputs)):
            copies = list(fresh)
            del entries[:]
            entries.extend(copies)
        del graph.value_info[:]

    def _needed(self, read: set[str]) -> list[NodeProto]:
        """The nodes without those that made or moved a constant which nobody reads now; `read`: what is read besides."""
        read, needed = set(read), []
        for node in reversed(self.nodes):
            if read.intersection(node.output) or not self._constant.issuperset(node.output):
                needed.append(node)
                read.update(node.input)
        return needed[::-1]
