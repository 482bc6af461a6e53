"""Jumping: a letter stands on each part of the screen that can have the focus, and goes there.

Keys are taken from the moment it begins, as those of a command are: the letter may come in the same packet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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


class JumpPlace(NamedTuple):
    """What a letter goes to."""

    at: tuple[int, int] | None
    """Column and row of the letter; None: it is out of sight, and the row of keys names it."""
    word: str
    go: Callable[[], object]


class Sign(Widget):
    """A letter over a part."""

    DEFAULT_CSS = "Sign { position: absolute; overlay: screen; width: 3; height: 1; }"

    def __init__(self, letter: str, at: tuple[int, int]) -> None:
        super().__init__()
        self.letter = letter
        self.styles.offset = at

    def compose(self) -> ComposeResult:
        """The letter."""
        yield Lines([((f" {self.letter} ", "edit"),)])


class Jump:
    """Which letters stand where, while they do."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.entry: Entry | None = None
        """What the row of keys says meanwhile; None: nothing is jumped to."""
        self._targets: dict[str, JumpPlace] = {}
        self._screen: Screen[object] | None = None

    def begin(self) -> None:
        """Put letters on all parts in sight, and on what stands for those that are not: a screen names them (`jump_places`)."""
        self.end()
        self._screen = screen = self.desk.screen
        self.entry = Entry("", lead="jump")
        screen.call_after_refresh(self._put, screen)  # a pane that was opened just now has no place yet

    def _put(self, screen: Screen[object]) -> None:
        """Choose the letters and show them, unless a key has ended it."""
        if self.entry is None or self._screen is not screen or self._targets or not screen.is_attached:
            return
        parts = [part for part in screen.focus_chain if part.is_on_screen and part.region.width > 2 and part.region.height]
        places = [JumpPlace((part.region.x, part.region.y), part.id or "", part.focus) for part in parts]
        hidden: Callable[[], list[JumpPlace]] = getattr(screen, "jump_places", list)
        self._targets = dict(zip(LETTERS, [*places, *hidden()], strict=False))
        unseen = [(letter, place.word) for letter, place in self._targets.items() if place.at is None]
        named = [span for letter, word in unseen for span in ((f"   {letter}", "key"), (f" {word}", "dim"))]
        self.entry.beside = (("   a letter goes to the part that it stands on", "dim"), *named, ("   esc stays", "dim"))
        screen.mount_all(Sign(letter, place.at) for letter, place in self._targets.items() if place.at is not None)
        screen.refresh_bindings()

    def takes(self, event: events.Event) -> bool:
        """Have an event, if it belongs here; all but a letter that stands somewhere ends it."""
        screen = self.desk.screen
        if self.entry is not None and (screen is not self._screen or isinstance(event, events.Resize | events.MouseDown)):
            self.end()
        if not isinstance(event, events.Key):
            return False
        if self.entry is not None:
            self._put(screen)  # a letter that was typed before they were shown
            place = self._targets.get(event.key)
            self.end()
            if place is not None:
                place.go()
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
