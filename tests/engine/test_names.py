"""One name, one thing: a class or a file that is named elsewhere, in a traceback or in a comment, is found at once."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from package_trees import trees

SAME_FOR_EACH_BACKEND = {"card.py", "adapter.py", "session.py", "layers.py", "error_messages.py"}
"""Each backend's folder has the same parts; `backends/card.py` is what its cards are made of."""
NAMED_AFTER_WHAT_THEY_RUN = ("engine/work/stages",)
"""One file a stage, named as the stage is."""


def twice(named: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Of (name, file), the names that more than one has."""
    places: dict[str, list[str]] = defaultdict(list)
    for name, file in named:
        places[name].append(file)
    return {name: files for name, files in places.items() if len(files) > 1}


def test_a_class_name_occurs_once():
    named = [(n.name, str(file)) for file, tree in trees().items() for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    assert len(named) > 300
    assert twice(named) == {}


def test_a_file_name_of_the_engine_occurs_once():
    def excused(path: Path) -> bool:
        of_a_backend = path.parts[:2] == ("engine", "backends") and path.name in SAME_FOR_EACH_BACKEND
        return path.name == "__init__.py" or of_a_backend or path.parent.as_posix() in NAMED_AFTER_WHAT_THEY_RUN

    files = [path for path in trees() if path.parts[0] == "engine" and not excused(path)]
    assert twice([(path.name, str(path)) for path in files]) == {}


def test_a_name_given_twice_is_seen():
    assert twice([("Side", "a.py"), ("Row", "a.py"), ("Side", "b.py")]) == {"Side": ["a.py", "b.py"]}


def signs_outside_words(found: dict[Path, ast.Module]) -> list[str]:
    """Places where a figure is formatted with its sign elsewhere than in `words.py`, which gives zero no minus."""
    return [
        f"{file}:{spec.lineno}"
        for file, tree in found.items()
        if file.name != "words.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue) and (spec := node.format_spec) is not None
        for part in ast.walk(spec)
        if isinstance(part, ast.Constant) and str(part.value).startswith("+")
    ]


def test_signs_of_figures_are_written_in_one_place():
    assert signs_outside_words(trees()) == []
    assert signs_outside_words({Path("a.py"): ast.parse("f'{x:.1f}'\nf'{x:+.1f}'")}) == ["a.py:2"]
