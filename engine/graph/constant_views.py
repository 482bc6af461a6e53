"""Constants as nodes see them: what is stored, and how it was moved about, cut to other axes or cast on the way.

A weight that several nodes read, each through a Transpose or a Cast of its own, is one weight: counting, pruning
and quantizing must all find the same one behind them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper

from .values import array_of
from .walk import attribute, attribute_int, is_onnx

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_RESHAPING = ("Reshape", "Unsqueeze", "Squeeze", "Flatten")
MOVING = ("Transpose", *_RESHAPING)
"""What only moves values about."""


@dataclass(frozen=True)
class ConstantView:
    """A constant under one of the names that the graph has for it."""

    tensor: TensorProto
    """Where it is stored: an initializer, or the value of a Constant node."""
    name: str
    """What the graph calls the stored one: the initializer's name, or the Constant's output."""
    shape: tuple[int, ...]
    """As it is seen."""
    axes: tuple[int | None, ...]
    """Which stored axis each seen axis is; None: it is none of them."""
    kind: int
    """Element type as it is seen."""
    moved: tuple[tuple[NodeProto, tuple[int, ...]], ...] = ()
    """The nodes on the way, the first one first, and the shape behind each."""

    def array(self) -> NDArray[np.generic]:
        """The values as they are seen."""
        values: NDArray[np.generic] = array_of(self.tensor)
        for node, shape in self.moved:
            if node.op_type == "Transpose":
                values = values.transpose(_order(node, values.ndim))
            elif node.op_type == "Cast":
                values = values.astype(helper.tensor_dtype_to_np_dtype(attribute_int(node, "to", 0)))
            else:
                values = values.reshape(shape)
        return values

    @property
    def transposed(self) -> bool:
        """True where nothing but transposing and casting stands between what is stored and what is seen."""
        return all(node.op_type in ("Transpose", "Cast") for node, _ in self.moved)

    @property
    def in_place(self) -> bool:
        """True where each number is seen at the place where it is stored."""
        return all(node.op_type == "Cast" for node, _ in self.moved)


Scope = dict[str, ConstantView | None]
"""Names to constants; None for a name that an inner graph gives to something else."""


def scoped(graph: GraphProto, outer: Scope) -> Iterator[tuple[NodeProto, Scope]]:
    """Every node with the constants it can see, bodies included; `outer`: those of the graph around."""
    scope = dict(outer)
    scope.update({value.name: None for value in graph.input})
    scope.update({tensor.name: stored(tensor, tensor.name) for tensor in graph.initializer})
    for node in graph.node:
        yield node, scope
        for entry in node.attribute:
            for body in [entry.g] if entry.HasField("g") else entry.graphs:
                yield from scoped(body, scope)
        scope.update(dict.fromkeys(node.output))
        known = _constant(node, scope)
        if known is not None:
            scope[node.output[0]] = known


def seen(graph: GraphProto) -> dict[str, ConstantView]:
    """The constants of a graph, bodies left out, by every name that it has for them."""
    scope: Scope = dict.fromkeys(value.name for value in graph.input)
    scope.update({tensor.name: stored(tensor, tensor.name) for tensor in graph.initializer})
    for node in graph.node:
        known = _constant(node, scope)
        if known is not None:
            scope[node.output[0]] = known
    return {name: known for name, known in scope.items() if known is not None}


def _constant(node: NodeProto, scope: Scope) -> ConstantView | None:
    if node.op_type != "Constant" or not is_onnx(node):
        return through(node, scope)
    value = attribute(node, "value")
    return None if value is None else stored(value.t, node.output[0])


def stored(tensor: TensorProto, name: str) -> ConstantView:
    """A tensor as it is stored."""
    shape = tuple(tensor.dims)
    return ConstantView(tensor, name, shape, tuple(range(len(shape))), tensor.data_type)


def through(node: NodeProto, known: Mapping[str, ConstantView | None]) -> ConstantView | None:
    """What a node makes of a constant that it only moves or casts; None: it does more, or reads something else."""
    source = known.get(node.input[0]) if is_onnx(node) and node.input else None
    if source is None:
        return None
    shape, axes, kind = source.shape, source.axes, source.kind
    if node.op_type == "Identity":
        return source
    if node.op_type == "Cast" and attribute_int(node, "to", 0) in FLOATS and kind in FLOATS:
        kind = attribute_int(node, "to", 0)
    elif node.op_type == "Transpose":
        order = _order(node, len(shape))
        if sorted(order) != list(range(len(shape))):
            return None  # a damaged file; shape inference refuses it
        shape, axes = tuple(shape[step] for step in order), tuple(axes[step] for step in order)
    elif node.op_type in _RESHAPING:
        lengths = _lengths(node, shape, known)
        if lengths is None or math.prod(lengths) != math.prod(shape):
            return None
        shape, axes = lengths, _followed(shape, axes, lengths)
    else:
        return None
    return replace(source, shape=shape, axes=axes, kind=kind, moved=(*source.moved, (node, shape)))


def _order(node: NodeProto, rank: int) -> list[int]:
    given = attribute(node, "perm")
    return list(given.ints) if given is not None else list(reversed(range(rank)))


def _lengths(node: NodeProto, shape: tuple[int, ...], known: Mapping[str, ConstantView | None]) -> tuple[int, ...] | None:
    """The shape behind a node that gives its input other axes; None: it is not constant."""
    if node.op_type == "Flatten":
        axis = attribute_int(node, "axis", 1)
        axis += len(shape) if axis < 0 else 0
        return math.prod(shape[:axis]), math.prod(shape[axis:])
    numbers = _numbers(node, known)
    if node.op_type == "Reshape":
        if numbers is None:
            return None
        keep = not attribute_int(node, "allowzero", 0)
        if keep and any(length == 0 and place >= len(shape) for place, length in enumerate(numbers)):
            return None
        lengths = [shape[place] if keep and length == 0 else length for place, length in enumerate(numbers)]
        rest = math.prod(length for length in lengths if length != -1)
        return tuple(math.prod(shape) // max(rest, 1) if length == -1 else length for length in lengths)
    if node.op_type == "Squeeze" and len(node.input) < 2 and attribute(node, "axes") is None:
        return tuple(length for length in shape if length != 1)
    if numbers is None:
        return None
    rank = len(shape) + (len(numbers) if node.op_type == "Unsqueeze" else 0)
    places = {number % rank for number in numbers} if rank else set()
    if node.op_type == "Squeeze":
        return tuple(length for place, length in enumerate(shape) if place not in places)
    left = iter(shape)
    return tuple(1 if place in places else next(left) for place in range(rank))


def _numbers(node: NodeProto, known: Mapping[str, ConstantView | None]) -> list[int] | None:
    """Axes or lengths, of an attribute in older opsets and of a constant input in later ones."""
    given = attribute(node, "axes") or attribute(node, "shape")
    if given is not None:
        return list(given.ints)
    second = known.get(node.input[1]) if len(node.input) > 1 else None
    return None if second is None else [int(number) for number in second.array().reshape(-1)]


def _followed(shape: tuple[int, ...], axes: tuple[int | None, ...], lengths: tuple[int, ...]) -> tuple[int | None, ...]:
    """Which stored axis each axis is after a change of axes that only adds or drops such of length 1; else none is any."""
    kept = [axis for axis, length in zip(axes, shape, strict=True) if length != 1]
    if [length for length in shape if length != 1] != [length for length in lengths if length != 1]:
        return (None,) * len(lengths)
    left = iter(kept)
    return tuple(None if length == 1 else next(left) for length in lengths)
