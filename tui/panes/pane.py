"""What all panes have in common: a frame with a title, a page of help, and a tick of the pace timer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.containers import Vertical

from ..desk import AtDesk
from ..widgets.keybar import key_name
from ..widgets.lines import Details, Line

Parts = Mapping[str, tuple[str, str]]
"""By a widget's id what it shows, and something to press there: help begins with that of what has the focus."""


class Pane(AtDesk, Vertical):
    """One pane of the workbench."""

    TITLE: ClassVar[str] = ""
    HELP: ClassVar[str] = ""
    """What the pane shows and what can be done in it; for the help screen."""
    EXAMPLE: ClassVar[str] = ""
    """Something to type or press there, and what it does."""
    PARTS: ClassVar[Parts] = {}
    """What else in it can have the focus."""

    def on_mount(self) -> None:
        """Write the title into the frame."""
        self.border_title = self.TITLE

    def key(self, name: str, default: str) -> str:
        """The key of a binding as it is now: the user's own, or the one that it has without."""
        return key_name(self.desk.config.ui.keys.get(name, default), self.desk.graph)

    def on_descendant_focus(self) -> None:
        """Details take more room while they have the focus."""
        self._give_room()

    def on_descendant_blur(self) -> None:
        """And give it back."""
        self._give_room()

    def _give_room(self) -> None:
        self.set_class(any(found.has_focus for found in self.query(Details)), "-details")

    def action_details(self) -> None:
        """Go into the details."""
        self.query_one(Details).focus()

    def help_here(self, width: int) -> list[Line]:
        """What is to be said of the very row that the cursor stands on, in rows of `width`."""
        del width
        return []

    async def learn_for_help(self) -> None:
        """Ask for what that help does not know yet; it is written again then."""

    def tick(self) -> None:
        """Bring what is seen up to date."""
