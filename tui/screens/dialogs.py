"""Questions: yes or no before what cannot be taken back, and a line of text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from ...engine.errors import EdgetuiError, RecipeRefused
from ..background import refusal
from ..fix_words import on_screen
from .dialog import Dialog
from .safe_dismiss import dismiss_once


class Confirm(Dialog[bool]):
    """A question that y answers with yes; everything else with no."""

    DEFAULT_CSS = """
    Confirm { align: center middle; }
    Confirm > Vertical { width: 72; max-width: 94%; height: auto; border: round $warning; padding: 1 2; }
    Confirm > Vertical { background: $surface; }
    """
    HELP = "What cannot be taken back is asked before it is done. Only y does it; everything else leaves all as it is."
    EXAMPLE = "esc, and nothing has been done."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,enter", "answer(False)", "no"),
    ]

    def __init__(self, question: str, consequence: str = "") -> None:
        super().__init__()
        self.question, self.consequence = question, consequence

    def compose(self) -> ComposeResult:
        """The question, what it would cost, the keys."""
        with Vertical():
            yield Static(self.question, markup=False)
            yield Static(self.consequence, markup=False)
            yield Static("\ny yes     n no", markup=False)

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        dismiss_once(self, yes)


class Ask(Dialog[str]):
    """A line of text; `check` refuses what cannot be while it is still on screen. Escape answers None.

    With `replaces` the first letter typed takes the place of the text that stands there; without, it is added.
    """

    DEFAULT_CSS = """
    Ask { align: center middle; }
    Ask > Vertical { width: 72; max-width: 94%; height: auto; border: round $accent; background: $surface; padding: 1 2; }
    Ask Input { background: $panel; }
    Ask #ask-refused { color: $error; }
    """
    HELP = "A line to type: enter takes it, and where it cannot be so the reason stands below it; esc leaves all as it is."
    EXAMPLE = "ctrl+u erases what stands before the caret."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "cancel")]

    def __init__(
        self,
        question: str,
        value: str = "",
        check: Callable[[str], object] | None = None,
        *,
        example: str,
        replaces: bool = False,
    ) -> None:
        """`example`: something that can be typed; it stands there while nothing does."""
        super().__init__()
        self.question, self.value, self.check, self.replaces, self.example = question, value, check, replaces, example

    def compose(self) -> ComposeResult:
        """The question, the line, what was wrong with it."""
        with Vertical():
            yield Static(self.question, markup=False)
            field = Input(self.value, f"e.g. {self.example}", id="ask-line", select_on_focus=self.replaces, compact=True)
            field.cursor_blink = False  # a caret that blinks is bytes on the link
            yield field
            yield Static("", id="ask-refused", markup=False)
            yield Static("enter take it     esc leave it", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the text, if it can be."""
        event.stop()
        text = event.value.strip()
        if not text:
            dismiss_once(self, "")
            return
        wrong = self._wrong(text)
        self.query_one("#ask-refused", Static).update(wrong)
        if not wrong:
            dismiss_once(self, text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """What was refused is looked at again as it is mended."""
        refused = self.query_one("#ask-refused", Static)
        if str(refused.content):
            text = event.value.strip()
            refused.update(self._wrong(text) if text else "")

    def _wrong(self, text: str) -> str:
        """Why this cannot be; empty: it can."""
        try:
            if self.check is not None:
                self.check(text)
        except (EdgetuiError, OSError) as error:  # of a path: too long, or below what may not be read
            return on_screen(refusal(error))
        return ""

    def action_give_up(self) -> None:
        """Close without an answer."""
        dismiss_once(self)


def check_name(name: str) -> str:
    """A recipe's name must be good for a file.

    Raises:
        RecipeRefused: it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise RecipeRefused(f"`{name}` is not a valid recipe name", fix="use letters, digits, . _ and -")
    return name
