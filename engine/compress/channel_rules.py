"""What each operator does to the labels of channels: joins them, hands them on, lines them up, or fixes them.

A rule gets the graph and a node whose shapes are all known, and gives labels to what the node makes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import NodeProto, helper

from ..graph.walk import attribute, attribute_int, label
from .channel_graph import ChannelGraph, Producer
from .channel_groups import aligned, cut_by_groups
from .channel_labels import Labels

Rule = Callable[[ChannelGraph, NodeProto], None]


def _why(node: NodeProto) -> str:
    return f"{node.op_type} {label(node)}"


def _same(graph: ChannelGraph, node: NodeProto) -> None:
    """Element by element: the output has the input's labels."""
    for name in filter(None, node.output):
        shape = graph.shape(name) or ()
        graph.axes[name] = graph.of(node.input[0]) if shape == graph.shape(node.input[0]) else (None,) * len(shape)


def _neighbours(graph: ChannelGraph, node: NodeProto) -> None:
    graph.approximate.add(node.op_type)
    _same(graph, node)


def _elementwise(graph: ChannelGraph, node: NodeProto) -> None:
    """Several tensors place by place, shorter ones spread: labels of the same place are one."""
    names = [name for name in node.input if name]
    shapes = [graph.shape(name) or () for name in names]
    out = graph.shape(node.output[0]) or ()
    computed = [name for name in names if name not in graph.held]
    found: list[Labels | None] = []
    for axis in range(len(out)):
        back = axis - len(out)
        wide, stays = [], False
        for name, shape in zip(names, shapes, strict=True):
            if len(shape) < -back:
                continue
            labels = graph.of(name)[back]
            if shape[back] != out[axis]:
                graph.classes.fix(labels, f"{_why(node)} spreads it")
            elif labels is not None:
                wide.append((labels, name))
            elif shape[back] > 1 or out[axis] == 1:
                stays = True
        for labels, _ in wide[1:]:
            graph.classes.join(labels, wide[0][0])
        if stays:
            for labels, _ in wide:
                graph.classes.fix(labels, f"{_why(node)} adds what stays")
        sides = [labels for labels, name in wide if name in computed]
        if node.op_type in ("Add", "Sum", "Sub") and len(sides) > 1:
            graph.classes.mark_stream(sides[0])
        found.append(wide[0][0] if wide else None)
    graph.axes[node.output[0]] = tuple(found)


def _normalised(graph: ChannelGraph, node: NodeProto) -> None:
    """BatchNormalization, InstanceNormalization: figures of each channel (axis 1)."""
    source = graph.of(node.input[0])
    for name in node.input[1:]:
        graph.join(source[1], graph.of(name)[0], _why(node))
    graph.axes[node.output[0]] = source
    for name in node.output[1:]:
        graph.axes[name] = ()


def _layer_normalised(graph: ChannelGraph, node: NodeProto) -> None:
    source = graph.of(node.input[0])
    for name in filter(None, node.input[1:]):
        own = graph.of(name)
        for back in range(-len(own), 0):
            graph.join(source[back], own[back], _why(node))
    if any(labels is not None for labels in source[attribute_int(node, "axis", -1) :]):
        graph.approximate.add(node.op_type)
    graph.axes[node.output[0]] = source


def _group_normalised(graph: ChannelGraph, node: NodeProto) -> None:
    """Groups stay equally large: a channel goes from each of them."""
    source, groups = graph.of(node.input[0]), attribute_int(node, "num_groups", 1)
    if source[1] is not None:
        graph.classes.join_all(source[1].reshape(groups, -1))
        graph.approximate.add(node.op_type)
        for name in node.input[1:]:
            own = graph.of(name)[0]
            if own is not None and len(own) == len(source[1]):
                graph.join(source[1], own, _why(node))
            else:
                graph.fix(name, _why(node))
    graph.axes[node.output[0]] = source


def _along_axis(graph: ChannelGraph, node: NodeProto) -> None:
    """Softmax and others that mix all of an axis: it stays. Before opset 13 a Softmax takes all axes from that one on."""
    rank = len(graph.of(node.input[0]))
    old = graph.opset < 13 and node.op_type != "LpNormalization"
    axis = attribute_int(node, "axis", 1 if old else -1) % max(rank, 1)
    for place in range(axis, rank if old else axis + 1):
        graph.fix(node.input[0], f"{_why(node)} mixes it", place)
    _same(graph, node)


