"""The walk over a graph's nodes that gives every tensor its labels.

What one operator does to labels stands in `channel_rules.py`, `channel_moves.py` and `channel_recurrent.py`; an operator that
has no rule fixes all that it reads.
"""

from __future__ import annotations

from onnx import ModelProto, NodeProto, TensorProto

from ..graph.constant_views import FLOATS
from ..graph.names import Names
from ..graph.values import array_of
from ..graph.walk import bodies, is_onnx, label
from ..graph.wiring import read
from .channel_graph import ChannelGraph
from .channel_moves import MOVES
from .channel_recurrent import RECURRENT_RULES
from .channel_rules import RULES

_EVERY = {**RULES, **MOVES, **RECURRENT_RULES}


def unshare(model: ModelProto) -> None:
    """Give each node its own copy of a constant that many read and that is nothing learnt together: one of one axis, or with
    one number everywhere. Exporters, and `normalise`, store equal constants once, and then unlike layers would have to lose the
    same channels.
    """
    readers: dict[str, list[tuple[NodeProto, int]]] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            readers.setdefault(name, []).append((node, place))
    names = Names(model)
    inner = {name for node in model.graph.node for body in bodies(node) for one in body.node for name in one.input}
    for tensor in list(model.graph.initializer):
        found = readers.get(tensor.name, [])
        if len(found) < 2 or tensor.name in inner or tensor.data_type not in FLOATS or not _plain(tensor):
            continue
        for node, place in found[1:]:
            copy = TensorProto()
            copy.CopyFrom(tensor)
            copy.name = names.free(tensor.name)
            node.input[place] = copy.name
            model.graph.initializer.append(copy)


def _plain(tensor: TensorProto) -> bool:
    if sum(length > 1 for length in tensor.dims) < 2:
        return True
    array = array_of(tensor)
    return bool((array == array.reshape(-1)[0]).all())


def channel_graph(model: ModelProto) -> ChannelGraph:
    """Labels of everything in the main graph of a model, which `channel_graph.apply` then changes in place."""
    unshare(model)
    graph = ChannelGraph(model)
    for value in model.graph.input:
        if value.name not in graph.held:
            graph.axes[value.name] = (None,) * len(graph.shapes.get(value.name, ()))
    for node in model.graph.node:
        if node.op_type == "Constant" and is_onnx(node):
            continue
        rule = _EVERY.get(node.op_type) if is_onnx(node) else None
        known = all(graph.shape(name) is not None for name in [*node.input, *node.output] if name)
        if rule is None or not known or any(True for _ in bodies(node)):
            _leave(graph, node, f"{node.op_type} {label(node)} cannot be followed")
            continue
        try:
            rule(graph, node)
        except (IndexError, ValueError):  # a form of the operator that the rule does not know; joined labels do no harm
            _leave(graph, node, f"{node.op_type} {label(node)} has a form that cannot be followed")
    for value in model.graph.output:
        graph.fix(value.name, f"output {value.name}")
    return graph


def _leave(graph: ChannelGraph, node: NodeProto, why: str) -> None:
    for name in read(node):
        if name:
            graph.fix(name, why)
    for name in filter(None, node.output):
        graph.axes[name] = (None,) * len(graph.shapes.get(name, ()))
