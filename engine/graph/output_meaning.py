"""What a model's outputs are, read from its graph: quantities that can be near each other, labels that are equal or are not
(classes, places, masks), and rows in an order that the data choose (behind TopK, NonMaxSuppression, NonZero, ...).

Apart from whatever compares outputs, because only the graph can tell: a class that was cast to float looks like a quantity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, inliner

from . import shapes
from .axes import Dims, Spot, moved
from .values import array_of
from .walk import attribute, attribute_int, constants, graphs, is_onnx, real_inputs

Kind = Literal["quantity", "labels", "ranked"]


class Part(NamedTuple):
    """Neighbours along one axis that are of one kind: what a Concat puts side by side, e.g. boxes and scores."""

    name: str
    """The tensor that was put there."""
    size: int
    labels: bool


class RowOrder(NamedTuple):
    """Along this axis stand rows whose order, and maybe number, the data choose."""

    axis: int
    sets: frozenset[int]
    """Axes whose every place has rows of its own (the batch, as a rule); the axes left are columns."""
    width: int
    """Elements of a row along the axis: more than 1 where rows were flattened."""
    sources: frozenset[str]
    """Outputs of the nodes that chose; outputs that share one have their rows in the same order."""


class Meaning(NamedTuple):
    """What a tensor holds. Axes of outputs count from the end, so that they hold for single samples of a batch too."""

    varies: bool = True
    """It depends on the model's inputs."""
    labels: bool = False
    """Its elements are equal or they are not; no difference of two means anything."""
    share: bool = False
    """A Sigmoid or Softmax made it: between 0 and 1, and near 0 it says no."""
    parts: tuple[Part, ...] = ()
    """What lies side by side along `parts_axis`; empty: one thing."""
    parts_axis: int = 0
    orders: tuple[RowOrder, ...] = ()

    @property
    def kind(self) -> Kind:
        """One word for it: `ranked` rows may hold quantities, labels or both."""
        return "ranked" if self.orders else "labels" if self.labels else "quantity"


FIXED = Meaning(varies=False)
UNKNOWN = Meaning()
_LABEL_TYPES = frozenset({"INT32", "INT64", "BOOL", "STRING"})
"""Of inputs: numbers of tokens and flags; pixels are smaller integers."""
_MAKES_SHARES = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
_EQUAL_ONLY = frozenset({"BOOL", "STRING"})
_MAKES_LABELS = frozenset({
    "ArgMax", "ArgMin", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Not", "Xor", "IsNaN",
    "IsInf", "NonZero", "NonMaxSuppression", "Hardmax", "Sign", "Multinomial", "Bernoulli", "BitShift", "BitwiseAnd",
    "BitwiseOr", "BitwiseXor", "BitwiseNot", "BeamSearch", "GreedySearch", "Sampling",
})  # fmt: skip
_KEEPS_KIND = frozenset({
    "Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Concat",
    "Expand", "Tile", "Pad", "Where", "Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Min", "Max", "Sum", "Clip", "Floor",
    "Ceil", "Round", "ReduceMax", "ReduceMin", "ReduceProd", "MaxPool", "GlobalMaxPool", "TopK",
    "Unique", "Compress", "Dropout", "QuantizeLinear", "DequantizeLinear", "Trilu", "ReverseSequence", "DepthToSpace",
    "SpaceToDepth", "OneHot", "Range", "SequenceConstruct", "SequenceInsert", "SequenceAt", "ConcatFromSequence",
    "SplitToSequence",
})  # fmt: skip
"""What leaves labels labels, mixed with constants or other labels. Sums do not: they count, and counts have a size."""
_FIRST_ALONE = frozenset({
    "Gather", "GatherElements", "GatherND", "ScatterND", "ScatterElements", "TopK", "Unique", "Compress", "Reshape",
    "Slice",
})  # fmt: skip
"""The first input alone says what comes out; the others say where it lies."""
_CHOOSES = frozenset({
    "TopK", "NonMaxSuppression", "NonZero", "Unique", "Compress",
})  # fmt: skip
_COUNTS = 3
"""Which output of Unique says how often each value occurs."""
_NMS = "nms"
"""In the name of a plugin that chooses boxes: EfficientNMS_TRT, BatchedNMSDynamic_TRT, ..."""
_MOST_PARTS = 256


def meanings(model: ModelProto) -> dict[str, Meaning]:
    """Output name to what it holds. Needs no weights: external data may be missing."""
    if model.functions:
        model = inliner.inline_local_functions(model)
    return _Reading(model).outputs()


