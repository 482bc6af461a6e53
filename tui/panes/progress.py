"""The run that is being watched: its stages, how far it is, what it reads, and at the end the verdict in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content

from ...engine.report.sanitize import sanitize
from ..widgets.lines import Line, Scrolling
from .pane import Pane

if TYPE_CHECKING:
    from ..runview import RunView


class RunPane(Pane):
    """Stages, bar, readings, verdict."""

    TITLE = "Run"
    EXAMPLE = "v goes to the next of recipes that run together; R, then C on one of them, holds all against each other."
    HELP = (
        "The run that was started last, or was opened in the list of runs (R). It goes on when you quit.\n"
        "Stages: ✓ done, ▶ at work, · to come, ✗ failed, – stopped. The bar's time comes from this board's own history.\n"
        "Frames a second and latency are those of the measured loop, baseline and candidate on the same backend;\n"
        "the ratio is candidate over baseline, with its 95 % interval. L shows the layers of its plans, E copies them\n"
        "to a folder or a host."
    )

    def __init__(self) -> None:
        super().__init__(id="run", classes="pane")
        self._titles = ("", "")

    def compose(self) -> ComposeResult:
        """One block of rows."""
        self.rows = Scrolling(id="run-rows")
        yield self.rows

    def on_mount(self) -> None:
        """Draw with the pace."""
        super().on_mount()
        self.desk.pace.add(self, self.tick, self.desk.link.works)
        self.tick()

    def on_resize(self) -> None:
        """Fit the new width."""
        self.tick()

    def tick(self) -> None:
        """Write what is known."""
        link = self.desk.link
        view = link.view
        width = max(20, self.rows.size.width)
        if view is None:
            self.rows.show(empty_rows(self.key("run", "r")))
        else:
            from .run_rows import fitting_rows  # not before there is a run: a fortieth of the first paint

            height, key = self.rows.size.height, self.key("resume", "ctrl+r")
            self.rows.show(fitting_rows(view, link.members, link.comparison, width, height, key))
        title = f"Run  {view.title}" if view else "Run"
        foot = self._foot(view)
        if (title, foot) != self._titles:
            self._titles = (title, foot)
            self.border_title, self.border_subtitle = Content(sanitize(title)), Content(foot)

    def _foot(self, view: RunView | None) -> str:
        if view is None:
            return ""
        several = (
            f"{self.key('member', 'v')} next of {len(self.desk.link.members)}   " if len(self.desk.link.members) > 1 else ""
        )
        return several + self._own_foot(view)

    def _own_foot(self, view: RunView) -> str:
        if not view.state:
            return f"{self.key('cancel', 'c')} cancel"
        if view.state == "done":
            return f"{self.key('deploy', 'E')} deploy   {self.key('layers', 'L')} layers"
        return "" if view.state == "lost" else f"{self.key('resume', 'ctrl+r')} resume"


def empty_rows(run_key: str) -> list[Line]:
    """What stands there before the first run."""
    return [((" nothing has run yet: choose a model, a recipe and data, then press ", "dim"), (run_key, "key"))]
