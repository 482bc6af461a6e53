"""All runs: filter, sort, group, open, mark some and compare them. What changes runs is in `run_deeds.py`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ...engine.advice.run_fields import NAMES, NUMBERS, TEXTS
from ...engine.advice.run_filter import HELP, JOINING, RunFilter, RunOrder
from ...engine.errors import UsageError
from ...engine.report.sanitize import sanitize
from ...engine.report.width import width_of
from ..fix_words import on_screen
from ..panes.run_glance import RunGlance
from ..runview import RunsLook
from ..widgets.keybar import KeyBar
from ..widgets.lazyrows import LazyRows
from ..widgets.lines import Line, Lines, Rows, Span, begun, in_rows, wrap
from .filtered import FilteredScreen
from .run_columns import (
    SAMPLE,
    Room,
    ShownColumn,
    Widths,
    about,
    as_table,
    head_of,
    laid_out,
    places_in_groups,
    places_in_queue,
    said_order,
    tone_of,
    verdict_of,
)
from .run_deeds import RunDeeds, RunRows
from .safe_dismiss import dismiss_once

if TYPE_CHECKING:
    from textual.worker import Worker

    from ...engine.schema.run_summary import RunSummary

OnRun = Callable[[str], Coroutine[Any, Any, None]]
"""What the workbench does with a run."""
REFRESH_S = 2.0
GROUPED = ("", "model", "recipe", "board", "tag", "state", "group")
"""What rows can be gathered by."""
ABOUT_ROWS = 3


class RunsScreen(RunDeeds, FilteredScreen):
    """The list."""

    CSS_PATH = "runs.tcss"
    EXAMPLE = "/ recipe:int8 ratio<0.5 enter leaves the runs that are so; space marks two, C compares them."
    HELP = (
        "Every run on this machine, also those of other terminals. Enter shows a run in the workbench, with its whole past.\n"
        "Space marks runs, C compares the marked ones (or the one under the cursor\n"
        "with its baseline and with those that were started together with it: 1/3, 2/3, 3/3).\n"
        "e writes a report of them: one page with charts, tables, and the files that they made.\n"
        "E copies what one made to a folder, here or on a host.\n"
        f"/ filters by words that must all hold: {HELP}.\n"
        "key:text has it, key=text is it, a|b is either, -word is not so; what has no key is looked for everywhere.\n"
        "s sorts by any field, by the same once more the other way; b gathers by model, recipe, board, tag.\n"
        "t puts tags on runs, a writes a note. D deletes; u takes back what was deleted or edited last.\n"
        "w runs what the workbench has set once this run has ended well; if it does not, that run never begins and says why.\n"
        "{ and } move a run that waits for the board, A puts the marked ones right after the one under the cursor.\n"
        "✓ done  ▶ going  · waits  ✗ failed  ! interrupted  – cancelled. `edgetui runs --where --sort` prints the same."
    )
    FILTER = "runs.filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="runs.mark", tooltip="Mark the run for comparing"),
        Binding("C", "compare", "compare", id="runs.compare", tooltip="Compare the marked runs"),
        Binding("slash", "filter", "filter", id="runs.filter", tooltip="Show only runs that are so: recipe:int8 top1>0.8"),
        Binding("s", "sort", "sort", id="runs.sort", tooltip="Sort by any field; by the same once more: the other way"),
        Binding("b", "gather", "gather", id="runs.gather", show=False, tooltip="Gather by model, recipe, board, tag, state"),
        Binding("L", "layers", "layers", id="runs.layers", tooltip="What is inside the run's plans: layers with their time"),
        Binding(
            "e", "export", "export", id="runs.export", show=False, tooltip="Write a report of the marked runs, or this one"
        ),
        Binding(
            "w",
            "run_after",
            "run after",
            id="runs.run_after",
            show=False,
            tooltip="Run what the workbench has once this ended well",
        ),
        Binding("E", "deploy", "deploy", id="runs.deploy", show=False, tooltip="Copy what this run made, here or to a host"),
        Binding("y", "copy", "copy", id="runs.copy", show=False, tooltip="Copy the table to the clipboard"),
        Binding("escape", "back", "back", id="runs.back", tooltip="To the workbench"),
    ]

    def __init__(self, look: RunsLook, show_run: OnRun, resume: OnRun, run_after: OnRun) -> None:
        super().__init__(look.filter_text)
        self.look, self._show_run, self._take_up, self._run_after = look, show_run, resume, run_after
        self.runs: tuple[RunSummary, ...] = ()
        self.marked = look.marked
        self.order = RunOrder(look.sort)
        self.gathered = look.gathered
        self._wanted = RunFilter()
        self._trouble = ""
        """What is wrong with the filter as it stands."""
        self._typed = ("", False)
        self._asked: object = None
        """What `_found` was found for."""
        self._found: list[RunSummary] = []
        self._by_id: dict[str, RunSummary] = {}
        self._place: dict[str, str] = {}
        self._waits: dict[str, int] = {}
        self._columns: list[ShownColumn] = []
        self._room = Room(80)
        self._widths: dict[bool, Widths] = {}
        """Asking 300 runs for all their words was a third of what a filter's letter took."""
        self._widths_of: tuple[Room, object] = (self._room, None)
        self._idle: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        """Title, heads, rows, what is known of the row under the cursor, keys."""
        yield Lines(id="runs-title")
        yield Lines(id="runs-heads")
        yield RunRows(id="runs-rows")
        yield RunGlance(id="runs-glance")
        yield Lines(id="runs-about")
        yield KeyBar()

    @property
    def rows(self) -> LazyRows:
        """The rows."""
        return self.query_one(LazyRows)

    def on_mount(self) -> None:
        """Read the list now and, while it is looked at, every two seconds."""
        self.rows.focus()
        self.look_each(REFRESH_S, self._read)

    def on_resize(self) -> None:
        """Other columns where the width asks for them."""
        self._asked = None
        self.call_after_refresh(self.write)

    def _read(self) -> Worker[None] | None:
        return self.run_in_background(self.fill, "runs") if self.is_current else None

    async def fill(self) -> None:
        """Read the list again."""
        found = await self.desk.engine.list()
        wait = any(run.state == "queued" for run in found)
        waits = places_in_queue(found, (await self.desk.engine.queue()).waiting) if wait else {}
        if found != self.runs or waits != self._waits:
            self.runs, self._waits = found, waits
            self._by_id = {run.run: run for run in found}
            self._place = places_in_groups(found)
            self._asked = None
        self.write()

    def shown(self) -> list[RunSummary]:
        """The runs that pass the filter, sorted."""
        typed = (self.filter_text, self.entry is not None)
        if typed != self._typed:
            self._typed = typed
            self._read_filter()
        asked = (id(self.runs), self._wanted, self.order)
        if asked != self._asked:
            self._asked = asked
            self._found = self.order.sort(self._wanted.kept(self.runs))
            self._fit()
        return self._found

    def _read_filter(self) -> None:
        """Of what is being typed the words that are whole: `recipe:int8 top1>` filters by the recipe."""
        before, _, last = self.filter_text.rpartition(" ")
        text = before if self.entry is not None and last.casefold() in (*NAMES, *JOINING) else self.filter_text
        self._trouble = ""
        try:
            self._wanted = RunFilter(text)
        except UsageError as error:
            self._trouble = on_screen(error)
            with suppress(UsageError):
                self._wanted = RunFilter(before)

    def _fit(self) -> None:
        """Columns for all runs, so that none moves while a filter is typed, and for older ones where they are shown."""
        today = datetime.now().astimezone().date().isoformat()
        asked = (Room(self.app.size.width, today, self._place, self._waits), self.runs)
        if asked[0] != self._widths_of[0] or asked[1] is not self._widths_of[1]:
            self._widths, self._widths_of = {}, asked
        self._room, self._columns = laid_out([*self.runs[:SAMPLE], *self._found[:SAMPLE]], asked[0], self._widths)

    def write(self) -> None:
        """Bring the list up to date; rows are drawn when they are seen."""
        found = self.shown()
        known = self.rows.cursor
        self.rows.take(self._keys(found), self._line, known or self.look.at)
        gap = self._room.gap
        heads = [each.cell(head_of(each.column, self._room)) for each in self._columns]
        self.query_one("#runs-heads", Lines).show([((f"   {gap.join([*heads, 'verdict'])}", "dim"),)])
        self.write_head()
        self._write_about()

    def _keys(self, found: Sequence[RunSummary]) -> list[str]:
        """Of each row its run; a heading begins with a blank."""
        if self.runs and not found:
            return [" nothing matches; esc clears it"]
        if not self.gathered:
            return [run.run for run in found]
        field = TEXTS[self.gathered]
        gathered: dict[str, list[str]] = {}
        for run in found:
            gathered.setdefault(", ".join(field.of(run)), []).append(run.run)
        return [key for name, runs in gathered.items() for key in (f" {name or f'no {self.gathered}'}   {len(runs)}", *runs)]

    def _line(self, key: str) -> Line:
        """A row."""
        run = self._by_id.get(key)
        if run is None:
            return ((f"{key}", "accent"),)
        mark: Span = ("* " if key in self.marked else "  ", "accent")
        cells = [fit.cell(fit.column.text(run, self._room)) + self._room.gap for fit in self._columns]
        taken = 3 + sum(fit.width + len(self._room.gap) for fit in self._columns)
        words = sanitize(verdict_of(run, self._room))
        return (mark, ("".join(cells), ""), (begun(words, max(8, self._room.width - taken)), tone_of(run)))

    def write_head(self) -> None:
        """The title, with the filter."""
        if self.entry:
            typed: Line = (("  / ", "accent"), *self.entry.spans())
            self.query_one("#runs-title", Lines).show([((" edgetui  Runs", "title"), (f" {self._counted()}", "dim"), *typed)])
            return
        kept = f"   filter `{self.filter_text}`" if self.filter_text else ""
        marked = f"   marked: {len(self.marked)}" if self.marked else ""
        by = f"   by {self.gathered}" if self.gathered else ""
        words = f"   {self._counted()}   sorted: {said_order(self.order)}{by}{marked}{kept}"
        empty = "   nothing has run yet: esc, choose a model and a recipe, then r" if not self.runs else ""
        trouble: Line = ((f"   {self._trouble}", "bad"),) if self._trouble else ()
        self.query_one("#runs-title", Lines).show([((" edgetui  Runs", "title"), (empty or words, "dim"), *trouble)])

    def _counted(self) -> str:
        return f"{len(self._found)} of {len(self.runs)}"

    def _write_about(self) -> None:
        """All that the row under the cursor has no room for: its id, tags, note and whole verdict."""
        run, foot = self.summary(), self.query_one("#runs-about", Lines)
        if (idle := self.idle_keys()) != self._idle:
            self._idle = idle
            self.query_one(KeyBar).write()
        self.query_one(RunGlance).look(run)
        width = max(20, self.app.size.width - 2)
        if self.entry is not None or self._trouble:
            foot.show([((f" {row}", "bad" if self._trouble else "dim"),) for row in wrap(self._trouble or HELP, width)])
            return
        if run is None:
            foot.show([])
            return
        tags = "".join(f"  #{tag}" for tag in run.tags)
        board = f"  {run.board}" if run.board else ""
        head: Line = ((f" {run.run}", "value"), (tags, "accent"), (board, "dim"))
        note, (words, then) = run.note.replace("\n", " "), about(run, self._room)
        beside = width - sum(width_of(text) for text, _ in head)
        if note and width_of(note) + 2 <= beside:
            head, note = (*head, (f"  {note}", "dim")), ""
        told = in_rows(words, then, width, ABOUT_ROWS - 1 - bool(note)) if words else []
        notes = in_rows(note, "", width, ABOUT_ROWS - 1 - len(told)) if note else []
        foot.show([head, *(((f" {row}", "dim"),) for row in notes), *(((f" {row}", tone_of(run)),) for row in told)])

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Another row."""
        event.stop()
        self._write_about()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """A click on the row under the cursor, or enter."""
        event.stop()
        self.action_open()

    def current(self) -> str:
        """The run under the cursor; "" when there is none."""
        return self.rows.cursor

    def summary(self) -> RunSummary | None:
        """What is known of it."""
        return self._by_id.get(self.current())

    def chosen(self) -> list[str]:
        """The marked runs, else the one under the cursor."""
        return [run.run for run in self.shown() if run.run in self.marked] or [*filter(None, [self.current()])]

    def action_open(self) -> None:
        """Show the run in the workbench."""
        at = self.current()
        if at:
            self.go()
            self.run_in_background(partial(self._show_run, at), "open")

    def action_mark(self) -> None:
        """Mark or unmark, and go one down."""
        at = self.current()
        if at:
            self.marked ^= {at}
            self.rows.action_move(1)
            self.write()

    def action_compare(self) -> None:
        """Compare the marked runs, or this one."""
        from .compare import CompareScreen

        run = self.summary()
        chosen = self.chosen()
        if run is not None and run.group and not self.marked:
            chosen = [each.run for each in reversed(self.runs) if each.group == run.group]
        if chosen:
            self.app.push_screen(CompareScreen(chosen))

    def action_export(self) -> None:
        """A report of the marked runs, or of this one."""
        from .report_folder import ask_for_report

        chosen = self.chosen()
        if chosen:
            ask_for_report(self.desk, chosen)

    def action_run_after(self) -> None:
        """Start what is set in the workbench once this run has ended well."""
        at = self.current()
        if at:
            self.go()
            self.run_in_background(partial(self._run_after, at), "run")

    def action_deploy(self) -> None:
        """Copy what this run made."""
        from .deploy import open_deploy

        open_deploy(self.desk, self.current())

    def action_layers(self) -> None:
        """What is inside the plans of this run."""
        from .layers import LayersScreen, plans_of

        run = self.summary()
        if run is not None:
            self.app.push_screen(LayersScreen(plans_of(run.run, run.model.removesuffix(".onnx"), run.recipe)))

    def action_sort(self) -> None:
        """Choose what to sort by."""
        from .choose import Choose

        shown = [fit.column for fit in self._columns if fit.column.field]
        first = {column.field: f"the column {column.head}" for column in shown}
        choices = [*first.items(), *((name, "") for name in (*TEXTS, *NUMBERS) if name not in first)]

        def take(name: str | None) -> None:
            if name:
                same = name == self.order.name
                self.order = RunOrder(f"-{name}" if same and not self.order.turned else name)
                self.write()

        self.app.push_screen(Choose("Sort by; the same once more: the other way", choices, self.order.name), take)

    def action_gather(self) -> None:
        """Gather rows by the next field."""
        self.gathered = GROUPED[(GROUPED.index(self.gathered) + 1) % len(GROUPED)]
        self.write()

    async def take_up(self, run: str) -> None:
        """Take the run up again, in the workbench."""
        await self._take_up(run)
        self.go()

    def action_copy(self) -> None:
        """The table as tab-separated text."""
        self.app.copy_to_clipboard(as_table(self.shown(), self._room._replace(width=1000, dense=False)))
        self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """To the workbench; where a filter leaves nothing, to all runs."""
        if self.runs and not self.shown():
            self.filter_text = ""
            self.write()
        else:
            self.go()

    def go(self) -> None:
        """Leave; what was filtered, sorted, marked and pointed at is found again."""
        look = self.look
        look.filter_text, look.sort, look.gathered, look.at = self.filter_text, self.order.text, self.gathered, self.current()
        dismiss_once(self)