class _Reading:
    """One walk through a graph, from the inputs on."""

    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._constants = constants(model)
        full = shapes.inferred(model, shapes.settled_part(model, {}))
        self._dims: dict[str, Dims] = {name: tuple(tensor.dims) for name, tensor in self._constants.items()}
        self._types: dict[str, str] = {}
        for graph in graphs(full.graph):
            for value in [*graph.input, *graph.value_info, *graph.output]:
                if (dims := shapes.declared(value)) is not None and value.type.WhichOneof("value") == "tensor_type":
                    self._dims[value.name] = tuple(axis if isinstance(axis, int) else None for axis in dims)
                    self._types[value.name] = TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        self._known: dict[str, Meaning] = dict.fromkeys(self._constants, FIXED)

    def outputs(self) -> dict[str, Meaning]:
        for name in real_inputs(self._graph):
            self._known[name] = Meaning(labels=self._types.get(name) in _LABEL_TYPES)
        self._walk(self._graph)
        return {value.name: self._from_the_end(value.name) for value in self._graph.output}

    def _from_the_end(self, name: str) -> Meaning:
        found, dims = self._known.get(name, UNKNOWN), self._dims.get(name)
        if dims is None:
            return found._replace(orders=(), parts=())
        rank = len(dims)
        orders = tuple(
            order._replace(axis=order.axis - rank, sets=frozenset(axis - rank for axis in order.sets)) for order in found.orders
        )
        return found._replace(parts_axis=found.parts_axis - rank, orders=orders)

    def _walk(self, graph: GraphProto) -> None:
        for node in graph.node:
            for name, found in zip(node.output, self._of(node), strict=False):
                if name:
                    self._known[name] = self._checked(name, found)

    def _checked(self, name: str, found: Meaning) -> Meaning:
        """Truth values and texts are labels whatever made them; orders and parts need axes to lie on, and a single row is in no
        order.
        """
        if not found.varies:
            return FIXED
        if self._types.get(name) in _EQUAL_ONLY:
            found = found._replace(labels=True, parts=tuple(part._replace(labels=True) for part in found.parts))
        dims = self._dims.get(name)
        if dims is None:
            return found._replace(orders=(), parts=())
        return found._replace(orders=tuple(order for order in found.orders if dims[order.axis] != order.width))

    def _of(self, node: NodeProto) -> list[Meaning]:
        """What each output of a node holds."""
        if any(entry.HasField("g") or entry.graphs for entry in node.attribute):
            return self._of_bodies(node)
        read = [self._known.get(name, FIXED if not name else UNKNOWN) for name in node.input]
        if not any(each.varies for each in read) or node.op_type in ("Shape", "Size"):
            counted = any(each.orders for each in read)
            return [UNKNOWN if counted else FIXED] * len(node.output)
        if _NMS in node.op_type.lower():
            return self._chosen_by_plugin(node)
        labels = self._labels(node, read)
        share = _share(node, read)
        found = [self._moved(node, read, name)._replace(labels=labels, share=share) for name in node.output]
        if node.op_type in ("Concat", "Split", "Slice", "Gather"):
            found = [self._cut(node, read, place, each) for place, each in enumerate(found)]
        return self._chosen(node, found) if node.op_type in _CHOOSES and is_onnx(node) else found

    def _labels(self, node: NodeProto, read: Sequence[Meaning]) -> bool:
        if node.op_type in _MAKES_LABELS:
            return True
        if node.op_type in _FIRST_ALONE:
            first = read[0] if read else UNKNOWN
            whole = self._types.get(node.input[0], "") or self._constant_type(node.input[0])
            return first.labels if first.varies else whole in _LABEL_TYPES
        if node.op_type in _KEEPS_KIND:
            said = [each for each in (read[1:] if node.op_type == "Where" else read) if each.varies]
            return all(each.labels for each in said)
        types = {self._types.get(name, "") for name in node.output if name}
        return not is_onnx(node) and types <= _LABEL_TYPES and node.domain != "com.microsoft"

    def _constant_type(self, name: str) -> str:
        tensor = self._constants.get(name)
        return TensorProto.DataType.Name(tensor.data_type) if tensor is not None else ""

    def _moved(self, node: NodeProto, read: Sequence[Meaning], name: str) -> Meaning:
        """Orders and parts of the inputs, where they lie in an output."""
        dims = self._dims.get(name)
        if dims is None:
            return UNKNOWN
        orders: dict[int, RowOrder] = {}
        parts: tuple[Part, ...] = ()
        parts_axis = 0
        for place, (source, each) in enumerate(zip(node.input, read, strict=True)):
            inner = self._dims.get(source)
            if inner is None or not (each.orders or each.parts):
                continue
            for order in each.orders:
                spot = moved(node, place, Spot(order.axis, order.width), inner, dims, self._numbers)
                if spot is None:
                    continue
                sets = {moved(node, place, Spot(axis, 1), inner, dims, self._numbers) for axis in order.sets}
                kept = frozenset(found.axis for found in sets if found is not None and found.axis != spot.axis)
                fresh = RowOrder(spot.axis, kept, spot.width, order.sources)
                before = orders.get(spot.axis)
                orders[spot.axis] = fresh if before is None else _both(before, fresh)
            spot = moved(node, place, Spot(each.parts_axis, 1), inner, dims, self._numbers) if each.parts else None
            if spot is not None and spot.width == 1 and sum(part.size for part in each.parts) == dims[spot.axis] and not parts:
                parts, parts_axis = each.parts, spot.axis
        return Meaning(orders=tuple(orders.values()), parts=parts if _passes(node) else (), parts_axis=parts_axis)

    def _numbers(self, name: str) -> list[int] | None:
        """A constant's whole numbers; None: it is no constant, or its data lie elsewhere."""
        tensor = self._constants.get(name)
        if tensor is None or tensor.external_data or len(tensor.dims) > 1:
            return None
        return [int(value) for value in array_of(tensor).reshape(-1)]

    def _cut(self, node: NodeProto, read: Sequence[Meaning], place: int, found: Meaning) -> Meaning:
        """Parts where a node lays tensors side by side, or takes some of the places of an axis."""
        dims, inner = self._dims.get(node.output[place]), self._dims.get(node.input[0])
        if dims is None or inner is None:
            return found
        if node.op_type == "Concat":
            axis = attribute_int(node, "axis", 0) % max(1, len(dims))
            return self._joined(node, read, axis, found)
        whole, axis = read[0], read[0].parts_axis
        if not whole.parts:
            return found
        taken = self._taken(node, place, axis, inner)
        if taken is None:
            return found
        kept = tuple(part for part in (_within(whole.parts, taken)))
        if not kept:
            return found
        alike = all(part.labels == kept[0].labels for part in kept)
        labels = all(part.labels for part in kept)
        alone = len(kept) == 1 or len(dims) < len(inner)
        return found._replace(labels=labels, parts=() if alone and alike else kept, parts_axis=axis)

    def _joined(self, node: NodeProto, read: Sequence[Meaning], axis: int, found: Meaning) -> Meaning:
        parts: list[Part] = []
        for name, each in zip(node.input, read, strict=True):
            inner = self._dims.get(name)
            size = inner[axis] if inner is not None and axis < len(inner) else None
            if size is None:
                return found._replace(parts=())
            split = each.parts and each.parts_axis == axis
            parts += each.parts if split else [Part(name, size, each.labels)]
        ordered = any(order.axis == axis for order in found.orders)
        labels = all(part.labels for part in parts)
        if ordered or len(parts) > _MOST_PARTS:
            return found._replace(labels=labels, parts=())
        return found._replace(labels=labels, parts=tuple(parts), parts_axis=axis)

    def _taken(self, node: NodeProto, place: int, axis: int, inner: Dims) -> range | None:
        """Which places of `axis` an output takes; None: it cannot be told, or all of them."""
        length = inner[axis]
        if length is None:
            return None
        if node.op_type == "Split":
            if attribute_int(node, "axis", 0) % len(inner) != axis:
                return None
            sizes = [self._dims.get(name, (None,) * len(inner))[axis] for name in node.output]
            if None in sizes:
                return None
            start = sum(size or 0 for size in sizes[:place])
            return range(start, start + (sizes[place] or 0))
        if node.op_type == "Gather":
            at = self._numbers(node.input[1])
            if attribute_int(node, "axis", 0) % len(inner) != axis or at is None or not at:
                return None
            at = [index % length for index in at]
            return range(at[0], at[0] + len(at)) if at == list(range(at[0], at[0] + len(at))) else None
        found = [self._numbers(name) if name else None for name in node.input[1:]]
        if len(found) < 2 or found[0] is None or found[1] is None:
            return None
        axes = found[2] if len(found) > 2 and found[2] is not None else list(range(len(found[0])))
        steps = found[3] if len(found) > 3 and found[3] is not None else [1] * len(axes)
        for start, end, along, step in zip(found[0], found[1], axes, steps, strict=False):
            if along % len(inner) == axis and step == 1:
                return range(length)[start:end]
        return None

    def _chosen(self, node: NodeProto, found: list[Meaning]) -> list[Meaning]:
        """Outputs of a node that chooses rows."""
        dims, inner = self._dims.get(node.output[0]), self._dims.get(node.input[0])
        if dims is None:
            return found
        source = frozenset({node.output[0]})
        if node.op_type in ("NonMaxSuppression", "NonZero"):
            axis = 0 if node.op_type == "NonMaxSuppression" else 1
            return [Meaning(labels=True, orders=(RowOrder(axis, frozenset(), 1, source),))]
        whole = attribute(node, "axis")
        axis = -1 if node.op_type == "TopK" else 0
        axis = (axis if whole is None else int(whole.i)) % max(1, len(dims))
        sets = frozenset(n for n, size in enumerate(dims) if n != axis and size != 1) if node.op_type == "TopK" else frozenset()
        if node.op_type == "TopK" and inner is not None and inner[axis] == 1:
            return found
        order = RowOrder(axis, sets, 1, source)
        first = found[0]._replace(orders=(order,))
        orders = (order,) if node.op_type == "TopK" else ()
        others = [Meaning(labels=place < _COUNTS, orders=orders) for place in range(1, len(node.output))]
        return [first, *others]

    def _chosen_by_plugin(self, node: NodeProto) -> list[Meaning]:
        """Number of detections, boxes, scores, classes, as TensorRT's plugins for non-maximum suppression give them."""
        source = frozenset({next(name for name in node.output if name)})
        order = RowOrder(1, frozenset({0}), 1, source)
        found = []
        for place, name in enumerate(node.output):
            self._dims.setdefault(name, (None,) * (3 if place == 1 else 2))
            labels = place > 0 and (place >= 3 or self._types.get(name) in _LABEL_TYPES)
            found.append(Meaning(labels=labels, orders=(order,) if place > 0 else ()))
        return found

    def _of_bodies(self, node: NodeProto) -> list[Meaning]:
        """Outputs of If, Loop and Scan; a body is read until nothing changes, for what it gives it also takes."""
        outer = [self._known.get(name, FIXED) for name in node.input]
        bodies = [entry.g for entry in node.attribute if entry.HasField("g")]
        if node.op_type == "If":
            ended = []
            for body in bodies:
                self._walk(body)
                ended.append([self._known.get(value.name, UNKNOWN) for value in body.output])
            return [_either(each) for each in zip(*ended, strict=True)]
        body = bodies[0]
        carried = len(node.input) - 2 if node.op_type == "Loop" else len(node.input) - attribute_int(node, "num_scan_inputs", 0)
        given = [Meaning(labels=True), Meaning(labels=True), *outer[2:]] if node.op_type == "Loop" else outer
        ahead = 2 if node.op_type == "Loop" else 0
        for _ in range(2):
            for value, each in zip(body.input, given, strict=False):
                self._known[value.name] = each._replace(varies=True)
            self._walk(body)
            left = [self._known.get(value.name, UNKNOWN) for value in body.output][1 if ahead else 0 :]
            given = [
                *given[:ahead],
                *(_either(pair) for pair in zip(given[ahead:], left, strict=False)),
                *given[ahead + len(left) :],
            ]
        return [each if place < carried else _stacked(each) for place, each in enumerate(left)]


