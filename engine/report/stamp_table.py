"""Stamps as a table: every field that some run has, by its name in the document."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import fields

from ..advice.words import DASH
from ..schema.result import Result

StampLine = tuple[str, tuple[str, ...]]
"""(the field in words, what each run has)."""


def stamp_lines(results: Sequence[Result]) -> list[StampLine]:
    """Board, backend and data of each run, field by field; what none says is left out."""
    found: list[StampLine] = []
    for part in ("board", "backend", "dataset", "model"):
        stamps: list[Struct | None] = [getattr(result, part) for result in results]
        kinds = {type(stamp): None for stamp in stamps if stamp is not None}
        names = [field.name for kind in kinds for field in fields(kind) if part != "model" or field.name in _MODEL]
        for name in dict.fromkeys(names):
            values = tuple(_text(getattr(stamp, name, None)) for stamp in stamps)
            if any(value != DASH for value in values):
                found.append((f"{part}: {name.replace('_', ' ')}", values))
    return found


_MODEL = frozenset(("name", "sha256", "opset", "parameters", "macs", "producer"))


def _text(value: object) -> str:
    if value is None or value == "" or value == () or value == {}:
        return DASH
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(map(_text, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
