"""Who makes which tensor: faults of it, and the order that everything after loading relies on.

ONNX Runtime sorts nodes by itself and takes one of two tensors of a name without a word, while shape inference,
the converter of opsets and our own passes go from the first node to the last and take every name once.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator

from onnx import GraphProto, ModelProto, NodeProto

from ..errors import Refusal
from .walk import bodies, graphs, label, real_inputs

_AGAIN = "export it again"


def sort(model: ModelProto) -> None:
    """Put the nodes of every graph behind those whose outputs they read; a graph in order stays as it is, one that goes round
    too.
    """
    for graph in graphs(model.graph):
        order, _ = _order(graph)
        if len(order) == len(graph.node) and order != sorted(order):
            nodes = [graph.node[index] for index in order]
            fresh = [_copy(node) for node in nodes]
            del graph.node[:]
            graph.node.extend(fresh)


def faults(model: ModelProto) -> list[Refusal]:
    """What makes the graph ambiguous or impossible; empty: every tensor is made once, before it is read."""
    return list(_faults(model.graph, frozenset()))


def _faults(graph: GraphProto, outer: frozenset[str]) -> Iterator[Refusal]:
    stored = Counter(tensor.name for tensor in graph.initializer)
    stored.update(tensor.values.name for tensor in graph.sparse_initializer)
    for name, count in stored.items():
        if count > 1:
            yield Refusal.of(f"tensor {name} is stored {count} times", _AGAIN)
    given = {value.name for value in graph.input}
    made = Counter(name for node in graph.node for name in node.output if name)
    for name, count in made.items():
        if count > 1 or name in stored or name in given:
            yield Refusal.of(f"tensor {name} is made more than once", _AGAIN)
    known = outer | stored.keys() | given | made.keys()
    for node in graph.node:
        for name in node.input:
            if name and name not in known:
                yield Refusal.of(f"{label(node)} reads {name}, which nothing makes", _AGAIN, node=label(node))
        for entry in node.attribute:
            for body in [entry.g] if entry.HasField("g") else entry.graphs:
                yield from _faults(body, known)
    for value in graph.output:
        if value.name not in known:
            yield Refusal.of(f"nothing makes the output {value.name}", _AGAIN)
    _, left = _order(graph)
    if left is not None:
        yield Refusal.of(f"{label(left)} waits for its own output (the graph goes round)", _AGAIN, node=label(left))


def _order(graph: GraphProto) -> tuple[list[int], NodeProto | None]:
    """Indices of the nodes in an order that can be computed, the file's own where it is one; and a node that never can be."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    waits: list[set[int]] = []
    after: dict[int, list[int]] = {}
    for index, node in enumerate(graph.node):
        needed = {makers[name] for name in read(node) if name in makers}
        waits.append(needed)
        for maker in needed:
            after.setdefault(maker, []).append(index)
    ready = [index for index, needed in enumerate(waits) if not needed]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for later in after.get(index, []):
            waits[later].discard(index)
            if not waits[later]:
                heapq.heappush(ready, later)
    stuck = next((index for index, needed in enumerate(waits) if needed), None)
    return order, None if stuck is None else graph.node[stuck]


def read(node: NodeProto) -> Iterator[str]:
    """Names that a node reads from the graph it stands in, its bodies' among them."""
    yield from node.input
    read: set[str] = set()
    own: set[str] = set()
    for body in bodies(node):
        read.update(value.name for value in body.output)
        own.update(value.name for value in body.input)
        for inner in body.node:
            read.update(inner.input)
            own.update(inner.output)
    yield from read - own


def _copy(node: NodeProto) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    return copy


def no_tensors(model: ModelProto) -> list[Refusal]:
    """Inputs that no samples can be given for, whatever reads the model."""
    names = real_inputs(model.graph)
    odd = (value for value in model.graph.input if value.name in names and value.type.WhichOneof("value") != "tensor_type")
    return [
        Refusal.of(f"input {value.name} is not a tensor, and edgetui gives tensors only", "export it as a tensor")
        for value in odd
    ]