def _share(node: NodeProto, read: Sequence[Meaning]) -> bool:
    """Whether what comes out is still between 0 and 1, or was made so; products and choices of such are."""
    said = read[:1] if node.op_type in _FIRST_ALONE else [each for each in read if each.varies]
    return node.op_type in _MAKES_SHARES or (node.op_type in _KEEPS_KIND | _FIRST_ALONE and all(each.share for each in said))


def _passes(node: NodeProto) -> bool:
    """Whether what lies side by side in the input does so in the output: not behind a Conv, whose channels are new."""
    return node.op_type in _KEEPS_KIND or node.op_type in ("Sigmoid", "Gather", "GatherElements", "GatherND", "Softmax", "Exp")


def _both(one: RowOrder, other: RowOrder) -> RowOrder:
    return RowOrder(one.axis, one.sets & other.sets, max(one.width, other.width), one.sources | other.sources)


def _either(found: Sequence[Meaning]) -> Meaning:
    """What holds for all of them: labels only where each is; orders of any; parts where they are the same."""
    varying = [each for each in found if each.varies]
    if not varying:
        return FIXED
    orders = next((each.orders for each in varying if each.orders), ())
    alike = len({(each.parts_axis, *((part.size, part.labels) for part in each.parts)) for each in varying}) == 1
    parts, axis = (varying[0].parts, varying[0].parts_axis) if alike else ((), 0)
    share = all(each.share for each in varying)
    return Meaning(labels=all(each.labels for each in varying), share=share, parts=parts, parts_axis=axis, orders=orders)


def _stacked(found: Meaning) -> Meaning:
    """Behind a new first axis, one place for each turn of a loop."""
    orders = tuple(o._replace(axis=o.axis + 1, sets=frozenset({0, *(axis + 1 for axis in o.sets)})) for o in found.orders)
    return found._replace(orders=orders, parts=())


def _within(parts: Sequence[Part], taken: range) -> list[Part]:
    """The parts that lie in a range of places, shortened to it."""
    kept, start = [], 0
    for part in parts:
        size = min(taken.stop, start + part.size) - max(taken.start, start)
        if size > 0:
            kept.append(part._replace(size=size))
        start += part.size
    return kept
