"""What cannot be, of all that a key, a click, an answer or a tick asks for, is said; it ends nothing.

A file that was looked at may have gone since, or the folder that we were started in, and a typed name may be longer than names
can be: each action would have to think of all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Protocol, cast

from textual.message import Message
from textual.message_pump import MessagePump

from ..engine.errors import EdgetuiError, from_os_error
from ..engine.system.log import logger

_log = logger(__name__)


async def called(callback: Callable[..., object], *args: object, **named: object) -> None:
    """Call it, and wait for what it makes where that is to be waited for."""
    made = callback(*args, **named)
    if isawaitable(made):
        await made


class Teller(Protocol):
    """An app that says errors."""

    def show_error(self, error: EdgetuiError) -> None:
        """Say what happened and what to do."""


class SaysRefusals(MessagePump):
    """For the app and its screens."""

    async def _on_message(self, message: Message) -> None:
        """Handle an event, or what a widget has made of one."""
        try:
            await super()._on_message(message)
        except (EdgetuiError, OSError) as error:
            self.refused(error)

    def call_next(self, callback: Callable[..., object], *args: object, **named: object) -> None:
        """Have it called behind this message: so come answers to questions, and ticks."""

        async def attempted() -> None:
            try:
                await called(callback, *args, **named)
            except (EdgetuiError, OSError) as error:
                self.refused(error)

        super().call_next(attempted)

    def refused(self, error: EdgetuiError | OSError) -> None:
        """Say it."""
        _log.warning("refused", exc_info=error)
        cast("Teller", self.app).show_error(from_os_error(error) if isinstance(error, OSError) else error)
