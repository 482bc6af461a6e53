"""Screens that are opened most are imported while nobody waits: a fifth to a half of opening one for the first time."""

from __future__ import annotations

from importlib import import_module

from .pace import Pace

OPENED_MOST = ("runs", "help", "choose", "dialogs", "monitor", "compare")
FIRST_TICKS = 12
"""Until the workbench has been filled."""


class Ahead:
    """Told at each tick of the screen: one module a tick, 2 to 15 ms; none while a run measures."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._ticks = 0
        self._left = list(OPENED_MOST)

    def tick(self) -> None:
        """Import the next one."""
        self._ticks += 1
        if self._left and self._ticks > FIRST_TICKS and not self._pace.hush:
            import_module(f".screens.{self._left.pop(0)}", __package__)
