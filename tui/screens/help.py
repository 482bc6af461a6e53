"""Help for what has the focus: what it shows, and every key that works there now."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen

from ..ascii_letters import keys_in_words
from ..panes.pane import Pane, Parts
from ..widgets.keybar import key_name
from ..widgets.lines import Details, Line, Scrolling, hanging, wrap
from ..widgets.motion import is_motion
from .dialog import EVERYWHERE, Dialog

GENERAL = (
    "Choose a model, choose or edit a recipe, press r. The run goes on when you quit, when the link drops, and shows its\n"
    "past when you come back. Keys can be changed under [ui.keys] in edgetui.toml, by the names at the right."
)


GENERAL_KEYS = frozenset([*(binding.id for binding in EVERYWHERE), "quit"])


def paragraphs(text: str) -> list[str]:
    """A page of help in parts that are read one by one: a line of the source that ends with a sentence ends a part."""
    parts = [""]
    for line in text.splitlines():
        parts[-1] = f"{parts[-1]} {line}".strip()
        if line.endswith("."):
            parts.append("")
    return [part for part in parts if part]


READ = " Arrows scroll, / finds letters in it, esc goes back to the rows above."
KEYS, LEAST_WORDS = 14, 16
"""Columns for keys; and for what each does, below which its name has no room."""


class HelpScreen(Dialog[None]):
    """A page over the screen it explains."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Vertical { width: 100%; max-width: 124; height: 90%; border: round $accent; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "back")]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self.about = about
        self.keys = list(about.active_bindings.values())
        self.pane = next((pane for pane in about.query(Pane) if pane.has_focus_within), None)

    def idle_keys(self) -> frozenset[str]:
        """Help of help is not offered."""
        return frozenset(("help",))

    def compose(self) -> ComposeResult:
        """One page."""
        with Vertical() as frame:
            frame.border_title = f"Help  {self.pane.TITLE}" if self.pane else "Help"
            frame.border_subtitle = self._spelt("↑ ↓ scroll   esc back")
            yield Scrolling(id="help-rows")

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one(Scrolling).focus()
        self._write()
        if self.pane is not None:
            self.run_in_background(partial(self._learn, self.pane), "help")

    def on_resize(self) -> None:
        """Rows as wide as the page is now."""
        self._write()

    async def _learn(self, pane: Pane) -> None:
        await pane.learn_for_help()
        self._write()

    def _write(self) -> None:
        self.query_one(Scrolling).show(self._lines())

    def _spelt(self, text: str) -> str:
        return keys_in_words(text, self.desk.graph)

    def _part(self, width: int) -> list[Line]:
        """What the part with the focus is, where its pane or screen has several, and something to press there."""
        focused = self.about.focused
        parts: Parts = getattr(self.pane or self.about, "PARTS", {})
        part = parts.get(focused.id or "") if focused is not None else None
        if part is None:
            return []
        text, example = map(self._spelt, part)
        text += READ if isinstance(focused, Details) else ""
        return [*(((f" {row}", ""),) for row in wrap(text, width)), *hanging(((" for example  ", "dim"),), example, width)]

    def _lines(self) -> list[Line]:
        text = self._spelt(self.pane.HELP if self.pane else self.about.HELP or GENERAL)
        width = max(20, min(self.app.size.width, 124) - 4)
        lines: list[Line] = [(), *(((f" {row}", ""),) for part in paragraphs(text) for row in wrap(part, width)), ()]
        here = [*(self.pane.help_here(width) if self.pane else []), *self._part(width)]
        lines = [(), *here, *lines] if here else lines
        example = self._spelt(self.pane.EXAMPLE if self.pane else getattr(self.about, "EXAMPLE", ""))
        if example:
            lines += [*hanging(((" for example  ", "dim"),), example, width), ()]
        keys: dict[str, list[str]] = {}
        words: dict[str, str] = {}
        for active in self.keys:
            binding = active.binding
            name = binding.id or (f" {binding.action}" if binding.show else "")  # what answers a question has no name
            if name and active.enabled:
                keys.setdefault(name, []).append(key_name(binding.key, self.desk.graph))
                words[name] = binding.tooltip or binding.description
        # what moves, and what works everywhere, is the same on each page, so what is this place's own stands first
        longest = max(map(len, words), default=0)
        named = width - KEYS - longest - 1 >= LEAST_WORDS  # else the words have all of it
        room = max(8, min(60, width - KEYS - (longest + 1) * named))  # 8: of a size on its way, in which nothing is seen
        for name, text in sorted(words.items(), key=lambda pair: (is_motion(pair[0]), pair[0] in GENERAL_KEYS)):
            first, *others = wrap(text, room)
            lines.append(
                (
                    (f" {' '.join(keys[name]):>{KEYS - 3}}  ", "key"),
                    (f"{first:<{room}}", ""),
                    (f" {name}" if named and name[0] != " " else "", "dim"),
                )
            )
            lines += [((f"{' ' * KEYS}{row}", ""),) for row in others]
        if self.pane:
            lines += [(), *(((f" {row}", "dim"),) for row in wrap(" ".join(GENERAL.splitlines()), width))]
        return lines
