"""A list to choose one thing from, by its name and a line about it, with a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from ...engine.report.width import shortened, width_of
from ..widgets.entry import Entry
from ..widgets.lines import Line, Lines, Rows, begun, wrap
from .dialog import Dialog
from .safe_dismiss import dismiss_once

LEAST_WIDE, AROUND = 60, 8
"""Columns of the frame, with the keys at its foot; and those of it that are neither a name's nor a title's."""


class Choose(Dialog[str]):
    """Enter answers with the name under the cursor; escape with ""."""

    DEFAULT_CSS = """
    Choose { align: center middle; }
    Choose > Vertical { width: 60; max-width: 100%; height: auto; max-height: 80%; border: round $accent; }
    Choose > Vertical { background: $surface; }
    Choose Rows { height: auto; max-height: 100%; }
    Choose #choose-whole { dock: bottom; }
    """
    HELP = "One of these is chosen with enter. / leaves those that have all the words that are typed, in their name or title."
    EXAMPLE = "/ int8 enter takes what is called int8, else the first that has it in its name or title."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "give_up", "back")]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], now: str) -> None:
        """`choices`: name and title of each; `now`: the name that the cursor begins on."""
        super().__init__()
        self.heading, self.choices, self.now = title, tuple(choices), now
        self.entry: Entry | None = None
        self.letters = ""
        self._wide = LEAST_WIDE

    def compose(self) -> ComposeResult:
        """Rows in a frame that says the keys."""
        with Vertical() as frame:
            frame.border_title = self.heading
            rows = Rows(id="choose-rows")
            rows.filtered = True
            yield rows
            yield Lines(id="choose-whole")

    def on_mount(self) -> None:
        """As wide as the longest title; the cursor begins on what is chosen now."""
        wide = [max(map(width_of, column)) for column in zip(*self.choices, strict=True)]
        self._wide = max(LEAST_WIDE, sum(wide) + AROUND)
        self.query_one(Vertical).styles.width = self._wide
        self.query_one(Rows).focus()
        self._write(self.now)

    def on_resize(self) -> None:
        """Titles fit the new width."""
        self._write()

    def _write(self, cursor: str | None = None) -> None:
        """Rows that have all the words, in their name or title."""
        rows, found = self.query_one(Rows), self._found()
        width = self._room()
        room = min(max((len(name) for name, _ in self.choices), default=0), width // 2)
        lines: list[tuple[str, Line]] = [
            (name, ((f"{shortened(name, room):<{room}}", "value"), (f"  {begun(title, width - room - 2)}", "dim")))
            for name, title in found
        ]
        if self.entry is not None:
            lines.insert(0, ("", (("/ ", "accent"), *self.entry.spans())))
        elif self.letters:
            lines.insert(0, ("", ((f"/ {self.letters}", "dim"),)))
        if not found:
            lines.append(("", (("nothing has these words", "warn"),)))
        rows.fill(lines, cursor)
        rows.styles.height = len(self.choices) + 1  # with one for what is typed, and all of it stands still meanwhile
        self._write_whole(width)
        keys = "enter take   esc all" if self.entry is not None else "enter take   / search   g G first, last   esc back"
        self.query_one(Vertical).border_subtitle = keys

    def _write_whole(self, width: int) -> None:
        """The title under the cursor, where any is cut: as many rows as the longest takes, so that the list stands still."""
        room = min(max((len(name) for name, _ in self.choices), default=0), width // 2)
        cut_off = any(begun(title, width - room - 2) != title for _, title in self.choices)
        most = max((len(wrap(title, width)) for _, title in self.choices), default=0) if cut_off else 0
        whole = wrap(dict(self.choices).get(self.query_one(Rows).cursor, ""), width) if cut_off else []
        foot = self.query_one("#choose-whole", Lines)
        foot.styles.height = most
        foot.show([((f" {row}", ""),) for row in whole])

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Another title is whole."""
        event.stop()
        self._write_whole(self._room())

    def _room(self) -> int:
        """Columns of a row; before it is laid out, those that it will have."""
        return max(20, (self.query_one(Rows).size.width or min(self._wide, self.app.size.width) - 2) - 2)

    def on_key(self, event: events.Key) -> None:
        """Typing goes into the filter; arrows and enter go to the list all the while."""
        if self.entry is None:
            if event.key != "slash":
                return
            # not a binding, which would be done after the letters that follow at once
            self.entry = Entry(self.letters)
        elif event.key == "escape":
            self.entry, self.letters = None, ""
        elif self.entry.press(event):
            self.letters = self.entry.text
        else:
            return
        event.stop()
        event.prevent_default()
        self._write(self._nearest())

    def _nearest(self) -> str | None:
        """What enter takes while letters are typed: the name that they are, or that begins with them; else the first found."""
        letters = self.letters.strip().casefold()
        names = [name.casefold() for name, _ in self._found()] if letters else []
        ranked = sorted(range(len(names)), key=lambda at: (names[at] != letters, not names[at].startswith(letters)))
        return self._found()[ranked[0]][0] if ranked else None

    def _found(self) -> list[tuple[str, str]]:
        """Those that have all the words, in their name or title."""
        words = self.letters.casefold().split()
        return [pair for pair in self.choices if all(word in " ".join(pair).casefold() for word in words)]

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted goes into the filter."""
        if self.entry is not None:
            event.stop()
            self.entry.insert(event.text.strip())
            self.letters = self.entry.text
            self._write(self._nearest())

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Answer."""
        event.stop()
        dismiss_once(self, event.key)

    def action_give_up(self) -> None:
        """Close with nothing."""
        dismiss_once(self, "")
