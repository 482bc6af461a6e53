"""What is inside a plan: its layers with time, share, precision and origin, reformats and FP32 islands named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ...engine.advice.words import DASH, percent, size
from ...engine.errors import EdgetuiError, said
from ...engine.report import layer_table as told
from ...engine.report.sanitize import sanitize
from ...engine.report.width import cut, width_of
from ..background import in_background, refusal
from ..desk import AtDesk
from ..fix_words import as_row
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Lines, Scrolling, wrap
from ..widgets.motion import LEFT, RIGHT
from ..widgets.sharebar import share_bar
from ..widgets.table import Table
from ..widgets.tones import tone
from .filtered import FilteredScreen
from .safe_dismiss import SafeDismiss, dismiss_once

if TYPE_CHECKING:
    from ...engine.api import Side
    from ...engine.schema.plan import LayerFacts, PlanFacts

WIDE, WIDEST = 110, 134
"""Columns from which on bars and operators have room, and what a layer reads a column of its own beside the layer's name."""
LEAST_BAR, MOST_BAR, MOST_OPERATOR, LEAST_LAYER = 8, 18, 34, 20
NOTE_TONES = {told.REFORMAT: "warn", told.ISLAND: "warn", told.SPARSE: "good"}
SORTS: tuple[tuple[str, Callable[[tuple[int, LayerFacts]], object]], ...] = (
    ("slowest first", lambda pair: -(pair[1].milliseconds or 0)),
    ("as they run", lambda pair: pair[0]),
    ("by operator", lambda pair: (pair[1].kind, -(pair[1].milliseconds or 0))),
    ("by precision", lambda pair: (pair[1].precision, -(pair[1].milliseconds or 0))),
    ("by name", lambda pair: told.label(pair[1])),
)


class PlanRef(NamedTuple):
    """One plan to look into."""

    run: str
    side: Side
    label: str
    """What it is called on the screen it was opened from."""


def plans_of(run: str, model: str, recipe: str) -> tuple[PlanRef, PlanRef]:
    """The two plans of a run, the candidate's first."""
    return PlanRef(run, "candidate", f"{model} · {recipe or 'recipe'}"), PlanRef(run, "baseline", f"{model} · FP32")


class LayersTable(Table):
    """The table; what is told of the row under the cursor stands below it."""

    filtered = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEFT, "screen.turn(-1)", "plans", id="layers.left", show=False, tooltip="The plan before"),
        Binding(
            RIGHT, "screen.turn(1)", "other plan", id="layers.right", tooltip="The next plan: the baseline's, another run's"
        ),
    ]


