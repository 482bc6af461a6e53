"""Local functions of a model written out in place of their calls.

A weight inside a function is otherwise seen by nobody: exporters make one for every module of a network, and what
counts, prunes, quantizes and lints goes through graphs. Runtimes do the same when they load a file.
"""

from __future__ import annotations

from onnx import ModelProto, TensorProto, inliner

from .external import LARGEST_IN_MEMORY, size_of
from .names import Names, renamed, shielded
from .walk import attribute, inner_graphs, is_onnx, label, nodes

Calls = dict[str, tuple[str, list[str]]]
"""Label of a call to the function it called, and the labels of the nodes that stand there now."""


def inlined(model: ModelProto) -> tuple[ModelProto, Calls]:
    """The model without functions, and what stands for their calls; itself where it has none or that cannot be done."""
    if not model.functions or size_of(model) > LARGEST_IN_MEMORY:
        return model, {}
    functions = {(function.domain, function.name) for function in model.functions}
    calls = [node for node in nodes(model) if (node.domain, node.op_type) in functions]
    before = {(label(node), node.op_type): ([*node.input], [*node.output]) for node in calls}
    old = {name for node in nodes(model) for name in node.output}
    backup = ModelProto()
    backup.CopyFrom(model)
    try:
        written = shielded(model, inliner.inline_local_functions)
    except (RuntimeError, ValueError):
        return backup, {}  # a function that calls itself, for one: the backend is asked
    _shared(written)
    return written, _named(written, before, old)


def _shared(model: ModelProto) -> None:
    """Let equal constants be one: what a function holds is stored once, and stands in place of each of its calls."""
    first: dict[bytes, str] = {}
    new: dict[str, str] = {}
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        value = attribute(node, "value") if node.op_type == "Constant" and is_onnx(node) else None
        if value is None or node.output[0] in outputs:
            continue
        bare = TensorProto()
        bare.CopyFrom(value.t)
        bare.ClearField("name")
        kept = first.setdefault(bare.SerializeToString(deterministic=True), node.output[0])
        if kept != node.output[0]:
            new[node.output[0]] = kept
    for place in reversed(range(len(model.graph.node))):
        if new.keys() & set(model.graph.node[place].output):
            del model.graph.node[place]
    renamed(model.graph, lambda name: new.get(name, name))


def _named(model: ModelProto, calls: dict[tuple[str, str], tuple[list[str], list[str]]], old: set[str]) -> Calls:
    """Call what stands for a call `call/node`, so that patterns over the call's name mean it, and tell what it is."""
    made = {name: node for node in nodes(model) for name in node.output if name}
    names = Names(model)
    found: Calls = {}
    for (caller, function), (_, outputs) in calls.items():
        ahead = [name for name in outputs if name]
        inside: dict[int, str] = {}
        while ahead:
            node = made.get(ahead.pop())
            if node is None or id(node) in inside:
                continue
            node.name = names.free(f"{caller}/{node.name or node.op_type}")
            inside[id(node)] = node.name
            read = [*node.input, *(name for body in inner_graphs(node) for inner in body.node for name in inner.input)]
            ahead += [name for name in read if name not in old]
        found[caller] = (function, list(inside.values()))
    return found