def _pooled(graph: ChannelGraph, node: NodeProto) -> None:
    source = graph.of(node.input[0])
    for labels in source[2:]:
        graph.classes.fix(labels, _why(node))
    graph.axes[node.output[0]] = (*source[:2], *[None] * (len(source) - 2))
    for name in node.output[1:]:
        graph.axes[name] = ()
        graph.classes.fix(source[1], f"{_why(node)} tells places")


def _reduced(graph: ChannelGraph, node: NodeProto) -> None:
    source = graph.of(node.input[0])
    given = attribute(node, "axes")
    axes = list(given.ints) if given is not None else graph.ints(node.input[1]) if len(node.input) > 1 else None
    places = {axis % len(source) for axis in (axes or range(len(source)))}
    found: list[Labels | None] = []
    for place, labels in enumerate(source):
        if place not in places:
            found.append(labels)
            continue
        graph.classes.fix(labels, f"{_why(node)} takes it together")
        if attribute_int(node, "keepdims", 1):
            found.append(None)
    graph.axes[node.output[0]] = tuple(found)


def _convolved(graph: ChannelGraph, node: NodeProto) -> None:
    """Weights [outputs, inputs of a group, ...]; in groups, the same channels of every group come and go together."""
    source, weight, groups = graph.of(node.input[0]), graph.of(node.input[1]), attribute_int(node, "group", 1)
    out, inner = weight[0], weight[1]
    shape = graph.shape(node.input[1]) or ()
    made = out if out is not None else None
    entering = source[1]
    if groups == 1:
        graph.join(entering, inner, _why(node))
    elif shape[1] == 1 and entering is not None and out is not None:
        graph.classes.join(np.repeat(entering, shape[0] // groups), out)
        graph.fixups.append(lambda kept: _set_int(node, "group", graph.length(kept, entering, groups)))
    else:
        _in_groups(graph, node, entering, inner, groups)
        if out is not None:
            graph.classes.join_all(out.reshape(groups, -1))
    _finish(graph, node, made, 0)


def _in_groups(graph: ChannelGraph, node: NodeProto, entering: Labels | None, inner: Labels | None, groups: int) -> None:
    why = _why(node)
    if entering is None:
        graph.classes.fix(inner, f"{why} keeps it")
        return
    rows = entering.reshape(groups, -1)
    if inner is None:
        graph.classes.join_all(rows)
        if rows.shape[1] == 1:
            graph.classes.fix(entering, f"{why} keeps it")
    elif aligned(graph.classes, rows) or not cut_by_groups(graph, node, rows):
        graph.classes.join_all(rows)
        graph.classes.join(inner, rows[0])


def _transposed_convolved(graph: ChannelGraph, node: NodeProto) -> None:
    """Weights [inputs, outputs of a group, ...]."""
    source, weight, groups = graph.of(node.input[0]), graph.of(node.input[1]), attribute_int(node, "group", 1)
    shape, entering = graph.shape(node.input[1]) or (), source[1]
    graph.join(entering, weight[0], _why(node))
    if groups == 1:
        _finish(graph, node, weight[1], 1)
    elif shape[0] == groups and shape[1] == 1 and entering is not None:
        graph.fixups.append(lambda kept: _set_int(node, "group", graph.length(kept, entering, groups)))
        _finish(graph, node, entering, 0)
    else:
        if entering is not None:
            graph.classes.join_all(entering.reshape(groups, -1))
        for labels in weight[1:2]:
            graph.classes.fix(labels, f"{_why(node)} has outputs in groups")
        _finish(graph, node, None, 1)


def _finish(graph: ChannelGraph, node: NodeProto, made: Labels | None, axis: int) -> None:
    """Labels of what a convolution gives, its bias, and its weights as their producer."""
    for labels in graph.of(node.input[1])[2:]:
        graph.classes.fix(labels, "kernels keep their size")
    if len(node.input) > 2 and node.input[2]:
        graph.join(made, graph.of(node.input[2])[0], _why(node))
    rank = len(graph.shape(node.output[0]) or ())
    graph.axes[node.output[0]] = (graph.of(node.input[0])[0], made, *[None] * (rank - 2))
    for labels in graph.of(node.input[0])[2:]:
        graph.classes.fix(labels, _why(node))
    if made is not None and node.input[1] in graph.held:
        graph.producers.append(Producer(label(node), node.input[1], axis, made))


def _set_int(node: NodeProto, name: str, value: int) -> None:
    entry = attribute(node, name)
    if entry is None:
        node.attribute.append(helper.make_attribute(name, value))
    else:
        entry.i = value


def _gemm(graph: ChannelGraph, node: NodeProto) -> None:
    first, second = graph.of(node.input[0]), graph.of(node.input[1])
    if attribute_int(node, "transA", 0):
        first = first[::-1]
    turned = bool(attribute_int(node, "transB", 0))
    if turned:
        second = second[::-1]
    graph.join(first[1], second[0], _why(node))
    graph.axes[node.output[0]] = (first[0], second[1])
    if len(node.input) > 2 and node.input[2]:
        bias, shape = graph.of(node.input[2]), graph.shape(node.input[2]) or ()
        out = graph.shape(node.output[0]) or ()
        for back in range(-len(bias), 0):
            if shape[back] == out[back]:
                graph.join((first[0], second[1])[back], bias[back], _why(node))
    if second[1] is not None and node.input[1] in graph.held:
        graph.producers.append(Producer(label(node), node.input[1], 0 if turned else 1, second[1]))


def _matmul(graph: ChannelGraph, node: NodeProto) -> None:
    first, second = graph.of(node.input[0]), graph.of(node.input[1])
    if len(first) < 2 or len(second) < 2:
        for name in node.input:
            graph.fix(name, _why(node))
        graph.axes[node.output[0]] = (None,) * len(graph.shape(node.output[0]) or ())
        return
    graph.join(first[-1], second[-2], _why(node))
    shapes = graph.shape(node.input[0]) or (), graph.shape(node.input[1]) or ()
    out = graph.shape(node.output[0]) or ()
    batch: list[Labels | None] = []
    for back in range(-len(out), -2):
        sides = [axes[back] for axes, shape in zip((first, second), shapes, strict=True) if len(shape) >= -back]
        lengths = [shape[back] for shape in shapes if len(shape) >= -back]
        wide = [labels for labels, length in zip(sides, lengths, strict=True) if length == out[back]]
        for labels, length in zip(sides, lengths, strict=True):
            if length != out[back]:
                graph.classes.fix(labels, f"{_why(node)} spreads it")
        if len(wide) == 2:
            graph.join(wide[0], wide[1], _why(node))
        batch.append(wide[0] if wide else None)
    graph.axes[node.output[0]] = (*batch, first[-2], second[-1])
    if second[-1] is not None and node.input[1] in graph.held and len(second) == 2:
        graph.producers.append(Producer(label(node), node.input[1], 1, second[-1]))


def _concatenated(graph: ChannelGraph, node: NodeProto) -> None:
    parts = [graph.of(name) for name in node.input]
    rank = len(graph.shape(node.output[0]) or ())
    along = attribute_int(node, "axis", 1) % rank
    found: list[Labels | None] = []
    for axis in range(rank):
        sides = [part[axis] for part in parts]
        if axis == along:
            found.append(_lined_up(graph, node, sides, along))
            continue
        for other in sides[1:]:
            graph.join(sides[0], other, _why(node)) if sides[0] is not None or other is not None else None
        found.append(sides[0])
    graph.axes[node.output[0]] = tuple(found)


def _lined_up(graph: ChannelGraph, node: NodeProto, sides: list[Labels | None], axis: int) -> Labels | None:
    if all(labels is None for labels in sides):
        return None
    whole = []
    for name, labels in zip(node.input, sides, strict=True):
        if labels is None:
            labels = graph.classes.fresh((graph.shape(name) or ())[axis])
            graph.classes.fix(labels, f"{_why(node)} has a part that stays")
        whole.append(labels)
    return np.concatenate(whole)


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *("Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip", "HardSigmoid", "HardSwish", "Elu", "Selu", "Celu", "Softplus"),
            *("Softsign", "Exp", "Log", "Sqrt", "Abs", "Neg", "Erf", "Gelu", "Mish", "Cast", "Identity", "Dropout", "Floor"),
            *("Ceil", "Round", "Sign", "Reciprocal", "ThresholdedRelu", "Sin", "Cos", "Swish"),
        ),
        _same,
    ),
    "LRN": _neighbours,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "PRelu", "Where"), _elementwise),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), _normalised),
    "LayerNormalization": _layer_normalised,
    "GroupNormalization": _group_normalised,
    **dict.fromkeys(("Softmax", "LogSoftmax", "LpNormalization"), _along_axis),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool"), _pooled),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2"), _reduced),
    "Conv": _convolved,
    "ConvTranspose": _transposed_convolved,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Concat": _concatenated,
}
"""Operator to rule; those that move values about stand in `channel_moves.py`."""
