"""What stands there when the terminal is too small: keys must not act on what cannot be seen."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from ..leaving import is_open
from .safe_dismiss import SafeDismiss, dismiss_once

LEAST = (60, 16)
"""Columns and rows below which nothing can be drawn that helps."""


def is_small(size: Size, least: tuple[int, int] = LEAST) -> bool:
    """Whether what wants `least` does not fit into a terminal of this size."""
    return size.width < least[0] or size.height < least[1]


def least_of(app: App[Any]) -> tuple[int, int]:
    """What the screen below wants: field mode less than the others."""
    below = next((screen for screen in reversed(app.screen_stack) if not isinstance(screen, TooSmall)), None)
    found: tuple[int, int] = getattr(below, "LEAST", LEAST)
    return found


class TooSmall(SafeDismiss, ModalScreen[None]):
    """Swallows all keys but q."""

    DEFAULT_CSS = (
        "TooSmall { align: center middle; background: $background; overflow: hidden; } "  # a scrollbar in 1x1 comes and goes
        "TooSmall Static { text-align: center; width: 100%; }"
    )

    def compose(self) -> ComposeResult:
        """What is wanted."""
        yield Static(id="small-words")

    def on_resize(self) -> None:
        """Say how small."""
        size, (width, height) = self.app.size, least_of(self.app)
        app: Any = self.app
        goes_on = app.link.ends_with_screen()
        leave = f"q quit ({goes_on})" if goes_on else "q quit"
        words = f"too small: {size.width}x{size.height}\nedgetui needs {width}x{height}\n\n{leave}"
        self.query_one("#small-words", Static).update(words)

    def on_screen_suspend(self) -> None:
        """What a key has asked for before it became too small stays out of sight as well."""
        if is_open(self) and is_small(self.app.size, least_of(self.app)) and not isinstance(self.app.screen, TooSmall):
            self.app.push_screen(TooSmall())

    def on_screen_resume(self) -> None:
        """What stood above it when there was room again has been left."""
        if not is_small(self.app.size, least_of(self.app)):
            dismiss_once(self)

    def on_key(self, event: events.Key) -> None:
        """Only q, and ctrl+q."""
        event.stop()
        event.prevent_default()
        if event.key == "q":
            app: Any = self.app
            app.action_leave()
