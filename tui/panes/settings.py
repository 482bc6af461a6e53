"""Compression settings in the middle: the recipe, its steps' fields, the run's settings, and what will happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from ...engine.errors import EdgetuiError
from ...engine.spec import STEPS
from ..draft import Draft, backend_fields
from ..fields import NONE, Field, nudged, parse, shown
from ..widgets.lines import Details, Line, Lines, Rows, hanging
from .forecast import forecast_rows
from .pane import Pane
from .settings_keys import SettingsRows
from .settings_rows import PRESETS, RUN_FIELDS, backend_value, field_at, help_of, next_workload, settings_rows

if TYPE_CHECKING:
    from ...engine.api import Forecast
    from ...engine.result import ModelFacts

WHAT = "what will happen"
ROOMY = 16
"""Rows from which on help and forecast may take more than they must."""


class SettingsPane(Pane):
    """Recipe, steps, run, forecast."""

    TITLE = "Compression"
    HELP = (
        "The recipe and the run, row by row. ← → change a value, enter types one; on the recipe it lists them all.\n"
        "Space switches a step on or off, x removes it, [ and ] move it, a adds one. u takes the last change back; s saves\n"
        "the recipe under a name. A value that cannot be is refused at once and nothing changes. Below: what will happen."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "details", "details", id="settings.details", show=False, tooltip="All of what will happen, to scroll")
    ]

    class Edited(Message):
        """The draft has changed."""

    def __init__(self) -> None:
        super().__init__(id="settings", classes="pane")
        self.draft: Draft | None = None
        self.facts: ModelFacts | None = None
        self.method = next(iter(STEPS))
        self.complaint = ""
        self.forecast_lines: list[Line] = []
        self._forecast: tuple[Forecast | None, str | EdgetuiError] = (None, "")

    def compose(self) -> ComposeResult:
        """Rows above; help for the row, and what will happen, below."""
        self.rows = SettingsRows()
        self.help = Lines(id="field-help", classes="-empty")
        self.what = Details(id="forecast", classes="-empty")
        yield self.rows
        yield self.help
        yield self.what

    def on_mount(self) -> None:
        """Keys stand in the frame."""
        super().on_mount()
        keys = (("run", "r"), ("save", "s"), ("undo", "u"))
        self.border_subtitle = Content("   ".join(f"{self.key(name, key)} {name}" for name, key in keys))
        self.what.border_title = WHAT

    def on_resize(self) -> None:
        """Fit the new width."""
        self.rewrite()
        self.show_forecast(*self._forecast)

    def take(self, draft: Draft) -> None:
        """Edit this draft from now on."""
        self.draft = draft
        self.help.remove_class("-empty")
        self.what.remove_class("-empty")
        self.rewrite()
        self.post_message(self.Edited())

    def model_facts(self, facts: ModelFacts | None) -> None:
        """The model's inputs ask for shapes."""
        self.facts = facts
        self.rewrite()

    def rewrite(self, cursor: str | None = None) -> None:
        """Write all rows."""
        if self.draft is None:
            return
        rows = self.rows
        at = cursor or rows.cursor
        entry = rows.entry.spans() if rows.entry is not None else None
        found = settings_rows(self.draft, self.facts, at, entry, self.method)
        if len(found) > rows.size.height > 0:  # where room is short the rows stand closer
            found = [row for row in found if row != ("", ())]
        rows.fill(found, cursor)
        self._say_help()

    @property
    def _room(self) -> int:
        """Columns for text; of a pane that has not been shown yet those of the screen."""
        return max(10, (self.rows.size.width or self.app.size.width) - 2)

    def _say_help(self) -> None:
        if self.draft is None:
            return
        if self.complaint:
            lines: list[Line] = hanging(((" ✗ ", "bad"),), self.complaint, self._room, "bad")
        else:
            keys = "enter takes it, esc leaves it as it was. " if self.rows.entry is not None else ""
            lines = hanging(((" ", ""),), keys + help_of(self.draft, self.rows.cursor, self.method), self._room, "dim")
        least = 2 if self.size.height >= ROOMY else 1
        self.help.styles.height = 1 + max(least, min(len(lines), 2 * least))
        self.help.show(lines)

    def refuse(self) -> None:
        """Say on the spot that nothing was started; why stands below."""
        self.complaint = "this cannot run yet: mend what is marked ✗ below"
        self._say_help()

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """The marks of choice and the help go with the cursor."""
        event.stop()
        if self.rows.entry is None:
            self.rows.end()
        self.complaint = ""
        self.rewrite()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Enter: type, switch, or add."""
        event.stop()
        if self.draft is None or event.key != self.rows.cursor:
            return
        kind = event.key.partition(":")[0]
        if kind == "recipe":
            self._choose_recipe(self.draft)
        elif kind == "step":
            self.flip()
        elif kind == "add":
            self._do(lambda draft: draft.add(self.method))
            self.rewrite(f"step:{len(self.draft.recipe.step) - 1}")
        elif self.types_here():
            self.rows.begin(self.text_here())
            self.rewrite()
        else:
            self.nudge(1)

    def _choose_recipe(self, draft: Draft) -> None:
        """All recipes with their titles, to search in."""
        from ..screens.choose import Choose

        def take(name: str | None) -> None:
            if name:
                self._do(lambda draft: draft.load(name))

        choices = [(recipe.name, recipe.title) for recipe in draft.recipes]
        self.app.push_screen(Choose("Recipes", choices, draft.recipe.name), take)

    # what the cursor's row holds

    def _kind_here(self) -> str:
        """The kind of field under the cursor."""
        if self.draft is None:
            return ""
        found = field_at(self.draft, self.rows.cursor)
        kind, _, name = self.rows.cursor.partition(":")
        if kind == "backend":
            return self._backend_field(name).kind
        return found[1].kind if found else ""

    def _backend_field(self, name: str) -> Field:
        assert self.draft is not None
        return backend_fields(self.draft.asked.backend)[name]

    def begins_with_digit(self) -> bool:
        """Whether a digit on this row is the beginning of a value."""
        here = self.rows.cursor
        return self._kind_here() in ("share", "whole", "number") or here.startswith("shape:") or here == "run:workload"

    def types_here(self) -> bool:
        """Whether enter on this row begins to type its value."""
        here = self.rows.cursor
        typed = here not in ("", "run:preset") and here.partition(":")[0] not in ("recipe", "step", "add")
        return self.draft is not None and typed and self._kind_here() not in ("choice", "switch")

    def text_here(self) -> str:
        """The value of this row as it is typed."""
        if self.draft is None:
            return ""
        kind, _, name = self.rows.cursor.partition(":")
        asked = self.draft.asked
        if kind == "shape" and self.facts:
            return self.draft.shape_text(self.facts.path, name)
        if kind == "run":
            return {"dataset": asked.dataset, "calibration": asked.calibration}.get(name, "")
        if kind == "backend":
            text = shown(backend_value(asked.backend, name))
            return "" if text == NONE else text
        found = field_at(self.draft, self.rows.cursor)
        text = shown(getattr(self.draft.recipe.step[found[0]], found[1].name)) if found else ""
        return "" if text == NONE else text

    # changes

    def _do(self, change: Callable[[Draft], object]) -> None:
        """Make a change; say why where it cannot be."""
        if self.draft is None:
            return
        before = self.draft.asked
        self.complaint = self.draft.note = ""
        try:
            change(self.draft)
        except EdgetuiError as error:
            self.complaint = str(error)
        self.rewrite()
        if self.draft.note:
            self.app.notify(self.draft.note, timeout=4, markup=False)
        if self.draft.asked != before:
            self.post_message(self.Edited())

    def commit(self) -> None:
        """Take what was typed; if it cannot be, the typing goes on."""
        entry = self.rows.entry
        if entry is None or self.draft is None:
            return
        self._do(lambda draft: self._put(draft, entry.text))
        if not self.complaint:
            self.rows.end()

    def _put(self, draft: Draft, text: str) -> None:
        kind, _, name = self.rows.cursor.partition(":")
        found = field_at(draft, self.rows.cursor)
        if found:
            draft.type_in(*found, text)
        elif kind == "shape" and self.facts:
            draft.set_shape(self.facts.path, name, text)
        elif kind == "backend":
            draft.set_backend(name, parse(self._backend_field(name), text))
        elif name == "workload":
            draft.set_workload(text)
        else:
            self.bench.link.check_dataset(text)
            draft.change(**{name: text})

    def nudge(self, by: int) -> None:
        """The value before or after."""
        key = self.rows.cursor
        kind, _, name = key.partition(":")
        if kind == "recipe":
            self._do(lambda draft: draft.next_recipe(by))
        elif kind == "add":
            methods = tuple(STEPS)
            self.method = methods[(methods.index(self.method) + by) % len(methods)]
            self.rewrite()
        elif kind == "step":
            self.flip()
        elif kind == "run":
            self._do(lambda draft: self._nudge_run(draft, name, by))
        elif kind == "backend":
            self._do(
                lambda draft: draft.set_backend(
                    name, nudged(self._backend_field(name), backend_value(draft.asked.backend, name), by)
                )
            )
        elif kind == "field":
            self._do(lambda draft: self._nudge_field(draft, key, by))

    @staticmethod
    def _nudge_field(draft: Draft, key: str, by: int) -> None:
        found = field_at(draft, key)
        if found is not None:
            index, field = found
            draft.put(index, field.name, nudged(field, getattr(draft.recipe.step[index], field.name), by))

    def _nudge_run(self, draft: Draft, name: str, by: int) -> None:
        asked = draft.asked
        if name == "preset":
            draft.change(preset=PRESETS[(PRESETS.index(asked.preset) + by) % len(PRESETS)])
        elif name == "workload":
            draft.set_workload(next_workload(asked, by))
        else:
            now = getattr(asked, RUN_FIELDS[name].name)
            names = ("", *dict.fromkeys((*self.bench.link.dataset_names(), *([now] if now else []))))
            draft.change(**{name: names[(names.index(now) + by) % len(names)]})

    def _step_here(self) -> int | None:
        kind, _, rest = self.rows.cursor.partition(":")
        return int(rest.split(":")[0]) if kind in ("step", "field") else None

    def flip(self) -> None:
        """Switch the step, or the field, of this row."""
        index = self._step_here()
        if self._kind_here() == "switch":
            self.nudge(1)
        elif index is not None:
            self._do(lambda draft: draft.toggle(index))

    def shift(self, by: int) -> None:
        """Move the step of this row."""
        index = self._step_here()
        if index is not None and self.draft is not None:
            self._do(lambda draft: draft.move(index, by))
            there = max(0, min(index + by, len(self.draft.recipe.step) - 1))
            self.rows.point(f"step:{there}")

    def drop(self) -> None:
        """Remove the step of this row; undo brings it back."""
        index = self._step_here()
        if index is not None:
            self._do(lambda draft: draft.remove(index))
            self.app.notify("step removed; u brings it back", timeout=3)

    def undo(self) -> None:
        """Take the last change back."""
        if self.draft is not None and not self.draft.undo():
            self.app.notify("nothing to undo", timeout=2)
            return
        self.complaint = ""
        self.rewrite()
        self.post_message(self.Edited())

    def _give_room(self) -> None:
        super()._give_room()
        self.show_forecast(*self._forecast)

    def show_forecast(self, forecast: Forecast | None, trouble: str | EdgetuiError = "") -> None:
        """Write what will happen."""
        self._forecast = (forecast, trouble)
        self.forecast_lines = forecast_rows(forecast, trouble, self._room)
        opening = forecast is not None and not (forecast.checked or forecast.errors)
        self.what.border_title = f"{WHAT}, model and data are being looked at" if opening else WHAT
        height = self.size.height  # the rows to edit come first where room is short
        share = max(3, height // (2 if height >= ROOMY else 3)) if not self.what.has_focus else height - 4
        self.what.styles.height = min(len(self.forecast_lines) + 1, share)
        self.what.show(self.forecast_lines)
