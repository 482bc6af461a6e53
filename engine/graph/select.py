"""Which nodes a step's patterns mean: `exclude` and `keep` of a recipe.

Apart because quantization and half precision read the same patterns and must refuse the same mistakes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from onnx import ModelProto

from ..errors import RecipeRefused
from .walk import label, nodes


def select(model: ModelProto, patterns: Iterable[str]) -> set[str]:
    """Labels (`walk.label`: the name, where a node has one) of the nodes that a pattern means.

    A pattern is a node's name, a shell pattern over names such as `/head/*`, or an operator such as `Softmax`.

    Raises:
        RecipeRefused: a pattern means no node; the message names near ones.
    """
    wanted = list(patterns)
    if not wanted:
        return set()
    operator_of = {label(node): node.op_type for node in nodes(model)}
    operators = set(operator_of.values())
    chosen: set[str] = set()
    for pattern in wanted:
        if pattern in operator_of:
            found = {pattern}
        elif pattern in operators:
            found = {name for name, operator in operator_of.items() if operator == pattern}
        else:
            found = {name for name in operator_of if fnmatchcase(name, pattern)}
        if not found:
            raise RecipeRefused(f"`{pattern}` means no node of this model", fix=_near(pattern, operator_of, operators))
        chosen |= found
    return chosen


def _near(pattern: str, names: Iterable[str], operators: set[str]) -> str:
    known = [*names, *operators]
    close = difflib.get_close_matches(pattern, known, n=3, cutoff=0.5)
    if not close:
        plain = pattern.strip("*?[]").lower()
        close = [name for name in known if plain and plain in name.lower()][:3]
    if close:
        return f"near ones: {', '.join(close)}"
    return f"operators here: {', '.join(sorted(operators))}; `edgetui inspect` lists them"
