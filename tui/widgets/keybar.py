"""The row of keys at the foot of the screen: the focused pane's first; running, help and quit are never cut off."""

from __future__ import annotations

import unicodedata

from textual.app import ComposeResult
from textual.binding import Binding, InvalidBinding
from textual.screen import Screen
from textual.widget import Widget

from ...engine.report.width import width_of
from ..ascii_letters import keys_in_words
from ..leaving import BearsLeaving
from .entry import Entry, within
from .lines import Line, Lines, Span, begun

BLANKS = 3
"""Between keys."""
LAST = ("help", "quit")
"""Binding ids that keep their place at the right however narrow the screen is."""
FIRST = ("run", "runs")
"""Those that get room before others do."""
SHORT = {
    "slash": "/",
    "backslash": "\\",
    "minus": "-",
    "plus": "+",
    "at": "@",
    "underscore": "_",
    "escape": "esc",
}
"""Of keys that do not have the name of their sign in Unicode."""
ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
"""Words where there is no UTF-8: what would stand for them are the signs of other keys."""


LEAST_BESIDE = 32
"""Columns for what stands behind a line that is typed, where that is wide: what is typed comes first."""


def key_name(key: str, graph: str = "braille") -> str:
    """A key as a person reads it: `?`, `ctrl+p`, `R`; `graph` is what the terminal can show."""
    first = key.split(",")[0]
    if first.startswith("shift+") and len(first) == 7:
        return first[-1].upper()
    short = SHORT if graph == "ascii" else SHORT | ARROWS
    return short.get(first) or _sign(first)


def _sign(name: str) -> str:
    """`=` of `equals_sign`; what is no sign's name stays."""
    try:
        sign = unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return name
    return sign if sign.isprintable() and not sign.isspace() else name


def keys_of(text: str) -> str:
    """Keys as people write them, `{` or `f5,ctrl+t`, by the names that Textual has for them; what names none stays as it is."""
    try:
        return ",".join(binding.key for binding in Binding.make_bindings([Binding(text, "", "")]))
    except InvalidBinding:
        return text


def key_hints(screen: Screen[object]) -> list[tuple[str, str, str]]:
    """(binding id, key, words) of what can be pressed now, the focused widget's own first."""
    found = []
    graph = getattr(screen.app, "graph", "braille")
    idle: frozenset[str] = getattr(screen, "idle_keys", frozenset)()
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.show and active.enabled and binding.id not in idle:
            found.append((binding.id or "", key_name(binding.key, graph), binding.description))
    unique: dict[tuple[str, str], tuple[str, str, str]] = {}
    for id_, key, words in found:
        if key == "esc" or (id_ or words, words) not in unique:
            unique[id_ or words, words] = (id_, key, words)
    return list(unique.values())


def being_typed(screen: Screen[object]) -> Entry | None:
    """The line that takes the keys now: the focused widget's, or the screen's."""
    typing = getattr(screen.app, "typing", None)
    if isinstance(typing, Entry):
        return typing
    lines = (getattr(widget, name, None) for widget in (screen.focused, screen) for name in ("seeking", "entry"))
    return next((line for line in lines if isinstance(line, Entry)), None)


class KeyBar(BearsLeaving, Widget):
    """`tab next pane  r run  ...  ? help  q quit`."""

    def compose(self) -> ComposeResult:
        """One row."""
        yield Lines()

    def on_mount(self) -> None:
        """Follow the focus, and what comes to lie over the screen."""
        self._whose: Screen[object] = self.screen
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.write())
        self.app.screen_change_signal.subscribe(self, lambda _: self._screen_changed())

    def _screen_changed(self) -> None:
        """Under dialogs the keys of the screen below do nothing now: those of the dialog on top stand here."""
        stack = self.app.screen_stack
        above = stack[stack.index(self.screen) + 1 :] if self.screen in stack else []
        whose = above[-1] if above and all(screen.is_modal for screen in above) else self.screen
        if whose is not self._whose:
            self._whose = whose
            if whose is not self.screen:
                whose.bindings_updated_signal.subscribe(self, lambda _: self.write())
            self.call_after_refresh(self.write)  # the dialog is there whole then

    def on_resize(self) -> None:
        """Fit the new width."""
        self.write()

    def write(self) -> None:
        """Show as many keys as fit; while something is typed those of typing, for the others are letters then."""
        if self._whose is not self.screen and self._whose.query(KeyBar):
            self.query_one(Lines).show([()])  # the dialog has a row of its own
            return
        typed = being_typed(self._whose)
        graph = getattr(self.app, "graph", "braille")
        hints = (
            [("", keys_in_words(key, graph), words) for key, words in typed.hints]
            if typed is not None
            else key_hints(self._whose)
        )
        last = [hint for name in LAST for hint in hints if hint[0] == name]
        rest = sorted((hint for hint in hints if hint not in last), key=lambda hint: hint[0] == "palette")
        room = self.size.width - 1 + BLANKS - sum(_width(hint) for hint in last)  # behind the last one none are needed
        room -= width_of(typed.lead + typed.text) + 4 if typed is not None and typed.lead else 0
        kept = []
        for hint in sorted(rest, key=lambda hint: hint[0] not in FIRST):
            if _width(hint) <= room:
                kept.append(hint)
                room -= _width(hint)
        line: Line = ((" ", ""),)
        if typed is not None and typed.lead:
            beside = sum(width_of(text) for text, _ in typed.beside or ())
            room = self.size.width - 4 - min(beside, max(self.size.width // 3, LEAST_BESIDE))
            led = _led(typed, room)
            line = (*led, *_ended(typed.beside or (("   ", ""),), self.size.width - sum(width_of(text) for text, _ in led)))
            kept, last = ([], []) if typed.beside is not None else (kept, last)
        for _, key, words in [*sorted(kept, key=rest.index), *last]:
            line = (*line, (key, "key"), (f" {words}{' ' * BLANKS}", "dim"))
        self.query_one(Lines).show([line])


def _led(typed: Entry, room: int) -> Line:
    """What is typed behind its sign; of what is wider than `room` the part around the caret."""
    return ((" ", ""), (typed.lead, "accent"), *within(typed.spans(), room))


def _ended(spans: Line, room: int) -> Line:
    """What stands beside it; of what has no room the beginning, with a mark."""
    kept: list[Span] = []
    for text, style in spans:
        if width_of(text) > room:
            bare = text.lstrip()
            lead = width_of(text) - width_of(bare)
            return (*kept, (f"{text[:lead]}{begun(bare, room - lead)}" if room - lead > 1 else "", style))
        kept.append((text, style))
        room -= width_of(text)
    return tuple(kept)


def _width(hint: tuple[str, str, str]) -> int:
    return width_of(hint[1]) + width_of(hint[2]) + 1 + BLANKS
