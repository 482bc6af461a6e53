"""What the source says of a value's fields: the sentence below each, the screen's help and a schema's description."""

from __future__ import annotations

import ast
import inspect
from functools import lru_cache
from pathlib import Path

from msgspec import Struct


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
