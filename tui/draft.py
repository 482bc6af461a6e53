"""What is being put together: a recipe and the settings of its run, with undo. No widgets: the pane draws it.

Every change is checked at once by the structs of `engine/schema/`; what cannot be is refused and nothing has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..engine.errors import RecipeRefused
from ..engine.schema.ready import ready
from ..engine.schema.settings import BackendSettings, Preset
from ..engine.schema.step import Step
from ..engine.schema.steps import STEPS, Recipe, plain_step
from ..engine.schema.workloads import FlatOut, Workload, parse_workload
from .fields import Field, fields_of, parse, refusal

UNDO_DEPTH = 200


class RunSetup(Struct, frozen=True, kw_only=True):
    """All that `undo` brings back."""

    recipe: Recipe = Recipe()
    marked: tuple[Recipe, ...] = ()
    """Recipes that are measured together with this one."""
    dataset: str = ""
    calibration: str = ""
    preset: Preset = "normal"
    workload: Workload = FlatOut()
    per_input: int = 0
    guard: bool = True
    backend: BackendSettings = BackendSettings()
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    """Model path to input to shape."""


class RunFields(Struct, frozen=True, kw_only=True):
    """The run's own settings, flat, as the pane shows them."""

    dataset: str = ""
    """Samples to evaluate on and to calibrate with: a name from edgetui.toml, or a path (folder, zip, npz, TOML file)."""
    calibration: str = ""
    """Calibration samples, if they are not the dataset's own."""
    preset: Preset = "normal"
    """How narrow the 95 % interval of the latency shall be: quick 10 %, normal 5 %, precise 1 %."""
    workload: str = "flat-out"
    """How inferences are issued; a number is typed behind it: paced 15, throughput 4."""
    per_input: int = 0
    """How many samples are timed one by one as well, each until its own 95 % interval is under 5 %; 0: none."""
    guard: bool = True
    """INT8 is measured beside FP16 where the hardware has that, and is not advised where it is not shown to be faster."""


def active_fields(step: Step) -> tuple[Field, ...]:
    """A step's fields that say something now; `on` is drawn with its name."""
    return tuple(field for field in fields_of(type(step)) if field.name not in {"on", *step.silent_fields})


def backend_table(backend: BackendSettings, name: str) -> tuple[Struct, str]:
    """The struct that holds a setting, and its name there: `tensorrt.sparse` is `sparse` of the backend's own table."""
    own, dot, key = name.partition(".")
    return (getattr(backend, own), key) if dot else (backend, name)


def backend_fields(backend: BackendSettings) -> dict[str, Field]:
    """The settings that this backend heeds: its own table where it has one, else those that stand outside of any."""
    flat = {field.name: field for field in fields_of(BackendSettings)}
    name = flat.pop("name")
    own = getattr(backend, backend.name, None)
    if isinstance(own, Struct):
        flat = {f"{backend.name}.{field.name}": field for field in fields_of(type(own))}
    return ({"name": name} if len(name.choices) > 1 else {}) | flat


