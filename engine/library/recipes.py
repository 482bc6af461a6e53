"""Recipes as files: find one by name or path, read it with errors that help, write it.

Light (no numpy, no onnx): the command line, the screen and the supervisor read recipes before anything heavy starts.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ..config import PACKAGE, Config, config_home, read_toml, typed_path, what_is
from ..errors import RecipeRefused, from_os_error, nearest
from ..schema.converted import converted
from ..schema.ready import ready
from ..schema.step import Step
from ..schema.steps import STEPS, Recipe
from ..schema.validation import Invalid, explain
from ..system.atomic_write import write_atomic

PACKAGED = PACKAGE / "profiles" / "recipes"
_TABLE_KEYS = ("title", "least_cosine", "step")
_INSTALLED_BY = {
    "torch": ("PyTorch", "pip install 'edgetui[train]' (on a Jetson: NVIDIA's own torch wheel)"),
}


def find_recipe(name: str, config: Config) -> Recipe:
    """Read the recipe that a path names, or one by name: the user's folder first, then those that ship.

    Raises:
        RecipeRefused: there is none, or it cannot be read.
    """
    path = typed_path(name)
    if path.suffix == ".toml" or os.sep in name:
        if not path.is_file():
            kind = what_is(path)
            what = f"there is no recipe file {path}" if kind == "not there" else f"{path} is {kind}"
            raise RecipeRefused(what, fix=f"check the path, or give a name: {_known(config)}")
        return read_recipe(path)
    for folder in _folders(config):
        if (folder / f"{name}.toml").is_file():
            return read_recipe(folder / f"{name}.toml")
    raise RecipeRefused(f"there is no recipe `{name}`", fix=nearest(name, recipe_names(config)))


def own_folder(config: Config) -> Path:
    """Where the user's own recipes lie; need not exist."""
    return typed_path(config.recipes.folder) if config.recipes.folder else config_home() / "recipes"


def recipe_names(config: Config) -> tuple[str, ...]:
    """Names of all recipes, sorted; the user's own hide packaged ones of the same name."""
    return tuple(sorted({path.stem for folder in _folders(config) for path in folder.glob("*.toml")}))


def list_recipes(config: Config) -> tuple[Recipe, ...]:
    """All recipes that can be read, by name; `broken_recipes` tells of the others."""
    return tuple(found for name in recipe_names(config) if isinstance(found := _try(name, config), Recipe))


def broken_recipes(config: Config) -> tuple[str, ...]:
    """A sentence for each recipe that cannot be read."""
    return tuple(str(found) for name in recipe_names(config) if isinstance(found := _try(name, config), RecipeRefused))


def _try(name: str, config: Config) -> Recipe | RecipeRefused:
    try:
        return find_recipe(name, config)
    except RecipeRefused as error:
        return error


def _folders(config: Config) -> tuple[Path, ...]:
    return (own_folder(config), PACKAGED)


def _known(config: Config) -> str:
    return ", ".join(recipe_names(config))


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file; its stem is the recipe's name.

    Raises:
        RecipeRefused: no TOML, an unknown key or method, a value that is not valid, a step that cannot be done here.
    """
    recipe = parse_recipe(read_toml(path, RecipeRefused), path.stem, str(path))
    return msgspec.structs.replace(recipe, step=tuple(_beside(step, path.parent.absolute()) for step in recipe.step))


def _beside(step: Step, folder: Path) -> Step:
    """Files that a step names are looked for beside the recipe's first, then where a run is asked for."""
    return step.located(folder) if all((folder / file).is_file() for file in step.files) else step


def recipe_of(text: str, name: str) -> Recipe:
    """The recipe that a result or an export holds as text.

    Raises:
        RecipeRefused: it cannot be read here, as that of another version.
    """
    try:
        return parse_recipe(msgspec.toml.decode(text), name, f"recipe {name}")
    except msgspec.DecodeError as error:
        raise RecipeRefused(f"recipe {name} is not valid TOML: {error}", fix="take it from its file") from None


