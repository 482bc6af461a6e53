"""Settling dynamic axes, and shapes of everything inside once the inputs are settled.

The command line, the inspection and the normalisation must agree on what runs when nothing is said: batch 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain

from onnx import ModelProto, TensorProto, TypeProto, ValueInfoProto, helper, shape_inference

from ..errors import Fix, ModelRefused, nearest
from ..schema.model_facts import TensorFacts
from .external import skeleton
from .plugins import of_onnx
from .walk import bodies, graphs, is_onnx, nodes, real_inputs

Shapes = Mapping[str, tuple[int, ...]]
Declared = tuple[int | str | None, ...]

_UNKNOWN = re.compile(r"[\W_]*\d*|(unk|unknown|dyn|dynamic|undefined|any|none|null|nil|nan|n/?a)([\W_]*\d+)?", re.IGNORECASE)
"""What exporters write into an axis of which they know nothing: `?`, `None`, `-1`, `unk__12`. It means no number in particular,
and not that of another axis with the same word.
"""


def symbol(axis: int | str | None) -> str | None:
    """The name of an axis that is the same number wherever the name stands; None: it is a number, or nobody knows it."""
    return axis if isinstance(axis, str) and not _UNKNOWN.fullmatch(axis) else None


def declared(value: ValueInfoProto) -> Declared | None:
    """The shape as the file says it: numbers, names, None for neither. None: it does not even say how many axes."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(
        (axis.dim_value if axis.dim_value > 0 else None) if axis.HasField("dim_value") else (axis.dim_param or None)
        for axis in tensor.shape.dim
    )


def facts(value: ValueInfoProto) -> TensorFacts:
    """Name, type and shape of an input or output."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return TensorFacts(name=value.name, dtype=(kind or "unknown").removesuffix("_type"))
    dtype = TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
    return TensorFacts(name=value.name, dtype=dtype, shape=declared(value) or ())


def input_shapes(model: ModelProto, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """A shape for every input: what is said, what the file says, 1 for a dynamic axis 0.

    A named axis that is settled in one input is settled in all, if that input gives it one length alone.

    Raises:
        ModelRefused: an axis is still open (the fix shows the flag), or `shapes` does not fit the model.
    """
    settled, open_flags = _input_shapes(model, shapes)
    names = real_inputs(model.graph)
    for value in model.graph.input:
        if value.name in names and value.type.WhichOneof("value") != "tensor_type":
            raise ModelRefused(
                f"input `{value.name}` is not a tensor ({facts(value).dtype})",
                fix="export the model with plain tensors as inputs",
            )
    if open_flags:
        inputs = ", ".join(flag.rpartition("=")[0] for flag in open_flags)
        raise ModelRefused(
            f"the shape of {inputs} is still open", fix=Fix("say it with {}, a number for every ?", "shape", tuple(open_flags))
        )
    return settled


def open_inputs(model: ModelProto, shapes: Shapes) -> tuple[str, ...]:
    """Inputs with an axis still open, as the flag would be: `image=1x3x?x?`; `image=?` where the file says no rank.

    Raises:
        ModelRefused: `shapes` does not fit the model.
    """
    return tuple(_input_shapes(model, shapes)[1])


def settled_part(model: ModelProto, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The inputs whose shape is settled; those that are open, and those that are no tensors, are left out.

    Raises:
        ModelRefused: `shapes` does not fit the model.
    """
    return _input_shapes(model, shapes)[0]


def _input_shapes(model: ModelProto, shapes: Shapes) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    names = real_inputs(model.graph)
    values = {value.name: value for value in model.graph.input if value.name in names}
    for name in shapes:
        if name not in values:
            raise ModelRefused(f"the model has no input `{name}`", fix=nearest(name, values) if values else "it has no inputs")
    plans = {name: declared(value) for name, value in values.items() if value.type.WhichOneof("value") == "tensor_type"}
    said = [(name, plans[name], tuple(shapes[name])) for name in shapes if name in plans]
    for one in said:
        _check(*one)
    symbols = _symbols((plan or (), lengths) for _, plan, lengths in said)
    for name, plan in plans.items():
        first = symbol(plan[0]) if name not in shapes and plan else None
        # One that stands again in the same input would make an image of one row of a batch of one.
        if first and not any((other or ()).count(first) > 1 for other in plans.values()):
            symbols.setdefault(first, 1)
    settled: dict[str, tuple[int, ...]] = {}
    flags: list[str] = []
    for name, plan in plans.items():
        lengths = shapes[name] if name in shapes else _filled(plan, symbols)
        if lengths is None:
            flags.append(f"{name}=?")
        elif None in lengths:
            flags.append(f"{name}=" + "x".join("?" if length is None else str(length) for length in lengths))
        else:
            settled[name] = tuple(length for length in lengths if length is not None)
    return settled, flags


def _filled(plan: Declared | None, symbols: Mapping[str, int]) -> tuple[int | None, ...] | None:
    if plan is None:
        return None
    lengths = [symbols.get(symbol(axis) or "") if isinstance(axis, str) else axis for axis in plan]
    if lengths and lengths[0] is None:
        lengths[0] = 1
    return tuple(lengths)


