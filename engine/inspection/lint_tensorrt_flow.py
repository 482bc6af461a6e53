"""What TensorRT's parser and builder refuse of If, Loop and Scan.

Apart from `lint_tensorrt_nodes` because these need to know what is computed from inputs, and shapes inside bodies. Each rule is
seen to be refused by TensorRT-RTX, and its reverse to be built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from ..errors import ELSEWHERE, WITHOUT, Fix, Refusal
from ..graph.external import skeleton
from ..graph.shapes import Declared, declared, inferred
from ..graph.values import array_of
from ..graph.walk import attribute, attribute_int, graphs, is_onnx, label, opset, within
from ..graph.wiring import read
from .resolved_branches import decided, misfits

_CONDITION = (Fix("fix the condition in the export"), ELSEWHERE)
FLOW = ("If", "Loop", "Scan")


def live(graph: GraphProto, held: Mapping[str, TensorProto]) -> Iterator[NodeProto]:
    """The nodes of a graph and its bodies that the parser looks at: of an If whose condition is a constant only one branch."""
    for node in graph.node:
        yield node
        chosen = _chosen(node, held)
        for entry in node.attribute:
            if entry.HasField("g") and (chosen is None or entry.name == chosen):
                yield from live(entry.g, held)
            for body in entry.graphs:
                yield from live(body, held)


def _chosen(node: NodeProto, held: Mapping[str, TensorProto]) -> str | None:
    condition = held.get(node.input[0]) if node.op_type == "If" and is_onnx(node) and node.input else None
    if condition is None:
        return None
    return "then_branch" if np.any(array_of(condition)) else "else_branch"


def refusals(model: ModelProto, held: Mapping[str, TensorProto]) -> Iterator[Refusal]:
    """Each If, Loop and Scan that would be refused, with the node and what mends it; `held`: constants."""
    found = [node for node in live(model.graph, held) if is_onnx(node) and node.op_type in FLOW]
    if not found:
        return
    values = _values(model) | _values(inferred(_open_bodies(model), {}))
    varying = _varying(model)
    if any(node.op_type == "If" and node.input[0] in varying for node in found):
        yield from _forks(decided(model) or model, held)
    for node in found:
        if node.op_type == "Loop":
            yield from _loop(node)
            yield from _growth(node, model, values)
        elif node.op_type == "Scan" and len(node.input) <= attribute_int(node, "num_scan_inputs", 0):
            yield Refusal.of("TensorRT reads a Scan with a state only", *WITHOUT).at(label(node))


def _forks(model: ModelProto, held: Mapping[str, TensorProto]) -> Iterator[Refusal]:
    """What is refused of the If whose condition is not known when the plan is built: TensorRT makes both branches."""
    odd = list(misfits(model))
    for outer, name, why in odd:
        yield Refusal.of(
            f"the inputs' sizes do not fit it in a branch of {outer} ({why}), and TensorRT needs both branches where the "
            "condition depends on an input",
            *_CONDITION,
        ).at(name)
    if odd:  # what comes after it has no shape to judge
        return
    values, varying = _values(model) | _values(inferred(_open_bodies(model), {})), _varying(model)
    for node in live(model.graph, held):
        if is_onnx(node) and node.op_type == "If" and node.input[0] in varying:
            yield from _branches(node, values)


def _open_bodies(model: ModelProto) -> ModelProto:
    """A copy without weights and without the shapes that bodies say of their outputs: exporters write those of another trace,
    and inference gives up where it finds others.
    """
    light = skeleton(model)
    for graph in list(graphs(light.graph))[1:]:
        for value in graph.output:
            value.type.tensor_type.ClearField("shape")
    return light


def _branches(node: NodeProto, values: Mapping[str, ValueInfoProto]) -> Iterator[Refusal]:
    """Ranks must agree where the condition is not known when the plan is built."""
    found = (attribute(node, name) for name in ("then_branch", "else_branch"))
    ends = [entry.g.output for entry in found if entry is not None]
    for name, one, other in zip(node.output, *ends, strict=False):
        ranks = [len(shape) for value in (one, other) if (shape := _known(values.get(value.name), value)) is not None]
        if len(ranks) == 2 and ranks[0] != ranks[1]:
            yield Refusal.of(
                f"its branches give {name} {ranks[0]} axes and {ranks[1]}, and TensorRT needs as many in both where the "
                "condition depends on an input",
                *_CONDITION,
            ).at(label(node))


def _known(found: ValueInfoProto | None, said: ValueInfoProto) -> Declared | None:
    shape = declared(found) if found is not None else None
    return declared(said) if shape is None else shape


def _loop(node: NodeProto) -> Iterator[Refusal]:
    body = _body(node)
    if body is None:
        return
    count, condition = (node.input[place] if place < len(node.input) else "" for place in (0, 1))
    states = max(len(node.input) - 2, 0)
    if not condition and len(body.input) > 1 and body.input[1].name in _read_in(body):
        yield Refusal.of("it has no condition, and its body reads one", "export it with a condition of True", ELSEWHERE).at(
            label(node)
        )
    elif not count and not condition:
        yield Refusal.of("it has no trip count and no condition, and TensorRT needs one", "export it so", ELSEWHERE).at(
            label(node)
        )
    if not count and len(node.output) > states:
        name = node.output[states]
        yield Refusal.of(f"it collects {name} without a trip count, so its length is not known", "give it one", ELSEWHERE).at(
            label(node)
        )


def _read_in(body: GraphProto) -> set[str]:
    return {name for node in within(body.node) for name in node.input} | {value.name for value in body.output}


def _growth(node: NodeProto, model: ModelProto, values: Mapping[str, ValueInfoProto]) -> Iterator[Refusal]:
    """What a loop carries keeps its shape. ONNX's inference takes it to change: so the body is looked at alone."""
    body = _body(node)
    carried = list(node.input)[2:]
    if body is None or not all(name in values for name in carried) or len(body.input) != len(carried) + 2:
        return
    alone = GraphProto()
    alone.CopyFrom(body)
    for value, name in zip(alone.input[2:], carried, strict=True):
        value.type.CopyFrom(values[name].type)
    own = {value.name for value in alone.input}
    outer = {name for inner in alone.node for name in read(inner)} - own
    alone.input.extend(values[name] for name in sorted(outer) if name in values and not _makes(alone, name))
    inner = helper.make_model(alone, opset_imports=[helper.make_opsetid("", opset(model))], ir_version=model.ir_version)
    after = _values(inferred(inner, {}))
    for value, name in zip(body.output[1:], carried, strict=False):
        before, then = declared(values[name]), declared(after.get(value.name, ValueInfoProto()))
        if before and then and all(isinstance(length, int) for length in (*before, *then)) and before != then:
            grown = " to ".join("x".join(map(str, shape)) for shape in (before, then))
            yield Refusal.of(f"what it carries as {value.name} changes its shape ({grown})", *WITHOUT).at(label(node))


def _makes(graph: GraphProto, name: str) -> bool:
    return any(name in node.output for node in graph.node) or any(tensor.name == name for tensor in graph.initializer)


def _body(node: NodeProto) -> GraphProto | None:
    entry = attribute(node, "body")
    return entry.g if entry is not None else None


def _values(model: ModelProto) -> dict[str, ValueInfoProto]:
    """Type and shape of every tensor that has them, constants and bodies included."""
    found: dict[str, ValueInfoProto] = {}
    for graph in graphs(model.graph):
        for tensor in graph.initializer:
            found[tensor.name] = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        found.update({value.name: value for value in [*graph.input, *graph.value_info, *graph.output]})
    return found


def _varying(model: ModelProto) -> set[str]:
    """Tensors whose values are not known when a plan is built: computed from inputs, and not from their shapes alone."""
    found = {value.name for graph in graphs(model.graph) for value in graph.input}
    for node in within(model.graph.node):
        if node.op_type not in ("Shape", "Size") and (found.intersection(read(node)) or node.op_type.startswith("Random")):
            found.update(filter(None, node.output))
    return found - {tensor.name for graph in graphs(model.graph) for tensor in graph.initializer}
