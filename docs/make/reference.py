"""The pages of `reference/` as the book is built: commands from click, keys from the screens' bindings, settings, JSON schemas.

mkdocs imports this file as a hook (mkdocs.yml). The man page (`man.py`) says the same of the commands.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click
import edgetui.tui
import msgspec
from edgetui import __version__
from edgetui.engine.config import PACKAGE, Config
from edgetui.engine.library.setting_origins import key_lines
from edgetui.engine.report.json_schemas import DOCUMENTS, schema_of, written
from edgetui.engine.schema.field_docs import docs_of
from edgetui.engine.schema.fleet import FleetBoard
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.schema.steps import STEPS, Recipe
from edgetui.engine.schema.study import (
    Study,
    StudyChoice,
    StudyExperiment,
    StudyModel,
    StudyRanking,
    StudyRow,
    StudyVariant,
)
from edgetui.tui.cli import cli
from edgetui.tui.commands.examples import EXAMPLES
from edgetui.tui.widgets.keybar import key_name
from textual.binding import Binding

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that follow from the code."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, f"reference/{name}", content=text))
    return files


def pages() -> dict[str, str]:
    """By their names in `reference/`."""
    schemas = {f"schemas/{name}.json": written(name) for name in DOCUMENTS}
    made = {"commands.md": commands(), "keys.md": keys(), "configuration.md": configuration(), "files.md": written_files()}
    made["documents.md"] = documents()
    return {**made, **schemas}


def top() -> click.Context:
    """The context of `edgetui` itself."""
    return click.Context(cli, info_name="edgetui", **cli.context_settings)


def usage(name: str, command: click.Command) -> tuple[click.Context, str]:
    """A command's context, and how it is called in one line."""
    context = click.Context(command, info_name=name, parent=top())
    return context, " ".join([f"edgetui {name}".strip(), *command.collect_usage_pieces(context)])


def described(command: click.Command) -> str:
    """What the help says of a command, its paragraphs as they are."""
    return re.sub(r"^[ \t]+", "", (command.help or "").replace("\b", ""), flags=re.MULTILINE).strip()


def options(command: click.Command, context: click.Context) -> list[tuple[str, str]]:
    """Each option as the help writes it, and its words."""
    records = (each.get_help_record(context) for each in command.get_params(context) if isinstance(each, click.Option))
    return [record for record in records if record is not None]


def commands() -> str:
    """A part for each command, in the order of `edgetui --help`."""
    lines = [f"# Commands\n\nVersion {__version__}. Without a command `edgetui` is the workbench. {cli.epilog}\n"]
    lines.append(_table(("option", ""), [(f"`{flag}`", words) for flag, words in options(cli, top())]))
    for name, command in cli.commands.items():
        inner, called = usage(name, command)
        lines.append(f"## {name}\n\n```text\n{called}\n```\n\n{described(command)}\n")
        lines.append("```text\n" + "\n".join(EXAMPLES[name]) + "\n```\n")
        lines.append(_table(("option", ""), [(f"`{flag}`", words) for flag, words in options(command, inner)]))
    return "\n".join(lines)


def keys() -> str:
    """Every binding of every screen and pane, with the name that `[ui.keys]` knows it by."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for binding in _bindings():
        if binding.id:
            first, dot, _ = binding.id.partition(".")
            found.setdefault(first if dot else "", {}).setdefault(
                binding.id, (binding.key, binding.tooltip or binding.description)
            )
    lines = [
        "# Keys\n\n`?` on the screen shows those of what has the focus. Others are set by name under `[ui.keys]` in",
        '`edgetui.toml`, such as `run = "f6"` or `runs.earlier = "("`.\n',
    ]
    for place, heading in (PLACES | {name: name for name in sorted(found) if name not in PLACES}).items():
        if place in found:
            rows = [
                (" ".join(f"`{key_name(each)}`" for each in key.split(",")), words, f"`{name}`")
                for name, (key, words) in found[place].items()
            ]
            lines.append(f"## {heading}\n\n{_table(('key', 'what it does', 'name'), rows)}")
    return "\n".join(lines)


PLACES = {
    "": "The workbench, and everywhere",
    "move": "In rows",
    "find": "What was found in rows",
    "pane": "Panes of the workbench",
    "models": "Models",
    "settings": "Compression",
    "live": "Live",
    "log": "Log",
    "browse": "Folders",
    "dataset": "A dataset",
    "draw": "What is drawn",
    "runs": "Runs",
    "compare": "Compare",
    "deploy": "Deploy",
    "layers": "Layers",
    "sensitivity": "Sensitivity",
    "searches": "Searches",
    "sweeps": "Sweeps",
    "studies": "Studies",
    "fleet": "Fleet",
    "board": "The run of a board",
    "monitor": "Monitor",
    "past": "Charts of the monitor",
    "field": "Field mode",
    "details": "Text that scrolls",
    "page": "Pages of text",
}
"""The first part of a binding's name, and what it is called in the book; others go by that part."""


