"""What a graph computes from constants alone, written out as the constants it is; no Dropout.

Apart from `fold.py`, whose library does not ask whether the file grows and is let near small tensors alone. Weight norm, gains,
weights cut to another shape are written out; a Transpose or a Cast of what another node reads as it is stays
(`constant_views.py` looks through those), and so do masks out of Expand and Tile. The values are ONNX Runtime's own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from .constant_views import MOVING, seen
from .shapes import inferred, shape_table
from .values import BITS, array_of, filled, span
from .walk import attribute, bodies, graphs, inner_graphs, is_onnx, label, opset

LARGEST_BYTES = 1_500_000_000
"""All that is written out together: more would not fit into one file, or into a small board's memory."""
SLACK_BYTES = 4096
"""A constant as small as this is written out whatever it frees: shapes, axes, one filter for each channel."""
LARGEST_BETWEEN = 64_000_000
"""Bytes of a tensor on the way from constants to a constant; past it the nodes stay."""
PLAIN_IR = 4
"""The first version in which an initializer need not be an input."""

_NEVER = frozenset(
    (
        "Constant", "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
        "Dropout", "DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear",
    )
)  # fmt: skip
"""Constants already; not the same each time; or quantized weights, which would be floats again."""
_FILLED = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (1, 2), "MatMul": (1,), "BatchNormalization": (1, 2, 3, 4),
}  # fmt: skip
"""Inputs that are written out when ConstantOfShape fills them, however large: they stand where a graph has its weights."""

Known = dict[str, TensorProto | None]
"""Names to constants; None for a name that an inner graph gives to something else."""


def write_out(model: ModelProto, *, filled: bool = True) -> int:
    """Turn computed constants into initializers where the model grows no larger, and take out Dropout; how many nodes went.

    filled: also weights that ConstantOfShape makes, which are stored nowhere.
    """
    gone = _without_dropout(model.graph) + _merged(model.graph)
    work = _Work(model)
    gone += work.fill() if filled else 0
    while more := work.fold(model.graph, {}):  # a shape that is constant now tells the size of what has it
        gone += more
        work = _Work(model, work.room)
    if gone:
        drop_unread(model)
        model.ir_version = max(model.ir_version, PLAIN_IR)
    return gone


def stand_in(model: ModelProto) -> None:
    """Give weights that ConstantOfShape makes a tensor with their shape and one number for all.

    `numbers` counts it, nothing else can read it. Written out, those of a VGG19 without data (a file of 9 kB) take 575 MB.
    """
    if _Work(model).fill(light=True):
        drop_unread(model)


def numbers(tensor: TensorProto) -> tuple[NDArray[np.generic], int]:
    """The numbers of a tensor, and how often each of them stands there: more than once where `stand_in` made it."""
    if span(tensor) is None and tensor.HasField("raw_data") and 0 < len(tensor.raw_data) < _bytes(tensor):
        return np.frombuffer(tensor.raw_data, helper.tensor_dtype_to_np_dtype(tensor.data_type)), math.prod(tensor.dims)
    return array_of(tensor), 1


def computing(model: ModelProto) -> list[str]:
    """Labels of the nodes whose weights the main graph computes from constants in a form that nothing here follows: out of less
    than they are (Tile, Expand, half floats with a gain, integers scaled by hand), so that `write_out` left them.
    """
    computed = {name for node in _region(model.graph, dict(_held(model.graph))) for name in node.output}
    hidden = computed - seen(model.graph).keys()
    read = [(node, node.input[place]) for node in model.graph.node for place in _weights_of(node) if place < len(node.input)]
    return list(dict.fromkeys(label(node) for node, name in read if name in hidden))


def _weights_of(node: NodeProto) -> tuple[int, ...]:
    places = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (0, 1), "MatMul": (0, 1)}
    return places.get(node.op_type, ()) if is_onnx(node) else ()


