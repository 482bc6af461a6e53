"""The rows of the settings pane, from top to bottom; `setting_row.py` says what each can answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...engine.errors import RecipeRefused, nearest
from ...engine.report.width import shortened
from ...engine.schema.field_docs import docs_of
from ...engine.schema.steps import STEPS
from ..draft import Draft, active_fields, backend_fields, backend_table
from ..fields import NONE, Field, nudged, parse, shown, takes
from ..widgets.lines import Line, Span
from .run_setting_rows import NO_DATA, DataRow, GuardRow, PerInputRow, PresetRow, WorkloadRow
from .setting_row import LABEL, Around, Heading, RowActions, SettingRow

if TYPE_CHECKING:
    from ...engine.schema.model_facts import ModelFacts, TensorFacts

BAR = 10
ON = Field("on", "switch", optional=False)
"""Whether a step is done."""
ADD = "add"
"""The key of the row that adds a step."""
RECIPE = "recipe"
"""The key of the row of the recipe itself."""


class RecipeRow(SettingRow):
    """Which recipe all began with."""

    def value(self) -> str:
        return self.draft.recipe.name or NONE

    def help(self) -> str:
        return self.draft.recipe.title or "Which recipe to start from; then change what you like."

    def takes(self) -> str:
        return "← → chooses, enter lists them all; e.g. / int8 there."

    def beside(self) -> Sequence[Span]:
        """Whether it is still as its file has it."""
        found: list[Span] = [("  ✓ marked", "good")] if self.draft.recipe in self.draft.setup.marked else []
        if self.draft.edited:
            found.append(("  * edited" if self.draft.named_as_a_file else "  * not saved", "warn"))
        return found

    @property
    def path(self) -> str:
        return RECIPE

    def put(self, text: str) -> None:
        known = [recipe.name for recipe in self.draft.recipes]
        if text not in known:
            raise RecipeRefused(f"there is no recipe `{shortened(text, 60)}`", fix=nearest(text, known))
        self.draft.load(text)

    def nudge(self, by: int) -> None:
        self.draft.next_recipe(by)

    def enter(self, pane: RowActions) -> None:
        pane.choose_recipe()


class TogetherRow(SettingRow):
    """The recipes that are measured together."""

    marked = False

    def value(self) -> str:
        return " + ".join(recipe.name or NONE for recipe in self.draft.recipes_to_run)

    def help(self) -> str:
        return (
            "r measures these in turns beside one baseline, e.g. int8 + fp16. Space on another recipe marks it; enter here "
            "unmarks all."
        )

    def enter(self, pane: RowActions) -> None:
        pane.unmark()


class StepRow(SettingRow):
    """A step's name, and whether it is on."""

    def __init__(self, draft: Draft, index: int) -> None:
        super().__init__(draft, f"step:{index}", "")
        self.step = self._index = index

    def value(self) -> str:
        return self.draft.recipe.step[self._index].method

    def help(self) -> str:
        return docs_of(type(self.draft.recipe.step[self._index]))[""]

    def takes(self) -> str:
        return "Space: on or off.  [ ]: move.  x: remove."

    def put(self, text: str) -> None:
        self.draft.put(self._index, "on", parse(ON, text))

    def nudge(self, by: int) -> None:
        self.draft.toggle(self._index)

    def line(self, entry: Line | None, *, here: bool, room: int = 200) -> Line:
        on = self.draft.recipe.step[self._index].on
        state: Span = ("[on] ", "good") if on else ("[off]", "dim")
        name = f"{self.value():<{LABEL - 4}} "
        return ((f"{self._index + 1}  ", "dim"), (name, "title" if on else "dim"), state)


class ValueRow(SettingRow, ABC):
    """A setting of one of the fields that `fields.py` knows."""

    def __init__(self, draft: Draft, key: str, name: str, field: Field) -> None:
        super().__init__(draft, key, name)
        self.field = field
        self.numeric = field.kind in ("share", "whole", "number")
        self.switch = field.kind == "switch"
        self.typed = field.kind not in ("choice", "switch")
        self.marked = self.numeric or not self.typed

    @abstractmethod
    def now(self) -> object:
        """The value itself."""

    @abstractmethod
    def change(self, value: object) -> None:
        """Set another one."""

    def value(self) -> str:
        return self.field.told(self.now())

    def takes(self) -> str:
        return takes(self.field)

    def text(self) -> str:
        text = shown(self.now())
        return "" if text == NONE else text

    def put(self, text: str) -> None:
        self.change(parse(self.field, text))

    def nudge(self, by: int) -> None:
        self.change(nudged(self.field, self.now(), by))


