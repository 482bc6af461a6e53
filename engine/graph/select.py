"""Which nodes a step's patterns mean: `exclude` and `keep` of a recipe.

Quantization and half precision read the same patterns and must refuse the same mistakes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from onnx import ModelProto

from ..errors import RecipeRefused
from ..system.reporter import NullReporter, Reporter
from .fused_names import origins
from .walk import label, nodes

MOST_TOLD = 5
"""Nodes that are told one by one."""


def select(model: ModelProto, patterns: Iterable[str], say: Reporter | None = None) -> set[str]:
    """Labels (`walk.label`: the name, where a node has one) of the nodes that a pattern means.

    A pattern is a node's name, a shell pattern over names such as `/head/*`, or an operator such as `Softmax`. A node of the
    file that normalising fused into another means that one, which is said.

    Raises:
        RecipeRefused: a pattern matches no node; the message names near ones.
    """
    wanted = list(patterns)
    if not wanted:
        return set()
    operator_of = {label(node): node.op_type for node in nodes(model)}
    gone = origins(model)
    chosen: set[str] = set()
    for pattern in wanted:
        found, meant = _meant(pattern, operator_of), _meant(pattern, {name: one.operator for name, one in gone.items()})
        if pattern in operator_of or (found and pattern in operator_of.values()):
            meant = set()
        if not found and not meant:
            operators = set(operator_of.values())
            raise RecipeRefused(
                f"`{pattern}` matches no node of this model", fix=_near(pattern, {**operator_of, **gone}, operators)
            )
        became = {name: set(gone[name].became) for name in meant}
        _tell(pattern, {name: into - found - chosen for name, into in became.items()}, became, say or NullReporter())
        chosen |= found.union(*became.values())
    return chosen


def _meant(pattern: str, operator_of: dict[str, str]) -> set[str]:
    """Names that a pattern means: the one name, else all of an operator, else all that fit."""
    if pattern in operator_of:
        return {pattern}
    if pattern in operator_of.values():
        return {name for name, operator in operator_of.items() if operator == pattern}
    return {name for name in operator_of if fnmatchcase(name, pattern)}


def _tell(pattern: str, fresh: dict[str, set[str]], became: dict[str, set[str]], say: Reporter) -> None:
    """Say into what nodes went that are not in the graph any more, where that means nodes beyond those named anyway."""
    if pattern in became and not became[pattern]:
        say.warn(f"`{pattern}` is not in the graph any more, and nothing that is stands for it")
        return
    told = sorted(name for name, into in fresh.items() if into or name == pattern)
    for name in told[:MOST_TOLD]:
        into = sorted(became[name])
        more = f" and {len(into) - 3} more" if len(into) > 3 else ""
        say.warn(f"`{name}` became part of {', '.join(into[:3])}{more}, which `{pattern}` therefore means")
    if len(told) > MOST_TOLD:
        say.warn(f"{len(told) - MOST_TOLD} more nodes that `{pattern}` means became parts of others, which it therefore means")


def _near(pattern: str, names: Iterable[str], operators: set[str]) -> str:
    known = [*names, *operators]
    close = difflib.get_close_matches(pattern, known, n=3, cutoff=0.5)
    if not close:
        plain = pattern.strip("*?[]").lower()
        close = [name for name in known if plain and plain in name.lower()][:3]
    if close:
        return f"near ones: {', '.join(close)}"
    return f"operators here: {', '.join(sorted(operators))}; `edgetui inspect` lists them"
