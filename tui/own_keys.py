"""What is wrong with the user's own keys: names that nothing has, keys that are none, and keys that something else has.

Reads all screens for that, which takes a while: asked only where there are such keys, and never before the first paint.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import NamedTuple

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import KEY_NAME_REPLACEMENTS, Keys
from textual.screen import Screen
from textual.widget import Widget

from ..engine.errors import nearest
from .widgets.keybar import keys_of

ROOMS = ("screens", "panes", "widgets")
MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")
KNOWN = {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values())


class Wrong(NamedTuple):
    """A key of the user's that is not taken."""

    name: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"[ui.keys] {self.name}: {self.what}; {self.fix}"


def wrong_keys(keys: Mapping[str, str]) -> tuple[Wrong, ...]:
    """Those of [ui.keys] that cannot be taken, and why; the rest can."""
    found: list[Wrong] = []
    usual = _usual()
    own = {name: set(keys_of(text).split(",")) for name, text in keys.items()}
    for name in keys:
        if name not in usual:
            found.append(Wrong(name, "there is no key of that name", nearest(name, usual)))
        elif bad := [key for key in own[name] if not is_key(key)]:
            found.append(Wrong(name, f"`{bad[0]}` is no key", "write it as `f6`, `ctrl+t`, `g` or `{`"))
    refused = {each.name for each in found}
    own = {name: given for name, given in own.items() if name not in refused}
    for name, given in list(own.items()):
        new = given - usual[name]
        has = next((other for other in _beside(name) if new & own.get(other, usual[other])), None)
        if has is not None:
            key = min(new & own.get(has, usual[has]))
            found.append(Wrong(name, f"`{key}` is the key of {has}", f"give {has} another one as well, or this one"))
            del own[name]
    return tuple(found)


def is_key(name: str) -> bool:
    """Whether a terminal may ever send it, by the name that Textual has for it."""
    *before, key = name.split("+") if name != "+" else [name]
    return all(each in MODIFIERS for each in before) and (
        key in KNOWN or (len(key) == 1 and key.isprintable()) or _is_sign(key)
    )


def _is_sign(name: str) -> bool:
    try:
        return bool(name) and len(unicodedata.lookup(name.replace("_", " "))) == 1
    except KeyError:
        return False


@cache
def _places() -> dict[str, tuple[set[str], frozenset[str]]]:
    """Of each class with keys where it can be met (empty: everywhere), and the names of its keys."""
    package = __package__ or ""
    modules = [import_module(f"{package}.app")]
    for room in ROOMS:
        parent = import_module(f"{package}.{room}")
        modules += [import_module(f"{parent.__name__}.{each.name}") for each in iter_modules(parent.__path__)]
    classes = {
        each for module in modules for each in vars(module).values() if isinstance(each, type) and issubclass(each, DOMNode)
    }
    found = {}
    for each in classes:
        names = frozenset(binding.id for binding in _bindings(each) if binding.id)
        if issubclass(each, Screen):
            where = {each.__name__}
        elif issubclass(each, App) or ".widgets." in each.__module__:
            where = set()
        else:
            where = _screens_with(each, modules) or {each.__name__}
        if names:
            found[f"{each.__module__}.{each.__name__}"] = where, names
    return found


def _screens_with(widget: type, modules: Sequence[ModuleType]) -> set[str]:
    """Screens whose modules know this widget, or one whose module does."""
    left, seen, found = [widget], {widget}, set()
    while left:
        name, here = left[-1].__name__, left.pop()
        for module in modules:
            if vars(module).get(name) is not here:
                continue
            around = {each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__}
            found |= {each.__name__ for each in around if issubclass(each, Screen)}
            left += [each for each in around - seen if issubclass(each, Widget) and not issubclass(each, Screen)]
            seen |= around
    return found


def _bindings(of: type) -> Iterator[Binding]:
    for each in of.__mro__:
        yield from (binding for binding in vars(each).get("BINDINGS", ()) if isinstance(binding, Binding))


@cache
def _usual() -> dict[str, set[str]]:
    """The keys of each name, as they are without the user's own."""
    usual: dict[str, set[str]] = {}
    _places()
    for each in _all_classes(DOMNode):
        for binding in vars(each).get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id and each.__module__.startswith(__package__ or ""):
                usual.setdefault(binding.id, set()).update(keys_of(binding.key).split(","))
    return usual


def _all_classes(of: type[object]) -> Iterator[type[object]]:
    for each in list[type[object]](of.__subclasses__()):
        yield each
        yield from _all_classes(each)


def _beside(name: str) -> list[str]:
    """Names of keys that can be pressed where this one can."""
    mine = [where for where, names in _places().values() if name in names]
    around: set[str] = set()
    for where, names in _places().values():
        if any(not where or not other or where & other for other in mine):
            around |= names
    return sorted(around - {name})
