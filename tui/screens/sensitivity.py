"""What each unit of the model, or each value of a setting, does to the outputs: bars by layer, the curve of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import Worker

from ...engine.errors import EdgetuiError
from ...engine.report import sensitivity_table as told
from ...engine.report.width import shortened, width_of
from ...engine.schema.events import AnyEvent, Progress, RowFound
from ...engine.schema.sensitivity import UNITS, Sensitivity, SensitivityRow
from ..background import in_background, refusal
from ..desk import AtDesk
from ..draft import RunSetup
from ..fix_words import on_screen
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Lines, Scrolling, side_by_side
from ..widgets.motion import LEFT, RIGHT
from ..widgets.sharebar import share_bar
from ..widgets.table import Table
from ..widgets.tones import tone
from . import sensitivity_picture as drawn
from .safe_dismiss import SafeDismiss, dismiss_once
from .sensitivity_picture import ROWS, SensitivityView

if TYPE_CHECKING:
    from ..draft import Draft

TITLE = " edgetui  Sensitivity"
TALL = 36
"""From so many rows on the picture of a sweep is taller."""
_LEAST_BAR = 9
_WARNINGS = 2
"""Of so many the summary tells; the command prints all."""

_TURNS: list[BindingType] = [
    Binding(LEFT, "screen.turn(-1)", "questions", id="sensitivity.left", show=False, tooltip="The question before"),
    Binding(RIGHT, "screen.turn(1)", "other step", id="sensitivity.right", tooltip="The next question: step or setting"),
]
"""Of the table, whose own keys these are else, and of the screen, for while the table is not shown."""


class SensitivityTable(Table):
    """The rows; what is told of the one under the cursor stands below them."""

    BINDINGS: ClassVar[list[BindingType]] = _TURNS


class SensitivityScreen(AtDesk, SafeDismiss, Screen[None]):
    """The rows of one question; the arrow keys go to the others."""

    CSS_PATH = "sensitivity.tcss"
    EXAMPLE = "r finds the rows; space on the first three, then e, leaves these units out of the recipe."
    HELP = (
        "One unit of the model after another is quantized, halved or pruned alone, or a setting is swept over all of it,\n"
        "and the outputs are held against the original's. No labels are used. A unit is what a backend computes together:\n"
        "a convolution or product with what follows it. KL is the divergence of the classes' shares; SQNR the outputs' power\n"
        "over their change; `local` the same of what the unit itself gives. Rows that cost most stand first: space marks\n"
        "them, e leaves the marked ones out of the recipe's step. What was found is kept. `edgetui sensitivity` prints it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *_TURNS,
        Binding("r", "begin", "begin", id="sensitivity.begin", tooltip="Find the rows, or go on where it was ended"),
        Binding("c", "cancel", "stop", id="sensitivity.stop", tooltip="Stop; what was found is kept"),
        Binding("space", "mark", "mark", id="sensitivity.mark", tooltip="Mark the unit under the cursor, or no longer"),
        Binding("e", "exclude", "exclude", id="sensitivity.exclude", tooltip="Leave the marked units out of the recipe's step"),
        Binding(
            "i", "histogram", "histogram", id="sensitivity.histogram", tooltip="The weights before and after, or the curve"
        ),
        Binding("m", "made_up", "made up", id="sensitivity.random", show=False, tooltip="Use made-up inputs, or samples"),
        Binding("y", "copy", "copy", id="sensitivity.copy", show=False, tooltip="Copy the table to the clipboard"),
        Binding("escape", "back", "back", id="sensitivity.back", tooltip="Where you came from"),
    ]

    def __init__(self, model: str, draft: Draft, changed: Callable[[], None]) -> None:
        """`changed` is called when the recipe has another `exclude`."""
        super().__init__()
        self.model, self.draft, self.changed = model, draft, changed
        self.views = drawn.views_of(draft.recipe.active)
        self.at = 0
        self.found: Sensitivity | None = None
        self.rows: list[SensitivityRow] = []
        self.marked: set[str] = set()
        self.made_up = not (draft.setup.dataset or draft.setup.calibration)
        self.progress = ""
        self.counted = False
        """Of a sweep: the weights are drawn, not the curve."""
        self._going: Worker[None] | None = None

    @property
    def view(self) -> SensitivityView:
        """The question that is shown."""
        return self.views[self.at]

    @property
    def table(self) -> SensitivityTable:
        """The table."""
        return self.query_one(SensitivityTable)

    def compose(self) -> ComposeResult:
        """Title, summary, table, curve, the row under the cursor, keys."""
        yield Lines(id="sensitivity-head")
        yield Lines(id="sensitivity-summary")
        yield SensitivityTable(id="sensitivity-table", cursor_type="row", zebra_stripes=False)
        yield Lines(id="sensitivity-picture")
        yield Scrolling(id="sensitivity-message")
        yield Lines(id="sensitivity-detail")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what is known already."""
        self.table.focus()
        self._look()

    # what is asked

    def _setup(self) -> RunSetup:
        setup = self.draft.setup
        return msgspec.structs.replace(setup, dataset="", calibration="") if self.made_up else setup

    def _look(self) -> None:
        """What is known of this question, without computing anything."""
        self._stop()
        self.found, self.rows, self.progress = None, [], ""
        self._say(self._rows("looking for what is known …", "dim"))
        in_background(self, self._known, "sensitivity")

    async def _known(self) -> None:
        try:
            known = await self.desk.link.known_sensitivity(self._setup(), self.model, *self.view, made_up=self.made_up)
        except (EdgetuiError, OSError) as error:
            self._refuse(error)
            return
        if known is None or not known.rows:
            data = "made-up inputs (no data is chosen in the pane Compression)" if self.made_up else "the chosen data"
            self._say([*self._rows("not known yet: r begins", "value"), *self._rows(f"on 256 samples of {data}", "dim")])
            return
        self.found, self.rows = known, list(known.rows)
        self._show()

    async def _find(self) -> None:
        def listen(event: AnyEvent) -> None:
            if isinstance(event, RowFound):
                self.rows = [row for row in self.rows if row.key != event.row.key] + [event.row]
                self._show()
            elif isinstance(event, Progress):
                of = f" of {event.total:g}" if event.total else ""
                self.progress = f"▶ {event.done:g}{of} {event.text}"
                self.write_head()

        try:
            found = await self.desk.link.sensitivity(self._setup(), self.model, *self.view, made_up=self.made_up, listen=listen)
        except (EdgetuiError, OSError) as error:
            self._going = None
            self._refuse(error)
            return
        self._going, self.progress = None, ""
        self.found, self.rows = found, list(found.rows)
        self._show()
        self.refresh_bindings()

    def _stop(self) -> None:
        if self._going is not None:
            self._going.cancel()
            self._going = None
        self.progress = ""

    # what is drawn

    def _refuse(self, failure: EdgetuiError | OSError) -> None:
        self.progress = ""
        self._say(self._rows(f"✗ {on_screen(refusal(failure))}", "bad"))
        self.refresh_bindings()

    def _rows(self, text: str, kind: str) -> list[Line]:
        return drawn.wrapped(text, kind, self.app.size.width)

    def _say(self, message: Sequence[Line]) -> None:
        """Something in place of the table."""
        self.add_class("-message")
        self.refresh_bindings()
        self.query_one("#sensitivity-message", Lines).show(message)
        self.write_head()

    def on_resize(self) -> None:
        """Other columns where the width asks for them."""
        if self.rows:
            self._show()

    def _document(self) -> Sensitivity:
        """The whole document, or what there is of it."""
        known = [row.kl for row in self.rows if row.kl is not None]
        begun = self.found or Sensitivity(
            model=self.model, step=self.view.step.method, over=self.view.over, ranked_by="kl" if known else "sqnr_db"
        )
        return msgspec.structs.replace(begun, rows=begun.in_order(tuple(self.rows)))

    def _show(self) -> None:
        """Fill the table anew; the cursor keeps its row, but for the first: there it is for what stands first."""
        if self.has_class("-message"):
            self.remove_class("-message")
            self.table.focus()
            self.refresh_bindings()
        found, table, units = self._document(), self.table, self.view.over == UNITS
        self.set_class(not units, "-swept")
        kept = self._current if self.table.cursor_row > 0 else None
        self.rows = list(found.rows)
        names = drawn.columns(found, self.app.size.width)
        table.clear(columns=True)
        table.cell_padding = 0
        left = self.app.size.width - 4 - 11 * len(names)
        longest = max((width_of(drawn.called(found, row)) for row in self.rows), default=0)
        room = max(12, min(longest + 1, left - max(_LEAST_BAR, left // 4)))
        bar = max(_LEAST_BAR, left - room)
        table.add_column("", width=2, key="mark")
        table.add_column(Text("unit" if units else self.view.over), width=room, key="unit")
        table.add_column("", width=bar + 1, key="bar")
        for name in names:
            table.add_column(Text(told.COLUMNS[name], justify="right"), width=11, key=name)
        most = max((drawn.bar_length(found, row) for row in self.rows), default=0.0)
        for row in self.rows:
            table.add_row(*self._cells(found, row, names, room, bar, most))
        if kept is not None:
            table.move_cursor(row=next((n for n, row in enumerate(self.rows) if row.key == kept.key), 0))
        self._picture(found)
        self.write_head()
        self._detail()

    def _cells(
        self, found: Sensitivity, row: SensitivityRow, names: Sequence[str], room: int, bar: int, most: float
    ) -> list[Text]:
        knee = drawn.is_knee(found, row)
        length = drawn.bar_length(found, row) / most if most else 0.0
        return [
            Text("● " if row.unit in self.marked else "  ", style=tone(self.app, "accent")),
            Text(shortened(drawn.called(found, row), room - 1)),
            Text(share_bar(length, bar, self.desk.graph), style=tone(self.app, "warn" if knee else "accent")),
            *(Text(told.cell(row, name), justify="right") for name in names),
        ]

    def _picture(self, found: Sensitivity) -> None:
        if found.over == UNITS:
            return
        width, graph = self.app.size.width - 2, self.desk.graph
        rows = ROWS if self.app.size.height < TALL else 2 * ROWS
        counted = found.histogram if self.counted else None
        picture = (
            drawn.curve(found, width, rows, graph) if counted is None else drawn.weights_picture(counted, width, rows, graph)
        )
        self._fill("#sensitivity-picture", picture, rows)

    def write_head(self) -> None:
        """Title and summary; what does not fit the width takes more rows."""
        width = self.app.size.width
        many = f"   {self.at + 1} of {len(self.views)}"
        going = f"   {self.progress}" if self.progress else ""
        name = shortened(Path(self.model).stem, max(8, width - len(f"{TITLE}   {many}{going} ")))
        self.query_one("#sensitivity-head", Lines).show(
            [((TITLE, "title"), (f"   {name}", "value"), (many, "dim"), (going, "accent"))]
        )
        found = self.found
        about = "" if found is None else f"{found.samples} {'samples' if found.data else 'made-up inputs'}"
        stopped = found is not None and found.state != "done" and not self.progress
        state = f"stopped after {len(self.rows)}: r goes on" if stopped else ""
        settings = [(shortened(each, width - 2), "dim") for each in (told.chosen(found) if found is not None else ())]
        summary = side_by_side([(self.view.title, "value"), *settings, (about, "dim"), (state, "warn")], width)
        for text in ["no labels used"] if found is None else told.summary(found):
            summary += self._rows(text, "dim")
        for warning in () if found is None else found.warnings[:_WARNINGS]:
            summary += self._rows(f"! {warning}", "warn")
        self._fill("#sensitivity-summary", summary, len(summary))

    def _fill(self, which: str, lines: Sequence[Line], rows: int) -> None:
        """Show lines in a place that is `rows` high."""
        place = self.query_one(which, Lines)
        if place.styles.height is None or place.styles.height.value != rows:
            place.styles.height = rows
        place.show(lines)

    @property
    def _current(self) -> SensitivityRow | None:
        """The row under the cursor."""
        at = self.table.cursor_row
        return self.rows[at] if 0 <= at < len(self.rows) and self.table.row_count else None

    def on_data_table_row_highlighted(self) -> None:
        """Another row under the cursor."""
        self._detail()

    def _detail(self) -> None:
        """All that is known of the row under the cursor, in as many rows as the one needs of which most is to be said."""
        row = self._current
        if row is None:
            self._fill("#sensitivity-detail", [], 2)
            return
        most = max((len(self._told(each)) for each in self.rows), default=2)
        self._fill("#sensitivity-detail", self._told(row), min(most, self.app.size.height // 4))

    def _told(self, row: SensitivityRow) -> list[Line]:
        return drawn.row_words(self._document(), row, self.view.over, self.app.size.width)

    # actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing now are not offered."""
        del parameters
        if action == "begin":
            return self._going is None
        if action == "cancel":
            return self._going is not None
        if action == "histogram":
            return self.view.over != UNITS
        return action not in ("mark", "exclude") or (self.view.over == UNITS and bool(self.rows))

    def action_begin(self) -> None:
        """Find the rows."""
        if self.found is not None and self.found.state == "done":
            self.notify("all rows are known", timeout=2)
            return
        if not self.rows:
            self._say(self._rows("▶ reading model and samples …", "accent"))
        self._going = in_background(self, self._find, "sensitivity")
        self.refresh_bindings()

    def action_cancel(self) -> None:
        """Stop; what is known stays."""
        self._look()
        self.refresh_bindings()

    def action_turn(self, by: int) -> None:
        """Another question."""
        self.at = (self.at + by) % len(self.views)
        self.marked.clear()
        self._look()
        self.refresh_bindings()

    def action_histogram(self) -> None:
        """The weights before and after, or the curve again."""
        found = self._document()
        if found.histogram is None:
            self.notify(found.reasons.get("histogram", "the weights are counted once all rows are known"))
            return
        self.counted = not self.counted
        self._picture(found)

    def action_made_up(self) -> None:
        """Made-up inputs, or the chosen data."""
        self.made_up = not self.made_up
        self._look()

    def action_mark(self) -> None:
        """Mark the unit, or take the mark away."""
        row = self._current
        if row is not None and row.unit:
            self.marked ^= {row.unit}
            self._show()

    def action_exclude(self) -> None:
        """Leave the marked units, or the one under the cursor, out of the recipe's step."""
        current = self._current
        wanted = [row for row in self.rows if row.unit in self.marked] or ([current] if current is not None else [])
        names = [name for row in wanted for name in row.exclude]
        if not names:
            return
        field = self.draft.spare(self.view.step, names)
        self.changed()
        words = ", ".join(row.unit for row in wanted[:3]) + (f" and {len(wanted) - 3} more" if len(wanted) > 3 else "")
        self.notify(f"{words}: in `{field}` of {self.view.step.method}; u in the workbench takes it back")
        self.marked.clear()
        self._show()

    def action_copy(self) -> None:
        """All figures as tab-separated text."""
        rows = ["\t".join(("unit", "value", *told.COLUMNS))]
        rows += [
            "\t".join((row.unit, told.setting(row.value), *(told.cell(row, n) for n in told.COLUMNS))) for row in self.rows
        ]
        self.app.copy_to_clipboard("\n".join(rows))
        self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """Where we came from; what is going on stops, and is kept."""
        self._stop()
        dismiss_once(self)
