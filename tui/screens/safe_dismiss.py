"""Leaving a screen once, and early: enter pressed twice must not take the screen below away as well, and a screen that is left
before it stands has no widgets to fill.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from textual import events
from textual.app import ScreenError
from textual.css.query import QueryError
from textual.dom import NoScreen
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen

from ..says_refusals import SaysRefusals, called

Answer = TypeVar("Answer")

WIDGET_GONE = (QueryError, NoScreen, ScreenError)
"""What Textual raises where a widget or screen is looked for that has gone."""


def is_open(screen: MessagePump) -> bool:
    """Whether a screen is there and stays: neither it nor the app is being left."""
    app = screen.app
    return (
        app.is_running and screen.is_attached and isinstance(screen, Screen) and screen.display and screen in app.screen_stack
    )


def dismiss_once(screen: Screen[Answer], answer: Answer | None = None) -> None:
    """Leave a screen with its answer, if it is the one on top."""
    if screen.is_active:
        screen.dismiss(answer)


class SafeDismiss(SaysRefusals):
    """For screens: what fails in one that is being left, for want of its widgets, is no defect."""

    async def on_event(self, event: events.Event) -> None:
        """Handle an event; a size that is no longer the terminal's is passed over.

        A screen that has been laid out tells itself so by another event. Two sizes on their way at once (a terminal that tells
        none gets two guesses, 24 and 25 rows; or one that is resized while we start) laid it out in turns for ever.
        """
        if isinstance(event, events.Resize) and event.size != self.app.size:
            return
        try:
            await super().on_event(event)
        except WIDGET_GONE:
            if is_open(self):
                raise

    async def _on_message(self, message: Message) -> None:
        """Handle what a widget said, perhaps before it went: events and messages come here by two ways."""
        try:
            await super()._on_message(message)
        except WIDGET_GONE:
            if is_open(self):
                raise

    def call_after_refresh(self, callback: Callable[..., object], *args: object, **named: object) -> bool:
        """Have it called when all is drawn, unless this screen has been left by then: the one that is on top calls it."""

        async def unless_left() -> None:
            try:
                await called(callback, *args, **named)
            except WIDGET_GONE:
                if is_open(self):
                    raise

        return super().call_after_refresh(unless_left)
