"""How many tokens a model knows, input by input: the rows of the tables that its inputs choose from.

Apart from `walk.py` because only texts and token ids need it: an id past the table ends an inference in the executor's words.
"""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto

from ..errors import ModelRefused
from .load import parse
from .walk import attribute_int, constants, is_onnx, real_inputs

_PASSES = frozenset(["Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"])
"""What only moves ids about."""


def vocabularies(model: ModelProto) -> dict[str, int]:
    """Input to the number of ids that it may have, where the input chooses rows of a constant table."""
    tables = constants(model)
    source = {name: name for name in real_inputs(model.graph)}
    found: dict[str, int] = {}
    for node in model.graph.node:
        if not is_onnx(node):
            continue
        if node.op_type in _PASSES and node.input and node.input[0] in source:
            source[node.output[0]] = source[node.input[0]]
        elif node.op_type == "Gather" and attribute_int(node, "axis", 0) == 0:
            table, ids = tables.get(node.input[0]), source.get(node.input[1])
            if table is not None and ids is not None and len(table.dims) == 2:
                found[ids] = min(found.get(ids, table.dims[0]), table.dims[0])
    return found


def vocabularies_of(model: Path) -> dict[str, int]:
    """The same of a file; nothing where it cannot be read, which is refused elsewhere."""
    try:
        return vocabularies(parse(model))
    except (ModelRefused, OSError):
        return {}
