"""Walking a model: its graphs within graphs, its nodes, its constants.

Apart from the rest because loading, inspecting, editing and linting all walk the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

ONNX_DOMAINS = ("", "ai.onnx")


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph, then the bodies of its If, Loop and Scan nodes, as deep as they go."""
    yield graph
    for node in graph.node:
        yield from bodies(node)


def bodies(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs a node carries as attributes, and the graphs within those."""
    for body in inner_graphs(node):
        yield from graphs(body)


def inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs a node carries as attributes, without those within them."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Every node of the main graph and of the bodies within it; local functions are left out."""
    for graph in graphs(model.graph):
        yield from graph.node


def within(outer: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """These nodes and those of their bodies, as deep as they go."""
    for node in outer:
        yield node
        for body in bodies(node):
            yield from body.node


def called(model: ModelProto) -> list[FunctionProto]:
    """The local functions that the model calls, or that these call."""
    known = {(function.domain, function.name): function for function in model.functions}
    found: dict[tuple[str, str], FunctionProto] = {}
    waiting = [model.graph.node]
    while waiting:
        for node in within(waiting.pop()):
            key = (node.domain, node.op_type)
            if key in known and key not in found:
                found[key] = known[key]
                waiting.append(known[key].node)
    return list(found.values())


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every stored tensor: initializers, and tensors in attributes (Constant and the like), functions' among them."""
    for graph in graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield sparse.values
            yield sparse.indices
        for node in graph.node:
            yield from _attribute_tensors(node)
    for function in model.functions:
        for node in function.node:
            yield from _attribute_tensors(node)
            for body in bodies(node):
                yield from body.initializer
                for inner in body.node:
                    yield from _attribute_tensors(inner)


def _attribute_tensors(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            yield attribute.t
        elif attribute.type == AttributeProto.TENSORS:
            yield from attribute.tensors
        elif attribute.type in (AttributeProto.SPARSE_TENSOR, AttributeProto.SPARSE_TENSORS):
            for sparse in [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else attribute.sparse_tensors:
                yield sparse.values
                yield sparse.indices


def constants(model: ModelProto) -> dict[str, TensorProto]:
    """Initializers and values of Constant nodes by the name the graph has for them, bodies included."""
    held: dict[str, TensorProto] = {}
    for graph in graphs(model.graph):
        held.update({tensor.name: tensor for tensor in graph.initializer})
        for node in graph.node:
            value = attribute(node, "value") if node.op_type == "Constant" else None
            if value is not None:
                held[node.output[0]] = value.t
    return held


def is_onnx(node: NodeProto) -> bool:
    """True when the operator is one of ONNX's own."""
    return node.domain in ONNX_DOMAINS


def label(node: NodeProto) -> str:
    """What a node is called: its name, or its operator and first output where it has none."""
    if node.name:
        return node.name
    return f"{node.op_type}:{next((name for name in node.output if name), '')}"


def opset(model: ModelProto, domain: str = "") -> int:
    """Version of an operator set the model imports; 0 when it does not."""
    wanted = ONNX_DOMAINS if domain in ONNX_DOMAINS else (domain,)
    return max((entry.version for entry in model.opset_import if entry.domain in wanted), default=0)


def real_inputs(graph: GraphProto) -> list[str]:
    """Names of the inputs that a caller must give: those that are not initializers as well (IR 3 lists both)."""
    held = {tensor.name for tensor in graph.initializer} | {sparse.values.name for sparse in graph.sparse_initializer}
    return [value.name for value in graph.input if value.name not in held]


def attribute(node: NodeProto, name: str) -> AttributeProto | None:
    """An attribute by name."""
    return next((entry for entry in node.attribute if entry.name == name), None)


def attribute_int(node: NodeProto, name: str, default: int) -> int:
    """An integer attribute, or its default."""
    entry = attribute(node, name)
    return default if entry is None else int(entry.i)
