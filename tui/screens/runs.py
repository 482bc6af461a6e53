"""All runs: filter, sort, open, resume, cancel, mark some and compare them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ...engine.advice.metrics import listed
from ...engine.advice.verdict import DIFFERS, EVIDENT, named
from ...engine.advice.words import DASH, seconds
from ...engine.report.sanitize import sanitize
from ...engine.report.width import width_of
from ..desk import AtDesk
from ..runview import RunsLook
from ..widgets.keybar import KeyBar
from ..widgets.lines import Lines, begun
from ..widgets.table import Table
from .filtered import FilteredScreen
from .safe_dismiss import SafeDismiss, dismiss_once

if TYPE_CHECKING:
    from ...engine.advice.metric import Change
    from ...engine.api import RunSummary

OnRun = Callable[[str], Coroutine[Any, Any, None]]
"""What the workbench does with a run."""
REFRESH_S = 2.0
STATE_MARKS = {"done": "✓", "running": "▶", "queued": "·", "failed": "✗", "crashed": "!", "cancelled": "–"}
COLUMNS = ("", "state", "model", "recipe", "began", "took", *(each.column.head for each in listed()), "verdict")
LEFT_OUT = ("began", "took", *(each.column.head for each in listed() if not each.column.narrow))
WIDE = 110
"""Below so many columns the table does without those of LEFT_OUT; the run itself, opened, says more."""
ROOMY = 140
_LEAST_VERDICT = 12
"""From so many columns on intervals stand there, and what does not differ is named as well."""


def _least(change: Change, run: RunSummary) -> float:
    """A run's place in the list by one metric; those without a figure come last."""
    value = change.figure(run.difference).value
    return float("inf") if value is None else value


SORTS: tuple[tuple[str, Callable[[RunSummary], object]], ...] = (
    ("newest", lambda run: run.began),
    ("model", lambda run: run.model),
    ("recipe", lambda run: run.recipe),
    ("state", lambda run: run.state),
    *(
        (metric.aim.word, partial(_least, change))
        for each in listed()
        for metric, change in each.among
        if metric.aim is not None
    ),
)


class RunsTable(Table):
    """The table; enter is said in the row of keys."""

    filtered = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "open", id="runs.open", tooltip="Show the run in the workbench")
    ]