def _check(name: str, plan: Declared | None, said: tuple[int, ...]) -> None:
    """Check a shape that was said against the declared one."""
    if plan is None:
        return
    text = "x".join("?" if axis is None else str(axis) for axis in plan) or "a scalar"
    if len(said) != len(plan):
        raise ModelRefused(
            f"input `{name}` has {len(plan)} axes ({text}), the shape given has {len(said)}", fix="give them all"
        )
    for position, (axis, length) in enumerate(zip(plan, said, strict=True)):
        if isinstance(axis, int) and axis != length:
            raise ModelRefused(
                f"axis {position} of input `{name}` is {axis} in the model, {length} was asked for", fix=f"its shape is {text}"
            )


def _symbols(inputs: Iterable[tuple[Declared, tuple[int, ...]]]) -> dict[str, int]:
    """Lengths of the axes that are named, from the declared shape of each input and its lengths.

    A name with two lengths within one input is no equality, whatever the exporter meant, and has none.

    Raises:
        ModelRefused: two inputs differ in a name.
    """
    found: dict[str, int] = {}
    odd: set[str] = set()
    named = [
        [(name, length) for axis, length in zip(plan, said, strict=False) if (name := symbol(axis))] for plan, said in inputs
    ]
    for pairs in named:
        own: dict[str, int] = {}
        odd.update(name for name, length in pairs if own.setdefault(name, length) != length)
    for name, length in chain.from_iterable(named):
        if name not in odd and found.setdefault(name, length) != length:
            raise ModelRefused(
                f"axis `{name}` would be {found[name]} and {length} at once", fix="give it the same length in every input"
            )
    return found


def fix_inputs(model: ModelProto, settled: Shapes) -> None:
    """Write settled shapes into the inputs, and the lengths of named axes wherever the same name stands.

    Shapes that the file notes for inner tensors of ONNX's own operators are dropped: they were traced with other inputs, and
    are inferred again.
    """
    symbols = _symbols((declared(value) or (), settled.get(value.name, ())) for value in model.graph.input)
    for value in model.graph.input:
        if value.name in settled:
            kind = value.type.tensor_type.elem_type
            value.type.CopyFrom(helper.make_tensor_type_proto(kind, settled[value.name]))
    foreign = {name for node in nodes(model) if not of_onnx(node) for name in node.output}
    for graph in graphs(model.graph):
        kept = [value for value in graph.value_info if value.name in foreign]
        del graph.value_info[:]
        graph.value_info.extend(kept)
        for value in [*graph.value_info, *graph.output]:
            for axis in value.type.tensor_type.shape.dim:
                if axis.dim_param in symbols:
                    axis.dim_value = symbols[axis.dim_param]


_SHAPE_BYTES = 1024
"""Numbers that shapes are computed from take no more room."""
_WITHOUT_RULE = ("GroupNormalization", "MeanVarianceNormalization")


def inferred(model: ModelProto, settled: Shapes) -> ModelProto:
    """A copy without weights' data, inputs fixed, in which every tensor whose shape can be told has one.

    Falls back to what the file itself says where ONNX's inference trips over the model. Operators it has no rule for, and whose
    output is like their input, stand as Identity in the copy.
    """
    light = skeleton(model)
    for node in nodes(light):
        if node.op_type in _WITHOUT_RULE and is_onnx(node):
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]
    fix_inputs(light, settled)
    _bring_constants_in(light)
    declared_outputs = [TypeProto.FromString(value.type.SerializeToString()) for value in light.graph.output]
    for value in light.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    try:
        full = shape_inference.infer_shapes(light, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        full = light
    for value, kind in zip(full.graph.output, declared_outputs, strict=True):
        _fill_in(value.type, kind)
    return full


def _bring_constants_in(model: ModelProto) -> None:
    """Give bodies copies of the numbers outside that they read: inference does not look out of a body for them, and shapes are
    computed from them.
    """
    held = {tensor.name: tensor for tensor in model.graph.initializer if tensor.ByteSize() <= _SHAPE_BYTES}
    for node in model.graph.node:
        for body in bodies(node):
            own = {tensor.name for tensor in body.initializer}
            read = {name for inner in body.node for name in inner.input}
            body.initializer.extend(held[name] for name in sorted(read - own) if name in held)


def _fill_in(found: TypeProto, said: TypeProto) -> None:
    """What inference left open in an output, as the file says it."""
    if not found.tensor_type.HasField("shape"):
        found.CopyFrom(said)
        return
    axes, told = found.tensor_type.shape.dim, said.tensor_type.shape.dim
    for axis, other in zip(axes, told if len(told) == len(axes) else (), strict=False):
        if not axis.HasField("dim_value") and symbol(axis.dim_param or None) is None:
            axis.CopyFrom(other)


def shape_table(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Name to shape of every tensor of an inferred model whose shape is fully known, bodies included."""
    table: dict[str, tuple[int, ...]] = {}
    for graph in graphs(model.graph):
        for tensor in graph.initializer:
            table[tensor.name] = tuple(tensor.dims)
        for value in [*graph.input, *graph.value_info, *graph.output]:
            lengths = declared(value)
            if lengths is not None and all(isinstance(length, int) for length in lengths):
                table[value.name] = tuple(length for length in lengths if isinstance(length, int))
    return table
