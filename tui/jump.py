"""Jumping: a letter stands on each part of the screen that can have the focus, and goes there.

Keys are taken from the moment it begins, as those of a command are: the letter may come in the same packet.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from .desk import Desk
from .widgets.entry import Entry, begins_typing
from .widgets.keybar import KeyBar, being_typed
from .widgets.lines import Lines

LETTERS = "asdfghjklqwertyuiopzxcvbnm"
"""Those under the fingers first."""


class Sign(Widget):
    """A letter over a part."""

    DEFAULT_CSS = "Sign { position: absolute; overlay: screen; width: 3; height: 1; }"

    def __init__(self, letter: str, at: Widget) -> None:
        super().__init__()
        self.letter = letter
        self.styles.offset = (at.region.x, at.region.y)

    def compose(self) -> ComposeResult:
        """The letter."""
        yield Lines([((f" {self.letter} ", "edit"),)])


class Jump:
    """Which letters stand where, while they do."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.entry: Entry | None = None
        """What the row of keys says meanwhile; None: nothing is jumped to."""
        self._targets: dict[str, Widget] = {}
        self._screen: Screen[object] | None = None

    def begin(self) -> None:
        """Put letters on all parts in sight."""
        self.end()
        screen = self.desk.screen
        parts = [part for part in screen.focus_chain if part.is_on_screen and part.region.width > 2 and part.region.height]
        self._screen, self._targets = screen, dict(zip(LETTERS, parts, strict=False))
        self.entry = Entry("", lead="jump")
        self.entry.beside = (("   a letter goes to the part that it stands on   esc stays", "dim"),)
        screen.mount_all(Sign(letter, part) for letter, part in self._targets.items())
        screen.refresh_bindings()

    def takes(self, event: events.Event) -> bool:
        """Have an event, if it belongs here; all but a letter that stands somewhere ends it."""
        screen = self.desk.screen
        if self.entry is not None and (screen is not self._screen or isinstance(event, events.Resize | events.MouseDown)):
            self.end()
        if not isinstance(event, events.Key):
            return False
        if self.entry is not None:
            part = self._targets.get(event.key)
            self.end()
            if part is not None and part.is_attached:
                part.focus()
            return True
        if screen.query(KeyBar) and being_typed(screen) is None and begins_typing(screen, event, "jump"):
            self.begin()
            return True
        return False

    def end(self) -> None:
        """Take the letters away."""
        if self._screen is not None and self._screen.is_attached:
            self._screen.query(Sign).remove()
            self._screen.refresh_bindings()
        self.entry, self._screen, self._targets = None, None, {}
