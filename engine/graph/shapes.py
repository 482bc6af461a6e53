"""Settling dynamic axes, and shapes of everything inside once the inputs are settled.

Apart because the command line, the inspection and the normalisation must agree on what runs when nothing is said: batch 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from onnx import ModelProto, TensorProto, TypeProto, ValueInfoProto, helper, shape_inference

from ..errors import ModelRefused, UsageError, nearest
from ..result import TensorFacts
from .external import skeleton
from .walk import graphs, is_onnx, nodes, real_inputs

Shapes = Mapping[str, tuple[int, ...]]
Declared = tuple[int | str | None, ...]

_FLAG = re.compile(r"(?P<name>.+)=(?P<shape>\d+(x\d+)*|scalar)")


def parse_shape_flag(text: str) -> tuple[str, tuple[int, ...]]:
    """Read `image=1x3x224x224`; `name=scalar` is an input without axes. Names may hold `=`, `:` and `/`.

    Raises:
        UsageError: it is not of that form, or an axis is 0.
    """
    found = _FLAG.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"`{text}` is no shape", fix="write `--shape NAME=1x3x224x224`, every axis a number")
    lengths = () if found["shape"] == "scalar" else tuple(int(part) for part in found["shape"].split("x"))
    if 0 in lengths:
        raise UsageError(f"`{text}` has an axis of length 0", fix="every axis needs a length of 1 or more")
    return found["name"], lengths


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


def settle(model: ModelProto, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """A shape for every input: what is said, what the file says, 1 for a dynamic axis 0.

    A named axis that is settled in one input is settled in all.

    Raises:
        ModelRefused: an axis is still open (the fix shows the flag), or `shapes` does not fit the model.
    """
    settled, open_flags = _settle(model, shapes)
    names = real_inputs(model.graph)
    for value in model.graph.input:
        if value.name in names and value.type.WhichOneof("value") != "tensor_type":
            raise ModelRefused(
                f"input `{value.name}` is a {facts(value).dtype}, not a tensor",
                fix="export the model with plain tensors as inputs",
            )
    if open_flags:
        flags = " ".join(f"--shape {flag}" for flag in open_flags)
        inputs = ", ".join(flag.rpartition("=")[0] for flag in open_flags)
        raise ModelRefused(f"the shape of {inputs} is still open", fix=f"say it with {flags}, a number for every ?")
    return settled


def open_inputs(model: ModelProto, shapes: Shapes) -> tuple[str, ...]:
    """Inputs with an axis still open, as the flag would be: `image=1x3x?x?`; `image=?` where the file says no rank.

    Raises:
        ModelRefused: `shapes` does not fit the model.
    """
    return tuple(_settle(model, shapes)[1])


def settled_part(model: ModelProto, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The inputs whose shape is settled; those that are open, and those that are no tensors, are left out.

    Raises:
        ModelRefused: `shapes` does not fit the model.
    """
    return _settle(model, shapes)[0]


def _settle(model: ModelProto, shapes: Shapes) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    names = real_inputs(model.graph)
    values = {value.name: value for value in model.graph.input if value.name in names}
    for name in shapes:
        if name not in values:
            raise ModelRefused(f"the model has no input `{name}`", fix=nearest(name, values) if values else "it has no inputs")
    plans: dict[str, Declared | None] = {}
    symbols: dict[str, int] = {}
    for name, value in values.items():
        if value.type.WhichOneof("value") != "tensor_type":
            continue
        plans[name] = declared(value)
        if name in shapes:
            _take(name, plans[name], tuple(shapes[name]), symbols)
    for name, plan in plans.items():
        if name not in shapes and plan and isinstance(plan[0], str):
            symbols.setdefault(plan[0], 1)
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
    lengths = [symbols.get(axis) if isinstance(axis, str) else axis for axis in plan]
    if lengths and lengths[0] is None:
        lengths[0] = 1
    return tuple(lengths)


def _take(name: str, plan: Declared | None, said: tuple[int, ...], symbols: dict[str, int]) -> None:
    """Check a shape that was said against the declared one; note the lengths of named axes."""
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
        if isinstance(axis, str) and symbols.setdefault(axis, length) != length:
            raise ModelRefused(
                f"axis `{axis}` would be {symbols[axis]} and {length} at once", fix="give it the same length in every input"
            )


def fix_inputs(model: ModelProto, settled: Shapes) -> None:
    """Write settled shapes into the inputs, and the lengths of named axes wherever the same name stands.

    Shapes that the file notes for inner tensors of ONNX's own operators are dropped: they were traced with other inputs, and
    are inferred again.
    """
    symbols: dict[str, int] = {}
    for value in model.graph.input:
        plan = declared(value) or ()
        lengths = settled.get(value.name, ())
        symbols.update({axis: length for axis, length in zip(plan, lengths, strict=False) if isinstance(axis, str)})
        if value.name in settled:
            kind = value.type.tensor_type.elem_type
            value.type.CopyFrom(helper.make_tensor_type_proto(kind, settled[value.name]))
    foreign = {name for graph in graphs(model.graph) for node in graph.node if not is_onnx(node) for name in node.output}
    for graph in graphs(model.graph):
        kept = [value for value in graph.value_info if value.name in foreign]
        del graph.value_info[:]
        graph.value_info.extend(kept)
        for value in [*graph.value_info, *graph.output]:
            for axis in value.type.tensor_type.shape.dim:
                if axis.dim_param in symbols:
                    axis.dim_value = symbols[axis.dim_param]


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
    declared_outputs = [TypeProto.FromString(value.type.SerializeToString()) for value in light.graph.output]
    for value in light.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    try:
        full = shape_inference.infer_shapes(light, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        full = light
    for value, kind in zip(full.graph.output, declared_outputs, strict=True):
        if not _known(value):
            value.type.CopyFrom(kind)
    return full


def _known(value: ValueInfoProto) -> bool:
    return value.type.WhichOneof("value") == "tensor_type" and None not in (declared(value) or (None,))


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
