"""What msgspec refused of a table, in words: the key, the value that was written, and what may be written instead.

Recipes, settings, datasets and run folders are all read through it. Of msgspec's sentence only the place is
used; what may stand there is taken from the type at that place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec import inspect as kinds

from ..errors import close_to, nearest
from .ready import ready

_MESSAGE = re.compile(
    r"(?:Object (?P<problem>contains unknown|missing required) field `(?P<field>[^`]*)`|(?P<words>.*?))"
    r"(?: - at (?:`key` in )?`(?P<path>.*)`)?",
    re.DOTALL,
)
_STEP = re.compile(r"\[([^]]*)\]|\.([^.\[]+)")
_LONGEST = 60


class Invalid(Struct, frozen=True, kw_only=True):
    """Why a table is refused."""

    problem: Literal["unknown", "missing", "value", "rule"]
    """An unknown key; a key that is missing; a value that is not valid; a rule of the struct that several values break."""
    path: str
    """The key with the tables around it, e.g. `input.color`; empty: the table itself."""
    what: str
    fix: str


def explain(data: object, kind: object, error: msgspec.ValidationError) -> Invalid:
    """What is wrong with `data`, which msgspec did not take as a `kind`."""
    found = _MESSAGE.fullmatch(str(error))
    assert found is not None
    steps = _steps(data, kind, error, found["path"] or "$")
    names = [step for step in steps if isinstance(step, str)]
    path = ".".join(names)
    info, value = _at(kinds.type_info(kind), data, steps)
    if found["problem"]:
        name = ".".join([*names, found["field"]])
        if found["problem"] == "contains unknown":
            return Invalid(problem="unknown", path=name, what=f"unknown key `{name}`", fix=nearest(found["field"], _keys(info)))
        fix = f"add the line {found['field']} = …, {_wanted(_field(info, found['field']))}"
        return Invalid(problem="missing", path=name, what=f"`{name}` is missing", fix=fix)
    if isinstance(info, kinds.StructType) and isinstance(value, dict):  # of the right form: what it says goes together badly
        return Invalid(
            problem="rule", path=path, what=f"`{path}`: {found['words']}" if path else found["words"], fix="correct it"
        )
    if not path:
        return Invalid(problem="value", path="", what=f"{_plain(value)} is not a table", fix=f"write {_wanted(info)}")
    last = len(steps) - next(number for number, step in enumerate(reversed(steps)) if isinstance(step, str))
    written = _plain(_at(kinds.type_info(kind), data, steps[:last])[1])
    each = "a list, in brackets, each of it " if last < len(steps) else ""
    fix = _choice(info, value) or f"write {each}{_wanted(info)}"
    return Invalid(problem="value", path=path, what=f"`{path} = {written}` is not valid", fix=fix)


def _steps(data: object, kind: object, error: msgspec.ValidationError, path: str) -> list[str | int]:
    """A path as keys and places in lists. Of a table whose keys are free msgspec does not say which one it means: `[...]`."""
    steps: list[str | int] = []
    for place, name in _STEP.findall(path):
        if place != "...":
            steps.append(name or int(place))
            continue
        table = _at(kinds.type_info(kind), data, steps)[1]
        assert isinstance(table, dict)
        steps.append(next(key for key in table if _same(_replaced(data, steps, {key: table[key]}), kind, error)))
    return steps


def _replaced(data: Any, steps: Sequence[str | int], value: object) -> object:  # noqa: ANN401  of any form
    """A copy with another value at a place."""
    if not steps:
        return value
    copy: Any = dict(data) if isinstance(data, dict) else list(data)
    copy[steps[0]] = _replaced(copy[steps[0]], steps[1:], value)
    return copy


def _same(data: object, kind: Any, error: msgspec.ValidationError) -> bool:  # noqa: ANN401  whatever msgspec converts to
    try:
        msgspec.convert(data, ready(kind))
    except msgspec.ValidationError as other:
        return str(other) == str(error)
    return False


def _at(info: kinds.Type, value: Any, steps: Iterable[str | int]) -> tuple[kinds.Type, object]:  # noqa: ANN401  of any form
    """Type and value at the end of a path."""
    info = _fitting(info, value)
    for step in steps:
        value = value[step]
        if isinstance(info, kinds.DictType):
            info = info.value_type
        elif isinstance(step, str):
            info = _field(info, step)
        else:
            info = info.item_types[step] if isinstance(info, kinds.TupleType) else getattr(info, "item_type", kinds.AnyType())
        info = _fitting(info, value)
    return info, value


def _fitting(info: kinds.Type, value: object) -> kinds.Type:
    """The part of a union that a value is meant as: of several tables the one that its tag names. What a description says in
    words is left as it is.
    """
    if isinstance(info, kinds.Metadata) and not _description(info):
        info = info.type
    if not isinstance(info, kinds.UnionType):
        return info
    parts = [part for part in info.types if not isinstance(part, kinds.NoneType)]
    if isinstance(value, dict):
        tables = [part for part in parts if isinstance(part, kinds.StructType | kinds.DictType)]
        named = [part for part in tables if isinstance(part, kinds.StructType) and value.get(part.tag_field or "") == part.tag]
        return next(iter(named or tables), parts[0]) if len(tables) == 1 or named else info
    return parts[0] if len(parts) == 1 else info


def _field(info: kinds.Type, name: str) -> kinds.Type:
    """The type of a struct's field, or of the tag that tells several structs apart."""
    several = info.types if isinstance(info, kinds.UnionType) else (info,)
    structs = [part for part in several if isinstance(part, kinds.StructType)]
    tags = tuple(part.tag for part in structs if part.tag is not None and part.tag_field == name)
    if tags:
        return kinds.LiteralType(tags)
    found = (field.type for part in structs for field in part.fields if field.encode_name == name)
    return next(found, kinds.AnyType())


