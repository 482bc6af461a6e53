"""What became of the run under the cursor of a list, where a screen is high enough: its verdict and the figures of both sides.

Read once the cursor stands still, for each row on the way would be a file.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from textual.timer import Timer

from ...engine.errors import EdgetuiError, said
from ..desk import AtDesk
from ..fix_words import as_row
from ..widgets.lines import Line, Lines, hanging

if TYPE_CHECKING:
    from ...engine.schema.result import Result
    from ...engine.schema.run_summary import RunSummary

SETTLES_S = 0.15
MOST_VERDICT = 2
"""Rows of a verdict, so that figures have some."""


class RunGlance(AtDesk, Lines):
    """A few rows about one run."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._about: tuple[str, str, int] = ("", "", 0)
        self._settling: Timer | None = None

    def look(self, run: RunSummary | None) -> None:
        """Another run is under the cursor, or the same has gone on."""
        about = (run.run, f"{run.state} {run.stage}", self.size.width) if run is not None else ("", "", 0)
        if not self.display or about == self._about:
            return
        self._about = about
        if self._settling is not None:
            self._settling.stop()
        if run is None:
            self.show([])
        else:
            self._settling = self.set_timer(SETTLES_S, partial(self._ask, run.run))

    def _ask(self, run: str) -> None:
        self.run_in_background(partial(self._read, run), "glance")

    async def _read(self, run: str) -> None:
        lines: list[Line] = []
        with suppress(EdgetuiError, OSError):  # it was deleted, or is damaged: the list says so
            lines = glance(await self.desk.engine.result(run), max(30, self.size.width - 1))
        if run == self._about[0]:  # else the cursor has gone on meanwhile
            self.show(lines)


def glance(result: Result, width: int) -> list[Line]:
    """The verdict and the figures; of what did not end well why, and what to do."""
    from .run_rows import figure_rows, note_rows, verdict_lines

    if result.error is not None:
        what = hanging((("  ", ""),), result.error.what, width, "value")
        return [*what, *hanging((("  ", ""),), said(result.error.refusal.fixes, as_row), width, "dim")]
    if not result.verdict:
        return [(("  nothing to compare is known of it yet", "dim"),)]
    return [*verdict_lines(result, width)[:MOST_VERDICT], *figure_rows(result, width), *note_rows(result, width)]
