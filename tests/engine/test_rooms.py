"""The picture of imports: which room imports which, drawn from the code, imports inside functions and for types included.

The contracts of import-linter say which arrows may be; this says that no circle is left, among rooms or among files.
"""

from __future__ import annotations

import ast
from functools import cache

from package_trees import trees

MOST_ROOMS, MOST_ARROWS = 26, 138
"""Of `engine/`: 22 rooms and 102 arrows when they were made. A new one is a decision, to be written into ARCHITECTURE.md."""


@cache
def arrows() -> dict[str, set[str]]:
    """File to the files that it imports, all as `engine.graph.load`."""
    names = {path: ".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in trees()}
    known = set(names.values())
    drawn: dict[str, set[str]] = {name: set() for name in known}
    for path, name in names.items():
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        for node in ast.walk(trees()[path]):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            for alias in node.names:
                target = f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base
                if target in known and target != name:
                    drawn[name].add(target)
    return drawn


def circles(drawn: dict[str, set[str]]) -> list[list[str]]:
    """Groups whose members reach each other (Tarjan 1972, Depth-first search and linear graph algorithms)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for after in sorted(drawn[node]):
            if after not in order:
                visit(after)
                low[node] = min(low[node], low[after])
            elif after in stack:
                low[node] = min(low[node], order[after])
        if low[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(drawn):
        if node not in order:
            visit(node)
    return found


def rooms(drawn: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same for rooms: folders of `engine/`, the files beside them, and `tui`."""

    def room(name: str) -> str:
        top, _, rest = name.partition(".")
        return "tui" if top == "tui" else f"engine.{rest.split('.')[0]}" if rest else "engine"

    between: dict[str, set[str]] = {room(name): set() for name in drawn}
    for name, others in drawn.items():
        between[room(name)] |= {room(other) for other in others} - {room(name)}
    return between


def test_no_circle_is_left():
    drawn = arrows()
    assert circles(rooms(drawn)) == []
    assert circles(drawn) == []


def test_a_circle_would_be_found():
    drawn = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(drawn) == [["b", "c"]]


def test_rooms_and_arrows_stay_few():
    between = {room: others for room, others in rooms(arrows()).items() if room not in ("tui", "engine")}
    assert len(between) <= MOST_ROOMS, sorted(between)
    assert sum(len(others) for others in between.values()) <= MOST_ARROWS, between


def test_the_screen_is_reached_by_nobody():
    assert not [name for name, others in rooms(arrows()).items() if name != "tui" and "tui" in others]