def _bindings() -> Iterator[Binding]:
    seen = set()
    for module in pkgutil.walk_packages(edgetui.tui.__path__, "edgetui.tui."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and kind.__module__.startswith("edgetui.tui") and kind not in seen:
                seen.add(kind)
                for each in vars(kind).get("BINDINGS", ()):
                    if isinstance(each, Binding):
                        yield each


def configuration() -> str:
    """Every key of edgetui.toml with its default, what it may be and its comment; then the file as it ships."""
    text = (PACKAGE / "edgetui.toml").read_text(encoding="utf-8")
    lines = text.split("\n")
    places = key_lines(text)
    out = [
        "# Configuration\n",
        "Your own file is `~/.config/edgetui/edgetui.toml` (below `$XDG_CONFIG_HOME`), or the one that `EDGETUI_CONFIG` names;",
        "it needs only what differs. `edgetui config` prints what holds, and which file and line say so.\n",
    ]
    shipped = msgspec.toml.decode(text)
    for name, kind in _tables():
        rows = []
        said_there: Any = shipped
        for step in name.split("."):
            said_there = said_there[step]
        for field in msgspec.structs.fields(kind):
            key = f"{name}.{field.encode_name}"
            above = _comment_above(lines, places[key]) if key in places else ""
            said = above or docs_of(kind).get(field.name, "")
            rows.append((f"`{field.encode_name}`", f"`{_default(field, said_there)}`", _kind(field.type), said))
        out.append(f"## {name}\n\n{_table(('key', 'default', 'what it may be', ''), rows)}")
    for field in msgspec.structs.fields(Config):
        said = docs_of(Config).get(field.name, "")
        if get_origin(field.type) is dict:
            _, kind = get_args(field.type)
            known = msgspec.structs.fields(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else ()
            rows = [(f"`{each.encode_name}`", _kind(each.type), docs_of(kind).get(each.name, "")) for each in known]
            name = f"{field.name}.NAME" if rows else field.name
            out.append(f"## {name}\n\n{said}\n\n{_table(('key', 'what it may be', ''), rows)}")
    out.append(f"## The file as it ships\n\n```toml\n{text}```\n")
    return "\n".join(out)


def _tables() -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(Config):
        kind = type(field.default)
        if issubclass(kind, msgspec.Struct):
            inner = [each for each in msgspec.structs.fields(kind) if isinstance(each.default, msgspec.Struct)]
            if inner:
                yield from ((f"{field.name}.{each.name}", type(each.default)) for each in inner)
            else:
                yield field.name, kind
        elif field.name == "alerts":
            yield "alerts", type(field.default[0])


def _comment_above(lines: list[str], line: int) -> str:
    said: list[str] = []
    for above in reversed(lines[: line - 1]):
        if not above.startswith("#") or re.match(r"# \w+ = ", above):  # a key that has no value by itself
            break
        said.insert(0, above.lstrip("# "))
    return " ".join(said)


def _default(field: msgspec.structs.FieldInfo, shipped: object) -> str:
    if isinstance(shipped, dict) and field.encode_name in shipped:
        return str(msgspec.json.encode(shipped[field.encode_name]).decode())
    if field.required:
        return "needed"
    value = field.default if field.default is not msgspec.NODEFAULT else None
    if isinstance(value, msgspec.Struct):  # has a table of its own
        return "–"
    if value is None and field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    return "–" if value is None else msgspec.json.encode(msgspec.to_builtins(value)).decode()


def _kind(kind: object) -> str:
    schema = msgspec.json.schema(kind)
    if "$defs" in schema:
        return "tables"
    return _words(schema).replace(" or null", "")  # what may be left out: TOML has no null


def written_files() -> str:
    """What files that people write may say: recipes with their steps, datasets, fleet.toml, studies, boards."""
    out = [
        "# Files that you write\n",
        "All are TOML. A key that is not known is refused with the nearest one that is; what has a default may be left out.",
        "A default of – is none: what happens then is said beside it.\n",
    ]
    for heading, words, kinds in FILES:
        out.append(f"## {heading}\n\n{words}\n")
        for name, kind in kinds.items():
            said = docs_of(kind)
            hidden = ("name",) if kind in (Recipe, Study, Dataset) else ("on",) if name in STEPS else ()  # the file's own name
            fields = [each for each in msgspec.structs.fields(kind) if each.name not in hidden]
            rows = [
                (f"`{each.encode_name}`", f"`{_default(each, None)}`", _kind(each.type), said.get(each.name, ""))
                for each in fields
            ]
            out.append(f"### {name}\n\n{' '.join(said[''].split())}\n")
            out.append(_table(("key", "default", "what it may be", ""), rows))
    return "\n".join(out)


FILES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "Recipes",
        "In `~/.config/edgetui/recipes/`, or anywhere; see [Recipes](../recipes.md). A `[[step]]` says its `method`, and "
        "`on = false` leaves it out.",
        {"A recipe": Recipe, **STEPS},
    ),
    (
        "Datasets",
        "See [Datasets](../datasets.md). Paths may be relative to the file; `mean` and `std` are of what `scale` leaves.",
        {"A description": Dataset, "[input]": ImageInput},
    ),
    ("fleet.toml", "In `~/.config/edgetui/`; see [Several boards](../fleets.md).", {"[[board]]": FleetBoard}),
    (
        "Studies",
        "In `~/.config/edgetui/studies/`; see [The papers](../papers.md). `like = NAME` begins with what another study says.",
        {
            "A study": Study,
            "[[model]]": StudyModel,
            "[[variant]]": StudyVariant,
            "[[experiment]]": StudyExperiment,
            "[[row]]": StudyRow,
            "[[ranking]]": StudyRanking,
            "[[choice]]": StudyChoice,
        },
    ),
)
"""A heading, words, and what its tables may hold."""


