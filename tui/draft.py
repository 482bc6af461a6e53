"""What is being put together: a recipe and the settings of its run, with undo. No widgets: the pane draws it.

Every change is checked at once by the structs of `engine/spec.py`; what cannot be is refused and nothing has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..engine.errors import RecipeRefused
from ..engine.spec import STEPS, AnyStep, BackendSettings, FlatOut, Paced, Preset, Recipe, Workload
from .fields import Field, fields_of, parse, refusal

UNDO_DEPTH = 200
OFF = ("percentile", "calibrator", "percentile"), ("block", "grouping", "block")
"""(field, other, value): the field says something only while `other` has that value."""


class Asked(Struct, frozen=True, kw_only=True):
    """All that `undo` brings back."""

    recipe: Recipe = Recipe()
    dataset: str = ""
    calibration: str = ""
    preset: Preset = "normal"
    workload: Workload = FlatOut()
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
    """flat-out: the next inference begins when the last has ended. paced: one at each beat, as a camera gives frames."""


def active_fields(step: AnyStep) -> tuple[Field, ...]:
    """A step's fields that say something now; `on` is drawn with its name."""
    hidden = {name for name, other, value in OFF if getattr(step, other, value) != value}
    return tuple(field for field in fields_of(type(step)) if field.name != "on" and field.name not in hidden)


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

    def __init__(self, asked: Asked, recipes: Sequence[Recipe] = ()) -> None:
        self.asked = asked
        self.recipes = tuple(recipes)
        self.note = ""
        """What else the last change had to change, in words."""
        self._past: list[Asked] = []

    @property
    def recipe(self) -> Recipe:
        """The recipe as it stands."""
        return self.asked.recipe

    @property
    def edited(self) -> bool:
        """Differs from the recipe file whose name it has."""
        return self.recipe not in self.recipes and bool(self.recipes)

    @property
    def named_as_a_file(self) -> bool:
        """There is a recipe file of this name."""
        return any(recipe.name == self.recipe.name for recipe in self.recipes)

    def change(self, **changes: object) -> None:
        """Replace fields of `asked`; undo brings the old ones back."""
        fresh = msgspec.structs.replace(self.asked, **changes)
        if fresh != self.asked:
            self._past = [*self._past[-UNDO_DEPTH:], self.asked]
            self.asked = fresh

    def undo(self) -> bool:
        """Take the last change back; False when there is none."""
        if not self._past:
            return False
        self.asked = self._past.pop()
        return True

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

    def _with_steps(self, steps: Sequence[AnyStep]) -> None:
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
    def _cleared(step: AnyStep, table: dict[str, Any], name: str) -> tuple[AnyStep, str] | None:
        """The step with one other optional field emptied, where that makes it possible: amount gives way to threshold."""
        for field in fields_of(type(step)):
            if field.optional and field.name != name and table.get(field.name) is not None:
                try:
                    return _step(table | {field.name: None}), f"{field.name} was cleared: only one of the two can be given"
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
        fresh = next(known, None) or _default(method)
        self._with_steps([*self.recipe.step, msgspec.structs.replace(fresh, on=True)])

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
        return "x".join(str(n) for n in self.asked.shapes.get(model, {}).get(input_name, ()))

    def set_shape(self, model: str, input_name: str, text: str) -> None:
        """Give an input a shape; an empty text takes it back.

        Raises:
            RecipeRefused: not numbers with x between them.
        """
        mine = dict(self.asked.shapes.get(model, {}))
        try:
            shape = tuple(int(part) for part in text.replace(",", "x").split("x")) if text.strip() else ()
        except ValueError:
            shape = (0,)
        if any(size < 1 for size in shape):
            raise RecipeRefused(f"`{text}` is no shape", fix="give sizes with x between them, e.g. 1x3x224x224")
        mine.pop(input_name, None)
        if shape:
            mine[input_name] = shape
        self.change(shapes=self.asked.shapes | {model: mine})

    def set_backend(self, name: str, value: object) -> None:
        """Set one of the backend's settings.

        Raises:
            RecipeRefused: it cannot be so.
        """
        table = msgspec.to_builtins(self.asked.backend)
        below, key = backend_table(self.asked.backend, name)
        inner = table if below is self.asked.backend else table[name.partition(".")[0]]
        inner[key] = value
        try:
            self.change(backend=msgspec.convert(table, BackendSettings))
        except msgspec.ValidationError as error:
            raise refusal(type(below), inner, error) from None

    def set_workload(self, text: str) -> None:
        """`flat-out`, or a rate in inferences a second.

        Raises:
            RecipeRefused: neither.
        """
        if text == "flat-out":
            self.change(workload=FlatOut())
            return
        try:
            rate = float(text.removeprefix("paced").removesuffix("Hz").strip() or 30.0)
        except ValueError:
            rate = 0.0
        if not 0 < rate < 1e6:
            raise RecipeRefused(f"the workload cannot be `{text}`", fix="give flat-out, or a rate such as 30")
        self.change(workload=Paced(rate_hz=rate))


def _step(table: dict[str, Any]) -> AnyStep:
    step: AnyStep = msgspec.convert(table, AnyStep)
    return step


def _default(method: str) -> AnyStep:
    """A step with its defaults; where one of two optional values must be given, the first share gets 0.3."""
    try:
        return _step({"method": method})
    except msgspec.ValidationError:
        share = next(field.name for field in fields_of(STEPS[method]) if field.optional and field.kind == "share")
        return _step({"method": method, share: 0.3})
