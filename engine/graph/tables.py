"""Tables: matrices from which ids choose rows, the embeddings of tokens. Gather alone reads them, so that no step which acts on
products finds them, and they hold nine tenths of the numbers of a small text model.

Stored as floats (`tables`), and as what steps make of them (`stored_tables`): integers, or places in a list of values, of which
a Gather takes rows before they become floats, so that no inference makes floats of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from .values import array_of
from .walk import attribute_int, constants, graphs, is_onnx, label
from .weights import Weight

_INTEGERS = (TensorProto.INT8, TensorProto.UINT8)


def tables(model: ModelProto) -> list[Weight]:
    """Matrices in 32-bit floats that nothing but Gather reads, row by row and by ids that are no constants; in the order of
    their first use. Their rows stand for output channels.
    """
    held = constants(model)
    found: dict[str, Weight] = {}
    others = {value.name for graph in graphs(model.graph) for value in graph.output}
    for graph in graphs(model.graph):
        for node in graph.node:
            rows = _takes_rows(node, held)
            others.update(name for place, name in enumerate(node.input) if place or not rows)
            tensor = held.get(node.input[0]) if rows else None
            if tensor is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2 or min(tensor.dims) < 2:
                continue
            table = found.setdefault(node.input[0], Weight(tensor, node.input[0], tuple(tensor.dims), 0, 1))
            table.nodes.append(label(node))
            table.operators.append("Gather")
    return [table for name, table in found.items() if name not in others]


def _takes_rows(node: NodeProto, held: dict[str, TensorProto]) -> bool:
    return node.op_type == "Gather" and is_onnx(node) and not attribute_int(node, "axis", 0) and node.input[1] not in held


@dataclass(frozen=True)
class StoredTable:
    """What became of a table, where one Gather reads it."""

    graph: GraphProto
    """The graph whose nodes these are."""
    nodes: list[NodeProto]
    """All that make floats of rows; the first takes them by its ids, the last gives what the Gather of the table gave."""
    integers: TensorProto
    """A row for each id: integers or places, of 4 bits two in a byte, first half and second half of the row."""
    beside: tuple[TensorProto, ...]
    """Values, or scale, zero-point and scales of rows."""
    packed: bool

    @property
    def size(self) -> int:
        """How many numbers the table has."""
        return int(np.prod(self.integers.dims)) * (2 if self.packed else 1)

    def array(self) -> NDArray[np.float32]:
        """The table as floats."""
        whole: NDArray[np.generic] = array_of(self.integers)
        if self.packed:
            whole = np.concatenate([whole & np.uint8(15), whole >> np.uint8(4)], axis=1)
        first, *rest = (array_of(tensor) for tensor in self.beside)
        if not rest:
            return np.asarray(first[whole.astype(np.uint8)], np.float32)
        zero, *scales = (np.asarray(array, np.float32) for array in rest)
        floats = (whole.astype(np.float32) - zero) * np.asarray(first, np.float32)
        return np.asarray(floats * scales[0] if scales else floats, np.float32)


def stored_tables(model: ModelProto) -> list[StoredTable]:
    """Every place where rows are taken of a table that `compress.token_tables` has written."""
    held = constants(model)
    return [one for graph in graphs(model.graph) for one in _TableReader(graph, held).found()]


class _TableReader:
    """Follows what is taken of integers, reader by reader."""

    def __init__(self, graph: GraphProto, held: dict[str, TensorProto]) -> None:
        self.graph, self.held = graph, held
        self.makers = {name: node for node in graph.node for name in node.output}
        self.users: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node)

    def found(self) -> list[StoredTable]:
        """What begins in this graph."""
        begun = [node for node in self.graph.node if _takes_rows(node, self.held)]
        whole = [self._followed(node) for node in begun if self._integers(node)]
        return [one for one in whole if one is not None]

    def _integers(self, node: NodeProto) -> bool:
        tensor = self.held.get(node.input[0])
        return tensor is not None and tensor.data_type in _INTEGERS and len(tensor.dims) == 2

    def _next(self, node: NodeProto, *operators: str) -> list[NodeProto]:
        """The nodes that read one, if they are of these operators."""
        users = self.users.get(node.output[0], [])
        return users if sorted(user.op_type for user in users) == sorted(operators) and all(map(is_onnx, users)) else []

    def _followed(self, gather: NodeProto) -> StoredTable | None:
        chain, last = [gather], gather
        halves = self._next(gather, "BitwiseAnd", "BitShift")
        if halves:
            both = self._next(halves[0], "Concat")
            if not both or set(both[0].input) != {half.output[0] for half in halves}:
                return None
            chain, last = [gather, *halves, *both], both[0]
        shared = self._shared(last)
        made = shared or self._scaled(last, gather.input[1])
        if made is None:
            return None
        nodes, beside = made
        return StoredTable(self.graph, [*chain, *nodes], self.held[gather.input[0]], beside, bool(halves))

    def _shared(self, last: NodeProto) -> tuple[list[NodeProto], tuple[TensorProto, ...]] | None:
        """Places, and the values that they are places of."""
        cast = self._next(last, "Cast")
        value = self._next(cast[0], "Gather") if cast else []
        values = self.held.get(value[0].input[0]) if value else None
        if values is None or len(values.dims) != 1 or value[0].input[1] != cast[0].output[0]:
            return None
        return [*cast, *value], (values,)

    def _scaled(self, last: NodeProto, ids: str) -> tuple[list[NodeProto], tuple[TensorProto, ...]] | None:
        """Integers with one scale, or with one for each row, taken by the same ids."""
        floats = next(iter(self._next(last, "DequantizeLinear")), None)
        if floats is None or len(floats.input) != 3:
            return None
        beside = [self.held[name] for name in floats.input[1:] if name in self.held and not self.held[name].dims]
        if len(beside) != 2:
            return None
        times = next(iter(self._next(floats, "Mul")), None)
        makers = [self.makers[name] for name in times.input if name in self.makers] if times is not None else []
        scales = next((node for node in makers if _takes_rows(node, self.held) and node.input[1] == ids), None)
        rows = None if scales is None else self.held.get(scales.input[0])
        if times is None or scales is None or rows is None or tuple(rows.dims[1:]) != (1,):
            return [floats], tuple(beside)
        return [floats, scales, times], (*beside, rows)
