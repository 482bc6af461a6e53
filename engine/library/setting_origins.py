"""Every setting with its value, and the file and line that it comes from: what `edgetui config` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from ..config import config_file, config_layers, load_config
from ..errors import DAMAGED, UsageError, close_to, nearest

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Setting(Struct, frozen=True):
    """One setting as it holds."""

    key: str
    """As a dotted key of TOML; of a list of tables each has its number, `alerts[0]`."""
    value: Any
    """None: without a value, which edgetui.toml explains."""
    file: str | None
    """None: no file says it, the value is the program's own."""
    line: int | None
    """From 1."""

    @property
    def in_toml(self) -> str:
        """The value as edgetui.toml would have it, in one line; a dash is no value."""
        return _in_toml(self.value)


class Settings(Struct, frozen=True):
    """All settings, or those below one key."""

    own_file: str
    """Where the user's settings belong."""
    own_file_is_there: bool
    settings: tuple[Setting, ...]


def settings(key: str = "") -> Settings:
    """Every setting that is `key` or below it.

    Raises:
        ConfigRefused: a file is no TOML or has a key or value that is not valid.
        UsageError: there is no such key.
    """
    values = list(_leaves(msgspec.to_builtins(load_config())))
    chosen = [(name, value) for name, value in values if not key or name == key or name.startswith((f"{key}.", f"{key}["))]
    if not chosen:
        tables = {name.partition(".")[0].partition("[")[0] for name, _ in values}
        near = close_to(key, {name for name, _ in values} | tables)
        raise UsageError(f"there is no setting `{key}`", fix=nearest(key, [near] if near else tables))
    own = config_file()
    files = [(str(file.absolute()), key_lines(file.read_text(encoding="utf-8-sig"))) for file, _ in reversed(config_layers())]
    return Settings(
        str(own.absolute()), own.is_file(), tuple(Setting(name, value, *_origin(name, files)) for name, value in chosen)
    )


def _in_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_in_toml(inner)}" for key, inner in value.items() if inner is not None) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_in_toml, value))}]"
    return "–" if value is None else msgspec.json.encode(value).decode()


def _origin(key: str, files: list[tuple[str, dict[str, int]]]) -> tuple[str | None, int | None]:
    """The first of the files that has the key, and its line there. A name with a dot may stand there without its quotes."""
    names = (key, key.replace('"', ""))
    return next(((file, lines[name]) for file, lines in files for name in names if name in lines), (None, None))


def key_lines(text: str) -> dict[str, int]:
    """The line, from 1, on which each key of a valid TOML text begins.

    A statement ends with the first line that makes it valid, so the reader of TOML itself finds where the next begins.
    """
    lines: dict[str, int] = {}
    items: Counter[str] = Counter()
    header, pending, first = "", "", 1
    for number, line in enumerate(text.split("\n"), 1):
        first = first if pending else number
        is_header = not pending and line.lstrip().startswith("[")
        pending += f"{line}\n"
        header = "" if is_header else header
        table = _decoded(header + pending)
        if table is None:
            continue
        is_item = (header or pending).lstrip().startswith("[[")
        for key, _ in _leaves(table):
            if not is_item:
                lines.setdefault(key, first)
            elif is_header:
                name = key.removesuffix("[0]")
                lines[f"{name}[{items[name]}]"] = first
                items[name] += 1
        header = pending if is_header else header
        pending = ""
    return lines


def _decoded(text: str) -> dict[str, Any] | None:
    """None: no TOML, such as a list whose end is on a later line."""
    try:
        table: dict[str, Any] = msgspec.toml.decode(text)
    except DAMAGED:
        return None
    return table


def _leaves(value: object, where: str = "") -> Iterator[tuple[str, object]]:
    """All that is no table or list of tables, under dotted keys; an empty one is a leaf."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            name = key if key and _BARE.issuperset(key) else msgspec.json.encode(key).decode()
            yield from _leaves(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list | tuple) and value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield f"{where}[{number}]", item
    elif where:
        yield where, value
