"""The rows of the settings pane and their keys; what is typed belongs to one row."""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual import events
from textual.binding import Binding, BindingType

from ..widgets.entry import Entry, begins_typing
from ..widgets.lines import Rows
from ..widgets.motion import LEFT, RIGHT


class EditsRows(Protocol):
    """What is done at the cursor's row: the settings pane."""

    complaint: str
    """What was wrong with the value that was typed; empty: nothing."""

    def rewrite(self) -> None:
        """Write the rows anew."""

    def commit(self) -> None:
        """Take the value that was typed."""

    def types_here(self) -> bool:
        """Whether the value of this row is typed."""

    def text_here(self) -> str:
        """The value as it is typed."""

    def begins_with_digit(self) -> bool:
        """Whether a digit begins a value here."""

    def nudge(self, by: int) -> None:
        """The next value, or the one before."""

    def flip(self) -> None:
        """Switch the step on or off."""

    def shift(self, by: int) -> None:
        """Move the step up or down."""

    def drop(self) -> None:
        """Remove the step."""

    def mark(self) -> None:
        """Measure the recipe together with others."""


class SettingsRows(Rows):
    """The rows; while a value is typed they take the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            f"{LEFT},minus", "nudge(-1)", "less", show=False, id="settings.less", tooltip="The value before, or less of it"
        ),
        Binding(f"{RIGHT},plus", "nudge(1)", "more", show=False, id="settings.more", tooltip="The next value, or more of it"),
        Binding("enter", "choose", "edit", id="settings.edit", tooltip="Type a value; switch a step; add the step"),
        Binding(
            "space", "flip", "on/off", id="settings.flip", tooltip="Switch the step of this row on or off; mark the recipe"
        ),
        Binding("M", "mark", "mark", id="settings.mark", tooltip="Measure this recipe together with others that are marked"),
        Binding("left_square_bracket", "shift(-1)", "move up", show=False, id="settings.up", tooltip="Move the step up"),
        Binding("right_square_bracket", "shift(1)", "move down", show=False, id="settings.down", tooltip="Move the step down"),
        Binding("x,delete", "drop", "remove step", show=False, id="settings.remove", tooltip="Remove the step of this row"),
        Binding("a", "append", "add step", show=False, id="settings.add", tooltip="Go to the row that adds a step"),
    ]

    def __init__(self, pane: EditsRows) -> None:
        super().__init__(id="settings-rows")
        self.pane = pane
        self._entry: Entry | None = None
        self._typed_at = ""

    @property
    def entry(self) -> Entry | None:
        """What is typed; it belongs to its row, and a row that the cursor has left (by a click, or an answer) takes nothing."""
        return self._entry if self._typed_at == self.cursor else None

    def begin(self, text: str = "") -> Entry:
        """Type a value on the cursor's row."""
        self._entry, self._typed_at = Entry(text, "leaves it as it was"), self.cursor
        self.screen.refresh_bindings()
        return self._entry

    def end(self) -> None:
        """Type no longer."""
        self._entry = None
        self.screen.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """Typing goes into the value; on a number a digit that is no key begins one."""
        if self.seeking is None and self._typed(event):
            event.stop()
            event.prevent_default()
            self.pane.rewrite()

    def _typed(self, event: events.Key) -> bool:
        entry = self.entry
        if entry is None:
            if begins_typing(self.screen, event, "settings.edit") and self.pane.types_here():
                self.begin(self.pane.text_here())
                return True
            # what goes to a pane, or does anything else, is no value: only enter begins one then
            free = event.key not in self.screen.active_bindings
            if not (free and event.character and event.character in "0123456789.-" and self.pane.begins_with_digit()):
                return False
            entry = self.begin()
        if event.key == "escape":
            self.end()
            self.pane.complaint = ""
            return True
        if event.key in ("enter", "up", "down", "tab", "shift+tab"):
            self.pane.commit()
            if event.key in ("up", "down") and self.entry is None:
                self.action_move(1 if event.key == "down" else -1)
            return self.entry is not None or not event.key.endswith("tab")
        return entry.press(event)

    def on_paste(self, event: events.Paste) -> None:
        """A pasted path goes into the value."""
        if self.entry is not None and self.seeking is None:
            event.stop()
            self.entry.insert(event.text.strip())
            self.pane.rewrite()

    def action_nudge(self, by: int) -> None:
        """The value before or after."""
        self.pane.nudge(by)

    def action_flip(self) -> None:
        """On or off."""
        self.pane.flip()

    def action_shift(self, by: int) -> None:
        """Move the step."""
        self.pane.shift(by)

    def action_drop(self) -> None:
        """Remove the step."""
        self.pane.drop()

    def action_mark(self) -> None:
        """Mark the recipe, or take the mark away."""
        self.pane.mark()

    def action_append(self) -> None:
        """To the row that adds a step."""
        self.point("add")
