"""A list that is read again every two seconds, and below it all that is known of the row under the cursor.

Apart from the screens that are so: studies, searches, boards.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.screen import Screen

from ..desk import AtDesk
from ..widgets.lines import Details, Rows, wrap
from .safe_dismiss import SafeDismiss, dismiss_once

if TYPE_CHECKING:
    from textual.worker import Worker

REFRESH_S = 2.0


class ListedScreen(AtDesk, SafeDismiss, Screen[None]):
    """Has one `Rows` and one `Details`."""

    KIND: ClassVar[str]
    """Of its work in the background: what is newer takes the place of what is older."""

    @property
    def listed(self) -> Rows:
        """The rows with the cursor."""
        return self.query_one(Rows)

    @property
    def details(self) -> Details:
        """What is known of the row under the cursor."""
        return self.query_one(Details)

    def on_mount(self) -> None:
        """Read now, and again every two seconds."""
        self.listed.focus()
        self.look_each(REFRESH_S, self._read)

    def _read(self) -> Worker[None] | None:
        return self.run_in_background(self.fill, self.KIND) if self.is_current else None

    @abstractmethod
    async def fill(self) -> None:
        """Read what there is, and show it."""

    def do(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Change something in the background."""
        self.run_in_background(work, f"{self.KIND}-change")

    def ask(self, question: str, cost: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Change something, after a yes; the cost is wrapped as the screen is wide."""
        from .dialogs import Confirm

        def answer(yes: bool | None) -> None:
            if yes:
                self.do(work)

        room = min(70, self.size.width - 12)
        told = "\n".join(line for row in cost.split("\n") for line in wrap(row, room) or [""])
        self.app.push_screen(Confirm(question, told), answer)

    def ask_to_end(self, word: str, going: str, cost: str, end: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """End what has that id, after a yes; `going` empty: nothing is."""
        if not going:
            self.notify(f"this {word} is not going", timeout=2)
            return
        self.ask(f"End the {word} {going}?", cost, partial(self._end, going, end))

    async def _end(self, going: str, end: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        await end(going)
        await self.fill()

    def action_details(self) -> None:
        """Into what is known of the row, to scroll."""
        self.details.focus()

    def action_copy(self) -> None:
        """That to the clipboard of the user's own terminal (OSC 52)."""
        self.app.copy_to_clipboard(self.details.plain())
        self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """To the workbench."""
        dismiss_once(self)