def documents() -> str:
    """What each document has, its parts once, and the schemas themselves."""
    out = [
        "# JSON documents\n",
        "Every command prints one document with `--json`. These are their JSON Schemas (Draft 2020-12), as `edgetui schema`",
        "prints them and as they ship in `profiles/schemas`. `schema` in a result is the number of its shape: it rises when a",
        "field changes its meaning or type, not when one is added.\n",
    ]
    parts: dict[str, dict[str, Any]] = {}
    for name in DOCUMENTS:
        schema = schema_of(name)
        parts |= schema["$defs"]
        shown = f"[`{name}`](schemas/{name}.json)"
        out.append(f"## {name}\n\n{shown}: {schema['description']} It is {_words(schema)}.\n")
    out.append("## Parts\n")
    for name, part in sorted(parts.items()):
        out.append(f"### {name}\n\n{part.get('description', '')}\n")
        rows = [(f"`{field}`", _words(told), told.get("description", "")) for field, told in part.get("properties", {}).items()]
        out.append(_table(("field", "type", ""), rows) if rows else f"{_words(part)}\n")
    return "\n".join(out)


def _words(told: dict[str, Any]) -> str:
    """A schema's type in words; parts are links."""
    if "$ref" in told:
        name = told["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in told:
        return " or ".join(dict.fromkeys(_words(each) for each in told["anyOf"]))
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    if "const" in told:
        return f"`{told['const']}`"
    kind = told.get("type", "anything")
    if kind == "array":
        inner = told.get("items") or (told.get("prefixItems") or [{}])[0]
        return f"list of {_words(inner) if isinstance(inner, dict) and inner else 'anything'}"
    if kind == "object":
        inner = told.get("additionalProperties")
        return f"names to {_words(inner)}" if isinstance(inner, dict) and inner else "object"
    bounds = [f"{sign} {told[key]:g}" for key, sign in _BOUNDS.items() if key in told]
    return " ".join(map(str, [kind if isinstance(kind, str) else " or ".join(kind), *bounds]))


_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    drawn = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(each) for each in row)} |" for row in drawn) + "\n"


def _cell(text: str) -> str:
    """No row ends within a cell, and none begins another; what looks like a tag is shown. Within code a bar is no border."""
    code = re.split(
        r"(`[^`]*`)", " ".join(re.sub(r"(^|\. )None:", r"\1Without it:", text).replace("None:", "without it:").split())
    )
    return "".join(each if each.startswith("`") else re.sub(r"[|*]", r"\\\g<0>", each).replace("<", "&lt;") for each in code)


if __name__ == "__main__":
    for each, page in pages().items():
        print(f"==== {each}\n{page}" if each.endswith(".md") else f"==== {each} {len(json.loads(page))} parts")
