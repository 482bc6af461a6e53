"""Every name a model has, and names that it does not have yet: the one place where a pass gets a name for what it makes.

ONNX Runtime takes one of two tensors of a name without a word, so that a pass which invents `fc.weight_scale` in
a model that has one makes a wrong model; bodies, local functions, sparse tensors and declared axes have names as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto

from .walk import inner_graphs


class Names:
    """The names a model has, and those given out since. It does not follow other changes of the model."""

    def __init__(self, model: ModelProto) -> None:
        self._taken = set(_of_graph(model.graph))
        for function in model.functions:
            self._taken.update(_of_function(function))

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def free(self, wanted: str) -> str:
        """`wanted`, or with a number behind where something of the model, or made since, is called that."""
        name, count = wanted, 1
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name

    def prefix(self, wanted: str) -> str:
        """`wanted`, or with underscores before it where a name of the model begins so."""
        while any(name.startswith(wanted) for name in self._taken):
            wanted = f"_{wanted}"
        return wanted


def _of_graph(graph: GraphProto) -> Iterator[str]:
    for tensor in graph.initializer:
        yield tensor.name
    for sparse in graph.sparse_initializer:
        yield sparse.values.name
        yield sparse.indices.name
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.name
        yield from _axes(value)
    for note in graph.quantization_annotation:
        yield note.tensor_name
        yield from (entry.value for entry in note.quant_parameter_tensor_names)
    for node in graph.node:
        yield from _of_node(node)


def _of_function(function: FunctionProto) -> Iterator[str]:
    yield function.name
    yield from function.input
    yield from function.output
    for value in function.value_info:
        yield value.name
        yield from _axes(value)
    for node in function.node:
        yield from _of_node(node)


def _of_node(node: NodeProto) -> Iterator[str]:
    yield node.name
    yield from node.input
    yield from node.output
    for body in inner_graphs(node):
        yield from _of_graph(body)


def _axes(value: ValueInfoProto) -> Iterator[str]:
    if value.type.HasField("tensor_type"):
        yield from (axis.dim_param for axis in value.type.tensor_type.shape.dim if axis.dim_param)


def shielded(model: ModelProto, change: Callable[[ModelProto], ModelProto]) -> ModelProto:
    """`change` done by a library that invents names of its own: it sees the model's tensors under names nothing else can have.

    What the library made is given free names afterwards; the names of inputs, outputs and all else it left are those of before,
    in the model itself too, and where `change` raises.
    """
    names = Names(model)
    stem = names.prefix("edgetui/").rstrip("/")
    hidden: dict[str, str] = {}
    renamed(model.graph, lambda name: hidden.setdefault(name, f"{stem}/{len(hidden)}/"))
    shown = {short: name for name, short in hidden.items()}
    ours = re.compile(rf"{stem}/\d+/")

    def known(name: str) -> str:
        if name not in shown:
            # Made of a hidden name, such as `edgetui/7/_bias`: called as if the library had seen the name itself.
            shown[name] = names.free(ours.sub(lambda found: shown.get(found[0], found[0]), name))
        return shown[name]

    changed = model
    try:
        changed = change(model)
    finally:
        renamed(model.graph, known)
    if changed is not model:  # a caller may yet go on with the model as it was
        renamed(changed.graph, known)
    return changed


def renamed(graph: GraphProto, new: Callable[[str], str]) -> None:
    """Give every tensor of a graph and of the bodies within it the name that `new` makes of its own, in place."""
    for tensor in graph.initializer:
        tensor.name = new(tensor.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = new(sparse.values.name)
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = new(value.name)
    for note in graph.quantization_annotation:
        note.tensor_name = new(note.tensor_name)
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name:
                    names[place] = new(name)
        for body in inner_graphs(node):
            renamed(body, new)