class LayersScreen(AtDesk, SafeDismiss, FilteredScreen):
    """The layers of one plan; the arrow keys go to the others."""

    CSS_PATH = "layers.tcss"
    EXAMPLE = "/ conv enter leaves the layers with conv in their names, s sorts by share, → shows the original plan."
    HELP = (
        "The layers of a plan as the backend's own profiler times them, the slowest first. Times are means over some\n"
        "inferences on made-up inputs, and the profiler slows each layer down: compare shares. The bar is against the slowest\n"
        "layer. `reformat` only changes layout or precision between two others, `FP32 island` computes in FP32 in a plan that\n"
        "elsewhere computes in less. While a run has the board, nothing is timed. `edgetui inspect RUN` prints the same."
    )
    FILTER = "layers.filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "sort", id="layers.sort", tooltip="Sort by something else"),
        Binding("slash", "filter", "filter", id="layers.filter", tooltip="Show only layers that have these letters"),
        Binding("escape", "back", "back", id="layers.back", tooltip="Where you came from"),
        Binding("r", "again", "time again", id="layers.again", tooltip="Time the layers once more"),
        Binding("y", "copy", "copy", id="layers.copy", tooltip="Copy the table to the clipboard"),
    ]

    def __init__(self, plans: Sequence[PlanRef], at: int = 0) -> None:
        super().__init__()
        self.plans = tuple(plans)
        self.at = at
        self.facts: PlanFacts | None = None
        self.sort = 0
        self.message: tuple[Line, ...] = ()
        """What stands in place of the table."""
        self._in_rows: list[LayerFacts] = []
        self._widths: dict[str, int] = {}
        """Of the columns, by their heads."""

    @property
    def table(self) -> LayersTable:
        """The table."""
        return self.query_one(LayersTable)

    def compose(self) -> ComposeResult:
        """Title, summary, table or message, the layer under the cursor, keys."""
        yield Lines(id="layers-head")
        yield Lines(id="layers-summary")
        yield LayersTable(id="layers-table", cursor_type="row", zebra_stripes=False)
        yield Scrolling(id="layers-message")
        yield Lines(id="layers-detail")
        yield KeyBar()

    def on_mount(self) -> None:
        """Look into the plan."""
        self.table.focus()
        self._look()

    def _look(self, *, again: bool = False) -> None:
        self.facts = None
        self._say([((" ▶ timing the layers", "accent"), (" …   some seconds", "dim"))])
        in_background(self, partial(self._ask, again=again), "layers")

    async def _ask(self, *, again: bool) -> None:
        plan = self.plans[self.at]

        def wait(what: str) -> None:
            self._say(self._rows(f"· waiting: {what}", "warn"))

        try:
            facts = await self.desk.link.layers(plan.run, plan.side, wait, again=again)
        except (EdgetuiError, OSError) as failure:
            error = refusal(failure)
            self._say([*self._rows(f"✗ {error.what}", "bad"), *self._rows(said(error.fixes, as_row), "dim")])
            return
        if not facts.layers:
            about = [f"size {size(facts.size_bytes)}", *(f"{key} {text}" for key, text in facts.built.items() if text)]
            why = "the backend names no layers of this plan"
            if facts.refusal:
                why = f"layers are not known here: {facts.refusal.said(as_row)}"
            self._say([*self._rows(why, "warn"), (), *(row for text in about for row in self._rows(text, "dim"))])
            return
        self.facts, self.message = facts, ()
        self.remove_class("-message")
        self._columns()
        self.table.focus()

    def _rows(self, text: str, kind: str) -> list[Line]:
        return [((f" {row}", kind),) for row in wrap(text, max(20, self.app.size.width - 4))]

    def _say(self, message: Sequence[Line]) -> None:
        """Something in place of the table."""
        self.message = tuple(message)
        self.add_class("-message")
        self.query_one("#layers-message", Lines).show(message)
        self.write_head()

    def on_resize(self) -> None:
        """Other columns where the width asks for them."""
        self._columns()

    def _columns(self) -> None:
        """Columns of a fixed width, so that nothing jumps; the last has the rest."""
        table = self.table
        table.clear(columns=True)
        table.cell_padding = 0
        self._widths = column_widths(self.facts.layers if self.facts is not None else (), self.app.size.width)
        for name, width in self._widths.items():
            table.add_column(Text(name, justify="right" if name in ("ms", "share") else "left"), width=width, key=name or "bar")
        self.write()

    def shown(self) -> list[LayerFacts]:
        """The layers that pass the filter, sorted."""
        letters = self.filter_text.lower()
        every = enumerate(self.facts.layers if self.facts else ())
        found = [pair for pair in every if letters in " ".join(self._words(pair[1])).lower()]
        return [layer for _, layer in sorted(found, key=SORTS[self.sort][1])]  # type: ignore[arg-type]

    @staticmethod
    def _words(layer: LayerFacts) -> tuple[str, ...]:
        return layer.precision, layer.kind, told.note(layer), layer.name, *layer.origin

    def write(self) -> None:
        """Fill the table anew; the cursor keeps its layer."""
        self.write_head()
        facts, table = self.facts, self.table
        if facts is None:
            return
        kept = self._current
        table.clear()
        total = told.total_ms(facts.layers)
        most = max((told.share(layer, total) or 0.0 for layer in facts.layers), default=0.0)
        shown = self.shown()
        for layer in shown:
            table.add_row(*self._cells(layer, total, most))
        self._in_rows = shown
        if kept in shown:
            table.move_cursor(row=shown.index(kept))
        self._detail()

    def _cells(self, layer: LayerFacts, total: float, most: float) -> list[Text]:
        part = told.share(layer, total)
        widths = self._widths
        bar = " " + share_bar(part / most if part is not None and most else 0.0, widths[""] - 2, self.desk.graph)
        note = told.note(layer)
        return [
            Text(told.milliseconds(layer.milliseconds), justify="right"),
            Text(percent(part), justify="right"),
            Text(bar, style=tone(self.app, "accent")),
            Text(layer.precision or DASH),
            _cut(layer.kind or DASH, widths["operator"] - 1),
            *([Text(note, style=tone(self.app, NOTE_TONES.get(note, "")))] if "note" in widths else []),
            *([_cut(", ".join(layer.inputs), widths["reads"] - 1)] if "reads" in widths else []),
            _cut(told.label(layer), widths["layer"]),
        ]

    @property
    def can_filter(self) -> bool:
        """The layers are there."""
        return self.facts is not None

    def write_head(self) -> None:
        """Title and summary."""
        plan = self.plans[self.at]
        many = f"   {self.at + 1} of {len(self.plans)}" if len(self.plans) > 1 else ""
        many += f"   {SORTS[self.sort][0]}" if self.facts else ""
        typed: Line = (("   / ", "accent"), *self.entry.spans()) if self.entry else ()
        kept = f"   filter `{self.filter_text}`: {len(self.shown())} shown" if self.filter_text and not self.entry else ""
        head: Line = ((" edgetui  Layers", "title"), (f"   {plan.label}", "value"), (many, "dim"), *typed, (kept, "accent"))
        run = f"   {plan.run}"  # whole or not at all
        fits = sum(width_of(text) for text, _ in head) + width_of(run) <= self.size.width
        self.query_one("#layers-head", Lines).show([(*head, (run, "dim")) if fits else head])
        self.query_one("#layers-summary", Lines).show(self._summary())

    def _summary(self) -> list[Line]:
        facts = self.facts
        if facts is None:
            return []
        total = told.total_ms(facts.layers)
        times = f"{told.milliseconds(total)} ms" if total else "times are not known"
        plain = f" ({told.milliseconds(facts.inference_ms)} without the profiler)" if facts.inference_ms else ""
        counts: Line = ((f" {len(facts.layers)} layers  ", "value"), (f"{told.precisions(facts.layers)}   ", ""))
        lost = [
            part
            for name, which in (("reformats", lambda layer: layer.reformat), ("FP32 islands", lambda layer: layer.island))
            for part in ((f" {name} ", "dim"), (f"{told.part(facts.layers, which)}  ", "value"))
        ]
        return [(*counts, (times, "value"), (plain, "dim")), tuple(lost)]

    @property
    def _current(self) -> LayerFacts | None:
        """The layer under the cursor."""
        at = self.table.cursor_row
        return self._in_rows[at] if 0 <= at < len(self._in_rows) else None

    def on_data_table_row_highlighted(self) -> None:
        """Another layer under the cursor."""
        self._detail()

    def _detail(self) -> None:
        """All that is known of the layer under the cursor, its whole name first."""
        layer, detail = self._current, self.query_one("#layers-detail", Lines)
        if layer is None or self.facts is None:
            none = f" no layer has the letters `{self.filter_text}`: clear the filter" if self.filter_text else ""
            detail.show([((none, "warn"),)])
            return
        label = told.label(layer)
        own = f" in the plan {layer.name}  " if label != layer.name else ""
        reads = f"   reads {', '.join(layer.inputs)}" if layer.inputs else ""
        computes = f" computes in {layer.precision}" if layer.precision else " precision not told"
        detail.show([((f" {label}", "value"),), ((f"{own}{computes}{reads}", "dim"),)])

    def action_turn(self, by: int) -> None:
        """Another plan."""
        if len(self.plans) > 1:
            self.at = (self.at + by) % len(self.plans)
            self._look()

    def action_sort(self) -> None:
        """The next order."""
        self.sort = (self.sort + 1) % len(SORTS)
        self.write()

    def action_again(self) -> None:
        """Time the layers once more."""
        self._look(again=True)

    def action_copy(self) -> None:
        """The layers that are shown as tab-separated text, with all that is known of each."""
        if self.facts is None:
            return
        total = told.total_ms(self.facts.layers)
        rows = ["ms\tshare\tprecision\toperator\tnote\treads\tlayer\tname"]
        for layer in self.shown():
            figures = (told.milliseconds(layer.milliseconds), percent(told.share(layer, total)), layer.precision or DASH)
            rest = (layer.kind, told.note(layer), ", ".join(layer.inputs), told.label(layer), layer.name)
            rows.append("\t".join((*figures, *rest)))
        self.app.copy_to_clipboard("\n".join(rows))
        self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """Where we came from."""
        dismiss_once(self)


