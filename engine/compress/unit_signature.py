"""What a unit costs follows from: its operators, their attributes and all shapes, not its weights and names.

Apart from `units.py`, which says what a unit is: a model that was trained again has units of the same signatures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from onnx import AttributeProto, ModelProto, NodeProto

from ..graph.shapes import inferred, shape_table
from ..graph.walk import within
from .units import ModelUnit

_PLAIN: dict[int, Callable[[AttributeProto], object]] = {
    AttributeProto.INT: lambda each: each.i,
    AttributeProto.INTS: lambda each: list(each.ints),
    AttributeProto.FLOAT: lambda each: each.f,
    AttributeProto.FLOATS: lambda each: list(each.floats),
    AttributeProto.STRING: lambda each: each.s.decode(errors="replace"),
    AttributeProto.STRINGS: lambda each: [text.decode(errors="replace") for text in each.strings],
}


def signatures(model: ModelProto, shapes: Mapping[str, tuple[int, ...]], units: Sequence[ModelUnit]) -> dict[str, str]:
    """Of each unit by its name. Units of one signature cost the same in the same format, on the same board.

    shapes: those of the model's inputs. A shape that nobody can tell is a part of it as unknown.
    """
    table = shape_table(inferred(model, shapes))
    return {unit.name: _signature(unit, table) for unit in units}


def _signature(unit: ModelUnit, table: Mapping[str, tuple[int, ...]]) -> str:
    parts = [_described(node, table) for node in within(unit.nodes)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _described(node: NodeProto, table: Mapping[str, tuple[int, ...]]) -> list[object]:
    attributes = sorted((each.name, _PLAIN[each.type](each)) for each in node.attribute if each.type in _PLAIN)
    tensors = [[list(table[name]) if name in table else bool(name) for name in side] for side in (node.input, node.output)]
    return [node.domain, node.op_type, attributes, *tensors]
