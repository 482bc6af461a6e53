"""A board's run, followed from here: what the workbench shows of a run, from the events and the result that the board tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from ...engine.errors import EdgetuiError
from ...engine.report.width import shortened
from ..desk import AtDesk
from ..panes.log import told_rows
from ..panes.run_rows import fitting_rows
from ..runview import RunView
from ..widgets.keybar import KeyBar
from ..widgets.lines import Lines, Scrolling
from .safe_dismiss import SafeDismiss, dismiss_once

if TYPE_CHECKING:
    from textual.worker import Worker

    from ...engine.fleet.fleet_front import Fleet

LOOK_S = 2.0
LOG_ROWS = 200


class BoardRunScreen(AtDesk, SafeDismiss, Screen[None]):
    """Stages, bar, readings, verdict and figures of one run, its notes below. Read every two seconds while it goes on."""

    CSS_PATH = "board_run.tcss"
    HELP = (
        "A run on a board of the fleet: stages, how far it is, what it reads, and at the end the verdict and the figures,\n"
        "as on the workbench there. The board is asked every two seconds until the run has ended. Charts of sensors, its\n"
        "plans and its report are on the board: `ssh` there and `edgetui`."
    )
    EXAMPLE = "y copies the figures; ssh to the board, then edgetui watch last, follows the same run with its charts."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "copy", id="board.copy", tooltip="Copy what is shown to the clipboard"),
        Binding("escape", "back", "back", id="board.back", tooltip="To the boards"),
    ]

    def __init__(self, fleet: Fleet, board: str, run: str) -> None:
        super().__init__()
        self.fleet, self.board, self.run_name = fleet, board, run
        self.view: RunView | None = None
        self.lost = ""
        self._offset = 0

    def compose(self) -> ComposeResult:
        """Title, the run, its notes, keys."""
        yield Lines(id="board-run-title")
        yield Scrolling(id="board-run-rows")
        yield Scrolling(id="board-run-log")
        yield KeyBar()

    def on_mount(self) -> None:
        """Ask now, and again every two seconds."""
        self.query_one("#board-run-rows", Scrolling).focus()
        self._draw()
        self.look_each(LOOK_S, self._read)

    def _read(self) -> Worker[None] | None:
        wanted = self.is_current and not (self.view is not None and self.view.state)
        return self.run_in_background(self._fill, "board-run") if wanted else None

    async def _fill(self) -> None:
        try:
            more = True
            while more and self.is_attached:
                told = await self.fleet.look_into(self.board, self.run_name, self._offset)
                self.view = self.view or RunView(told.run, told.model, told.recipe)
                for event in told.events:
                    self.view.take(event)
                self._offset, more, self.lost = told.offset, told.more, ""
                if told.result is not None:
                    self.view.end(told.result)
        except EdgetuiError as error:
            self.lost = error.what
        self._draw()

    def on_resize(self) -> None:
        """Fit the new width."""
        self._draw()

    def _draw(self) -> None:
        title = f"   {self.view.title}   {self.run_name}" if self.view is not None else f"   {self.run_name}"
        room = max(20, self.size.width - 20 - len(self.board))
        head = ((" edgetui  Fleet", "title"), (f"   {self.board}", "value"), (shortened(title, room), "dim"))
        self.query_one("#board-run-title", Lines).show([head])
        rows, log = self.query_one("#board-run-rows", Scrolling), self.query_one("#board-run-log", Scrolling)
        width, height = max(20, self.size.width - 2), max(4, rows.size.height - 1)
        lost = [((f" ! {shortened(self.lost, width - 3)}", "warn"),)] if self.lost else []
        if self.view is None:
            rows.show(lost or [((" asking the board", "dim"),)])
            return
        resume = f"asking {self.board} again"
        rows.show([*lost, *fitting_rows(self.view, [self.view], None, width, height - len(lost), resume)])
        log.show([row for told in list(self.view.log)[-LOG_ROWS:] for row in told_rows(told, width)])
        log.scroll_rows(1_000_000)

    def action_copy(self) -> None:
        """What is shown, to the clipboard of the user's own terminal (OSC 52)."""
        shown = self.query_one("#board-run-rows", Scrolling).lines
        self.app.copy_to_clipboard("\n".join("".join(text for text, _ in line).rstrip() for line in shown))
        self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """To the boards."""
        dismiss_once(self)
