"""The line behind a colon: commands that are typed in the row of keys, wherever there is one.

Keys go into it from the moment the colon arrives, before any widget has them: those that follow in the same packet
would be keys of the screen else (`:run` opened the list of runs).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from ..engine.errors import EdgetuiError, UsageError, nearest
from ..engine.report.width import shortened, width_of
from .fix_words import on_screen
from .typed_places import places, shared
from .widgets.entry import Entry, Spans, begins_typing
from .widgets.keybar import LEAST_BESIDE, KeyBar, being_typed
from .widgets.lines import begun

if TYPE_CHECKING:
    from .desk import Desk
    from .worded import Worded

MOST = 2000
"""Characters of a command; a path is no longer than 4096 bytes."""
PAST = 100
"""Commands that up and down go through."""


def parted(text: str) -> list[str]:
    """The words of a command: quotes hold words together, as a shell has it; nothing is expanded or run.

    Raises:
        UsageError: a quote is not closed.
    """
    import shlex

    try:
        return shlex.split(text.strip().lstrip(":"))
    except ValueError:
        raise UsageError("a quote is not closed", fix="close it, or write \\ before it") from None


class Colon:
    """What is typed, and what was."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.entry: Entry | None = None
        self.past: list[str] = []
        self._at = 0
        self._stem: str | None = None
        """What stood there before tab completed it; None: something else was pressed since."""
        self._turn = 0

    def begin(self, text: str = "") -> None:
        """Type from here on."""
        self.entry, self._at, self._stem = Entry(text, "leaves it", lead=":"), len(self.past), None
        self._say()

    def takes(self, event: events.Event) -> bool:
        """Have an event, if it is typed here."""
        screen = self.desk.screen
        if not screen.query(KeyBar):
            self.entry = None
            return False
        if isinstance(event, events.Paste) and self.entry is not None:
            self._insert(event.text)
            return True
        if not isinstance(event, events.Key):
            return False
        if self.entry is None:
            if being_typed(screen) is not None or not begins_typing(screen, event, "command"):
                return False
            self.begin()
        else:
            self._press(self.entry, event)
        return True

    def _insert(self, text: str) -> None:
        if self.entry is not None:
            self.entry.insert(" ".join(text.split("\n")).strip()[: MOST - len(self.entry.text)])
            self._say()

    def _press(self, entry: Entry, event: events.Key) -> None:
        stem, self._stem = self._stem, None
        if event.key == "escape" or (event.key == "backspace" and not entry.text):
            self._leave()
        elif event.key == "enter":
            self._obey(entry.text)
        elif event.key in ("tab", "shift+tab"):
            self._complete(entry, stem, 1 if event.key == "tab" else -1)
        elif event.key in ("up", "down"):
            self._at = max(0, min(self._at + (1 if event.key == "down" else -1), len(self.past)))
            entry.text = self.past[self._at] if self._at < len(self.past) else ""
            entry.at = len(entry.text)
            self._say()
        elif len(entry.text) < MOST or not event.is_printable:
            entry.press(event)
            self._say()

    def _leave(self) -> None:
        self.entry = None
        self.desk.screen.refresh_bindings()

    def _obey(self, text: str) -> None:
        """Do it; what cannot be is said in its place, and can be mended there."""
        try:
            words = parted(text)
            if words:
                command = self._known(words[0])
                command.check(words[1:])
                self.past = [*(past for past in self.past if past != text), text][-PAST:]
                command.do(words[1:])
            self._leave()
        except EdgetuiError as error:
            self._refuse(error)

    def _refuse(self, error: EdgetuiError) -> None:
        """Say why in the same row, where it has room, else over the header; what was typed can be mended."""
        told = f"  error: {on_screen(error)}"
        typed = self.entry.text if self.entry is not None else ""
        if width_of(typed + told) + 4 > self.desk.size.width:
            self.desk.show_error(error)
            told = "  not done: why stands above"
        self._say(((told, "bad"),))

    def _commands(self) -> dict[str, Worded]:
        from .command_list import commands

        return commands(self.desk, self.desk.screen)

    def _known(self, name: str) -> Worded:
        known = self._commands()
        if name in known:
            return known[name]
        begun = [command for known_name, command in known.items() if known_name.startswith(name)]
        if len(begun) == 1:
            return begun[0]
        raise UsageError(
            f"there is no command `{shortened(name, 40)}` here", fix=nearest(name, known) if not begun else _several(begun)
        )

    def choices(self, text: str) -> list[str]:
        """What the last word may become: names of commands, then what the command takes."""
        before, _, last = text.rpartition(" ")
        if not before.strip():
            known = {name: command for name, command in self._commands().items() if name.startswith(last)}
            return sorted(known, key=lambda name: (not known[name].own, name))  # those that no key does come first
        command = self._commands().get(before.split(maxsplit=1)[0])
        if command is None:
            return []
        place = len(before.split()) - 1
        found = [each for each in command.choices(place) if each.startswith(last)]
        # a blank parts words: who looks for such a name has the browser
        return found + [each for each in places(last) if " " not in each] if command.paths and place == 0 else found

    def _complete(self, entry: Entry, stem: str | None, by: int) -> None:
        if stem is None:
            stem, self._turn = entry.text, -1 if by > 0 else 0
        found = self.choices(stem)
        if found:
            common = shared(sorted(found))
            before = stem[: len(stem) - len(stem.rpartition(" ")[2])]
            if len(before + common) > len(stem) and len(found) > 1:
                entry.text = stem = before + common
            else:
                self._turn = (self._turn + by) % len(found)
                entry.text = before + found[self._turn]
            entry.at = len(entry.text)
        self._stem = stem
        self._say()

    def _say(self, said: Spans | None = None) -> None:
        """What can be typed now, behind what is typed."""
        if self.entry is None:
            return
        if said is None:
            text = self.entry.text
            command = self._commands().get(text.split(maxsplit=1)[0]) if text.strip() else None
            found = self.choices(text if self._stem is None else self._stem)
            if command is not None and (" " in text or len(found) < 2):
                said = ((f"   {command.wants}".rstrip(), "value"), (f"   {command.help}", "dim"))
                if " " in text and command.wants and found:
                    said = ((f"   {self._listed(found[:12])}", "dim"),)
            else:
                said = ((f"   {self._listed(found[:40])}" if found else "   no such command", "dim"),)
        self.entry.beside = said
        self.desk.screen.refresh_bindings()

    def _listed(self, words: Sequence[str]) -> str:
        """As many of the words as have room behind what is typed, or behind the least of it that is seen."""
        typed = width_of(self.entry.text) if self.entry is not None else 0
        if len({word.rstrip("/").rpartition("/")[0] for word in words}) == 1:  # of paths in one folder their names
            words = [word[word.rstrip("/").rfind("/") + 1 :] for word in words]
        room = max(self.desk.size.width - typed - 6, LEAST_BESIDE, self.desk.size.width // 3)
        return begun("  ".join(words), room)


def _several(found: list[Worded]) -> str:
    return f"one of {', '.join(sorted(command.name for command in found)[:6])}"