def _keys(info: kinds.Type) -> tuple[str, ...]:
    if not isinstance(info, kinds.StructType):
        return ()
    tag = (info.tag_field,) if info.tag_field else ()
    return (*tag, *(field.encode_name for field in info.fields))


def _choice(info: kinds.Type, value: object) -> str:
    """What a word that is none of the choices may have meant, and the choices; empty: there are none."""
    if not isinstance(info, kinds.LiteralType):
        return ""
    choices = [str(choice) for choice in info.values]
    near = close_to(value, choices) if isinstance(value, str) else ""
    return (f"write `{near}`: " if near else "") + f"it is one of {', '.join(choices)}"


def _wanted(info: kinds.Type) -> str:
    """What may be written, in words."""
    if isinstance(info, kinds.Metadata):
        return _description(info) or _wanted(info.type)
    if isinstance(info, kinds.UnionType):
        parts = [part for part in info.types if not isinstance(part, kinds.NoneType)]
        return " or ".join(dict.fromkeys(map(_wanted, parts)))
    if isinstance(info, kinds.LiteralType):
        return f"one of {', '.join(map(str, info.values))}"
    if isinstance(info, kinds.IntType | kinds.FloatType):
        return _number(info)
    if isinstance(info, kinds.TupleType):
        return f"a list of {len(info.item_types)}, in brackets"
    if isinstance(info, kinds.VarTupleType | kinds.ListType):
        return f"a list, in brackets{_length(info)}"
    if isinstance(info, kinds.BoolType):
        return "true or false"
    return "text in quotes" if isinstance(info, kinds.StrType) else "a table"


def _description(info: kinds.Metadata) -> str:
    return str((info.extra_json_schema or {}).get("description", ""))


def _number(info: kinds.IntType | kinds.FloatType) -> str:
    """`a whole number of at least 1 and at most 64`."""
    ends = (("of at least", info.ge), ("above", info.gt), ("at most", info.le), ("below", info.lt))
    word = "a whole number" if isinstance(info, kinds.IntType) else "a number"
    bounds = " and ".join(f"{words} {end:g}" for words, end in ends if end is not None)
    return f"{word} {bounds}" if bounds else word


def _length(info: kinds.VarTupleType | kinds.ListType) -> str:
    if info.min_length:
        return f", of at least {info.min_length}"
    return f", of at most {info.max_length}" if info.max_length is not None else ""


def _plain(value: object) -> str:
    """A value as it stands in TOML, as far as a line goes."""
    text = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
