"""Sweeps: the table of one as it grows, which row to take for a wish, joules over frames a second; begin one, end it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from ...engine.advice.sweep_answer import parse_want
from ...engine.errors import ModelRefused
from ...engine.report.width import shortened
from ..panes.pane import Parts
from ..widgets.keybar import KeyBar
from ..widgets.lines import Details, Line, Lines, Rows, begun, hanging, wrap
from .headlines import fitting
from .listed import ListedScreen

if TYPE_CHECKING:
    from ...engine.fleet.followed_asks import FollowedAsks
    from ...engine.front.driven_asks import SweepAsked
    from ...engine.front.sweep_words import SweepWords
    from ...engine.schema.settings import BackendSettings
    from ...engine.schema.sweep import SweepListed, SweepReport, SweepRequest
    from ..draft import Draft
    from .run_on_boards import BoardsWanted

WIDE = 150
"""Columns from which table and picture stand side by side."""


class Target(NamedTuple):
    """What the next sweep is of."""

    model: str
    """The model under the workbench's cursor; empty: none is chosen."""
    draft: Draft | None
    run: str
    """The run that the workbench shows, whose plan may be swept; empty: none."""


class SweepsScreen(ListedScreen):
    """The list of sweeps; below it the table and the answer of the one under the cursor."""

    KIND = "sweeps"
    CSS_PATH = "sweeps.tcss"
    EXAMPLE = "r begins one for the model, fps>=30 power_w<=12 is a wish; t answers another wish from what was measured."
    HELP = (
        "Which power mode, batch, number of streams or threads, device or setting is the cheapest that reaches a wish: every\n"
        "combination is measured, several rounds of it, in an order drawn anew each round. The cheapest takes the fewest\n"
        "joules a frame among rows that reach the wish with the safe ends of their 95 % intervals; where no sensor tells the\n"
        "power it is the lowest latency, which is said. A mode that does not come is a row with its reason; the mode that was\n"
        "on comes back at the end, whatever happens. A sweep goes on when you quit. t answers another wish from what was\n"
        "measured. `edgetui sweep` prints the same. B has boards of the fleet sweep, each for itself, as its --on does: the\n"
        "screen Fleet tells how far they are, and each one's cheapest row."
    )
    PARTS: ClassVar[Parts] = {
        "sweeps-details": (
            "The rows of the sweep under the cursor, the one to take with a star.",
            "/ reboot enter goes to what was not tried, n to the next.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run", "begin", id="sweeps.run", tooltip="Begin a sweep; says how long it takes"),
        Binding("o", "over", "model or plan", id="sweeps.over", tooltip="Of the workbench's model, or of the shown run's plan"),
        Binding("t", "wish", "wish", id="sweeps.wish", tooltip="Answer another wish from what was measured"),
        Binding("a", "picture", "chart", id="sweeps.picture", tooltip="The chart, or the table, where there is room for one"),
        Binding("c", "cancel", "end", id="sweeps.cancel", tooltip="End the sweep that is going; asks first"),
        Binding("B", "boards", "boards", id="sweeps.boards", tooltip="Have boards of the fleet sweep, each for itself"),
        Binding("ctrl+r", "resume", "resume", id="sweeps.resume", show=False, tooltip="Take a sweep up that has not ended"),
        Binding("d", "details", "table", id="sweeps.details", show=False, tooltip="Go into the table, to scroll"),
        Binding("y", "copy", "copy", id="sweeps.copy", show=False, tooltip="Copy the table to the clipboard"),
        Binding("escape", "back", "back", id="sweeps.back", tooltip="To the workbench"),
    ]

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target
        self.of_run = False
        """The next sweep is of the run's plan."""
        self.known: dict[str, SweepListed] = {}
        self.shown: SweepReport | None = None
        """The sweep under the cursor."""
        self.wishes: dict[str, str] = {}
        """By sweep, the wish that was typed here instead of its own."""
        self._typed: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """Title, sweeps, what is done now, table and picture, keys."""
        yield Lines(id="sweeps-title")
        yield Rows(id="sweeps-list")
        yield Lines(id="sweeps-now")
        with Container(id="sweeps-below"):
            yield Details(id="sweeps-details")
            yield Lines(id="sweeps-picture")
        yield KeyBar()

    def on_mount(self) -> None:
        """Say what the next sweep is of."""
        self._title()

    def on_resize(self, event: events.Resize) -> None:
        """One of table and picture, or both."""
        self.set_class(event.size.width < WIDE, "-narrow")
        self.call_after_refresh(self._show)
        self._read()  # the list's rows

    @property
    def _of(self) -> str:
        """What the next sweep is of, in words; empty: nothing is chosen."""
        if self.of_run:
            return f"the plan of {self.target.run}"
        return Path(self.target.model).name if self.target.model else ""

    def _title(self) -> None:
        said = f"   r sweeps {shortened(self._of, max(20, self.size.width - 32))}" if self._of else "   no model is chosen"
        self.query_one("#sweeps-title", Lines).show([((" edgetui  Sweeps", "title"), (said, "dim"))])

    async def fill(self) -> None:
        """The sweeps that were made, and the one under the cursor as far as it is."""
        from ...engine.report.study_report import STATE_WORDS

        self.known = {each.sweep: each for each in await self.desk.engine.sweeps()}
        rows: list[tuple[str, Line]] = []
        name = 32 if self.size.width < WIDE else 60
        for key, each in self.known.items():
            said = f"{each.rows} row{'' if each.rows == 1 else 's'}, {each.want or 'the cheapest'}"
            room = max(10, self.size.width - name - 18)
            states = (f"{STATE_WORDS[each.state]:<14}", "accent")
            rows.append((key, ((f"{shortened(key, name):<{name + 1}}", ""), states, (begun(said, room), "dim"))))
        self.listed.fill(rows)
        await self._read_shown()

    async def _read_shown(self) -> None:
        key = self.listed.cursor
        found = await self.desk.engine.sweep_report(key, self.wishes.get(key)) if key in self.known else None
        if key == self.listed.cursor:  # else another is asked for by now
            self.shown = found
            self._show()

    def on_rows_moved(self) -> None:
        """Another sweep."""
        self.run_in_background(self._read_shown, "sweeps-shown")

    def _show(self) -> None:
        from . import sweep_picture

        found = self.shown
        self.set_class(found is None, "-none")
        width = max(30, (self.size.width - 2 if found is None else self.details.size.width) - 2)
        now, picture = self.query_one("#sweeps-now", Lines), self.query_one("#sweeps-picture", Lines)
        if found is None:
            told = ["no sweeps yet: r begins one, and says first how long it takes", "", " ".join(self.HELP.split("\n"))]
            self.details.show([((f" {row}", ""),) for each in told for row in wrap(each, width) or [""]])
            now.show([])
            picture.show([])
            return
        wanted = f"wanted: {found.want}" if found.want else "wanted: the cheapest"
        doing = sweep_picture.now_words(found)
        head = " · ".join(filter(None, (Path(found.model).name, found.board)))
        said = f"   {wanted}" + (" (typed here)" if found.sweep in self.wishes else "")
        mode = sweep_picture.mode_words(found)
        second = "   ".join(filter(None, (doing, mode)))
        now.show(
            [
                ((f" {fitting(head, max(12, self.size.width - len(said) - 2))}", "value"), (said, "accent")),
                ((f" {begun(second, self.size.width - 2)}", "bad" if found.mode_left else "dim"),),
            ]
        )
        notes = [line for note in found.notes for line in hanging(((" ! ", "warn"),), note, width, "warn")]
        self.details.show([*sweep_picture.table(found, width), *notes])
        picture.show(sweep_picture.chart(found, picture.size.width, picture.size.height))

    # what can be done

    def action_over(self) -> None:
        """The model under the workbench's cursor, or the plan of the run that it shows."""
        if not self.target.run:
            self.notify("the workbench shows no run whose plan could be swept", timeout=3)
            return
        self.of_run = not self.of_run
        self._title()

    def action_run(self) -> None:
        """Ask what it shall go over, say how long it takes, and begin it."""
        self._ask_for(self._plan)

    def action_boards(self) -> None:
        """Ask what it shall go over, and which boards shall sweep."""
        self._ask_for(self._plan_on_boards)

    def _ask_for(self, take: Callable[[dict[str, str]], Awaitable[None]]) -> None:
        if not self._of:
            self.notify("choose a model in the workbench first", timeout=3)
            return
        self.do(partial(self._ask, take))

    async def _ask(self, take: Callable[[dict[str, str]], Awaitable[None]]) -> None:
        from .sweep_setup import SweepSetup

        modes = ", ".join(await self.desk.engine.mode_names())
        nothing = "as it is; batches and threads where nothing is named"
        usual = {
            "want": "the cheapest of all",
            "modes": f"all: {modes}" if modes else "this board has none",
            "batch": nothing if not modes else "as it is",
            "streams": "1",
            "threads": "as they are" if modes else nothing,
            "device": "as it is",
            "set": "as they are",
            "rounds": "as the preset has it",
        }
        heading = shortened(f"Sweep {self._of}", 60)
        await self.app.push_screen(SweepSetup(heading, self._typed, usual, take))

    async def _plan(self, typed: dict[str, str]) -> None:
        """Look at what is asked; refused with the reason, else said how long it takes.

        Raises:
            EdgetuiError: it cannot be.
        """
        from ...engine.report.sweep_report import sweep_time_words

        engine = self.desk.engine
        path, name, backend, said = await self._what(typed)
        asked = await engine.plan_sweep(path, name, backend, said)
        time = await engine.sweep_time(asked)
        told = [sweep_time_words(time) if time.about_s else "all of it has been measured"]
        told += [f"not measured: {reason}" for reason in time.reasons]
        if asked.modes:
            told.append("the power mode that is on now comes back at the end")
        self.call_after_refresh(self.ask, f"Begin the sweep of {name}?", "\n".join(told), partial(self._begin, asked))

    async def _what(self, typed: dict[str, str]) -> tuple[Path, str, BackendSettings, SweepWords]:
        """The model or plan, what it is called, its backend, and what it goes over.

        Raises:
            EdgetuiError: there is none, or what is typed cannot be.
        """
        from ...engine.front.sweep_words import words_of

        self._typed, target = typed, self.target
        if target.draft is None:
            raise ModelRefused("no model is chosen", fix="highlight one in the pane Models")
        setup = target.draft.setup
        said = words_of(typed, setup.preset, setup.shapes.get(target.model, {}))
        if self.of_run:
            plan = await self.desk.engine.plan_of(target.run)
            return Path(plan.plan), target.run, plan.backend, said
        return Path(target.model), Path(target.model).stem, setup.backend, said

    async def _plan_on_boards(self, typed: dict[str, str]) -> None:
        """The same for boards: each plans for itself.

        Raises:
            EdgetuiError: it cannot be.
        """
        from ...engine.front.driven_asks import SweepAsked
        from .run_on_boards import open_form

        path, name, backend, said = await self._what(typed)
        asked = SweepAsked(model=str(path), name=name, backend=backend, said=said)
        what = [f"sweep of {name}", said.want or "the cheapest of all"]
        take = partial(self._ask_boards, asked)
        self.call_after_refresh(self.do, partial(open_form, self.desk, what, take))

    async def _ask_boards(self, asked: SweepAsked, wanted: BoardsWanted) -> None:
        from ...engine.report.driven_tables import swept_table
        from ...engine.report.table import plain

        async def table(found: FollowedAsks, width: int) -> str:
            return swept_table(found.document, width, plain)

        engine, fleet = self.desk.engine, self.desk.engine.fleet()
        asks = engine.plan_sweep_on_boards(fleet, asked, ",".join(wanted.on), again=wanted.again)
        self.desk.board_asks.run(fleet, asks, f"sweep {asked.name}", table)
        engine.ask_no_more()

    async def _begin(self, asked: SweepRequest) -> None:
        begun_ = await self.desk.engine.begin_sweep(asked)
        self.desk.engine.ask_no_more()
        await self.fill()
        self.listed.point(begun_)
        await self._read_shown()

    def action_wish(self) -> None:
        """Ask for another wish, and answer it from what is there."""
        from .dialogs import Ask

        found = self.shown
        if found is None:
            self.notify("there is no sweep yet", timeout=2)
            return

        def answer(text: str | None) -> None:
            if text is not None and found is not None:
                self.wishes[found.sweep] = text  # an empty one: the cheapest of all
                self.run_in_background(self._read_shown, "sweeps-shown")

        question = "Limits of fps, latency_ms, power_w, energy_j (fps>=30 power_w<=12): the cheapest row within them"
        now = self.wishes.get(found.sweep, self.known[found.sweep].want)
        self.app.push_screen(Ask(question, now, parse_want, example="fps>=30 power_w<=12"), answer)

    def action_cancel(self) -> None:
        """Ask, then end the sweep."""
        going = found.sweep if (found := self.shown) is not None and found.state == "running" else ""
        cost = "What was measured stays, and the first power mode comes back; ctrl+r takes it up again."
        self.ask_to_end("sweep", going, cost, self.desk.engine.end_sweep)

    def action_resume(self) -> None:
        """Take up what has not ended."""
        if self.shown is not None:
            self.do(partial(self._resume, self.shown.sweep))

    async def _resume(self, sweep: str) -> None:
        await self.desk.engine.resume_sweep(sweep)
        await self.fill()

    def action_picture(self) -> None:
        """The chart in place of the table."""
        self.toggle_class("-picture")
        self.call_after_refresh(self._show)
