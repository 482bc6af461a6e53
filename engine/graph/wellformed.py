"""Refuse files that parse as ONNX and yet hold what no exporter writes: text that is no UTF-8, attributes of another type,
nodes with too few inputs.

Apart from `load.py`, which reads; everything behind it may take for granted what is checked here. Each of these is refused by
ONNX Runtime as well, in words about its own inside.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, defs

from ..errors import ModelRefused
from .walk import ONNX_DOMAINS, bodies, label, opset, tensors

_FIX = "copy or export the model again"
_HELD_IN = {"GRAPH": "g", "TENSOR": "t", "SPARSE_TENSOR": "sparse_tensor", "TYPE_PROTO": "tp"}
"""Types of attributes whose value is a message, and the field that must then be there."""
_WORDS = {
    "UNDEFINED": "nothing", "FLOAT": "a number", "INT": "a whole number", "STRING": "text", "TENSOR": "a tensor",
    "GRAPH": "a graph", "SPARSE_TENSOR": "a sparse tensor", "TYPE_PROTO": "a type", "FLOATS": "numbers",
    "INTS": "whole numbers", "STRINGS": "texts", "TENSORS": "tensors", "GRAPHS": "graphs",
    "SPARSE_TENSORS": "sparse tensors", "TYPE_PROTOS": "types",
}  # fmt: skip


def refuse_malformed(model: ModelProto, name: str) -> None:
    """Check the whole file `name`; values of tensors are looked at elsewhere.

    Raises:
        ModelRefused: which node, tensor or text is wrong, and how.
    """
    if any(_bad_texts(model)):
        raise ModelRefused(f"{name} is damaged: a name in it is not UTF-8", fix=_FIX)
    own = {(function.domain, function.name) for function in model.functions}
    for node in _all_nodes(model):
        if (node.domain, node.op_type) not in own:
            _refuse_node(node, model, name)
    for tensor in tensors(model):
        if tensor.HasField("segment"):
            raise ModelRefused(f"tensor {tensor.name} of {name} is stored in segments, which nobody reads", fix=_FIX)
    for value in _values(model):
        kind = value.type.tensor_type.elem_type
        if kind not in TensorProto.DataType.values():
            raise ModelRefused(f"{value.name} of {name} has the element type {kind}, which is none", fix=_FIX)


def _values(model: ModelProto) -> Iterator[ValueInfoProto]:
    """Everything that says its type: inputs, outputs and what is between them, in bodies and functions too."""
    for function in model.functions:
        yield from function.value_info
    for graph in (model.graph, *(body for node in _all_nodes(model) for body in bodies(node))):
        yield from (*graph.input, *graph.output, *graph.value_info)


def _all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    for outer in (model.graph.node, *(function.node for function in model.functions)):
        for node in outer:
            yield node
            for body in bodies(node):
                yield from body.node


def _bad_texts(message: Message) -> Iterator[bool]:
    """True for each text that is none: protobuf hands out bytes for it, or fails when it is read."""
    try:
        fields = message.ListFields()
    except UnicodeDecodeError:
        yield True
        return
    for field, value in fields:
        if field.type == field.TYPE_STRING:
            yield from (True for one in (value if field.is_repeated else (value,)) if not isinstance(one, str))
        elif field.type == field.TYPE_MESSAGE:
            for one in value if field.is_repeated else (value,):
                yield from _bad_texts(one)


def _refuse_node(node: NodeProto, model: ModelProto, name: str) -> None:
    schema = _schema(node.op_type, node.domain, opset(model, node.domain))
    where = f"node {label(node)} ({node.op_type}) of {name}"
    for attribute in node.attribute:
        _refuse_attribute(attribute, schema, where)
    if schema is None:
        return
    missing = [n for n, one in schema.attributes.items() if one.required and n not in {a.name for a in node.attribute}]
    if missing:
        raise ModelRefused(f"{where} has no attribute `{missing[0]}`, which it must have", fix=_FIX)
    for what, names, least, most in (
        ("inputs", node.input, schema.min_input, schema.max_input),
        ("outputs", node.output, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}" if most < 1000 else f"at least {least}"
            raise ModelRefused(f"{where} has {len(names)} {what}, and takes {wanted}", fix=_FIX)


def _refuse_attribute(attribute: AttributeProto, schema: defs.OpSchema | None, where: str) -> None:
    kind = AttributeProto.AttributeType.Name(attribute.type)
    known = schema.attributes.get(attribute.name) if schema else None
    wanted = str(known.type).rpartition(".")[2] if known else kind
    if wanted != kind:
        raise ModelRefused(
            f"{where} holds {_WORDS[kind]} in its attribute `{attribute.name}`, and takes {_WORDS[wanted]}", fix=_FIX
        )
    held = _HELD_IN.get(kind)
    if held and not attribute.ref_attr_name and not attribute.HasField(held):
        raise ModelRefused(f"{where} has nothing in its attribute `{attribute.name}`", fix=_FIX)


@functools.cache
def _schema(operator: str, domain: str, version: int) -> defs.OpSchema | None:
    """What ONNX says of an operator in that version of its set; None: it knows no such operator."""
    domain = "" if domain in ONNX_DOMAINS else domain
    try:
        return defs.get_schema(operator, version, domain) if version else None
    except defs.SchemaError:
        return None