class FieldRow(ValueRow):
    """A field of a step."""

    def __init__(self, draft: Draft, index: int, field: Field) -> None:
        super().__init__(draft, f"field:{index}:{field.name}", f"   {_words(field.name)}", field)
        self.step = self._index = index

    def now(self) -> object:
        return getattr(self.draft.recipe.step[self._index], self.field.name)

    def change(self, value: object) -> None:
        self.draft.put(self._index, self.field.name, value)

    def put(self, text: str) -> None:
        self.draft.type_in(self._index, self.field, text)

    def help(self) -> str:
        docs = docs_of(type(self.draft.recipe.step[self._index]))
        return docs.get(self.field.name, "").replace("None:", f"{NONE}:")

    def beside(self) -> Sequence[Span]:
        """A share as ten small marks."""
        value = self.now()
        if self.field.kind != "share" or not isinstance(value, float | int):
            return ()
        full = round(value * BAR)
        return [("   ", ""), ("▰" * full, "accent"), ("▱" * (BAR - full), "dim")]


class BackendRow(ValueRow):
    """What executes the model, or one of its settings."""

    def __init__(self, draft: Draft, name: str, field: Field) -> None:
        label = "backend" if name == "name" else _words(field.name)[: LABEL - 1]
        super().__init__(draft, f"backend:{name}", label, field)
        self._setting = name

    def now(self) -> object:
        table, key = backend_table(self.draft.setup.backend, self._setting)
        return getattr(table, key)

    def change(self, value: object) -> None:
        self.draft.set_backend(self._setting, value)

    def help(self) -> str:
        table, key = backend_table(self.draft.setup.backend, self._setting)
        return docs_of(type(table)).get(key, "") or "What builds and executes the model; `edgetui doctor` says which work here."


class AddRow(SettingRow):
    """Adds a step."""

    offers = True

    def __init__(self, draft: Draft, around: Around) -> None:
        super().__init__(draft, ADD, "+ add a step")
        self._around = around

    def value(self) -> str:
        return self._around.method

    def help(self) -> str:
        return f"← → choose, enter adds, e.g. {self._around.method}: {docs_of(STEPS[self._around.method])['']}"

    def nudge(self, by: int) -> None:
        methods = tuple(STEPS)
        self._around.method = methods[(methods.index(self._around.method) + by) % len(methods)]

    def enter(self, pane: RowActions) -> None:
        pane.add_step()


class ShapeRow(SettingRow):
    """The shape of an input that leaves a size open."""

    typed = numeric = True
    marked = False

    def __init__(self, draft: Draft, facts: ModelFacts, tensor: TensorFacts) -> None:
        super().__init__(draft, f"shape:{tensor.name}", f"shape {tensor.name}"[: LABEL - 1])
        self._facts, self._input = facts, tensor.name

    def value(self) -> str:
        return self.text() or "x".join(str(n) for n in self._facts.shapes.get(self._input, ())) or "?"

    def text(self) -> str:
        return self.draft.shape_text(self._facts.path, self._input)

    def put(self, text: str) -> None:
        self.draft.set_shape(self._facts.path, self._input, text)

    def help(self) -> str:
        return "The shape that this input shall have, e.g. 1x3x224x224. The batch is 1 where nothing is said."


def settings_rows(draft: Draft, around: Around) -> Iterator[SettingRow]:
    """All rows from top to bottom."""
    yield RecipeRow(draft, RECIPE, "recipe")
    if draft.setup.marked:
        yield TogetherRow(draft, "together", "together")
    yield DataRow(draft, "dataset", "data", around, hint=NO_DATA)
    for index, step in enumerate(draft.recipe.step):
        yield Heading(draft)
        yield StepRow(draft, index)
        yield from (FieldRow(draft, index, field) for field in (active_fields(step) if step.on else ()))
    yield Heading(draft)
    yield AddRow(draft, around)
    yield Heading(draft)
    yield Heading(draft, "the run")
    yield DataRow(draft, "calibration", "calibration", around, none="as data")
    yield PresetRow(draft, "preset", "preset")
    yield WorkloadRow(draft, "workload", "workload")
    yield PerInputRow(draft, "per_input", "per input")
    if draft.has_int8:
        yield GuardRow(draft, "guard", "guard")
    facts = around.facts
    for tensor in facts.inputs if facts else ():
        if facts and any(not isinstance(axis, int) for axis in tensor.shape):
            yield ShapeRow(draft, facts, tensor)
    yield from (BackendRow(draft, name, field) for name, field in backend_fields(draft.setup.backend).items())


def _words(name: str) -> str:
    return name.replace("_", " ")