@dataclass
class _Work:
    """One pass over a model."""

    model: ModelProto
    room: int = LARGEST_BYTES
    readers: Counter[str] = field(init=False)
    """How often each name is read, in bodies and as an output too."""

    def __post_init__(self) -> None:
        self.readers = _readers(self.model.graph)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Bytes of every tensor whose shape and type can be told."""
        full = inferred(self.model, {})
        values = [value for graph in graphs(full.graph) for value in (*graph.input, *graph.value_info, *graph.output)]
        kinds = {value.name: value.type.tensor_type.elem_type for value in values}
        table = shape_table(full)
        return {name: math.prod(table[name]) * BITS.get(kind, 64) // 8 for name, kind in kinds.items() if name in table}

    def fill(self, *, light: bool = False) -> int:
        """Weights that ConstantOfShape makes."""
        graph = self.model.graph
        wanted = {
            node.input[place]
            for node in graph.node
            for place in (_FILLED.get(node.op_type, ()) if is_onnx(node) else ())
            if place < len(node.input)
        }
        held, made = _held(graph), set()
        for node in graph.node:
            if node.op_type == "ConstantOfShape" and is_onnx(node) and node.output[0] in wanted:
                full = _full(node, held, self.room, light)
                if full is not None:
                    self.room -= _bytes(full)
                    graph.initializer.append(full)
                    self.readers[node.input[0]] -= 1
                    made.add(full.name)
        return _removed(graph, made)

    def fold(self, graph: GraphProto, outer: Known) -> int:
        """Constants of a graph, then of the bodies in it, which see those of the graphs around them."""
        known = {**outer, **dict.fromkeys(value.name for value in graph.input), **_held(graph)}
        gone = sum(self._group(graph, group, known) for group in _groups(_region(graph, known), known))
        for node in graph.node:
            gone += sum(self.fold(body, known) for body in inner_graphs(node))
        return gone

    def _group(self, graph: GraphProto, group: list[NodeProto], known: Known) -> int:
        """All nodes of a group where that frees as much as it takes, else each that does so by itself."""
        group = self._without_views(group)
        gone = self._written(graph, group, known)
        if gone or len(group) == 1:
            return gone
        return sum(self._written(graph, [node], known) for node in group)

    def _without_views(self, group: list[NodeProto]) -> list[NodeProto]:
        """The group without what only moves a large tensor of it that others read as it is: that is stored once."""
        while True:
            made = {name for node in group for name in node.output}
            inside = Counter(name for node in group for name in node.input)
            last = [node for node in group if node.op_type in MOVING and node.input[0] in made and not inside[node.output[0]]]
            views = Counter(node.input[0] for node in last)
            shared = {name for name in views if self.readers[name] > inside[name] or views[name] > 1}
            gone = [node for node in last if node.input[0] in shared and self.sizes.get(node.output[0], 0) > SLACK_BYTES]
            if not gone:
                return group
            group = [node for node in group if node not in gone]

    def _written(self, graph: GraphProto, group: list[NodeProto], known: Known) -> int:
        made = [name for node in group for name in node.output if name]
        inside = Counter(name for node in group for name in node.input if name)
        read = {name: known.get(name) for name in inside if name not in made}
        sources = {name: tensor for name, tensor in read.items() if tensor is not None}
        results = [name for name in made if self.readers[name] > inside[name]]
        freed = sum(_bytes(tensor) for name, tensor in sources.items() if self.readers[name] == inside[name])
        allowed = min(freed + sum(SLACK_BYTES for _ in results), self.room)
        if len(sources) < len(read) or not results or not self._bounded(made, results, allowed, freed):
            return 0
        values = _computed(self.model, group, results, sources)
        size = sum(len(tensor.raw_data) for tensor in values)
        if not values or size > allowed:
            return 0
        self.room -= size
        known.update({tensor.name: tensor for tensor in values})
        graph.initializer.extend(values)
        self.readers.subtract(inside)
        return _removed(graph, set(made))

    def _bounded(self, made: list[str], results: list[str], allowed: int, freed: int) -> bool:
        """False where it is known, or must be feared, that computing takes too much memory or makes the model larger."""
        if any(name not in self.sizes for name in made):
            return False
        between = max(self.sizes[name] for name in made)
        return between <= max(LARGEST_BETWEEN, freed) and sum(self.sizes[name] for name in results) <= allowed


def _region(graph: GraphProto, known: Known) -> list[NodeProto]:
    """Nodes that depend on constants alone, in the graph's order."""
    fixed = {name for name, tensor in known.items() if tensor is not None}
    outputs = {value.name for value in graph.output}
    found = []
    for node in graph.node:
        names = [name for name in node.input if name]
        if (
            names
            and is_onnx(node)
            and node.op_type not in _NEVER
            and fixed.issuperset(names)
            and not any(inner_graphs(node))
            and not outputs.intersection(node.output)
        ):
            fixed.update(filter(None, node.output))
            found.append(node)
    return found


def _groups(region: list[NodeProto], known: Known) -> list[list[NodeProto]]:
    """The nodes that share a tensor that one of them makes, or a large constant, together."""
    leader = list(range(len(region)))
    of: dict[str, int] = {}
    for index, node in enumerate(region):
        names = [name for name in node.input if name and (_bytes(known.get(name)) > SLACK_BYTES or name not in known)]
        for name in (*names, *filter(None, node.output)):
            leader[_led(leader, of.setdefault(name, index))] = _led(leader, index)
    groups: dict[int, list[NodeProto]] = {}
    for index, node in enumerate(region):
        groups.setdefault(_led(leader, index), []).append(node)
    return list(groups.values())


def _led(leader: list[int], index: int) -> int:
    while leader[index] != index:
        leader[index] = index = leader[leader[index]]
    return index


