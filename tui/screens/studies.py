"""Studies: the published comparisons that can be done here, how far each is, and the table of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ...engine.errors import UsageError
from ...engine.report.width import width_of
from ..panes.pane import Parts
from ..widgets.keybar import KeyBar
from ..widgets.lines import Details, Line, Lines, Rows, begun, wrap
from .listed import ListedScreen

if TYPE_CHECKING:
    from ...engine.fleet.followed_asks import FollowedAsks
    from ...engine.schema.spec import RunSpec
    from ...engine.schema.study import StudyRequest
    from ...engine.schema.study_table import StudyDone, StudyListed
    from .run_on_boards import BoardsWanted


class StudyEntry(NamedTuple):
    """A row: a study, all of it or small."""

    study: StudyListed
    small: bool

    @property
    def key(self) -> str:
        """Of its row."""
        return f"{self.study.study}{' --small' if self.small else ''}"

    @property
    def newest(self) -> StudyDone | None:
        """The newest that was begun here."""
        return next((done for done in self.study.here if done.small == self.small), None)


class StudiesScreen(ListedScreen):
    """The list, and the table below it."""

    KIND = "studies"
    CSS_PATH = "studies.tcss"
    EXAMPLE = "r says how long the study under the cursor takes, and begins it; d goes into its table."
    HELP = (
        "Published comparisons, done again on this board: the paper's figures stand below ours, row by row. A study is\n"
        "ordinary runs, one group after another; it goes on when you quit, and goes on where it ended when it is begun again.\n"
        "`--small` trains nothing and ends within a quarter of an hour. Your own: a file in `studies` beside edgetui.toml,\n"
        'like = "qin2018" and models = ["mine.onnx"]. `edgetui study NAME` prints the same. B has boards of\n'
        "the fleet do the study, each all of it, as its --on does, or one train what this machine measures (--train-on); the\n"
        "screen Fleet tells how far they are, and has the table."
    )
    PARTS: ClassVar[Parts] = {
        "studies-table": (
            "The table of the study under the cursor: ours, and the paper's figures below.",
            "/ faster enter goes to the first row with that word, n to the next; y copies the table.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run", "run", id="studies.run", tooltip="Begin the study, or take it up; says first how long it takes"),
        Binding(
            "B", "boards", "boards", id="studies.boards", tooltip="Have boards of the fleet do the study; a form asks which"
        ),
        Binding("c", "cancel", "end", id="studies.cancel", tooltip="End the study that is going; asks first"),
        Binding("d", "details", "table", id="studies.details", tooltip="Go into the table, to scroll"),
        Binding("y", "copy", "copy", id="studies.copy", show=False, tooltip="Copy the table to the clipboard"),
        Binding("escape", "back", "back", id="studies.back", tooltip="To the workbench"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, StudyEntry] = {}

    def compose(self) -> ComposeResult:
        """Title, studies, the table, keys."""
        yield Lines([((" edgetui  Studies", "title"), ("   papers, done again on this board", "dim"))], id="studies-title")
        yield Rows(id="studies-list")
        yield Details(id="studies-table")
        yield KeyBar()

    async def fill(self) -> None:
        """The studies, and what was done of them."""
        from ...engine.report.study_report import done_words

        studies = await self.desk.engine.studies()
        self.entries = {entry.key: entry for study in studies for entry in (StudyEntry(study, False), StudyEntry(study, True))}
        rows: list[tuple[str, Line]] = []
        states = {
            key: done_words(entry.newest).removeprefix("small, ") if entry.newest is not None else ""
            for key, entry in self.entries.items()
        }
        name, state = (max(map(width_of, words), default=0) + 2 for words in (states, states.values()))
        room = max(10, self.size.width - name - state - 2)
        for key, entry in self.entries.items():
            said = (f"{states[key]:<{state}}" if state > 2 else "", "accent")
            rows.append((key, ((f"{key:<{name}}", ""), said, (begun(entry.study.title, room), "dim"))))
        self.listed.fill(rows)
        await self._show(self.listed.cursor)

    def on_rows_moved(self) -> None:
        """Another study."""
        self.run_in_background(lambda: self._show(self.listed.cursor), "studies-table")

    async def _show(self, key: str) -> None:
        """The table of a study; of one that was not begun the paper's figures, and what it is."""
        from ...engine.report.study_report import study_report

        width = max(40, self.size.width - 2)
        entry = self.entries.get(key)
        if entry is None:
            return
        if entry.newest is not None:
            text = study_report(await self.desk.engine.study_table(entry.newest.id), width)
        else:
            study = await self.desk.engine.about_study(entry.study.study)
            told = ["r begins it", study.title, study.paper, study.board, *study.notes]
            text = "\n".join(row for each in told if each for row in wrap(each, width))
        if key == self.listed.cursor:
            self.details.show([((f" {row}", ""),) for row in text.split("\n")])

    def _entry(self) -> StudyEntry | None:
        return self.entries.get(self.listed.cursor)

    def action_run(self) -> None:
        """Say how long it takes, and begin it."""
        if (entry := self._entry()) is not None:
            self.do(partial(self._plan, entry))

    async def _plan(self, entry: StudyEntry) -> None:
        from ...engine.report.study_report import time_words

        engine = self.desk.engine
        asked = await engine.plan_study(entry.study.study, small=entry.small)
        if not asked.groups:
            why = "; ".join(dict.fromkeys(each.reason for each in asked.left_out))
            raise UsageError(
                f"nothing of {entry.study.study} can be run here: {why}", fix="bring models of your own with `like`"
            )
        found = await engine.study_time(asked)
        if not found.groups:
            self.notify("it is done: its table stands below", timeout=3)
            return
        told = [time_words(found), *asked.notes, *dict.fromkeys(f"{each.variant}: {each.reason}" for each in asked.left_out)]
        self.ask(f"Begin the study {entry.key}?", "\n".join(told[:6]), partial(self._begin, asked))

    async def _begin(self, asked: StudyRequest) -> None:
        await self.desk.engine.begin_study(asked)
        self.desk.engine.ask_no_more()
        await self.fill()

    def action_boards(self) -> None:
        """Ask which boards shall do the study."""
        if (entry := self._entry()) is not None:
            self.do(partial(self._form, entry))

    async def _form(self, entry: StudyEntry) -> None:
        from ...engine.front.asking_boards import specs_of
        from .run_on_boards import open_form

        asked = await self.desk.engine.plan_study(entry.study.study, small=entry.small, elsewhere=True)
        specs = specs_of(asked)
        what = [f"study {entry.key}", f"{len(specs)} runs, {len(asked.groups)} times together"]
        learns = any(spec.recipe.last_learning >= 0 for spec in specs)
        await open_form(self.desk, what, partial(self._ask_boards, entry.key, asked), learns=learns, here=True)

    async def _ask_boards(self, key: str, asked: StudyRequest, wanted: BoardsWanted) -> None:
        from ...engine.front.asking_boards import specs_of, with_trained
        from ...engine.report.study_report import study_report

        engine, fleet, (on, train_on, again) = self.desk.engine, self.desk.engine.fleet(), wanted

        async def table(found: FollowedAsks, width: int) -> str:
            outcomes = found.by_board().items()
            results = {board: [each.runs if each else () for each in ended] for board, ended in outcomes}
            return study_report(await engine.study_over(asked, results), width)

        async def begin(trained: Sequence[RunSpec]) -> None:
            await engine.begin_study(with_trained(asked, trained))

        if on:
            asks = engine.plan_study_on_boards(fleet, asked, ",".join(on), train_on=train_on, again=again)
            self.desk.board_asks.run(fleet, asks, f"study {key}", table)
        else:
            specs = specs_of(asked)
            await engine.refuse_training(fleet, specs, train_on)
            self.desk.board_asks.train(fleet, specs, train_on, f"study {key}", begin, again=again)
        engine.ask_no_more()

    def action_cancel(self) -> None:
        """Ask, then end the study."""
        newest = entry.newest if (entry := self._entry()) is not None else None
        going = newest.id if newest is not None and newest.state == "running" else ""
        self.ask_to_end("study", going, "What has ended stays; r takes it up again.", self.desk.engine.end_study)
