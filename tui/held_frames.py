"""Frames for a terminal that has not taken the last one: a slow line, a link that stands still.

They are not made. When the terminal has taken all, it is told the difference between what it shows and what there is now: one
frame in the place of those that are over.
"""

from __future__ import annotations

from rich.console import RenderableType
from textual.app import App
from textual.screen import Screen

from .compositor import WholeUpdate
from .driver import WaitingDriver


class HoldsFrames(App[int]):
    """An app that shows a slow terminal what is, not what was."""

    _owed = False
    """A frame was not shown: only a whole one says what has become of it."""

    def on_mount(self) -> None:
        """Hear when the terminal has taken all."""
        if isinstance(self._driver, WaitingDriver):
            self._driver.drained = lambda: self.call_later(self._catch_up)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if renderable is not None and not self._batch_count and self._held(renderable):
            self.post_display_hook()
        else:
            super()._display(screen, renderable)

    def _held(self, renderable: RenderableType) -> bool:
        if isinstance(self._driver, WaitingDriver) and self._driver.behind:
            self._owed = True
        elif isinstance(renderable, WholeUpdate):
            self._owed = False
        return self._owed

    def _catch_up(self) -> None:
        if self._owed and self.screen_stack:
            self.screen.refresh()
