"""Plays with a running app: random keys, clicks, wheels, pastes and sizes from a seed, sent as a terminal sends them.

Chance alone stays where it is: half of its keys, commands and sizes are what it has done least, so that it comes everywhere.
`visits.py` counts where it was.
"""

from __future__ import annotations

import asyncio
import random
import time
import unicodedata
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import TypeVar

from edgetui.engine.errors import EdgetuiError
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.command_list import commands
from rich.cells import cell_len
from screens import until
from textual import events
from textual.app import App
from textual.dom import NoScreen
from textual.geometry import Size
from textual.pilot import Pilot
from visits import USUAL, Visits

Choice = TypeVar("Choice")
ALWAYS = (
    *("up", "down", "left", "right", "enter", "escape", "tab", "shift+tab", "space", "home", "end", "pageup", "pagedown"),
    *("slash", "backspace", "delete", "ctrl+p", "ctrl+u", "ctrl+l", "question_mark", "n", "N", "plus", "minus", "colon", "J"),
)
CHARACTERS = {"space": " ", "slash": "/", "question_mark": "?", "plus": "+", "minus": "-", "tab": "\t", "colon": ":"}
DID = 500
"""Moves that are told when something fails; what is older is made again by the seed."""
LEAVING = {"q", "ctrl+q", "ctrl+c", "ctrl+z"}
LEAVING_WORDS = {"q", "quit", "leave", "suspend"}
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PASTES = (
    "0.5",
    "../..",
    "\x1b[31mred\x1b]0;title\x07",
    "[red]x[/]",
    "日本語 e\u0301 עברית",
    "two\nlines\tand a tab",
    "x" * 400,
    "[/",
)
SIZES = (*USUAL, (10, 5), (20, 5), (59, 30), (119, 39), (160, 45), (250, 80), (200, 16), (60, 80))
WRITTEN = ("last", "none", "all", "/", "~", ".", "x", "0.5", "int8", "--", "日本", "a b", "x" * 200)
"""Words behind a command."""


def send(app: App[int], event: events.Event) -> None:
    """As the driver sends what the terminal said."""
    event.set_sender(app)
    assert app._driver is not None
    app._driver.send_message(event)


def press_at_once(app: App[int], *keys: str) -> None:
    """Keys of which none waits for what the one before has done."""
    for key in keys:
        send(app, events.Key(key, key if len(key) == 1 else CHARACTERS.get(key)))


def resize(app: App[int], width: int, height: int) -> None:
    """As a terminal does."""
    app._driver._size = size = Size(width, height)  # type: ignore[union-attr,assignment]
    send(app, events.Resize(size, size))


def caged(app: EdgetuiApp) -> EdgetuiApp:
    """An app that a monkey cannot leave: the palette offers that, and the game would be over."""
    app.action_leave = lambda: None  # type: ignore[method-assign]
    return app


