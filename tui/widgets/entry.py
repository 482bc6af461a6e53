"""A line that is being typed, drawn by whoever shows it: no caret that blinks, no widget to mount."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.screen import Screen

from ...engine.report.width import cut, width_of


def begins_typing(screen: Screen[Any], event: events.Key, name: str) -> bool:
    """Whether the key is that of the binding `name`, from which on letters are text. Asked where the key arrives: a binding is
    done only after the letters that came in one packet with it, and these would have been keys (`/resnet` started a run).
    """
    active = screen.active_bindings.get(event.key)
    return active is not None and active.enabled and active.binding.id == name


Spans = tuple[tuple[str, str], ...]
"""As `lines.Line`, which looks for what is typed here."""


CARET = "edit"
"""The style of the cell that the caret stands on."""


def within(spans: Spans, room: int) -> Spans:
    """What is typed (`Entry.spans`) in `room` columns: the caret, what is around it, and `…` where more is."""
    (before, style), (under, caret), (after, _) = spans
    spare = room - width_of(under)
    if width_of(before) + width_of(after) <= spare:
        return spans
    ahead = min(width_of(after), spare // 4)
    if width_of(before) > spare - ahead:
        kept = max(0, spare - ahead - 1)
        while width_of(before) > kept:
            before = before[max(1, len(before) - kept) :] if len(before) > kept else before[1:]
        before = f"…{before}" if spare > ahead else ""
    left = max(0, spare - width_of(before))
    if width_of(after) > left:
        after = f"{cut(after, left - 1)}…" if left else ""
    return ((before, style), (under, caret), (after, style))


def scrolled(line: Spans, width: int) -> Spans:
    """A row with something that is typed in it, in `width` columns: what stands before it stays, and what is typed scrolls."""
    at = next((n for n, (_, style) in enumerate(line) if style == CARET), 0)
    if not 0 < at < len(line) - 1:
        return line
    room = width - sum(width_of(text) for text, _ in line[: at - 1])
    return (*line[: at - 1], *within(line[at - 1 : at + 2], room), *line[at + 2 :])


def opens_line(screen: Screen[Any], event: events.Key) -> bool:
    """Whether a key begins a line that a screen or its rows have typed: a filter, or letters to find."""
    active = screen.active_bindings.get(event.key)
    return active is not None and active.enabled and active.binding.action in ("filter", "find")


class Entry:
    """Text and a caret. `press` takes a key; it answers whether the key was one for typing."""

    def __init__(self, text: str = "", escape: str = "shows all", lead: str = "") -> None:
        """`escape`: what that key does, in words. `lead`: stands before it in the row of keys, which draws it then."""
        self.lead = lead
        self.beside: Spans | None = None
        """What the row of keys says behind it; None: the keys of typing."""
        self.hints = (("enter", "takes it"), ("esc", escape), ("← →", "move"), ("ctrl+u", "erases what is before"))
        self.text = text
        self.at = len(text)

    def press(self, event: events.Key) -> bool:
        """Type, erase or move; False for keys that mean something else."""
        key = event.key
        if event.is_printable and event.character:
            self.insert(event.character)
        elif key == "backspace":
            self.text, self.at = self.text[: max(0, self.at - 1)] + self.text[self.at :], max(0, self.at - 1)
        elif key == "delete":
            self.text = self.text[: self.at] + self.text[self.at + 1 :]
        elif key == "ctrl+u":
            self.text, self.at = self.text[self.at :], 0
        elif key in ("left", "right"):
            self.at = max(0, min(len(self.text), self.at + (1 if key == "right" else -1)))
        elif key in ("home", "end"):
            self.at = 0 if key == "home" else len(self.text)
        else:
            return False
        return True

    def insert(self, text: str) -> None:
        """Type or paste at the caret."""
        clean = "".join(ch for ch in text if ch.isprintable())
        self.text = self.text[: self.at] + clean + self.text[self.at :]
        self.at += len(clean)

    def spans(self) -> Spans:
        """The text with the caret as one reversed cell."""
        under = self.text[self.at : self.at + 1] or " "
        return ((self.text[: self.at], "value"), (under, CARET), (self.text[self.at + 1 :], "value"))
