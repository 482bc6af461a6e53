"""The part of a model that ONNX Runtime can compute: what comes before operators that another backend alone has.

Whoever runs a model only to look at it (calibration, dry runs, comparisons) needs no more than that: a detector
that ends in a plugin of TensorRT is quantized before the plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import ModelProto, NodeProto, ValueInfoProto

from ..errors import ModelRefused
from .load import load, save
from .ort_operators import foreign
from .walk import called, label, nodes
from .wiring import read


@dataclass(frozen=True)
class Cut:
    """Where a model was cut."""

    foreign: tuple[str, ...] = ()
    """Labels of the nodes of the main graph that ONNX Runtime cannot compute; empty: it is whole."""
    behind: int = 0
    """Nodes that need the results of these."""
    entering: tuple[str, ...] = ()
    """Tensors that enter the foreign nodes; they are outputs of the part."""
    made: frozenset[str] = frozenset()
    """Tensors that can be computed, inputs among them; of a whole model none are told."""

    def words(self) -> str:
        """What a user should know of it."""
        first, more = self.foreign[0], len(self.foreign) - 1
        who = first + (f" and {more} more" if more else "")
        after = f"; {self.behind} nodes behind are not looked at" if self.behind else ""
        return f"ONNX Runtime cannot compute {who}: only what comes before is tried on samples{after}"


def computable(model: ModelProto) -> tuple[ModelProto, Cut]:
    """The part of `model` that ONNX Runtime can compute: the model itself, or a copy that ends in those of its outputs that can
    be computed and in what enters the foreign nodes. Bodies and local functions are computed whole or not at all.

    Raises:
        ModelRefused: nothing can be computed.
    """
    odd = set(foreign(model))
    if not odd:
        return model, Cut()
    graph = model.graph
    lost: set[str] = set()
    kept: list[NodeProto] = []
    entering: list[str] = []
    for place, node in enumerate(graph.node):
        if place in odd:
            entering += read(node)
        if place in odd or lost.intersection(read(node)):
            lost.update(filter(None, node.output))
        else:
            kept.append(node)
    made = {name for node in kept for name in node.output if name}
    ends = tuple(dict.fromkeys(name for name in entering if name in made))
    outputs = [value for value in graph.output if value.name not in lost]
    there = {value.name for value in outputs}
    outputs += [ValueInfoProto(name=name) for name in ends if name not in there]
    names = tuple(label(graph.node[place]) for place in sorted(odd))
    if not made or not outputs:
        raise ModelRefused(f"ONNX Runtime can compute no node before {names[0]}", fix="leave this step out of the recipe")
    cut = Cut(names, len(graph.node) - len(kept) - len(odd), ends, frozenset(made | {value.name for value in graph.input}))
    return _of(model, kept, outputs), cut


def needed_for(model: ModelProto, tensors: Iterable[str], known: Iterable[str] = ()) -> list[NodeProto]:
    """The nodes of the main graph that these tensors need, in order, when those that are `known` need not be made."""
    there = set(known)
    needed = set(tensors) - there
    kept: list[NodeProto] = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(name for name in read(node) if name not in there)
    return kept[::-1]


def leading_to(model: ModelProto, tensors: Sequence[str], known: Sequence[ValueInfoProto] = ()) -> ModelProto:
    """A copy with these tensors as its outputs, and no node or input that none of them needs; what is `known` is an input."""
    part = _of(
        model,
        needed_for(model, tensors, [value.name for value in known]),
        [ValueInfoProto(name=name) for name in tensors],
    )
    graph = part.graph
    wanted = {name for node in graph.node for name in read(node)}
    inputs = [value for value in [*graph.input, *known] if value.name in wanted]
    del graph.input[:]
    graph.input.extend(inputs)
    told = {value.name for value in known}
    types = [value for value in graph.value_info if value.name not in told]
    del graph.value_info[:]
    graph.value_info.extend(types)
    return part


def _of(model: ModelProto, kept: list[NodeProto], outputs: list[ValueInfoProto]) -> ModelProto:
    used = {value.name for value in outputs}.union(*(read(node) for node in kept))
    known = {value.name for value in model.graph.input} | {name for node in kept for name in node.output}
    part = ModelProto()
    _copy(model, part, {"graph"})
    _copy(model.graph, part.graph, {"node", "output", "initializer", "value_info"})
    part.graph.node.extend(kept)
    part.graph.output.extend(outputs)
    # What is not needed is not copied first: fitted weights are in memory.
    part.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in used)
    part.graph.value_info.extend(value for value in model.graph.value_info if value.name in known)
    functions = called(part)
    del part.functions[:]
    part.functions.extend(functions)
    domains = {"", *(node.domain for node in nodes(part)), *(entry.domain for one in functions for entry in one.opset_import)}
    imports = [entry for entry in part.opset_import if entry.domain in domains]
    del part.opset_import[:]
    part.opset_import.extend(imports)
    return part


def _copy(one: Message, other: Message, without: set[str]) -> None:
    """Copy all fields of a message but these."""
    for field, value in one.ListFields():
        if field.name in without:
            continue
        if field.is_repeated:
            getattr(other, field.name).extend(value)
        elif field.message_type is not None:
            getattr(other, field.name).CopyFrom(value)
        else:
            setattr(other, field.name, value)


@contextmanager
def computable_file(path: Path, near: Path) -> Iterator[tuple[Path, Cut]]:
    """The same of a file, nothing of it in memory: the file itself, or one in a folder in `near` that goes again.

    Raises:
        ModelRefused: as `computable`, or the file cannot be read.
        StorageRefused: the part cannot be written.
    """
    part, cut = computable(load(path))
    if not cut.foreign:
        del part
        yield path, cut
        return
    with TemporaryDirectory(dir=near) as folder:
        place = Path(folder) / path.name
        save(part, place)
        del part
        yield place, cut