def column_widths(layers: Sequence[LayerFacts], width: int) -> dict[str, int]:
    """Columns that these layers have something for: operators whole where there is room, then names, then longer bars."""
    wide = width >= WIDE
    widths = {"ms": 8, "share": 8, "": LEAST_BAR, "precision" if wide else "prec.": 11 if wide else 7}
    widths["operator"] = 14
    if any(map(told.note, layers)):
        widths["note"] = 13 if wide else 12
    if width >= WIDEST:
        widths["reads"] = 22
    spare = max(0, width - 1 - sum(widths.values()) - LEAST_LAYER)
    operator = 1 + max((width_of(layer.kind) for layer in layers), default=0)
    names = max((width_of(sanitize(told.label(layer))) for layer in layers), default=0)
    for name, wanted in (("operator", min(operator, MOST_OPERATOR)), ("layer", names), ("", MOST_BAR)):
        given = max(0, min(spare, wanted - widths.get(name, LEAST_LAYER)))
        widths[name] = widths.get(name, LEAST_LAYER) + given
        spare -= given
    widths["layer"] = max(LEAST_LAYER, width - 1 - sum(each for name, each in widths.items() if name != "layer"))
    return widths


def _cut(text: str, width: int) -> Text:
    """A text in a column; what does not fit ends in a mark."""
    text = sanitize(text)
    return Text(text if width_of(text) <= width else f"{cut(text, max(1, width - 1))}…")