class Draft:
    """The recipe and the run's settings while they are edited."""

    def __init__(self, setup: RunSetup, recipes: Sequence[Recipe] = ()) -> None:
        self.setup = setup
        self.recipes = tuple(recipes)
        self.note = ""
        """What else the last change had to change, in words."""
        self._past: list[RunSetup] = []

    @property
    def recipe(self) -> Recipe:
        """The recipe as it stands."""
        return self.setup.recipe

    @property
    def edited(self) -> bool:
        """Differs from the recipe file whose name it has."""
        return self.recipe not in self.recipes and bool(self.recipes)

    @property
    def named_as_a_file(self) -> bool:
        """There is a recipe file of this name."""
        return any(recipe.name == self.recipe.name for recipe in self.recipes)

    def change(self, **changes: object) -> None:
        """Replace fields of `setup`; undo brings the old ones back."""
        fresh = msgspec.structs.replace(self.setup, **changes)
        if fresh != self.setup:
            self._past = [*self._past[-UNDO_DEPTH:], self.setup]
            self.setup = fresh

    def undo(self) -> bool:
        """Take the last change back; False when there is none."""
        if not self._past:
            return False
        self.setup = self._past.pop()
        return True

    @property
    def recipes_to_run(self) -> tuple[Recipe, ...]:
        """Those that are marked, and the one in the pane."""
        return (*(recipe for recipe in self.setup.marked if recipe != self.recipe), self.recipe)

    def mark(self) -> None:
        """Have this recipe measured together with the one that comes next; once more: no longer."""
        kept = tuple(recipe for recipe in self.setup.marked if recipe != self.recipe)
        self.change(marked=kept if len(kept) < len(self.setup.marked) else (*kept, self.recipe))

    def unmark(self) -> None:
        """Have the recipe of the pane alone."""
        self.change(marked=())

    def load(self, name: str) -> None:
        """Start from a recipe by name."""
        for recipe in self.recipes:
            if recipe.name == name:
                self.change(recipe=recipe)

    def next_recipe(self, by: int) -> None:
        """Start from the recipe before or after this one in the list."""
        names = [recipe.name for recipe in self.recipes]
        if names:
            at = names.index(self.recipe.name) if self.recipe.name in names else 0
            self.load(names[(at + by) % len(names)])

    def _with_steps(self, steps: Sequence[Step]) -> None:
        self.change(recipe=msgspec.structs.replace(self.recipe, step=tuple(steps)))

    def put(self, index: int, name: str, value: object) -> None:
        """Set a field of a step; `note` says what else had to change.

        Raises:
            RecipeRefused: the step cannot be so.
        """
        step = self.recipe.step[index]
        table = msgspec.to_builtins(step) | {name: value}
        try:
            fresh = _step(table)
        except msgspec.ValidationError as error:
            found = self._cleared(step, table, name)
            if found is None:
                raise refusal(type(step), table, error) from None
            fresh, self.note = found
        steps = list(self.recipe.step)
        steps[index] = fresh
        self._with_steps(steps)

    @staticmethod
    def _cleared(step: Step, table: dict[str, Any], name: str) -> tuple[Step, str] | None:
        """The step with another field emptied, where only one of them can be given: amount gives way to threshold."""
        for other, _ in step.one_of:
            if other != name and table.get(other) is not None:
                try:
                    return _step(table | {other: None}), f"{other} was cleared: only one of the two can be given"
                except msgspec.ValidationError:
                    continue
        return None

    def type_in(self, index: int, field: Field, text: str) -> None:
        """Set a field from what was typed.

        Raises:
            RecipeRefused: it is no such value.
        """
        self.put(index, field.name, parse(field, text))

    def toggle(self, index: int) -> None:
        """Switch a step on or off."""
        self.put(index, "on", not self.recipe.step[index].on)

    def add(self, method: str) -> None:
        """Append a step, set as the first recipe that has it sets it."""
        known = (step for recipe in self.recipes for step in recipe.step if step.method == method)
        fresh = next(known, None) or plain_step(method)
        self._with_steps([*self.recipe.step, msgspec.structs.replace(fresh, on=True)])

    def spare(self, step: Step, names: Sequence[str]) -> str:
        """Have nodes left as they are by the recipe's step of that kind; where it has none, by `step` at its end. Returns the
        field that names them.
        """
        place = next((n for n, each in enumerate(self.recipe.step) if each.method == step.method), None)
        mine = step if place is None else self.recipe.step[place]
        kept = tuple(dict.fromkeys((*getattr(mine, step.sparing), *names)))
        spared = msgspec.structs.replace(mine, **{step.sparing: kept})
        steps = [*self.recipe.step, spared]
        if place is not None:
            steps[place] = steps.pop()
        self._with_steps(steps)
        return step.sparing

    def remove(self, index: int) -> None:
        """Take a step out."""
        self._with_steps([step for n, step in enumerate(self.recipe.step) if n != index])

    def move(self, index: int, by: int) -> None:
        """Swap a step with its neighbour."""
        there = index + by
        if not 0 <= there < len(self.recipe.step):
            return
        steps = list(self.recipe.step)
        steps[index], steps[there] = steps[there], steps[index]
        self._with_steps(steps)

    def named(self, name: str) -> Recipe:
        """The recipe under a name of its own, ready to be written."""
        return msgspec.structs.replace(self.recipe, name=name)

    def shape_text(self, model: str, input_name: str) -> str:
        """An input's shape as typed, `1x3x224x224`; "" where none was given."""
        return "x".join(str(n) for n in self.setup.shapes.get(model, {}).get(input_name, ()))

    def set_shape(self, model: str, input_name: str, text: str) -> None:
        """Give an input a shape; an empty text takes it back.

        Raises:
            RecipeRefused: not numbers with x between them.
        """
        mine = dict(self.setup.shapes.get(model, {}))
        try:
            shape = tuple(int(part) for part in text.replace(",", "x").split("x")) if text.strip() else ()
        except ValueError:
            shape = (0,)
        if any(size < 1 for size in shape):
            raise RecipeRefused(f"`{text}` is not a valid shape", fix="give sizes with x between them, e.g. 1x3x224x224")
        mine.pop(input_name, None)
        if shape:
            mine[input_name] = shape
        self.change(shapes=self.setup.shapes | {model: mine})

    def set_backend(self, name: str, value: object) -> None:
        """Set one of the backend's settings.

        Raises:
            RecipeRefused: it cannot be so.
        """
        table = msgspec.to_builtins(self.setup.backend)
        below, key = backend_table(self.setup.backend, name)
        inner = table if below is self.setup.backend else table[name.partition(".")[0]]
        inner[key] = value
        try:
            self.change(backend=msgspec.convert(table, ready(BackendSettings)))
        except msgspec.ValidationError as error:
            raise refusal(type(below), inner, error) from None

    @property
    def has_int8(self) -> bool:
        """Some step of what would run computes in INT8, which has a guard."""
        return any(step.arithmetic == "int8" for recipe in self.recipes_to_run for step in recipe.active)

    def set_per_input(self, text: str) -> None:
        """How many samples are timed one by one.

        Raises:
            RecipeRefused: it is no number from 0 to 256.
        """
        number = int(text) if text.strip().isdecimal() else -1
        if not 0 <= number <= 256:
            raise RecipeRefused(f"`{text}` samples cannot be timed one by one", fix="give a number from 0 to 256")
        self.change(per_input=number)

    def set_workload(self, text: str) -> None:
        """A workload as `--workload` takes it or as the row shows it, or a number: that of the workload that is there, or a
        rate in inferences a second.

        Raises:
            UsageError: it is none.
        """
        words = text.strip().removesuffix("Hz").split()
        if len(words) == 1 and words[0][0].isdigit():
            words.insert(0, self.setup.workload.kind if self.setup.workload.number else "paced")
        self.change(workload=parse_workload(":".join(words)))


def _step(table: dict[str, Any]) -> Step:
    step: Step = msgspec.convert(table, ready(STEPS[table["method"]]))
    return step
