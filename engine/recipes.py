"""Recipes as files: find one by name or path, read it with errors that help, write it.

Light (no numpy, no onnx): the command line, the screen and the supervisor read recipes before anything heavy starts.
"""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import msgspec

from .config import PACKAGE, Config, config_home, read_toml, typed_path, what_is
from .errors import RecipeRefused, from_os_error, nearest
from .spec import STEPS, AnyStep, Recipe, Step, field_names

PACKAGED = PACKAGE / "profiles" / "recipes"
_TABLE_KEYS = ("title", "least_cosine", "step")
_BOUND = re.compile(r"Expected `(\w+)` (<=|>=|<|>) ([-\d.]+)")
_WORDS = {"<=": "at most", ">=": "at least", "<": "below", ">": "above"}
_KINDS = {
    "array": 'a list, e.g. ["Softmax", "/head/*"]',
    "str": 'text in quotes, e.g. ["Softmax"]',
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "float | null": "a number",
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
        RecipeRefused: no TOML, an unknown key or method, a value that cannot be, a step that cannot be done here.
    """
    return parse_recipe(read_toml(path, RecipeRefused), path.stem, str(path))


def parse_recipe(data: dict[str, Any], name: str, where: str) -> Recipe:
    """Check a recipe's TOML table; `where` names its file in errors.

    Raises:
        RecipeRefused: as `read_recipe`.
    """
    for key in data:
        if key not in _TABLE_KEYS:
            raise RecipeRefused(f"{where} has an unknown key `{key}`", fix=nearest(key, _TABLE_KEYS))
    title, steps = data.get("title", ""), data.get("step", [])
    if not isinstance(title, str):
        raise RecipeRefused(f"{where}: `title` is no text", fix="put it in quotes")
    least = data.get("least_cosine")
    if least is not None and (isinstance(least, bool) or not isinstance(least, int | float) or not 0 < least <= 1):
        raise RecipeRefused(f"{where}: `least_cosine` is {least}", fix="give a number above 0 and at most 1, e.g. 0.99")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise RecipeRefused(f"{where}: `step` is no list of tables", fix="begin every step with the line [[step]]")
    if not steps:
        raise RecipeRefused(f"{where} has no steps", fix='add one: a line [[step]], below it e.g. method = "quantize.int8"')
    checked = tuple(_step(raw, f"{where}, step {n}") for n, raw in enumerate(steps, 1))
    return Recipe(name=name, title=title, least_cosine=least, step=checked)


def _step(raw: dict[str, Any], where: str) -> AnyStep:
    """Check one `[[step]]` table; `where` names file and position."""
    method = raw.get("method")
    if method is None:
        raise RecipeRefused(f"{where} has no `method`", fix=f"give one of: {', '.join(STEPS)}")
    kind = STEPS.get(method) if isinstance(method, str) else None
    if kind is None:
        raise RecipeRefused(f"{where}: there is no method `{method}`", fix=nearest(str(method), STEPS))
    where = f"{where} (`{method}`)"
    known = ("method", *field_names(kind))
    for key in raw:
        if key not in known:
            raise RecipeRefused(f"{where} has an unknown key `{key}`", fix=nearest(key, known))
    try:
        step: AnyStep = msgspec.convert(raw, AnyStep)
    except msgspec.ValidationError as error:
        raise _bad_value(str(error), raw, where) from None
    return step


def torch_here() -> bool:
    """Whether this Python has PyTorch; it is not imported."""
    return importlib.util.find_spec("torch") is not None


def without_torch(recipe: Recipe) -> RecipeRefused | None:
    """The error for a recipe with a step that trains, where PyTorch is not installed; None: nothing is missing."""
    trains = next((step.method for step in recipe.active if step.method.startswith("train.")), "")
    if not trains or torch_here():
        return None
    return RecipeRefused(
        f"step `{trains}` needs PyTorch, which this Python does not have",
        fix="pip install 'edgetui[train]' (on a Jetson: NVIDIA's own torch wheel), or take a recipe without train steps",
    )


def _bad_value(message: str, raw: dict[str, Any], where: str) -> RecipeRefused:
    """Turn msgspec's words about a value into what was written and what it may be."""
    what, _, path = message.partition(" - at `$")
    key = path.strip("`.").split("[")[0]
    if key not in raw:
        if "amount" in raw and "threshold" in raw:
            return RecipeRefused(f"{where} gives both `amount` and `threshold`", fix="keep one of them")
        return RecipeRefused(f"{where}: {what}", fix="e.g. amount = 0.3")
    bound = _BOUND.search(what)
    if bound:
        fix = f"give a number {_WORDS[bound.group(2)]} {float(bound.group(3)):g}"
    elif what.startswith("Invalid enum value"):
        fix = nearest(str(raw[key]), _choices(raw["method"], key))
    else:
        wanted = next(iter(what.split("`")[1:2]), "")  # without one where a number has no end
        fix = f"give {_KINDS.get(wanted, 'another value')}"
    return RecipeRefused(f"{where}: `{key} = {_plain(raw[key])}` cannot be", fix=fix)


def _plain(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _choices(method: str, key: str) -> tuple[str, ...]:
    """The values that a field of a step may have."""
    for field in msgspec.structs.fields(STEPS[method]):
        if field.encode_name == key:
            info = msgspec.inspect.type_info(field.type)
            if isinstance(info, msgspec.inspect.LiteralType):
                return tuple(str(value) for value in info.values)
    return ()


def step_table(step: Step) -> dict[str, Any]:
    """A step as its TOML table: `method` first, then every field that says something under the step's other settings."""
    table: dict[str, Any] = {"method": step.method}
    fields = {k: v for k, v in msgspec.to_builtins(step).items() if k != "method" and v is not None and v != ()}
    if step.on:
        del fields["on"]
    if fields.get("calibrator", "percentile") != "percentile":
        del fields["percentile"]
    if fields.get("grouping", "block") != "block":
        del fields["block"]
    return table | fields


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
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(recipe_toml(recipe), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise from_os_error(error, path=path) from None
