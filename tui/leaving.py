"""What fails for want of widgets that have gone with their screen is no defect: keys, ticks and answers were on their way as
it was left. A widget has messages of its own, and may ask its screen or another widget for what is not there any more.
"""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.app import App, ScreenError
from textual.css.query import QueryError
from textual.dom import DOMNode, NoScreen
from textual.errors import NoWidget
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen

from .says_refusals import called

WIDGET_GONE = (QueryError, NoScreen, ScreenError)
"""What Textual raises where a widget or screen is looked for that has gone."""


def is_open(screen: MessagePump) -> bool:
    """Whether a screen is there and stays: neither it nor the app is being left."""
    app = screen.app
    return (
        app.is_running and screen.is_attached and isinstance(screen, Screen) and screen.display and screen in app.screen_stack
    )


def stays(node: MessagePump) -> bool:
    """Whether the screen that it is, or stands on, is open; an app has many."""
    if isinstance(node, App):
        return True
    around = node.ancestors_with_self if isinstance(node, DOMNode) else ()
    screen = next((each for each in around if isinstance(each, Screen)), None)
    return screen is not None and is_open(screen)


class BearsLeaving(MessagePump):
    """For screens and widgets. Events and messages come by two ways, and what is to be called when all is drawn by a third."""

    async def on_event(self, event: events.Event) -> None:
        """Handle an event."""
        try:
            await super().on_event(event)
        except WIDGET_GONE:
            if stays(self):
                raise

    async def _on_message(self, message: Message) -> None:
        """Handle what a widget said, perhaps before it went; a click that was made before the terminal became smaller may be of
        a place that is no more.
        """
        try:
            await super()._on_message(message)
        except NoWidget:
            if not isinstance(message, events.MouseEvent):
                raise
        except WIDGET_GONE:
            if stays(self):
                raise

    def call_after_refresh(self, callback: Callable[..., object], *args: object, **named: object) -> bool:
        """Have it called when all is drawn, unless the screen has been left by then: the one that is on top calls it."""

        async def unless_left() -> None:
            try:
                await called(callback, *args, **named)
            except WIDGET_GONE:
                if stays(self):
                    raise

        return super().call_after_refresh(unless_left)
