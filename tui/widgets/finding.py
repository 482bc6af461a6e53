"""Looking for letters in rows: `/` types them in the row of keys, `n` and `N` go to the next and to the one before.

Apart from filters, which leave only the rows that have the letters: there `n` and `N` go through what is left.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from ..leaving import BearsLeaving
from .entry import Entry, begins_typing

FIND = "find"
"""The binding's id."""


class Findable(BearsLeaving, Widget):
    """Rows in which letters can be found. Never the first of the bases, for Textual takes styles from that one.

    `filtered`: their screen or pane has a filter on the same key.
    """

    filtered: bool = False
    seeking: Entry | None = None
    """What is typed now."""
    sought = ""
    """What `n` goes to."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "find", show=False, id=FIND, tooltip="Find letters in these rows"),
        Binding("n", "find_again(1)", "next found", show=False, id="find.next", tooltip="To the next row that has them"),
        Binding(
            "N", "find_again(-1)", "found before", show=False, id="find.previous", tooltip="To the row before that has them"
        ),
    ]

    @abstractmethod
    def texts(self) -> Sequence[str]:
        """Every row as text; empty: it is passed over."""

    @abstractmethod
    def place(self) -> int:
        """The row from which on is looked."""

    @abstractmethod
    def go_to(self, place: int) -> None:
        """Bring a row into sight, and show which it is."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing are free for what lies around. With a filter all rows that are left are found."""
        if action == "find":
            return not self.filtered
        if action == "find_again":
            return self.filtered or bool(self.sought)
        return super().check_action(action, parameters)

    def action_find(self) -> None:
        """Type what is looked for."""
        self.seeking = Entry("", "finds nothing", lead="/ ")
        self.screen.refresh_bindings()

    def action_find_again(self, by: int) -> None:
        """Go to the next row, or the one before."""
        rows = self.texts()
        letters = "" if self.filtered else self.sought.casefold()
        found = [at for at, row in enumerate(rows) if row and letters in row.casefold()]
        here = self.place()
        ahead = [at for at in found if (at - here) * by > 0]
        if ahead:
            self.go_to(ahead[0] if by > 0 else ahead[-1])
        elif found:  # round the end
            self.go_to(found[0] if by > 0 else found[-1])
        else:
            self.app.notify(f"no row has `{self.sought}`", timeout=2)

    def on_key(self, event: events.Key) -> None:
        """Typing; once something was found, escape is done with it."""
        if self.seeking is None:
            if begins_typing(self.screen, event, FIND):
                self.action_find()
            elif event.key == "escape" and self.sought:
                self.sought = ""
                self.refresh()
            else:
                return
        elif event.key in ("escape", "enter"):
            self.sought, self.seeking = (self.seeking.text if event.key == "enter" else ""), None
            if self.sought:
                self.action_find_again(1)
        elif not self.seeking.press(event):
            return
        event.stop()
        event.prevent_default()
        self.screen.refresh_bindings()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted is looked for."""
        if self.seeking is not None:
            event.stop()
            event.prevent_default()
            self.seeking.insert(event.text.strip())
            self.screen.refresh_bindings()

    def on_blur(self) -> None:
        """Elsewhere letters are keys again."""
        if self.seeking is not None:
            self.seeking = None
            self.screen.refresh_bindings()
