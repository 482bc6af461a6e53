"""Marks and alerts of the monitor, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from ..widgets.lines import Line, Scrolling
from .pane import Pane

if TYPE_CHECKING:
    from ...engine.api import AlertEvent, Mark
    from ..feed import Feed


class HappenedPane(Pane):
    """Marks and alerts, the newest first."""

    TITLE = "Marks and alerts"
    EXAMPLE = "m marks this moment with a note; of a replay n goes to the next mark or alert, N to the one before."
    HELP = (
        "Marks that somebody set (m, with a note), and alerts that began or ended, by the rules under [[alerts]] in\n"
        "edgetui.toml. While r records, both go into the recording."
    )

    def __init__(self) -> None:
        super().__init__(id="happened", classes="pane")
        self.feed: Feed | None = None
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """Rows to read."""
        self.rows = Scrolling(id="happened-rows")
        yield self.rows

    def tick(self) -> None:
        """Show what has happened up to now."""
        if self.feed is None:
            return
        events = self.feed.happened()
        drawn = (id(self.feed), len(events), events[-1].t_s if events else 0.0)
        if drawn != self._drawn:
            self._drawn = drawn
            self.rows.show([self._row(event) for event in reversed(events)] or [((f" {self.feed.NOTHING_YET}", "dim"),)])

    def _row(self, event: AlertEvent | Mark) -> Line:
        clock = event.wall[11:19] if len(event.wall) >= 19 else hms(event.t_s)
        glyph, tone = ("▸", "accent") if event.raised is None else ("!", "bad") if event.raised else ("✓", "good")
        return ((f" {clock} ", "dim"), (f"{glyph} {event.text}", tone))


def hms(seconds: float) -> str:
    """`0:01:23`."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
