"""What can be edited in a recipe's step or a run's settings: one `Field` for each struct field, from its type alone.

A new step in `engine/schema/steps.py` appears in the settings pane without a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec import inspect as kinds

from ..engine.errors import RecipeRefused
from ..engine.schema.validation import explain

Kind = Literal["choice", "switch", "share", "whole", "number", "numbers", "sizes", "words", "shares", "text"]
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
    words: Mapping[object, str] = MappingProxyType({})
    """What is shown in a value's place."""
    usual: object = None
    """What it is where nothing is said."""

    def told(self, value: object) -> str:
        """A value as its row shows it."""
        if self.kind == "sizes" and isinstance(value, tuple):
            return "x".join(map(str, value))
        return (self.words.get(value) if self.words else None) or shown(value)


@lru_cache
def fields_of(kind: type[Struct]) -> tuple[Field, ...]:
    """The editable fields of a struct, in order; nested tables are left out."""
    found = ((_field(f.encode_name, kinds.type_info(f.type), f.type), f.default) for f in msgspec.structs.fields(kind))
    return tuple(
        field._replace(usual=None if usual is msgspec.NODEFAULT else usual) for field, usual in found if field is not None
    )


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
    words: Mapping[object, str] = MappingProxyType({})
    if isinstance(info, kinds.Metadata):
        words = (info.extra or {}).get("words", words)
        info = info.type
    if isinstance(info, kinds.LiteralType):
        return Field(name, "choice", optional, _choices(annotation))
    if isinstance(info, kinds.BoolType):
        return Field(name, "switch", optional)
    if isinstance(info, kinds.IntType | kinds.FloatType):
        low = info.ge if info.ge is not None else info.gt
        high = info.le if info.le is not None else info.lt
        if isinstance(info, kinds.IntType):
            return Field(name, "whole", optional, low=low, high=high, above=info.gt is not None, words=words)
        kind: Kind = "share" if (low, high) == (0, 1) else "number"
        return Field(name, kind, optional, low=low, high=high, above=info.gt is not None, words=words)
    if isinstance(info, kinds.VarTupleType) and isinstance(info.item_type, kinds.StrType):
        return Field(name, "words", optional)
    if isinstance(info, kinds.VarTupleType) and isinstance(_bare(info.item_type), kinds.FloatType):
        return Field(name, "numbers", optional)
    if isinstance(info, kinds.TupleType) and all(isinstance(_bare(each), kinds.IntType) for each in info.item_types):
        return Field(name, "sizes", optional)
    if isinstance(info, kinds.DictType):
        return Field(name, "shares", optional, low=0, high=1)
    return Field(name, "text", optional) if isinstance(info, kinds.StrType) else None


def _bare(info: kinds.Type) -> kinds.Type:
    return info.type if isinstance(info, kinds.Metadata) else info


def shown(value: object) -> str:
    """A value as a person reads it; what `parse` accepts."""
    if value is None or value in ((), {}):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, tuple):
        return ", ".join(f"{item:.10g}" if isinstance(item, float) else str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={shown(share)}" for name, share in value.items())
    return str(value)


def parse(field: Field, text: str) -> object:
    """What was typed as a value.

    Raises:
        RecipeRefused: it is no such value; says what would be one.
    """
    text = text.strip()
    if text in ("", NONE, "-", "none"):
        if field.kind in ("words", "numbers"):
            return ()
        if field.kind == "shares":
            return {}
        if field.optional:
            return None
        if field.kind == "text":
            return ""
        raise RecipeRefused(f"{field.name} needs a value", fix=f"give {_wanted(field)}")
    if field.kind == "words":
        return tuple(word.strip() for word in text.split(",") if word.strip())
    if field.kind in ("numbers", "sizes"):
        return _numbers(field, text)
    if field.kind == "shares":
        named = [word.rpartition("=") for word in text.split(",") if word.strip()]
        return {name.strip(): _number(field, share.strip() if name.strip() else "") for name, _, share in named}
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


def _numbers(field: Field, text: str) -> tuple[float | int, ...]:
    """`0.5, 0.5` or `224x224`."""
    parts = text.replace("x", " ").replace(",", " ").strip("[] ").split()
    try:
        return tuple(int(part) if field.kind == "sizes" else float(part) for part in parts)
    except ValueError:
        raise RecipeRefused(f"{field.name} cannot be `{text}`", fix=f"give {_wanted(field)}") from None


def _number(field: Field, text: str) -> float | int:
    percent = text.endswith("%") and field.kind in ("share", "shares")
    try:
        value = float(text.rstrip("% ")) / (100 if percent else 1)
        if field.kind == "whole":
            return int(text)
    except ValueError:
        raise RecipeRefused(f"{field.name} cannot be `{text}`", fix=f"give {_wanted(field)}") from None
    return value


EXAMPLES: Mapping[Kind, str] = MappingProxyType(
    {
        "share": "0.3",
        "whole": "10",
        "number": "10",
        "numbers": "0.485, 0.456, 0.406",
        "sizes": "224x224",
        "words": "conv1, /head/*",
        "shares": "conv1=0.5, /head/*=0.25",
        "switch": "yes",
    }
)


def example(field: Field) -> str:
    """Something that can be typed there: what is usual, else one of its kind; empty: a text, of which its help has one."""
    usual = () if field.kind in ("words", "shares", "switch") else field.usual
    if field.kind == "choice":
        return str(field.choices[0])
    if usual not in (None, (), "") and not (field.optional and usual == 0):
        return shown(usual)
    text = EXAMPLES.get(field.kind, "")
    if field.kind in ("whole", "number") and field.high is not None and float(text) > field.high:
        text = f"{field.high:g}"
    return text


def takes(field: Field) -> str:
    """What is typed or chosen there, with an example: `0 to 1, e.g. 0.3.`"""
    if field.kind == "choice":
        return f"← → chooses: {', '.join(field.words.get(choice, str(choice)) for choice in field.choices)}."
    if field.kind == "switch":
        return "← → or space: yes or no."
    if field.kind == "text":
        return ""
    if field.kind == "words":
        return f"Typed with commas between, e.g. {example(field)}."
    wanted = _wanted(field)
    wanted = wanted if "e.g." in wanted or "such as" in wanted else f"{wanted}, e.g. {example(field)}"
    return f"{wanted[0].upper()}{wanted[1:]}."


def _wanted(field: Field) -> str:
    if field.kind == "choice":
        return "one of " + ", ".join(str(choice) for choice in field.choices)
    if field.kind == "shares":
        return "layers with shares from 0 to 1, such as conv1=0.5, /head/*=0.25"
    if field.kind == "sizes":
        return "width and height, e.g. 224x224"
    if field.kind == "numbers":
        return "one number a channel, e.g. 0.485, 0.456, 0.406, or one for all"
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
    if field.kind == "switch" and field.optional:
        order = (None, True, False)
        return order[(order.index(value) + by) % 3]
    if field.kind == "switch":
        return not value
    if field.kind in ("words", "shares", "text", "numbers", "sizes"):
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
    why = explain(table, kind, error)
    if why.path in table:
        return RecipeRefused(f"{why.path} cannot be {shown(table[why.path])}", fix=why.fix)
    return RecipeRefused(why.what, fix="change the other one first" if why.problem == "rule" else why.fix)
