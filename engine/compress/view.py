"""Who makes and who reads each tensor of a graph, and what is constant: what placing Q/DQ pairs has to know.

Calibration, placement and insertion all ask the same questions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from ..graph.constant_views import seen
from ..graph.shapes import inferred
from ..graph.walk import attribute, attribute_int, bodies, is_onnx

_RESHAPING = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Expand", "Tile", "Identity")
_PICKING = ("MaxPool", "Slice", "Split", "Gather", "Pad", "Resize")
MOVES = frozenset(_RESHAPING + _PICKING)
"""Operators whose outputs are values of their first input: they work on integers as well, on the same grid."""


class View:
    """A model's main graph, indexed. It is not updated when the graph changes."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.graph: GraphProto = model.graph
        self.constants = seen(self.graph)
        """What is stored, by every name that the graph has for it: behind a Transpose or a Cast as well."""
        self.producer: dict[str, NodeProto] = {}
        self.users: dict[str, list[NodeProto]] = {}
        self.held = {value.name for value in self.graph.output}
        """Tensors whose name must stay what it is: outputs of the graph, and what bodies (If, Loop) read from outside."""
        for node in self.graph.node:
            self.producer.update(dict.fromkeys(filter(None, node.output), node))
            for name in filter(None, node.input):
                self.users.setdefault(name, []).append(node)
            for body in bodies(node):
                self.held.update(name for inner in body.node for name in inner.input)
                self.held.update(value.name for value in body.output)
        self._types: dict[str, tuple[int, tuple[int, ...] | None]] | None = None

    def is_constant(self, name: str) -> bool:
        """True for initializers, Constant nodes, and what only moves or casts such."""
        return name in self.constants

    def is_float(self, name: str) -> bool:
        """True for a constant of float32, the only type that is quantized."""
        found = self.constants.get(name)
        return found is not None and found.kind == TensorProto.FLOAT

    def array(self, name: str) -> NDArray[np.generic]:
        """A constant's values.

        Raises:
            KeyError: it is no constant.
        """
        return np.ascontiguousarray(self.constants[name].array())

    def shape(self, name: str) -> tuple[int, ...]:
        """A constant's shape."""
        return self.constants[name].shape

    def only_user(self, name: str) -> NodeProto | None:
        """The one node that reads a tensor, if nothing else does."""
        users = self.users.get(name, [])
        return users[0] if len(users) == 1 and list(users[0].input).count(name) == 1 and name not in self.held else None

    def lengths(self, name: str) -> tuple[int, ...] | None:
        """The shape of any tensor where shape inference finds it; -1 for an axis without a fixed length."""
        return self._inferred().get(name, (0, None))[1]

    def holds_floats(self, name: str) -> bool:
        """True where type inference says float32."""
        return self._inferred().get(name, (0, None))[0] == TensorProto.FLOAT

    def _inferred(self) -> dict[str, tuple[int, tuple[int, ...] | None]]:
        if self._types is None:
            graph = inferred(self.model, {}).graph
            self._types = {
                value.name: (value.type.tensor_type.elem_type, _lengths(value))
                for value in (*graph.input, *graph.value_info, *graph.output)
            }
        return self._types


def _lengths(value: ValueInfoProto) -> tuple[int, ...] | None:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim)


def operator(node: NodeProto) -> str:
    """The operator, with a Sum of two called what it is: an Add."""
    return "Add" if node.op_type == "Sum" and len(node.input) == 2 else str(node.op_type)


def moves(view: View, node: NodeProto) -> bool:
    """True when the node only moves values about, so that its output lies on its input's grid."""
    if not is_onnx(node) or node.op_type not in MOVES or not node.input:
        return False
    if node.op_type == "MaxPool":
        return len(node.output) == 1
    if node.op_type == "Resize":
        mode = attribute(node, "mode")
        return mode is None or mode.s == b"nearest"
    if node.op_type == "Pad":
        return pads_with_zero(view, node)
    if node.op_type == "Gather":
        return not view.is_constant(node.input[0])
    return True


def pads_with_zero(view: View, node: NodeProto) -> bool:
    """True for a Pad that adds zeros, or values that are there already (reflected, repeated)."""
    mode = attribute(node, "mode")
    if mode is not None and mode.s != b"constant":
        return True
    value = attribute(node, "value")
    if value is not None and value.f != 0:
        return False
    if len(node.input) < 3 or not node.input[2]:
        return True
    return view.is_constant(node.input[2]) and not np.any(view.array(node.input[2]))


def clip_limits(view: View, node: NodeProto) -> tuple[float, float] | None:
    """What Relu or Clip limits its input to; None when the limits are not constant, or zero is outside them."""
    if node.op_type == "Relu":
        return 0.0, float("inf")
    limits = [-np.inf, np.inf]
    for position, key in enumerate(("min", "max")):
        given = attribute(node, key)
        if given is not None:
            limits[position] = given.f
        elif len(node.input) > position + 1 and node.input[position + 1]:
            if not view.is_float(node.input[position + 1]):
                return None
            limits[position] = float(view.array(node.input[position + 1]).reshape(()))
    return (limits[0], limits[1]) if limits[0] <= 0.0 <= limits[1] else None


def spatial_mean(view: View, node: NodeProto) -> bool:
    """True for a ReduceMean over the last two of four axes: a GlobalAveragePool, which has an integer kernel."""
    if node.op_type != "ReduceMean" or len(view.lengths(node.input[0]) or ()) != 4:
        return False
    given = attribute(node, "axes")
    if given is not None:
        axes = list(given.ints)
    elif len(node.input) > 1 and node.input[1] and view.is_constant(node.input[1]):
        axes = [int(axis) for axis in view.array(node.input[1]).reshape(-1)]
    else:
        return False
    return sorted(axis % 4 for axis in axes) == [2, 3]


def keeps_axes(node: NodeProto) -> bool:
    """A reduction's `keepdims`."""
    return bool(attribute_int(node, "keepdims", 1))
