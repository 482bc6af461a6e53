"""What LSTM, GRU and RNN do to labels of channels: a hidden unit goes with its rows of every gate, and its column of R.

Units of that kind are what Wen et al. 2018, Learning Intrinsic Sparse Structures within LSTM, remove: shapes stay those of a
smaller node. Apart from `channel_rules.py`, whose nodes have each channel once.
"""

from __future__ import annotations

from onnx import NodeProto

from ..graph.walk import attribute, attribute_int, label
from ..graph.weights import RECURRENT
from .channel_graph import ChannelGraph, Kept, Producer
from .channel_labels import Labels
from .channel_rules import Rule

_PER_GATE = (1, 2, 3, 7)
"""W, R, biases and peepholes: their axis 1 has every hidden unit once a gate."""
_BEGIN = (5, 6)


def _recurrent(graph: ChannelGraph, node: NodeProto) -> None:
    """Both directions have hidden units of the same labels: one number says how many there are."""
    why = f"{node.op_type} {label(node)}"
    source, weight, own = (graph.of(name) for name in node.input[:3])
    hidden, size = own[2], (graph.shape(node.input[2]) or ())[2]
    if hidden is None or weight[1] is None:
        raise ValueError("its weights are no constants, or it has a single unit")
    graph.join(source[2], weight[2], why)
    for place in _PER_GATE:
        if place < len(node.input) and node.input[place]:
            _each_gate(graph, node.input[place], hidden, size, why)
    for name in filter(None, (node.input[place] for place in _BEGIN if place < len(node.input))):
        graph.join(graph.of(name)[2], hidden, why)
    first, second = (source[1], source[0]) if attribute_int(node, "layout", 0) else (source[0], source[1])
    for labels in (first, second):
        graph.classes.fix(labels, why)
    for name in filter(None, node.output):
        rank = len(graph.shape(name) or ())
        graph.axes[name] = (*[None] * (rank - 1), hidden)

    def rewrite(kept: Kept) -> None:
        entry = attribute(node, "hidden_size")
        if entry is not None:
            entry.i = graph.length(kept, hidden, size)

    graph.fixups.append(rewrite)
    graph.producers.append(Producer(label(node), node.input[2], 2, hidden))


def _each_gate(graph: ChannelGraph, name: str, hidden: Labels, size: int, why: str) -> None:
    directions, rows, *_ = graph.of(name)
    graph.classes.fix(directions, f"{why} has two directions")
    if rows is None or name not in graph.held:
        graph.classes.fix(hidden, f"{why} reads what is computed")
        graph.fix(name, why)
        return
    for gate in rows.reshape(-1, size):
        graph.classes.join(gate, hidden)


RECURRENT_RULES: dict[str, Rule] = dict.fromkeys(RECURRENT, _recurrent)
"""Operator to rule."""