def _computed(
    model: ModelProto, group: Iterable[NodeProto], results: list[str], sources: dict[str, TensorProto]
) -> list[TensorProto]:
    """What some nodes make of constants, by ONNX Runtime; nothing where it cannot, or not in a type that numpy has."""
    import onnxruntime

    outputs = [ValueInfoProto(name=name) for name in results]
    held = []
    for name, tensor in sources.items():
        held.append(TensorProto())
        held[-1].CopyFrom(filled(tensor))
        held[-1].name = name
    graph = helper.make_graph(list(group), "constants", [], outputs, held)
    imports = [helper.make_opsetid("", opset(model))]
    alone = helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(alone.SerializeToString(), options, providers=["CPUExecutionProvider"])
        arrays = session.run(results, {})
    except Exception:
        # Its exceptions have no base of their own. What it cannot compute stays as it is, for the backend to judge.
        return []
    if any(not isinstance(array, np.ndarray) or array.dtype == object for array in arrays):
        return []
    return [numpy_helper.from_array(array, name) for array, name in zip(arrays, results, strict=True)]


def _full(node: NodeProto, held: dict[str, TensorProto], room: int, light: bool) -> TensorProto | None:
    shape = held.get(node.input[0])
    if shape is None:
        return None
    lengths = tuple(int(length) for length in array_of(shape))
    given = attribute(node, "value")
    value = array_of(given.t) if given is not None else np.zeros(1, np.float32)
    if 0 in lengths or math.prod(lengths) * value.itemsize > room:
        return None
    if light:
        one = numpy_helper.from_array(value.reshape(-1)[:1], node.output[0])
        one.dims[:] = lengths
        return one
    return numpy_helper.from_array(np.full(lengths, value.reshape(-1)[0], value.dtype), node.output[0])


def _without_dropout(graph: GraphProto) -> int:
    """Take out every Dropout that passes its input on: not training, no output of the graph, and nobody reads its mask."""
    readers, kept = _readers(graph), _captured(graph) | {value.name for value in graph.output}
    renamed: dict[str, str] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        training = len(node.input) > 2 and node.input[2] != ""
        mask = node.output[1] if len(node.output) > 1 else ""
        if node.op_type == "Dropout" and is_onnx(node) and not training and not readers[mask] and node.output[0] not in kept:
            renamed[node.output[0]] = node.input[0]
    return _removed(graph, set(renamed))


def _merged(graph: GraphProto) -> int:
    """Let nodes that make the same of the same constants be one: layers that share a weight each have a Transpose of it."""
    region = {name for node in _region(graph, dict(_held(graph))) for name in node.output}
    kept = _captured(graph)
    first: dict[tuple[object, ...], NodeProto] = {}
    renamed: dict[str, str] = {}
    gone = set()
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        if not region.intersection(node.output) or kept.intersection(node.output):
            continue
        attributes = sorted(entry.SerializeToString(deterministic=True) for entry in node.attribute)
        same = first.setdefault((node.op_type, *node.input, "", *attributes, len(node.output)), node)
        if same is not node:
            renamed.update(zip(node.output, same.output, strict=True))
            gone.update(node.output)
    return _removed(graph, gone)


def _held(graph: GraphProto) -> dict[str, TensorProto]:
    """Initializers and values of Constant nodes of one graph."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        value = attribute(node, "value") if node.op_type == "Constant" and is_onnx(node) else None
        if value is not None:
            found[node.output[0]] = value.t
    return found


def _bytes(tensor: TensorProto | None) -> int:
    return 0 if tensor is None else math.prod(tensor.dims) * BITS.get(tensor.data_type, 64) // 8


def _readers(graph: GraphProto) -> Counter[str]:
    """How often each name is read in a graph and its bodies, an output once more."""
    found: Counter[str] = Counter()
    for one in graphs(graph):
        found.update(value.name for value in one.output)
        for node in one.node:
            found.update(node.input)
    return found


def _captured(graph: GraphProto) -> set[str]:
    """Names that the bodies of a graph's nodes read or give back, at any depth."""
    found: set[str] = set()
    for body in (body for node in graph.node for body in bodies(node)):
        found.update(value.name for value in body.output)
        found.update(name for inner in body.node for name in inner.input)
    return found


def _removed(graph: GraphProto, made: set[str]) -> int:
    """Take out the nodes that make these tensors; how many they were."""
    places = [place for place, node in enumerate(graph.node) if made.intersection(filter(None, node.output))]
    for place in reversed(places):
        del graph.node[place]
    return len(places)


def drop_unread(model: ModelProto) -> None:
    """Take out stored tensors that nothing reads any more."""
    read = _readers(model.graph)
    for graph in graphs(model.graph):
        for place in reversed(range(len(graph.initializer))):
            if not read[graph.initializer[place].name]:
                del graph.initializer[place]
        unread = {node.output[0] for node in graph.node if node.op_type == "Constant" and not read[node.output[0]]}
        _removed(graph, unread)
