"""What stands there when the terminal is too small: keys must not act on what cannot be seen."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from .leaving import Leavable


class TooSmall(Leavable, ModalScreen[None]):
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
        words = f"too small: {self.app.size.width}x{self.app.size.height}\nedgetui needs 60x16\n\nq quit (the run goes on)"
        self.query_one("#small-words", Static).update(words)

    def on_key(self, event: events.Key) -> None:
        """Only q, and ctrl+q."""
        event.stop()
        event.prevent_default()
        if event.key == "q":
            app: Any = self.app
            app.action_leave()
