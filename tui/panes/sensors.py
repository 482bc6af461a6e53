"""Every figure that the sensors tell, a row each, with a cursor; and charts of those that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.content import Content
from textual.message import Message

from ...engine.advice.words import DASH
from ...engine.telemetry.quantities import IN_GROUPS
from ..readings import SETTLED, absent_words, chart_name, drawable, groups, told_series
from ..runview import Bar
from ..widgets.chart import DOTTED, SOLID
from ..widgets.lines import Line, Rows, wrap
from ..widgets.motion import LEFT, RIGHT
from ..widgets.pastchart import Over, PastChart
from .pane import Pane

if TYPE_CHECKING:
    from ...engine.api import Sample
    from ...engine.telemetry.quantity import Figure, Quantity
    from ..feed import Feed

MOST_CHARTS = 8
LOOKED_AT = 100
"""Places of a window in which the first sample is looked for."""
LEAST_ZOOM_S = 2.0
NARROW = 56
"""Below so many columns charts stand in one column."""
STACKED = 12
"""Where each chart has so many rows they stand below each other over the whole width: the past is long."""
WINDOWS: tuple[tuple[float, str], ...] = (
    (60.0, "1 min"),
    (300.0, "5 min"),
    (1800.0, "30 min"),
    (7200.0, "2 h"),
    (86400.0, "24 h"),
)


def first_choice(sample: Sample) -> list[str]:
    """Series that are drawn at the beginning: of the quantities with one title the first that has a value."""
    chosen: dict[str, str] = {}
    for quantity in IN_GROUPS:
        found = quantity.series(sample) if quantity.chart else []
        if found:
            chosen.setdefault(quantity.chart, found[0][0])
    return list(chosen.values())


class SensorsPane(Pane):
    """The list."""

    TITLE = "Sensors"
    EXAMPLE = "/ gpu enter goes to the first sensor with these letters, space draws it; r records, m marks the moment."
    HELP = (
        "All that this board's sensors tell. A dash is a figure that is not known, with the reason beside it; a zone that is\n"
        "off and a core that is off are normal. The total says what it covers: the module, or all of the board's input.\n"
        "Space draws the figure under the cursor, or takes its chart away."
    )

    def __init__(self) -> None:
        super().__init__(id="sensors", classes="pane")
        self.feed: Feed | None = None
        self.frozen = False
        self.charted: list[str] = []
        self.drawable: set[str] = set()
        """Rows that are figures over time."""
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """One list."""
        self.rows = Rows(id="sensor-rows")
        yield self.rows

    def tick(self) -> None:
        """Bring the list up to date when something has come."""
        feed = self.feed
        if feed is None or self.frozen:
            return
        drawn = (id(feed), feed.heard, tuple(self.charted), self.rows.size.width, feed.refusal())
        if drawn == self._drawn:
            return
        self._drawn = drawn
        if feed.newest is None:
            self._say_why_empty(feed.refusal())
            return
        rows: list[tuple[str, Line]] = []
        shown = groups(feed.newest, feed.watt_decimals)
        self.drawable = {figure.key for group in shown for figure in group.figures if figure.key}
        for group in shown:
            rows.append(("", ((f"{group.title}", "title"),)))
            rows += [(figure.key or f"{group.title} {figure.label}", self._row(figure)) for figure in group.figures]
        self.rows.fill(rows)

    def _say_why_empty(self, refusal: str) -> None:
        text = f"no sensors can be read: {refusal}" if refusal else "waiting for the first sample …"
        width = max(20, self.rows.size.width - 3)
        self.rows.fill([("", ((f" {row}", "warn" if refusal else "dim"),)) for row in wrap(text, width)])

    def _row(self, figure: Figure) -> Line:
        mark = ("● ", "accent") if figure.key in self.charted else ("  ", "")
        label = (f"{figure.label[:18]:<18} ", "dim")
        if not figure.value:
            return (mark, label, (f"{DASH:>7} {figure.note or figure.unit}", "dim"))
        if not figure.key and not figure.unit:
            return (mark, label, (figure.value, "value"))
        return (mark, label, (f"{figure.value:>7}", "value"), (f" {figure.unit:<4} {figure.note}", "dim"))


class ChartsPane(Pane, can_focus=True):
    """A chart for each chosen figure."""

    class Framed(Message):
        """Title or foot of its frame say something else."""

    TITLE = "Past"
    EXAMPLE = "c, then ← ← stands on a moment and says its values; z z looks four times as close at it."
    HELP = (
        "The chosen figures over time, with their least and most in the window. w changes the window, from a minute to a day;\n"
        "p stops the picture while the data go on. A hole is a time in which nothing was heard. Dots along the foot are\n"
        "windows of energy: all of them are the original's, every other one a candidate's; a broken line: a stage began.\n"
        "c sets a cursor, ← → move it, g and G to the ends: its values stand in the titles, its time at the foot.\n"
        "z looks closer, Z less close.\n"
        "o on a figure of the list draws it over the last chart, with an axis of its own. What is drawn is remembered."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "cursor", "cursor", id="past.cursor", tooltip="A cursor with values in the charts, or none"),
        Binding(LEFT, "step(-1)", "earlier", id="past.earlier", show=False, tooltip="Cursor: a cell earlier"),
        Binding(RIGHT, "step(1)", "later", id="past.later", show=False, tooltip="Cursor: a cell later"),
        Binding("shift+left,H", "step(-10)", "much earlier", id="past.much_earlier", show=False, tooltip="Cursor: ten earlier"),
        Binding("shift+right,L", "step(10)", "much later", id="past.much_later", show=False, tooltip="Cursor: ten later"),
        Binding("home,g", "end_of_it(0)", "first", id="move.first", show=False, tooltip="Cursor: to the begin of the picture"),
        Binding("end,G", "end_of_it(1)", "last", id="move.last", show=False, tooltip="Cursor: to its end"),
        Binding("z", "zoom(0.5)", "closer", id="past.closer", tooltip="Look closer, at the cursor or at the end"),
        Binding("Z", "zoom(2.0)", "further", id="past.further", show=False, tooltip="From further away"),
        Binding("escape", "plain", "no cursor", id="past.plain", show=False, tooltip="No cursor and no zoom"),
    ]

    def __init__(self) -> None:
        super().__init__(id="past", classes="pane")
        self.feed: Feed | None = None
        self.bars: Sequence[Bar] = ()
        """Windows of the run that is followed, marked along the foot of each chart."""
        self.frozen = False
        self.window = 1
        self.chosen: list[str] = []
        self.drawn: list[str] = []
        """Of `chosen` those that this board has told, as many as there are charts for."""
        self.told: set[str] = set()
        """Series that have had a value."""
        self.own_choice = False
        """Somebody has chosen what is drawn."""
        self._frame_text = ""
        self.notes: tuple[str, ...] = ()
        """What the frame says of the picture, for a layout without frames; each shorter than the one before."""
        self.over: dict[str, str] = {}
        """A series that is drawn over another: by that one's name."""
        self.stages: Sequence[tuple[float, str]] = ()
        """When stages of the run that is followed began."""
        self.cursor_s: float | None = None
        self.zoomed: tuple[float, float] | None = None
        """Begin and end of what is looked at closely."""
        self._span = (0.0, 1.0)

    def compose(self) -> ComposeResult:
        """Room for the most charts; those that are not wanted are hidden."""
        self.charts = [PastChart(graph=self.desk.graph, id=f"past-{n}") for n in range(MOST_CHARTS)]
        with Grid(id="past-grid") as self.grid:
            yield from self.charts
        for chart in self.charts:
            chart.add_class("-empty")

    def choose(self, keys: list[str]) -> None:
        """Draw these series."""
        self.chosen = keys
        self.over = {base: other for base, other in self.over.items() if base in keys}
        self._lay_out()
        self._assign()
        self.call_after_refresh(self.tick)

    def _lay_out(self) -> None:
        """A chart for each series that is drawn."""
        self.drawn = [key for key in self.chosen if key in self.told][:MOST_CHARTS]
        for n, chart in enumerate(self.charts):
            chart.set_class(n >= len(self.drawn), "-empty")
            chart.series = self.drawn[n] if n < len(self.drawn) else ""
        self._columns()

    def _take_in(self, sample: Sample) -> None:
        """Learn what this board tells: what was chosen on another may not be there, and loads come with the second sample."""
        if self.told.issuperset(self.chosen):  # all figures of a sample are formed for it
            return
        told = self.told | told_series(sample)
        if told == self.told:
            return
        self.told = told
        if self.chosen and not any(key in told for key in self.chosen):
            self.chosen = [*first_choice(sample), *self.chosen]
        self._lay_out()

    @property
    def absent(self) -> str:
        """What was chosen and is not on this board, in words; empty: all is there."""
        settled = self.feed is not None and self.feed.heard >= SETTLED
        return absent_words(self.chosen, self.told) if settled else ""

    def _columns(self) -> None:
        charts = len(self.drawn)
        beside = charts > 1 and self.size.width >= NARROW and self.size.height < STACKED * charts
        self.grid.styles.grid_size_columns = 2 if beside else 1

    def on_resize(self) -> None:
        """One column of charts, or two."""
        self._columns()

    def _assign(self) -> None:
        """Titles and axes, from what the newest sample says about the series."""
        feed = self.feed
        if feed is None or feed.newest is None:
            return
        sample = feed.newest
        self._take_in(sample)
        about = drawable(sample, feed.watt_decimals)
        for chart in self.charts[: len(self.drawn)]:
            if chart.series not in about:
                chart.value = ""
                continue
            quantity, figure = about[chart.series]
            unit = quantity.unit
            chart.become_series(
                f"{chart_name(quantity, figure)}  {unit.text}", 1 / unit.divisor, unit.low, quantity.top(sample)
            )
            chart.value = figure.value or DASH
            beside = about.get(self.over.get(chart.series, ""))
            chart.over, chart.second = (None, "") if beside is None else (_over(*beside, sample), chart.second)

    def tick(self) -> None:
        """Read the window again and draw it."""
        feed = self.feed
        if feed is None or self.frozen or feed.newest is None:
            return
        if not self.own_choice and len(first := first_choice(feed.newest)) > len(self.chosen):
            self.choose(first)  # loads come with the second sample
        self._draw(feed)

    def _draw(self, feed: Feed) -> None:
        self._assign()
        history, begin, end = feed.view(WINDOWS[self.window][0])
        if self.frozen:
            begin, end = self._span
        elif self.zoomed is None:
            self._span = begin, end
        marked = [(bar.begin_s, bar.end_s, SOLID if bar.solid else DOTTED) for bar in self.bars]
        still = feed.still(WINDOWS[self.window][0]) or self.zoomed is not None
        begin, end = self.zoomed or (begin, end)
        if self.cursor_s is not None:  # the picture goes on: who stands at its begin goes with it
            self.cursor_s = min(max(self.cursor_s, begin), end)
        named = [*self.stages, *((event.t_s, event.text) for event in feed.happened() if event.raised is None)]
        for chart in self.charts[: len(self.drawn)]:
            chart.cursor_s, chart.named = self.cursor_s, named
            chart.look(history, begin, end, hold_s=2.5 * feed.period_s, still=still, marked=marked)
            chart.draw()
        self.frame()

    def frame(self) -> None:
        """Title and foot; written only when they change, for that repaints the pane."""
        share = self.feed.share_read if self.feed is not None else 1.0
        reading = f"   reading {100 * share:.0f} %" if share < 1 else ""
        absent = self.absent
        title = "Past" + ("  paused" if self.frozen else "") + (f"   {absent}" if absent else "")
        seconds, words = WINDOWS[self.window]
        all_of_it = self.feed is not None and self.feed.still(seconds)
        window = f"closer: {_long(self.zoomed[1] - self.zoomed[0])}" if self.zoomed else "all of it" if all_of_it else words
        at = self._at()
        foot = f"{at}w window {window}{reading}"
        stands = "paused   " if self.frozen else ""
        beside = f"   {absent}" if absent else ""
        self.notes = (
            f"{stands}{at}window {window}{reading}{beside}",
            f"{stands}{at}window {window}{reading}",
            f"{stands}{at}".rstrip(),
        )
        if self._frame_text != title + foot:
            self._frame_text = title + foot
            self.border_title, self.border_subtitle = Content(title), foot
            self.post_message(self.Framed())

    def _at(self) -> str:
        """The time of the cursor."""
        if self.cursor_s is None or self.feed is None or self.feed.newest is None:
            return ""
        newest = self.feed.newest
        ago = _long(max(0.0, self.feed.now_s - self.cursor_s))
        try:
            wall = datetime.fromisoformat(newest.wall) - timedelta(seconds=newest.t_s - self.cursor_s)
        except ValueError:
            return f"│ {ago} ago   "
        return f"│ {wall:%H:%M:%S}, {ago} ago   "

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing are free for what lies around: a replay's place."""
        if action in ("step", "end_of_it"):
            return self.cursor_s is not None
        if action == "plain":
            return self.cursor_s is not None or self.zoomed is not None
        return super().check_action(action, parameters)

    def action_cursor(self) -> None:
        """A cursor in the middle of what is drawn, or none."""
        begin, end = self.zoomed or self._span
        self.cursor_s = None if self.cursor_s is not None else (self._drawn_from(begin, end) + end) / 2
        self._look()

    def _drawn_from(self, begin_s: float, end_s: float) -> float:
        """When the first chart begins to show anything between these."""
        if self.feed is None or not self.drawn:
            return begin_s
        history, _, _ = self.feed.view(WINDOWS[self.window][0])
        there = history.buckets(self.charts[0].series, begin_s, end_s, LOOKED_AT)
        first = next((n for n, bucket in enumerate(there) if bucket is not None), 0)
        return begin_s + (end_s - begin_s) * first / LOOKED_AT

    def action_step(self, by: int) -> None:
        """Move the cursor by cells."""
        begin, end = self.zoomed or self._span
        if self.cursor_s is not None and self.drawn:
            self.cursor_s = min(max(self.cursor_s + by * self.charts[0].cell_s, begin), end)
            self._look()

    def action_end_of_it(self, which: int) -> None:
        """Move the cursor to the begin or the end of the picture."""
        if self.cursor_s is not None:
            self.cursor_s = (self.zoomed or self._span)[which]
            self._look()

    def action_zoom(self, factor: float) -> None:
        """Look closer, or from further away."""
        begin, end = self.zoomed or self._span
        whole = self._span[1] - self._span[0]
        long = max((end - begin) * factor, LEAST_ZOOM_S)
        if long >= whole:
            self.zoomed = None
        else:
            middle = self.cursor_s if self.cursor_s is not None else end - long / 2
            begin = min(max(middle - long / 2, self._span[0]), self._span[1] - long)
            self.zoomed = begin, begin + long
        self._look()

    def action_plain(self) -> None:
        """No cursor; once more: no zoom."""
        if self.cursor_s is not None:
            self.cursor_s = None
        else:
            self.zoomed = None
        self._look()

    def _look(self) -> None:
        self.refresh_bindings()
        if self.feed is not None and self.feed.newest is not None:
            self._draw(self.feed)

    def next_window(self) -> None:
        """Show more or less of the past."""
        self.window, self.zoomed = (self.window + 1) % len(WINDOWS), None
        frozen, self.frozen = self.frozen, False
        self.tick()
        self.frozen = frozen
        self.frame()


def _over(quantity: Quantity, figure: Figure, sample: Sample) -> Over:
    """A quantity that is drawn over another."""
    unit = quantity.unit
    fixed = (unit.low, quantity.top(sample))
    return Over(figure.key, f"{chart_name(quantity, figure)} {unit.text}", 1 / unit.divisor, fixed, figure.value or DASH)


def _long(seconds: float) -> str:
    """`12 s`, `3:20 min`, `2:05 h`."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    return f"{whole // 60}:{whole % 60:02d} min" if whole < 3600 else f"{whole // 3600}:{whole // 60 % 60:02d} h"
