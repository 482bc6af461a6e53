"""What can be edited in a recipe's step or a run's settings: one `Field` for each struct field, from its type alone.

A new step in `engine/spec.py` appears in the settings pane without a line here.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec import inspect as kinds

from ..engine.errors import RecipeRefused

Kind = Literal["choice", "switch", "share", "whole", "number", "words", "text"]
NONE = "–"


class Field(NamedTuple):
    """One value that a person may change."""

    name: str
    kind: Kind
    optional: bool
    choices: tuple[object, ...] = ()
    low: float | None = None
    high: float | None = None
    above: bool = False
    """`low` itself is not allowed."""


@lru_cache
def fields_of(kind: type[Struct]) -> tuple[Field, ...]:
    """The editable fields of a struct, in order; nested tables are left out."""
    found = (_field(f.encode_name, kinds.type_info(f.type), f.type) for f in msgspec.structs.fields(kind))
    return tuple(field for field in found if field is not None)


def _choices(annotation: object) -> tuple[object, ...]:
    """The values of the Literal in an annotation, in the order in which they were written; msgspec sorts them."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())


def _field(name: str, info: kinds.Type, annotation: object) -> Field | None:
    optional = False
    if isinstance(info, kinds.UnionType):
        rest = [part for part in info.types if not isinstance(part, kinds.NoneType)]
        optional = len(rest) < len(info.types)
        if len(rest) != 1:
            return None
        info = rest[0]
    if isinstance(info, kinds.Metadata):
        info = info.type
    if isinstance(info, kinds.LiteralType):
        return Field(name, "choice", optional, _choices(annotation))
    if isinstance(info, kinds.BoolType):
        return Field(name, "switch", optional)
    if isinstance(info, kinds.IntType | kinds.FloatType):
        low = info.ge if info.ge is not None else info.gt
        high = info.le if info.le is not None else info.lt
        if isinstance(info, kinds.IntType):
            return Field(name, "whole", optional, low=low, high=high, above=info.gt is not None)
        kind: Kind = "share" if (low, high) == (0, 1) else "number"
        return Field(name, kind, optional, low=low, high=high, above=info.gt is not None)
    if isinstance(info, kinds.VarTupleType) and isinstance(info.item_type, kinds.StrType):
        return Field(name, "words", optional)
    return Field(name, "text", optional) if isinstance(info, kinds.StrType) else None


def shown(value: object) -> str:
    """A value as a person reads it; what `parse` accepts."""
    if value is None or value == ():
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return str(value)


def parse(field: Field, text: str) -> object:
    """What was typed as a value.

    Raises:
        RecipeRefused: it is no such value; says what would be one.
    """
    text = text.strip()
    if text in ("", NONE, "-", "none"):
        if field.kind == "words":
            return ()
        if field.kind == "text":
            return ""
        if field.optional:
            return None
        raise RecipeRefused(f"{field.name} needs a value", fix=f"give {_wanted(field)}")
    if field.kind == "words":
        return tuple(word.strip() for word in text.split(",") if word.strip())
    if field.kind == "choice":
        for choice in field.choices:
            if str(choice) == text:
                return choice
        raise RecipeRefused(f"{field.name} cannot be {text}", fix=f"give {_wanted(field)}")
    if field.kind == "switch":
        return text.lower() in ("yes", "true", "on", "1")
    if field.kind == "text":
        return text
    return _number(field, text)


def _number(field: Field, text: str) -> float | int:
    percent = text.endswith("%") and field.kind == "share"
    try:
        value = float(text.rstrip("% ")) / (100 if percent else 1)
        if field.kind == "whole":
            return int(text)
    except ValueError:
        raise RecipeRefused(f"{field.name} cannot be `{text}`", fix=f"give {_wanted(field)}") from None
    return value


def _wanted(field: Field) -> str:
    if field.kind == "choice":
        return "one of " + ", ".join(str(choice) for choice in field.choices)
    number = "a whole number" if field.kind == "whole" else "a number"
    if field.low is None:
        return number
    if field.high is None:
        return f"{number} {'above' if field.above else 'of at least'} {field.low:g}"
    return (
        f"{number} {'above' if field.above else 'from'} {field.low:g} {'and at most' if field.above else 'to'} {field.high:g}"
    )


def nudged(field: Field, value: object, by: int) -> object:
    """The next value to the left (`by` -1) or right (+1)."""
    if field.kind == "choice":
        choices = (None, *field.choices) if field.optional else field.choices
        at = choices.index(value) if value in choices else 0
        return choices[(at + by) % len(choices)]
    if field.kind == "switch":
        return not value
    if field.kind in ("words", "text"):
        return value
    if not isinstance(value, int | float):
        return 0.1 if field.kind == "share" else field.low or 1
    if field.kind == "share":
        return round(min(1.0, max(0.0, value + by * 0.05)), 4)
    if field.kind == "whole":
        size = 1 if value < 20 + (by < 0) else 10 if value < 200 + (by < 0) else 100
        return _within(field, int(value) + by * size)
    if field.high is not None:
        return _within(field, round(value + by * (0.01 if value + by * 0.05 > 99.8 else 0.1), 4))
    return float(f"{value * (2.0 if by > 0 else 0.5):.4g}")


def _within(field: Field, value: float) -> float:
    low = value if field.low is None else max(value, field.low)
    return low if field.high is None else min(low, field.high)


def refusal(kind: type[Struct], table: Mapping[str, object], error: msgspec.ValidationError) -> RecipeRefused:
    """Say msgspec's words about a value of `table` with what may be given instead."""
    fields = {field.name: field for field in fields_of(kind)}
    what, _, where = str(error).partition(" - at `$.")
    name = where.rstrip("`").split("[")[0].split(".")[-1]
    if name in fields:
        return RecipeRefused(f"{name} cannot be {shown(table[name])}", fix=f"give {_wanted(fields[name])}")
    return RecipeRefused(what, fix="change the other one first")


@lru_cache
def docs_of(kind: type[Struct]) -> dict[str, str]:
    """The sentence under each field in the source (and under "" the struct's own); inherited fields included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base is Struct or not issubclass(base, Struct):
            continue
        found |= _docs_in(inspect.getfile(base)).get(base.__name__, {})
    found[""] = (kind.__doc__ or "").strip()
    return found


@lru_cache
def _docs_in(source: str) -> dict[str, dict[str, str]]:
    tree = ast.parse(Path(source).read_text(encoding="utf-8"))
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            docs: dict[str, str] = {}
            for field, below in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(below, ast.Expr)
                    and isinstance(below.value, ast.Constant)
                ):
                    docs[field.target.id] = " ".join(str(below.value.value).split())
            found[node.name] = docs
    return found
