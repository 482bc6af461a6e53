"""No type is learnt by two threads at once: msgspec ends the process then."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import edgetui

TYPED = {"msgspec.convert": 1, "msgspec.json.Decoder": 0, "msgspec.msgpack.Decoder": 0}
"""Calls and the place of the type among their arguments."""
DECODING = {"msgspec.json.decode", "msgspec.msgpack.decode", "msgspec.toml.decode"}
BUILTIN = {"dict", "dict[str, str]"}


def unready(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        kind = call.args[TYPED[name]] if name in TYPED else None
        if name in DECODING:
            kind = next((each.value for each in call.keywords if each.arg == "type"), None)
        if kind is not None and not (told := ast.unparse(kind)).startswith("ready(") and told not in BUILTIN:
            yield f"line {call.lineno}: {name} of {told}"


def test_every_type_is_made_ready_first():
    root = Path(edgetui.__file__).parent
    files = [file for room in ("engine", "tui") for file in (root / room).rglob("*.py") if file.name != "ready.py"]
    assert len(files) > 200
    found = {str(file.relative_to(root)): lines for file in files if (lines := list(unready(ast.parse(file.read_text()))))}
    assert found == {}


def test_the_rule_sees_what_it_forbids():
    lines = list(
        unready(ast.parse("msgspec.convert(a, B)\nmsgspec.json.decode(a, type=B)\nmsgspec.json.decode(a, type=ready(B))"))
    )
    assert lines == ["line 1: msgspec.convert of B", "line 2: msgspec.json.decode of B"]
