"""Rows with a cursor on which values are typed: what is typed belongs to its row, and takes the keys meanwhile.

Apart from the panes and screens that have such rows: the recipe's settings, a dataset's description.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual import events

from ..typed_places import completed
from .entry import Entry, begins_typing
from .lines import Rows


class EditsRows(Protocol):
    """What is done at the cursor's row."""

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

    @property
    def browses(self) -> bool:
        """Whether the value of this row is a path."""

    def begins_with_digit(self) -> bool:
        """Whether a digit begins a value here."""

    def nudge(self, by: int) -> None:
        """The next value, or the one before."""


class TypedRows(Rows):
    """The rows; while a value is typed they take the keys."""

    EDIT: ClassVar[str]
    """Id of the binding that begins to type."""

    def __init__(self, owner: EditsRows, id: str) -> None:  # noqa: A002  (Textual's word)
        super().__init__(id=id)
        self.owner = owner
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
            self.owner.rewrite()

    def _typed(self, event: events.Key) -> bool:
        entry = self.entry
        if entry is None:
            if begins_typing(self.screen, event, self.EDIT) and self.owner.types_here():
                self.begin(self.owner.text_here())
                return True
            # what goes to a pane, or does anything else, is no value: only enter begins one then
            free = event.key not in self.screen.active_bindings
            if not (free and event.character and event.character in "0123456789.-" and self.owner.begins_with_digit()):
                return False
            entry = self.begin()
        if event.key == "escape":
            self.end()
            self.owner.complaint = ""
            return True
        if event.key == "tab" and self.owner.browses:
            entry.text = completed(entry.text)
            entry.at = len(entry.text)
            return True
        if event.key in ("enter", "up", "down", "tab", "shift+tab"):
            self.owner.commit()
            if event.key in ("up", "down") and self.entry is None:
                self.action_move(1 if event.key == "down" else -1)
            return self.entry is not None or not event.key.endswith("tab")
        return entry.press(event)

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """What was typed stays with its row; marks and help go with the cursor."""
        event.stop()
        if self.entry is None:
            self.end()
        self.owner.complaint = ""
        self.owner.rewrite()

    def on_paste(self, event: events.Paste) -> None:
        """A pasted path goes into the value."""
        if self.entry is not None and self.seeking is None:
            event.stop()
            self.entry.insert(event.text.strip())
            self.owner.rewrite()

    def action_nudge(self, by: int) -> None:
        """The value before or after."""
        self.owner.nudge(by)
