"""What lies over a screen: keys that work everywhere work there as well, for Textual keeps those of the app from it.

Apart from the dialogs themselves. `f12` and `f1` are for those in which letters are typed.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from ..desk import AtDesk
from .safe_dismiss import SafeDismiss

Answer = TypeVar("Answer")

EVERYWHERE: tuple[Binding, ...] = (
    Binding("ctrl+p", "app.command_palette", "palette", id="palette", tooltip="Everything that can be done, by name"),
    Binding("colon", "app.command", "command", show=False, id="command", tooltip="Type a command: :set, :open, :run, :q"),
    Binding("J", "app.jump", "jump", show=False, id="jump", tooltip="Go to a part of the screen by its letter"),
    Binding("question_mark,f1", "app.help", "help", id="help", tooltip="What has the focus, and its keys"),
    Binding("S,f12", "app.picture", "screenshot", id="screenshot", show=False, tooltip="Save the screen as an SVG file"),
    Binding("ctrl+l", "app.redraw", "redraw", id="redraw", show=False, tooltip="Draw the whole screen again"),
    Binding("ctrl+z", "app.suspend_process", "suspend", id="suspend", show=False, tooltip="Back to the shell; `fg` returns"),
)
"""Commands, jumping and the palette want a row of keys; the app leaves them out where a dialog has none."""


class Dialog(AtDesk, SafeDismiss, ModalScreen[Answer]):
    """A screen over the others."""

    BINDINGS: ClassVar[list[BindingType]] = [*EVERYWHERE]
    EXAMPLE: ClassVar[str] = ""
    """Something to type or press here, and what it does."""