def parse_recipe(data: dict[str, Any], name: str, where: str) -> Recipe:
    """Check a recipe's TOML table; `where` names its file in errors.

    Raises:
        RecipeRefused: as `read_recipe`.
    """
    for key in data:
        if key not in _TABLE_KEYS:
            raise RecipeRefused(f"{where} has an unknown key `{key}`", fix=nearest(key, _TABLE_KEYS))
    head = converted({key: data[key] for key in ("title", "least_cosine") if key in data}, Recipe, where, RecipeRefused)
    steps = data.get("step", [])
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise RecipeRefused(f"{where}: `step` is not a list of tables", fix="begin every step with the line [[step]]")
    if not steps:
        raise RecipeRefused(f"{where} has no steps", fix='add one: a line [[step]], below it e.g. method = "quantize.int8"')
    checked = tuple(_step(raw, f"{where}, step {n}") for n, raw in enumerate(steps, 1))
    return msgspec.structs.replace(head, name=name, step=checked)


def _step(raw: dict[str, Any], where: str) -> Step:
    """Check one `[[step]]` table; `where` names file and position."""
    method = raw.get("method")
    if method is None:
        raise RecipeRefused(f"{where} has no `method`", fix=f"give one of: {', '.join(STEPS)}")
    kind = STEPS.get(method) if isinstance(method, str) else None
    if kind is None:
        raise RecipeRefused(f"{where}: there is no method `{method}`", fix=nearest(str(method), STEPS))
    where = f"{where} (`{method}`)"
    try:
        step: Step = msgspec.convert(raw, ready(kind))
    except msgspec.ValidationError as error:
        raise _refused(explain(raw, kind, error), raw, where) from None
    return step


def _here(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def missing_package(steps: Iterable[Step]) -> RecipeRefused | None:
    """The error for steps of which one needs a package that is not installed; None: nothing is missing."""
    for step in steps:
        for package in step.packages:
            if not _here(package):
                name, fix = _INSTALLED_BY.get(package, (package, f"pip install {package}"))
                return RecipeRefused(
                    f"step `{step.method}` needs {name}, which this Python does not have",
                    fix=f"{fix}, or take a recipe without {step.method}",
                )
    return None


def _refused(why: Invalid, raw: dict[str, Any], where: str) -> RecipeRefused:
    """The error for a step's table, with an example where one of several fields has to be given."""
    one_of = STEPS[raw["method"]].one_of
    if why.problem != "rule" or not one_of:
        return RecipeRefused(f"{where}: {why.what}", fix=why.fix)
    given = [f"`{name}`" for name, _ in one_of if name in raw]
    if len(given) > 1:
        return RecipeRefused(f"{where} gives both {' and '.join(given)}", fix="keep one of them")
    return RecipeRefused(f"{where}: {why.what}", fix=f"e.g. {' = '.join(map(str, one_of[0]))}")


def missing_file(recipe: Recipe) -> RecipeRefused | None:
    """The error for a recipe with a step that reads a file which is not there; None: all are."""
    for step in recipe.active:
        for file in step.files:
            if not typed_path(file).is_file():
                return RecipeRefused(
                    f"step `{step.method}` reads {file}, which is {what_is(typed_path(file))}", fix="check its path"
                )
    return None


def step_table(step: Step) -> dict[str, Any]:
    """A step as its TOML table: `method` first, then every field that says something under the step's other settings."""
    passed = {"method", *step.silent_fields, *(["on"] if step.on else [])}
    fields = {k: v for k, v in msgspec.to_builtins(step).items() if k not in passed and v is not None and v != ()}
    return {"method": step.method, **fields}


def recipe_toml(recipe: Recipe) -> str:
    """The recipe as the text of its file; reading it gives the same recipe."""
    import tomlkit  # 30 ms, and only needed to write

    document = tomlkit.document()
    if recipe.title:
        document["title"] = recipe.title
    if recipe.least_cosine is not None:
        document["least_cosine"] = recipe.least_cosine
    steps = tomlkit.aot()
    for step in recipe.step:
        table = tomlkit.table()
        table.update(step_table(step))
        steps.append(table)
    document["step"] = steps
    return tomlkit.dumps(document)


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe file whole or not at all.

    Raises:
        StorageRefused: the folder cannot be written to, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, recipe_toml(recipe).encode(), mode=0o666)
    except OSError as error:
        raise from_os_error(error, path=path) from None
