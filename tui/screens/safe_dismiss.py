"""Leaving a screen once, and early: enter pressed twice must not take the screen below away as well, and a screen that is left
before it stands has no widgets to fill.
"""

from __future__ import annotations

from typing import TypeVar

from textual import events
from textual.screen import Screen

from ..leaving import BearsLeaving
from ..says_refusals import SaysRefusals

Answer = TypeVar("Answer")


def dismiss_once(screen: Screen[Answer], answer: Answer | None = None) -> None:
    """Leave a screen with its answer, if it is the one on top."""
    if screen.is_active:
        screen.dismiss(answer)


class SafeDismiss(BearsLeaving, SaysRefusals):
    """For screens."""

    async def on_event(self, event: events.Event) -> None:
        """Handle an event; a size that is no longer the terminal's is passed over.

        A screen that has been laid out tells itself so by another event. Two sizes on their way at once (a terminal that tells
        none gets two guesses, 24 and 25 rows; or one that is resized while we start) laid it out in turns for ever.
        """
        if not (isinstance(event, events.Resize) and event.size != self.app.size):
            await super().on_event(event)
