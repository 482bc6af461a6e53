"""Runs whose end is waited for: when one ends, whoever is at the screen is told, whatever is on it."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

from ..engine.errors import EdgetuiError
from .desk import Desk

LOOK_S = 1.0


class Endings:
    """Told at each tick of the screen; looks once a second."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._going: dict[str, None] = {}
        self._next_s = 0.0
        self._looking = False

    def expect(self, *runs: str) -> None:
        """Tell when these end; those that have ended already are not told."""
        self.desk.run_in_background(partial(self._expect, runs), f"endings {runs}")

    async def _expect(self, runs: tuple[str, ...]) -> None:
        for run in runs:
            if await self.desk.engine.going(run):
                self._going[run] = None

    def tick(self) -> None:
        """Look, when it is time."""
        now = time.monotonic()
        if self._going and not self._looking and now >= self._next_s:
            self._next_s, self._looking = now + LOOK_S, True
            self.desk.run_in_background(self._look, "endings")

    async def _look(self) -> None:
        ended: list[str] = []
        try:
            for run in list(self._going):
                with suppress(EdgetuiError):  # deleted meanwhile
                    if await self.desk.engine.going(run):
                        continue
                    ended.append(await self.desk.engine.ending_words(run))
                self._going.pop(run, None)
        finally:
            self._looking = False
            if ended:
                self._tell(ended)

    def _tell(self, ended: list[str]) -> None:
        """On the screen, and the terminal: its bell and a message of the desktop.

        Runs that were measured in turns end together. Each with its whole verdict covered 8 rows of 24.
        """
        short = "; ".join(words.partition(";")[0] for words in ended)
        text = f"run ended: {ended[0]}" if len(ended) == 1 else f"{len(ended)} runs ended: {short}"
        self.desk.tell_end(text)
