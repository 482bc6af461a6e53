"""The run's log: its notes, stage by stage; or, on demand, the end of what its tools printed."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ...engine.report.sanitize import printed_lines
from ..background import in_background
from ..widgets.lines import Line, Scrolling, hanging
from .pane import Pane

if TYPE_CHECKING:
    from ..runview import RunView, Told

TONES = {"warning": "warn", "error": "bad"}
MARKS = {"warning": "! ", "error": "✗ "}


class LogPane(Pane):
    """Notes of the run, the newest at the foot."""

    TITLE = "Log"
    EXAMPLE = "/ warn enter goes to the first note with these letters, n to the next; o shows what the tools printed."
    HELP = (
        "What the run noted, with seconds since it began; the newest stands at the foot, and the pane follows it until\n"
        "you scroll up. o shows the end of log.txt instead: everything that the engine and its tools printed."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "tools", "tools' output", id="log.tools", tooltip="Show the end of log.txt, or the notes again")
    ]

    def __init__(self) -> None:
        super().__init__(id="log", classes="pane")
        self._state: tuple[int, int, int] | None = None
        self.tools = False

    def compose(self) -> ComposeResult:
        """One block of rows."""
        self.rows = Scrolling(id="log-rows")
        yield self.rows

    def on_mount(self) -> None:
        """Draw with the pace."""
        super().on_mount()
        self.desk.pace.add(self, self.tick, self.desk.link.works)

    def tick(self) -> None:
        """Write what is new."""
        view = self.desk.link.view
        if self.tools:
            return
        state = (id(view), view.logged if view else -1, self.rows.size.width)
        if state != self._state:
            self._state = state
            self.write(
                [row for told in view.log for row in told_rows(told, self._room)]
                if view
                else [((" what the run notes will stand here", "dim"),)]
            )

    @property
    def _room(self) -> int:
        return (self.rows.size.width or self.app.size.width) - 2

    def write(self, lines: list[Line]) -> None:
        """Show rows; stay at the foot if we were there."""
        rows = self.rows
        following = rows.top >= len(rows.lines) - rows.size.height
        rows.show(lines)
        if following and len(lines) > rows.size.height:
            rows.scroll_rows(len(lines))

    def on_resize(self) -> None:
        """The foot stays in sight."""
        self.rows.scroll_rows(1_000_000)

    def action_tools(self) -> None:
        """Notes, or log.txt."""
        self.tools = not self.tools
        self._state = None
        view = self.desk.link.view
        self.border_title = "Log  log.txt" if self.tools else "Log"
        if self.tools and view is not None:
            in_background(self, partial(self._read, view), "log")
        else:
            self.tick()

    async def _read(self, view: RunView) -> None:
        text = await self.desk.engine.log(view.run)
        lines = printed_lines(text.rstrip("\n")) if text.strip() else ["log.txt is empty"]
        self.write([row for line in lines for row in hanging(((" ", ""),), line, self._room)])
        self.rows.scroll_rows(1_000_000)


@lru_cache(maxsize=4096)
def told_rows(told: Told, width: int) -> list[Line]:
    """`  12.3 s  build    tactic memory ...`, over as many rows as it takes."""
    lead: Line = ((f" {told.t:7.1f} s  ", "dim"), (f"{told.stage:<16.16} ", "dim"))
    return hanging(lead, MARKS.get(told.level, "") + told.text, width, TONES.get(told.level, ""))