class RunsScreen(AtDesk, SafeDismiss, FilteredScreen):
    """The list."""

    CSS_PATH = "runs.tcss"
    HELP = (
        "Every run on this machine, also those of other terminals. Enter shows a run in the workbench, with its whole past.\n"
        "Space marks runs, C compares the marked ones (or the one under the cursor\n"
        "with its baseline and with those that were started together with it: 1/3, 2/3, 3/3).\n"
        "e writes a report of them: one page with charts, tables, and the files that they made."
    )
    FILTER = "runs.filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="runs.mark", tooltip="Mark the run for comparing"),
        Binding("C", "compare", "compare", id="runs.compare", tooltip="Compare the marked runs"),
        Binding("L", "layers", "layers", id="runs.layers", tooltip="What is inside the run's plans: layers with their time"),
        Binding("slash", "filter", "filter", id="runs.filter", tooltip="Show only runs that have these letters"),
        Binding("s", "sort", "sort", id="runs.sort", tooltip="Sort by the next column"),
        Binding("r", "resume", "resume", id="runs.resume", tooltip="Take an interrupted, failed or cancelled run up again"),
        Binding("c", "cancel", "cancel", id="runs.cancel", tooltip="End a run that is going; asks first"),
        Binding("D", "delete", "delete", id="runs.delete", show=False, tooltip="Remove a run and its files; asks first"),
        Binding(
            "e", "export", "export", id="runs.export", show=False, tooltip="Write a report of the marked runs, or this one"
        ),
        Binding("y", "copy", "copy", id="runs.copy", show=False, tooltip="Copy the table to the clipboard"),
        Binding("escape", "back", "back", id="runs.back", tooltip="To the workbench"),
    ]

    def __init__(self, look: RunsLook, open_run: OnRun, resume: OnRun) -> None:
        super().__init__(look.filter_text)
        self.look, self._open_run, self._take_up = look, open_run, resume
        self.runs: tuple[RunSummary, ...] = ()
        self.marked = self.look.marked
        self.sort = self.look.sort
        self.columns: tuple[str, ...] = ()
        self._drawn: dict[str, tuple[str, ...]] = {}

    def compose(self) -> ComposeResult:
        """Title, table, keys."""
        yield Lines(id="runs-title")
        yield RunsTable(id="runs-table", cursor_type="row", zebra_stripes=False)
        yield KeyBar()

    @property
    def table(self) -> RunsTable:
        """The table."""
        return self.query_one(RunsTable)

    def on_mount(self) -> None:
        """Read the list now and, while it is looked at, every two seconds."""
        self._columns()
        self.table.focus()
        self._read()
        self.set_interval(REFRESH_S, self._read)

    def _columns(self) -> None:
        """Columns that fit the width, and have something to show."""
        empty = {each.column.head for each in listed() if not each.wanted(run.difference for run in self.runs)}
        left_out = empty if self.app.size.width >= WIDE else {*empty, *LEFT_OUT}
        names = tuple(name for name in COLUMNS if name not in left_out)
        if names != self.columns:
            self.columns = names
            self.table.clear(columns=True)
            self._drawn = {}
            for name in names:
                self.table.add_column(name, key=name or "mark")

    def on_resize(self) -> None:
        """Other columns where the width asks for them."""
        self.write()

    def _read(self) -> None:
        if self.is_current:
            self.desk.run_in_background(self._fill, "runs")

    async def _fill(self) -> None:
        self.runs = await self.desk.engine.list()
        self.write()

    def shown(self) -> list[RunSummary]:
        """The runs that pass the filter, sorted."""
        letters = self.filter_text.lower()
        found = [run for run in self.runs if letters in f"{run.run} {run.model} {run.recipe} {run.state} {run.backend}".lower()]
        name, key = SORTS[self.sort]
        return sorted(found, key=key, reverse=name == "newest")  # type: ignore[arg-type]

    def write(self) -> None:
        """Bring the table up to date; only cells that differ are touched."""
        self._columns()
        rows = self._fitting({run.run: self._cells(run) for run in self.shown()})
        if list(rows) != list(self._drawn):
            at = self.current() if self._drawn else self.look.at
            self.table.clear()
            for run, cells in rows.items():
                self.table.add_row(*map(_styled, cells), key=run)
            if at in rows:
                self.table.move_cursor(row=list(rows).index(at))
        else:
            for run, cells in rows.items():
                for name, old, new in zip(self.columns, self._drawn[run], cells, strict=True):
                    if old != new:
                        self.table.update_cell(run, name or "mark", _styled(new), update_width=True)
        self._drawn = rows
        self.write_head()

    def _fitting(self, rows: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
        """The cells of each run; the last, its verdict, ends at a word where there is no more room for it."""
        *others, last = self.columns
        widest = (max([width_of(name), *(width_of(sanitize(cells[name])) for cells in rows.values())]) for name in others)
        beside = 2 * self.table.cell_padding
        room = self.app.size.width - self.table.scrollbar_size_vertical - sum(wide + beside for wide in widest) - beside
        return {
            run: (*(cells[name] for name in others), begun(cells[last], max(_LEAST_VERDICT, room)))
            for run, cells in rows.items()
        }

    def write_head(self) -> None:
        """The title, with the filter."""
        typed = (("  / ", "accent"), *self.entry.spans()) if self.entry else ()
        kept = f"   filter `{self.filter_text}`" if self.filter_text and not self.entry else ""
        words = f"   {len(self._drawn)} of {len(self.runs)}   sorted: {SORTS[self.sort][0]}   marked: {len(self.marked)}{kept}"
        empty = "   nothing has run yet: esc, choose a model and a recipe, then r" if not self.runs else ""
        self.query_one("#runs-title", Lines).show([((" edgetui  Runs", "title"), (empty or words, "dim"), *typed)])

    def _cells(self, run: RunSummary) -> dict[str, str]:
        began = run.began
        if began:
            began = datetime.fromisoformat(began).strftime("%d %b %H:%M")
        stage = f" {run.stage}" if run.stage and run.state in ("running", "crashed", "failed") else ""
        words = verdict_words(run.verdict, differing=self.app.size.width < ROOMY)
        if run.state == "queued" and run.waiting_for:
            words = f"waits for {run.waiting_for}"
        full = self.app.size.width >= ROOMY
        return {
            "": "*" if run.run in self.marked else " ",
            "state": f"{STATE_MARKS.get(run.state, '?')} {run.state}{stage}",
            "model": run.model.removesuffix(".onnx"),
            "recipe": (run.recipe or DASH) + self._place(run),
            "began": began,
            "took": seconds(run.seconds),
            **{each.column.head: each.text(run.difference, full=full) for each in listed()},
            "verdict": words or (run.error.what if run.error else DASH),
        }

    def _place(self, run: RunSummary) -> str:
        """` 1/3` of one that was started together with others."""
        members = [each.run for each in reversed(self.runs) if run.group and each.group == run.group]
        return f" {members.index(run.run) + 1}/{len(members)}" if len(members) > 1 else ""

    def current(self) -> str:
        """The run under the cursor; "" when there is none."""
        table = self.table
        if not table.row_count:
            return ""
        return str(table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value)

    def _summary(self) -> RunSummary | None:
        at = self.current()
        return next((run for run in self.runs if run.run == at), None)

    def on_data_table_row_selected(self) -> None:
        """Enter or a click."""
        self.action_open()

    def action_open(self) -> None:
        """Show the run in the workbench."""
        at = self.current()
        if at:
            self._go()
            self.desk.run_in_background(partial(self._open_run, at), "open")

    def action_mark(self) -> None:
        """Mark or unmark, and go one down."""
        at = self.current()
        if at:
            self.marked ^= {at}
            self.write()
            self.table.action_cursor_down()

    def action_compare(self) -> None:
        """Compare the marked runs, or this one."""
        from .compare import CompareScreen

        run = self._summary()
        chosen = self._chosen()
        if run is not None and run.group and not self.marked:
            chosen = [each.run for each in reversed(self.runs) if each.group == run.group]
        if chosen:
            self.app.push_screen(CompareScreen(chosen))

    def action_export(self) -> None:
        """A report of the marked runs, or of this one."""
        from .report_folder import ask_for_report

        chosen = self._chosen()
        if chosen:
            ask_for_report(self.desk, chosen)

    def _chosen(self) -> list[str]:
        """The marked runs, else the one under the cursor."""
        return [run.run for run in self.shown() if run.run in self.marked] or [*filter(None, [self.current()])]

    def action_layers(self) -> None:
        """What is inside the plans of this run."""
        from .layers import LayersScreen, plans_of

        run = self._summary()
        if run is not None:
            self.app.push_screen(LayersScreen(plans_of(run.run, run.model.removesuffix(".onnx"), run.recipe)))

    def action_sort(self) -> None:
        """The next order."""
        self.sort = (self.sort + 1) % len(SORTS)
        self.write()

    def action_resume(self) -> None:
        """Take the run up again, in the workbench."""
        at = self.current()
        if at:
            self.desk.run_in_background(partial(self._resume, at), "resume")

    async def _resume(self, run: str) -> None:
        await self._take_up(run)
        self._go()

    def action_cancel(self) -> None:
        """Ask, then end the run."""
        run = self._summary()
        if run is None or run.state not in ("running", "queued"):
            self.notify("this run is not going", timeout=2)
            return
        self._ask(f"End the run {run.run}?", "Finished stages stay in the cache; r takes it up again.", self.desk.engine.cancel)

    def action_delete(self) -> None:
        """Ask, then remove the run."""
        run = self._summary()
        if run is not None:
            self._ask(
                f"Remove the run {run.run}?",
                "Its events, log, result and artifacts are gone for good.",
                self.desk.engine.delete,
            )

    def _ask(self, question: str, cost: str, do: Callable[[str], object]) -> None:
        from .dialogs import Confirm

        at = self.current()

        async def work() -> None:
            await do(at)  # type: ignore[misc]
            self.marked.discard(at)
            await self._fill()

        def answer(yes: bool | None) -> None:
            if yes:
                self.desk.run_in_background(work, "runs-do")

        self.app.push_screen(Confirm(question, cost), answer)

    def action_copy(self) -> None:
        """The table as tab-separated text."""
        cells = (self._cells(run) for run in self.shown())
        rows = ["\t".join(COLUMNS[1:]), *("\t".join(row[name] for name in COLUMNS[1:]) for row in cells)]
        self.app.copy_to_clipboard("\n".join(rows))
        self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """To the workbench."""
        self._go()

    def _go(self) -> None:
        """Leave; what was filtered, sorted, marked and pointed at is found again."""
        self.look.filter_text, self.look.sort, self.look.at = self.filter_text, self.sort, self.current()
        dismiss_once(self)


def verdict_words(verdict: Mapping[str, str], *, differing: bool = False) -> str:
    """`faster; top-1 worse; no difference shown: memory`: what differs comes first, for the end may be out of sight.
    `differing`: that alone, where something differs.
    """
    differs = [word if metric in EVIDENT else f"{named(metric)} {word}" for metric, word in verdict.items() if word in DIFFERS]
    if differing and differs:
        return "; ".join(differs)
    others: dict[str, list[str]] = {}
    for metric, word in verdict.items():
        if word not in DIFFERS:
            others.setdefault(word, []).append(named(metric))
    return "; ".join([*differs, *(f"{word}: {', '.join(metrics)}" for word, metrics in others.items())])


def _styled(text: str) -> Text:
    """A cell; figures stand at the right."""
    numeric = text[:1].isdigit() or text[:1] in "+-" or text == DASH
    return Text(sanitize(text), justify="right" if numeric else "left", no_wrap=True)
