"""What the documents name is there: files, rooms, functions, commands, targets of make."""

from __future__ import annotations

import importlib.util
import inspect
import re

import click
import pytest
from edgetui.engine.backends.cards import CARDS
from edgetui.engine.config import PACKAGE
from edgetui.engine.schema.steps import STEPS
from edgetui.tui.cli import cli
from newcomer import Scratch, blocks

PAGES = tuple(f"docs/{page.name}" for page in sorted((PACKAGE / "docs").glob("*.md")))
"""The book's."""
DOCUMENTS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "GLOSSARY.md", "README.md", "SECURITY.md", "examples/README.md", *PAGES)
TOPS = ("", "engine", "tui", "engine/telemetry", "examples")
"""Documents name files from the root or from one of these."""
SECTIONS = re.findall(r"^## (Add .+)$", (PACKAGE / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)


def read(name: str) -> str:
    return (PACKAGE / name).read_text(encoding="utf-8")


def section(document: str, heading: str) -> str:
    return read(document).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_of_the_package_that_a_document_names_is_there(document):
    named = set(re.findall(r"`([\w./-]+\.(?:py|tcss))`", read(document)))
    new = {path for heading in SECTIONS for path, above, _ in blocks(heading) if above is None}
    there = {path.name for top in ("engine", "tui") for path in (PACKAGE / top).rglob("*.py")}
    lost = {
        name
        for name in named - new
        if "NAME" not in name
        and not any((PACKAGE / top / name).is_file() for top in TOPS)
        and ("/" in name or name not in there)
    }
    assert lost == set()


def test_every_room_is_in_the_table_and_the_table_has_no_other():
    first_cells = re.findall(r"^\| (`.+?) \|", section("ARCHITECTURE.md", "Rooms"), re.MULTILINE)
    tabled = {name.removeprefix("engine/").rstrip("/") for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}
    rooms = {path.name for path in (PACKAGE / "engine").iterdir() if (path / "__init__.py").is_file()}
    files = {path.name for path in (PACKAGE / "engine").glob("*.py")} - {"__init__.py"}
    assert rooms | files <= tabled
    assert tabled - rooms - files == {"tui", "profiles", "compress/train"}


def named_modules() -> list[str]:
    """What stands in backticks as `work/splits.check` or `runs/queries`."""
    return sorted(set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+(?:\.[A-Za-z_]+)?)`", read("ARCHITECTURE.md"))))


@pytest.mark.parametrize("name", [name for name in named_modules() if not name.endswith(".py")])
def test_a_module_that_the_document_names_is_there_and_has_what_it_says(name):
    module, _, member = name.partition(".")
    for top in ("engine", "tui"):
        if (PACKAGE / top / f"{module}.py").is_file():
            found = importlib.import_module(f"edgetui.{top}.{module.replace('/', '.')}")
            assert not member or hasattr(found, member)
            return
    assert (PACKAGE / module).is_dir()


def named_functions() -> list[tuple[str, str]]:
    lines = re.findall(r"^    ((?:[a-z_]+\.)+\w+)\(([^)]*)\)", section("ARCHITECTURE.md", "The seams"), re.MULTILINE)
    return [(name, parameters) for name, parameters in lines]


@pytest.mark.parametrize(("name", "parameters"), named_functions())
def test_a_function_that_the_document_names_takes_what_it_says(name, parameters):
    module, _, function = name.rpartition(".")
    if module.endswith(".Names"):
        module, _, function = module.rpartition(".")
    taken = list(inspect.signature(getattr(importlib.import_module(f"edgetui.engine.{module}"), function)).parameters)
    named = [word.partition("=")[0].strip() for word in parameters.split(",")]
    assert named == taken[: len(named)]


def test_every_command_is_in_the_readme_and_the_readme_has_no_other():
    cells = re.findall(r"^\| (`.+?) \|", section("README.md", "Commands"), re.MULTILINE)
    tabled = {name for cell in cells for name in re.findall(r"`(?:edgetui )?([a-z]+)", cell)} - {"edgetui"}
    shown = set(re.findall(r"(?:^|`)edgetui ([a-z]+)", read("README.md"), re.MULTILINE))
    assert tabled == set(cli.commands)
    assert shown <= set(cli.commands)


def options(command: click.Command) -> set[str]:
    return {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_option_that_is_shown_with_a_command_is_the_commands(document):
    shown = re.findall(r"(?:^|`|edgetui )(" + "|".join(cli.commands) + r")\b([^`\n#]*)", read(document), re.MULTILINE)
    named = {(name, word) for name, rest in shown for word in re.findall(r"--[a-z][a-z-]*", rest)}
    assert {(name, word) for name, word in named if word not in {*options(cli.commands[name]), "--help"}} == set()


def test_every_step_and_every_backend_is_in_the_book():
    steps = re.findall(r"^\| `([\w.]+)` \|", section("docs/recipes.md", "Steps"), re.MULTILINE)
    assert steps == list(STEPS)
    said = read("docs/backends.md")
    assert [name for name, card in CARDS.items() if f"`{name}`" not in said and card.title not in said] == []


def test_every_command_prints_json():
    assert {name for name, command in cli.commands.items() if "--json" not in options(command)} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_target_of_make_that_a_document_names_is_there(document):
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", read(document), re.MULTILINE))
    there = set(re.findall(r"^([a-z][a-z -]*):", read("Makefile"), re.MULTILINE))
    assert named <= {name for names in there for name in names.split()}


@pytest.fixture(scope="module", params=SECTIONS)
def scratch(request, tmp_path_factory):
    """A copy of the package for each section."""
    made = Scratch(tmp_path_factory.mktemp("newcomer"), request.param)
    assert made.files
    return made


def test_what_a_newcomer_adds_can_be_imported(scratch):
    """The long tests of `tests/e2e/test_newcomers_*.py` run it; that a name has changed is seen here."""
    modules = sorted({path[:-3].replace("/", ".") for path in scratch.files if path.endswith(".py")})
    scratch.python("-c", "\n".join(f"import edgetui.{module}" for module in modules))


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed here")
def test_what_a_newcomer_adds_passes_the_linter(scratch):
    files = [str(scratch.package / path) for path in scratch.files if path.endswith(".py")]
    scratch.python("-m", "ruff", "check", "--no-cache", *files)


def test_files_that_docstrings_and_comments_name_are_there():
    paths = [path for top in ("engine", "tui") for path in (PACKAGE / top).rglob("*.py")]
    known = {path.name for path in paths}
    lost = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in paths
        for name in re.findall(r"`([\w./-]+\.py)`", path.read_text(encoding="utf-8"))
        if "NAME" not in name and not any((folder / name).is_file() for folder in (*path.parents, *map(PACKAGE.joinpath, TOPS)))
        if "/" in name or name not in known
    ]
    assert lost == []
