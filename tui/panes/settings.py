"""Compression settings in the middle: the recipe, its steps' fields, the run's settings, and what will happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from ...engine.errors import EdgetuiError, UsageError
from ...engine.report.width import shortened
from ..ascii_letters import keys_in_words
from ..fix_words import on_screen
from ..widgets.lines import Details, Line, Lines, Rows, hanging, wrap
from .forecast import forecast_rows
from .pane import Pane, Parts
from .precision_help import changes_precision, precision_lines
from .settings_keys import SettingsRows

if TYPE_CHECKING:
    from ...engine.api import Forecast
    from ...engine.schema.model_facts import ModelFacts
    from ..draft import Draft
    from .setting_row import Around, NamedRows, SettingRow

WHAT = "what will happen"
USUAL_ROWS = 11
"""Rows of a forecast with its frame, kept from the first on: rows to edit do not move when it comes."""
ROOMY = 16
"""Rows from which on help and forecast may take more than they must."""


class SettingsPane(Pane):
    """Recipe, steps, run, forecast."""

    TITLE = "Compression"
    EXAMPLE = "enter on the recipe, / int8 enter: the recipe int8; then r runs it. u takes it back."
    HELP = (
        "The recipe and the run, row by row. ← → change a value, enter types one; on the recipe it lists them all.\n"
        "Space switches a step on or off, x removes it, [ and ] move it, a adds one. u takes the last change back; s saves\n"
        "the recipe under a name. Space on the recipe, or M, marks it: all that are marked are measured\n"
        "in turns beside one baseline.\n"
        "A value that is not valid is refused at once and nothing changes. Below: what will happen."
    )

    PARTS: ClassVar[Parts] = {
        "forecast": (
            "What will happen if this is run: size, memory, time, what cannot win and why, what is refused.",
            "/ memory enter goes to what it needs of it.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "details", "details", id="settings.details", show=False, tooltip="All of what will happen, to scroll")
    ]

    class Edited(Message):
        """The draft has changed."""

    class DataWanted(Message):
        """Data shall be looked for; the workbench shows where."""

        def __init__(self, row: str) -> None:
            super().__init__()
            self.row = row

    def __init__(self) -> None:
        super().__init__(id="settings", classes="pane")
        self.draft: Draft | None = None
        self.complaint = ""
        self._by_key: dict[str, SettingRow] = {}
        self.forecast_lines: list[Line] = []
        self._seen: dict[str, tuple[float, float]] = {}
        """A model's hash to between which values its activations were seen."""
        self._forecast: tuple[Forecast | None, str | EdgetuiError] = (None, "")

    @cached_property
    def around(self) -> Around:
        """What rows read beside the draft."""
        from .setting_row import Around

        link = self.desk.link
        return Around(dataset_names=link.dataset_names, check_dataset=link.check_dataset)

    def compose(self) -> ComposeResult:
        """Rows above; help for the row, and what will happen, below."""
        self.rows = SettingsRows(self)
        self.help = Lines(id="field-help", classes="-empty")
        self.what = Details(id="forecast", classes="-empty")
        yield self.rows
        yield self.help
        yield self.what

    def on_mount(self) -> None:
        """Keys stand in the frame."""
        super().on_mount()
        self.name_keys()
        self.what.border_title = WHAT

    def name_keys(self) -> None:
        """As they are now."""
        keys = (("run", "r"), ("save", "s"), ("undo", "u"))
        self.border_subtitle = Content("   ".join(f"{self.key(name, key)} {name}" for name, key in keys))

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
        self.around.facts = facts
        self.rewrite()

    def rewrite(self, cursor: str | None = None) -> None:
        """Write all rows."""
        if self.draft is None:
            return
        rows = self.rows
        at = cursor or rows.cursor
        entry = rows.entry.spans() if rows.entry is not None else None
        settings = list(self._rows())
        if len(settings) > rows.size.height > 0:  # where room is short the rows stand closer
            settings = [row for row in settings if row.key or row.name]
        self._by_key = {row.key: row for row in settings if row.key}
        rows.fill([(row.key, row.line(entry, here=row.key == at, room=self._room)) for row in settings], cursor)
        self._say_help()

    def _rows(self) -> Iterator[SettingRow]:
        """Of the draft, from top to bottom."""
        from .settings_rows import settings_rows  # after the first paint, which has none

        return iter(()) if self.draft is None else settings_rows(self.draft, self.around)

    @property
    def _here(self) -> SettingRow | None:
        """The cursor's row."""
        return self._by_key.get(self.rows.cursor)

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
            row, typing = self._here, self.rows.entry is not None
            text = row.hint() if row is not None else ""
            if typing and row is not None:
                text = f"enter takes it, esc leaves it as it was. {row.takes()} {row.help()}"
            lines = hanging(((" ", ""),), keys_in_words(text, self.desk.graph), self._room, "dim")
        least = 2 if self.size.height >= ROOMY else 1
        self.help.styles.height = 1 + max(least, min(len(lines), 2 * least))
        self.help.show(lines)

    def refuse(self) -> None:
        """Say on the spot that nothing was started; why stands below."""
        self.complaint = "this cannot run yet: mend what is marked ✗ below"
        self._say_help()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Enter: type, switch, or add."""
        event.stop()
        if self.draft is None or event.key != self.rows.cursor:
            return
        if self._here is not None:
            self._here.enter(self)

    # help

    def help_here(self, width: int) -> list[Line]:
        """The setting under the cursor: what it means, how it is typed, and of a precision what it can hold."""
        row = self._here
        if row is None or self.draft is None:
            return []
        lines: list[Line] = [((f" {row.path or row.name.strip()}", "title"), (f"   {row.value()}", "value"))]
        lines += [((f" {text}", ""),) for text in wrap(keys_in_words(row.hint(), self.desk.graph), width)]
        if row.path:
            lines.append(((" for example   ", "dim"), (f":set {row.path} {row.text() or row.value()}", "key")))
        if row.step is not None and changes_precision(self.draft.recipe.step[row.step].method):
            lines += [(), *precision_lines(self.around.facts, self._activations(), width)]
        return lines

    def _activations(self) -> tuple[float, float] | None:
        facts = self.around.facts
        return self._seen.get(facts.sha256) if facts is not None else None

    async def learn_for_help(self) -> None:
        """Between which values this model's activations were seen, by the newest run that quantized them."""
        facts = self.around.facts
        if facts is not None and facts.sha256 not in self._seen:
            found = await self.desk.link.activations(facts)
            if found is not None:
                self._seen[facts.sha256] = found

    # settings by name

    @property
    def named(self) -> NamedRows:
        """What `put` takes."""
        from .setting_row import NamedRows

        return NamedRows(self._rows())

    def point_at(self, name: str) -> None:
        """Put the cursor on a setting.

        Raises:
            UsageError: there is none of that name.
        """
        self.rows.point(self.named.find(name).key)

    def put(self, name: str, text: str) -> None:
        """Set a setting by its name, as if its row had been typed.

        Raises:
            EdgetuiError: there is no such setting, or it cannot be so.
        """
        row = self.named.find(name)
        self._do(lambda _: row.put(text))
        if self.complaint:
            why, self.complaint = self.complaint, ""
            self.rewrite()
            what, _, fix = why.partition("; ")
            raise UsageError(what, fix=fix)
        self.rows.point(row.key)

    def choose_recipe(self) -> None:
        """All recipes with their titles, to search in."""
        from ..screens.choose import Choose

        draft = self.draft
        if draft is None:
            return

        def take(name: str | None) -> None:
            if name:
                self._do(lambda draft: draft.load(name))

        choices = [(recipe.name, recipe.title) for recipe in draft.recipes]
        self.app.push_screen(Choose("Recipes", choices, draft.recipe.name), take)

    def mark(self) -> None:
        """Measure this recipe together with others."""
        self._do(lambda draft: draft.mark())

    def unmark(self) -> None:
        """Measure the recipe that stands here alone."""
        from .settings_rows import RECIPE

        self._do(lambda draft: draft.unmark())
        self.rows.point(RECIPE)

    @property
    def browses(self) -> bool:
        """Whether the value of this row is a path that can be looked for."""
        return self._here is not None and self._here.browsed

    def browse(self) -> None:
        """Look for the path of this row in folders."""
        if self._here is not None and self._here.browsed:
            self.post_message(self.DataWanted(self._here.path))

    def add_step(self) -> None:
        """Add the step that is offered, and go to it."""
        if self.draft is not None:
            self._do(lambda draft: draft.add(self.around.method))
            self.rewrite(f"step:{len(self.draft.recipe.step) - 1}")

    def begin_typing(self) -> None:
        """Type the value of the cursor's row."""
        self.rows.begin(self.text_here())
        self.rewrite()

    # what the cursor's row holds

    def begins_with_digit(self) -> bool:
        """Whether a digit on this row is the beginning of a value."""
        return self._here is not None and self._here.numeric

    def types_here(self) -> bool:
        """Whether enter on this row begins to type its value."""
        return self._here is not None and self._here.typed

    def text_here(self) -> str:
        """The value of this row as it is typed."""
        return self._here.text() if self._here is not None else ""

    # changes

    def _do(self, change: Callable[[Draft], object]) -> None:
        """Make a change; say why where it cannot be."""
        if self.draft is None:
            return
        before = self.draft.setup
        self.complaint = self.draft.note = ""
        try:
            change(self.draft)
        except EdgetuiError as error:
            self.complaint = on_screen(error)
        self.rewrite()
        if self.draft.note:
            self.app.notify(self.draft.note, timeout=4)
        if self.draft.setup != before:
            self.post_message(self.Edited())

    def commit(self) -> None:
        """Take what was typed; if it cannot be, the typing goes on."""
        entry = self.rows.entry
        if entry is None or self.draft is None:
            return
        row = self._here
        if row is not None:
            self._do(lambda _: row.put(entry.text))
        if not self.complaint:
            self.rows.end()

    def nudge(self, by: int) -> None:
        """The value before or after."""
        row = self._here
        if row is not None:
            self._do(lambda _: row.nudge(by))

    @property
    def _step_here(self) -> int | None:
        return self._here.step if self._here is not None else None

    def flip(self) -> None:
        """Switch the step, or the field, of this row; of the recipe its mark, as in every list."""
        from .settings_rows import RECIPE

        index = self._step_here
        if self.rows.cursor == RECIPE:
            self.mark()
        elif self._here is not None and self._here.switch:
            self.nudge(1)
        elif index is not None:
            self._do(lambda draft: draft.toggle(index))

    def shift(self, by: int) -> None:
        """Move the step of this row."""
        index = self._step_here
        if index is not None and self.draft is not None:
            self._do(lambda draft: draft.move(index, by))
            there = max(0, min(index + by, len(self.draft.recipe.step) - 1))
            self.rows.point(f"step:{there}")

    def drop(self) -> None:
        """Remove the step of this row; undo brings it back."""
        index = self._step_here
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

    def begin_forecast(self, model: str) -> None:
        """Say that a model is read where nothing is foreseen yet."""
        if self._forecast[0] is None:
            self.show_forecast(None, f"{shortened(model, 40)} is being read …")

    def show_forecast(self, forecast: Forecast | None, trouble: str | EdgetuiError = "") -> None:
        """Write what will happen."""
        self._forecast = (forecast, trouble)
        self.forecast_lines = forecast_rows(forecast, trouble, self._room)
        opening = forecast is not None and not (forecast.checked or forecast.errors)
        self.what.border_title = f"{WHAT}, model and data are being looked at" if opening else WHAT
        height = self.size.height  # the rows to edit come first where room is short
        share = max(3, height // (2 if height >= ROOMY else 3)) if not self.what.has_focus else height - 4
        self.what.styles.height = min(max(len(self.forecast_lines) + 1, USUAL_ROWS), share)
        self.what.show(self.forecast_lines)
