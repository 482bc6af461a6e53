"""A screen with a table and a filter that is typed above it; lists of runs and of layers alike."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from textual import events
from textual.screen import Screen

from ..widgets.entry import Entry, begins_typing


class FilteredScreen(Screen[None]):
    """Has a binding for `filter`; letters that are typed from then on are its text."""

    FILTER: ClassVar[str]
    """The binding's id."""

    def __init__(self, filter_text: str = "") -> None:
        super().__init__()
        self.entry: Entry | None = None
        self.filter_text = filter_text

    @property
    def can_filter(self) -> bool:
        """There are rows to choose from."""
        return True

    @abstractmethod
    def write(self) -> None:
        """Draw everything again: the filter has changed."""

    @abstractmethod
    def write_head(self) -> None:
        """Draw what shows the filter."""

    def action_filter(self) -> None:
        """Type a filter."""
        if self.can_filter:
            self.entry = Entry(self.filter_text)
            self.refresh_bindings()
            self.write_head()

    def on_key(self, event: events.Key) -> None:
        """Typing goes into the filter."""
        if self.entry is None:
            if not begins_typing(self, event, self.FILTER):
                return
            self.action_filter()
        elif event.key in ("escape", "enter"):
            self.filter_text = self.entry.text if event.key == "enter" else ""
            self.entry = None
            self.refresh_bindings()
        elif self.entry.press(event):
            self.filter_text = self.entry.text
        else:
            return
        event.stop()
        event.prevent_default()
        self.write()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted goes into the filter."""
        if self.entry is not None:
            event.stop()
            self.entry.insert(event.text.strip())
            self.filter_text = self.entry.text
            self.write()
