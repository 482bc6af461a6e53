"""Fleet: how each board stands and what it is doing, a row each, and all that is known of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ...engine.errors import ConfigRefused
from ...engine.report.width import shortened
from ..panes.pane import Parts
from ..widgets.keybar import KeyBar
from ..widgets.lines import Details, Line, Lines, Rows, hanging
from .board_deeds import Bench, BoardDeeds
from .board_run import BoardRunScreen

if TYPE_CHECKING:
    from ...engine.fleet.fleet_front import Fleet
    from ...engine.schema.fleet import BoardNow, FleetStatus

_TONES = {"up": "good", "refused": "bad", "away": "warn", "starting": "accent"}
_SIGNS = {"up": "●", "starting": "◌"}
NAME, FPS, WATTS, WARM, RAM, LAST = 16, 7, 6, 5, 10, 8
FIGURES = FPS + WATTS + WARM + RAM


class BoardRows(Rows):
    """Boards; what enter does with one stands first among the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "follow", id="fleet.open", tooltip="Follow the run that the board does, or did last")
    ]


class FleetScreen(BoardDeeds):
    """All boards at a glance. Each look asks every board."""

    KIND = "fleet"
    CSS_PATH = "fleet.tcss"
    EXAMPLE = "u starts a worker on each board of fleet.toml; then r asks which of them shall run the workbench's model."
    HELP = (
        "The boards of fleet.toml. u starts a scheduler here and a worker on each, over ssh; x ends them, their runs go on.\n"
        "r has what the workbench has run on boards, as `edgetui run --on` does; it goes on when this screen is left, boards\n"
        "also when you quit, and asking again collects what they have done. o shows how far it is and what came of it, c\n"
        "cancels it there. B on the screens of studies, searches and sweeps asks boards for these. All of it is as if begun\n"
        "there. Power and temperature are not read while a board measures. `edgetui fleet status` prints the same, `fleet\n"
        "doctor` what is wrong."
    )
    PARTS: ClassVar[Parts] = {
        "fleet-board": (
            "All that is known of the board under the cursor.",
            "/ last enter goes to when it was heard last; y copies it.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run", "run", id="fleet.run", tooltip="Run what the workbench has on boards; a form asks which"),
        Binding("o", "outcome", "outcome", id="fleet.outcome", tooltip="How far what was asked from here is, and its table"),
        Binding("c", "cancel", "cancel", id="fleet.cancel", tooltip="End what was asked from here, on its boards; asks first"),
        Binding("u", "up", "up", id="fleet.up", tooltip="Start a scheduler here and a worker on each board"),
        Binding("x", "down", "down", id="fleet.down", tooltip="End scheduler and workers; asks first"),
        Binding("d", "details", "details", id="fleet.details", tooltip="Go into what is known of the board, to scroll"),
        Binding("y", "copy", "copy", id="fleet.copy", show=False, tooltip="Copy the boards to the clipboard"),
        Binding("escape", "back", "back", id="fleet.back", tooltip="To the workbench"),
    ]

    def __init__(self, bench: Bench = Bench(), ask_for: Sequence[str] | None = None) -> None:  # noqa: B008 - never written to
        super().__init__(bench, ask_for)
        self.boards: dict[str, BoardNow] = {}
        self._asked: dict[str, list[str]] = {}
        """What somebody here waits for, by the boards' names."""
        self._fleet: Fleet | None = None

    @property
    def fleet(self) -> Fleet:
        """One for as long as the screen is open: its link to the scheduler is kept."""
        if self._fleet is None:
            self._fleet = self.desk.engine.fleet()
        return self._fleet

    def compose(self) -> ComposeResult:
        """Title, heads, boards, the one under the cursor, keys."""
        yield Lines(id="fleet-title")
        yield Lines(id="fleet-heads")
        yield BoardRows(id="fleet-list")
        yield Details(id="fleet-board")
        yield KeyBar()

    def on_mount(self) -> None:
        """Say that boards are asked."""
        self._title("asking the boards")

    def on_resize(self) -> None:
        """Rows as wide as the screen is now."""
        if self._found is not None:
            self.call_after_refresh(self._show, self._found)
        else:
            self._read()

    async def on_unmount(self) -> None:
        """Leave the scheduler."""
        if self._fleet is not None:
            await self._fleet.close()

    def _title(self, text: str) -> None:
        self.query_one("#fleet-title", Lines).show([((" edgetui  Fleet", "title"), (f"   {text}", "dim"))])

    async def fill(self) -> None:
        """How each board stands; that there is no fleet is said once, and stays."""
        try:
            found = await self.fleet.status()
        except ConfigRefused as error:
            self._title("there is none")
            self.add_class("-none")
            width = max(40, self.size.width - 2)
            self.details.show(list(hanging(((" ", ""),), f"{error.what}; {error.fix}", width, "warn")))
            return
        self._show(found)
        self._asked_for()

    def _show(self, found: FleetStatus) -> None:
        from ...engine.report.fleet_table import asked_words

        self._found = found
        if (idle := self.idle_keys()) != self._idle:
            self._idle = idle
            self.query_one(KeyBar).write()
        self.remove_class("-none")
        self.boards = {each.standing.board: each for each in found.boards}
        self._asked = {}
        for told in found.asked:
            self._asked.setdefault(told.on, []).extend(asked_words([told]))
        up = sum(each.standing.state == "up" for each in found.boards)
        asked = "".join(f"   {line}" for line in asked_words(found.asked))
        self._title(f"{up} of {len(found.boards)} boards are up{asked}" if found.up else f"down; u brings it up{asked}")
        figures = f"{'FPS':>{FPS}}{'W':>{WATTS}}{'°C':>{WARM}}{'RAM GB':>{RAM}}{'last':>{LAST}}"
        heads = f"   {'board':<{NAME}}{'does':<{self._room}}{figures}"
        self.query_one("#fleet-heads", Lines).show([((heads, "dim"),)])
        self.listed.fill([(name, self._row(each)) for name, each in self.boards.items()])
        self._show_board()

    @property
    def _room(self) -> int:
        """Columns for what a board does."""
        return max(20, self.size.width - NAME - FIGURES - LAST - 4)

    def _row(self, each: BoardNow) -> Line:
        from ...engine.report.fleet_table import does, heard_words, ram_words

        standing, now = each.standing, each.now
        tone = _TONES.get(standing.state, "dim")
        if now is None:
            said = standing.state if not standing.reason else f"{standing.state}: {standing.reason}"
            room, figures = self._room + FIGURES, ""
        else:
            said, room = does(now, self._room - 1), self._room
            cells = ((now.fps, FPS, ".1f"), (now.power_w, WATTS, ".1f"), (now.temp_c, WARM, ".0f"))
            figures = "".join(f"{'–' if value is None else format(value, form):>{wide}}" for value, wide, form in cells)
            figures += f"{ram_words(now):>{RAM}}"
        return (
            (f"{_SIGNS.get(standing.state, '○')} ", tone),
            (f"{shortened(standing.board, NAME - 1):<{NAME}}", ""),
            (f"{shortened(said, room - 1):<{room}}", "" if now is not None and now.run else tone),
            (figures, "value"),
            (f"{heard_words(each):>{LAST}}", "dim"),
        )

    def on_rows_moved(self) -> None:
        """Another board."""
        self._show_board()

    def _show_board(self) -> None:
        each = self.boards.get(self.listed.cursor)
        if each is None:
            return
        from ...engine.report.fleet_table import heard_words

        standing, hello, now = each.standing, each.standing.hello, each.now
        free_mb = now.free_mb if now is not None and now.free_mb is not None else hello.free_mb
        busy = now is not None and bool(now.run or now.driven)
        mine = any(ask.asked_of(standing.board) for ask in self.desk.board_asks.going)
        asked = "; ".join(self._asked.get(standing.board, ())), "(o shows it, c cancels it)" if mine else ""
        told = (
            ("stands", f"{standing.state}{': ' + standing.reason if standing.reason else ''}"),
            ("mend", standing.fix),
            ("where", standing.host),
            ("is", hello.machine),
            (
                "has",
                f"edgetui {hello.edgetui}, Python {hello.python}, distributed {hello.distributed}" if hello.edgetui else "",
            ),
            ("heard", heard_words(each, whole=True)),
            ("asked", "  ".join(filter(None, asked))),
            ("state", hello.home),
            ("free", "" if free_mb is None else f"{free_mb / 1000:.1f} GB"),
            ("resources", ", ".join(standing.resources)),
            ("workers", f"{standing.tries} were started" if standing.tries > 1 else ""),
            ("run", f"{now.run}  (enter follows it)" if now is not None and now.run else ""),
            ("stage", now.stage if now is not None else ""),
            ("group", f"{now.done} of {now.of} runs done" if now is not None and now.of else ""),
            ("timed", f"{now.latency_ms:.3g} ms" if now is not None and now.latency_ms is not None else ""),
            ("last run", f"{now.last}  (enter shows it)" if now is not None and now.last and not busy else ""),
            ("carries", now.driven if now is not None else ""),
            ("waiting", str(now.waiting) if now is not None and now.waiting else ""),
        )
        width = max(40, self.size.width - 2)
        rows = [line for label, text in told if text for line in hanging(((f" {label:<11}", "dim"),), text, width)]
        self.details.show(rows)

    def on_rows_chosen(self) -> None:
        """The same as the key."""
        self.action_open()

    def action_open(self) -> None:
        """Follow what the board does, or did last."""
        each = self.boards.get(self.listed.cursor)
        if each is None:
            return
        name, now = each.standing.board, each.now
        run = now.run or ("" if now.driven else now.last) if now is not None else ""
        if not run:
            why = f"{name} does not answer" if now is None else now.driven or f"nothing was asked of {name} yet"
            self.notify(why, timeout=4)
            return
        self.app.push_screen(BoardRunScreen(self.fleet, name, run))

    def action_up(self) -> None:
        """Bring it up."""
        self._title("coming up")
        self.do(self._up)

    async def _up(self) -> None:
        self._show(await self.fleet.bring_up())

    def action_down(self) -> None:
        """Ask, then take it down."""
        self.ask("Take the fleet down?", "Runs on its boards go on.", self._down)

    async def _down(self) -> None:
        await self.fleet.close()
        await self.fleet.take_down()
        await self.fill()

    def action_copy(self) -> None:
        """The boards to the clipboard of the user's own terminal (OSC 52)."""
        rows = ["".join(text for text, _ in self._row(each)).rstrip() for each in self.boards.values()]
        self.app.copy_to_clipboard("\n".join(rows))
        self.notify("copied", timeout=2)