class Monkey:
    """One game. `unwanted`: names of bindings that are left alone; `did`: what was played, for a seed that finds something."""

    def __init__(self, app: EdgetuiApp, seed: int, unwanted: frozenset[str] = frozenset()) -> None:
        self.app, self.unwanted = app, unwanted
        self.dice = random.Random(seed)
        self.did: deque[str] = deque(maxlen=DID)
        self.visits = Visits()
        self._pressed: Counter[object] = Counter()
        """How often a key was pressed on a screen, a command typed, and a size chosen."""

    async def play(self, moves: int, pauses: Sequence[float] = (0, 0, 0, 0.001, 0.01, 0.05)) -> None:
        """So many moves, one of `pauses` seconds apart; what the screen shows is looked at now and then."""
        for n in range(moves):
            if not self.app.is_running:
                return
            self._move()
            await asyncio.sleep(self.dice.choice(pauses))
            self.visits.note(self.app)
            if n % 10 == 9:
                look(self.app)

    def _move(self) -> None:
        kinds = ("key", "bound", "letter", "size", "click", "wheel", "paste", "command")
        getattr(self, f"_{self.dice.choices(kinds, (26, 40, 9, 6, 9, 4, 2, 4))[0]}")()

    def _least(self, among: Iterable[Choice], key: object = None) -> Choice:
        """One of these by chance, or, as often, one that was had least; `key`: where."""
        choices = list(among)
        if self.dice.random() < 0.5:
            seldom = min(self._pressed[key, each] for each in choices)
            choices = [each for each in choices if self._pressed[key, each] == seldom]
        chosen = self.dice.choice(choices)
        self._pressed[key, chosen] += 1
        return chosen

    def _press(self, key: str) -> None:
        if key in LEAVING:
            return
        self.did.append(key)
        self._send(events.Key(key, key if len(key) == 1 else CHARACTERS.get(key)))

    def _send(self, event: events.Event) -> None:
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    def _key(self) -> None:
        self._press(self.dice.choice(ALWAYS))

    def _bound(self) -> None:
        active = self.app.screen.active_bindings.values()
        keys = [
            a.binding.key
            for a in active
            if a.enabled and a.binding.id not in self.unwanted and "answer(True)" not in a.binding.action
        ]
        if any("answer(True)" in a.binding.action for a in active) and "yes" not in self.unwanted:
            keys.append("y")
        if keys:
            self._press(self._least(keys, (type(self.app.screen), type(self.app.focused))))

    def _command(self) -> None:
        """What is typed behind a colon, with the words that it takes or others."""
        known = commands(self.app, self.app.screen)
        names = [name for name in known if name not in (*self.unwanted, *LEAVING_WORDS)]
        if not names:
            return
        name = self._least(names, ":")
        words: list[str] = []
        for place in range(self.dice.choice((0, 1, 1, 2))):
            try:
                found = list(known[name].choices(place))
            except EdgetuiError:
                found = []
            words.append(self.dice.choice(found if found and self.dice.random() < 0.8 else WRITTEN))
        self._press("colon")
        self._press("ctrl+u")  # what was refused before still stands there
        for letter in f"{' '.join((name, *words))}":
            self._press({" ": "space", "/": "slash"}.get(letter, letter))
        self._press("enter")

    def _letter(self) -> None:
        letter = self.dice.choice("abcdefghijklmnoprstuvwxyzABCRLMDgGS0123456789.-_[]/~é日")
        if letter not in "rSD" or "run" not in self.unwanted:
            self._press(letter)

    def _size(self) -> None:
        """Half of them the usual one at which this screen was least."""
        if self.dice.random() < 0.5:
            w, h = self._least(USUAL, type(self.app.screen))
        else:
            w, h = self.dice.choice((*SIZES, (self.dice.randint(10, 250), self.dice.randint(5, 80))))
        self.did.append(f"{w}x{h}")
        resize(self.app, w, h)

    def _place(self) -> tuple[int, int]:
        return self.dice.randrange(max(1, self.app.size.width)), self.dice.randrange(max(1, self.app.size.height))

    def _mouse(self, kind: type[events.MouseEvent], x: int, y: int) -> None:
        self._send(kind(None, x, y, 0, 0, 1, False, False, False, x, y))

    def _click(self) -> None:
        x, y = self._place()
        self.did.append(f"click {x},{y}")
        for kind in (events.MouseMove, events.MouseDown, events.MouseUp):
            self._mouse(kind, x, y)

    def _wheel(self) -> None:
        x, y = self._place()
        self.did.append(f"wheel {x},{y}")
        self._mouse(self.dice.choice((events.MouseScrollDown, events.MouseScrollUp)), x, y)

    def _paste(self) -> None:
        text = self.dice.choice(PASTES)
        self.did.append(f"paste {text!r}")
        self._send(events.Paste(text))


def look(app: App[int]) -> None:
    """What is drawn holds nothing that a terminal would obey."""
    try:
        strips = app.screen._compositor.render_strips()
    except NoScreen:
        return
    for strip in strips:
        obeyed = [c for c in strip.text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in TURNING]
        assert not obeyed, f"{obeyed!r} on the screen: {strip.text!r}"


async def look_closely(app: App[int], pilot: Pilot[int]) -> None:
    """When all is still, every row is as wide as the screen as well."""
    look(app)
    await until(pilot, lambda: all(cell_len(strip.text) == app.size.width for strip in app.screen._compositor.render_strips()))


async def back_to(app: EdgetuiApp, pilot: Pilot[int]) -> None:
    """From wherever it was left, escape leads back to the first screen."""
    resize(app, 120, 40)  # by the driver, as the sizes before: the pilot's own would overtake the last of them
    await pilot.pause()
    end = time.monotonic() + 20
    while app.screen is not app.screen_stack[0]:
        assert time.monotonic() < end, (app.screen_stack, app.focused)
        await pilot.press("escape")
