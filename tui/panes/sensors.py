"""Every figure that the sensors tell, a row each, with a cursor; and charts of those that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Grid

from ...engine.advice.words import DASH
from ...engine.telemetry.quantities import IN_GROUPS
from ..readings import groups
from ..runview import Bar
from ..widgets.chart import DOTTED, SOLID
from ..widgets.lines import Line, Rows, wrap
from ..widgets.pastchart import PastChart
from .pane import Pane

if TYPE_CHECKING:
    from ...engine.api import Sample
    from ...engine.telemetry.quantity import Figure
    from ..feed import Feed

MOST_CHARTS = 8
NARROW = 56
"""Below so many columns charts stand in one column."""
WINDOWS: tuple[tuple[float, str], ...] = (
    (60.0, "1 min"),
    (300.0, "5 min"),
    (1800.0, "30 min"),
    (7200.0, "2 h"),
    (86400.0, "24 h"),
)
PREFIXED = ("GPU", "CPU")
"""Groups whose figures do not say by themselves what they are of."""


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

    TITLE = "Past"
    EXAMPLE = "w twice shows an hour in place of a minute; p holds it still to read a figure."
    HELP = (
        "The chosen figures over time, with their least and most in the window. w changes the window, from a minute to a day;\n"
        "p stops the picture while the data go on. A hole is a time in which nothing was heard. Dots along the foot are\n"
        "windows of energy: all of them are the original's, every other one a candidate's."
    )

    def __init__(self) -> None:
        super().__init__(id="past", classes="pane")
        self.feed: Feed | None = None
        self.bars: Sequence[Bar] = ()
        """Windows of the run that is followed, marked along the foot of each chart."""
        self.frozen = False
        self.window = 1
        self.chosen: list[str] = []
        self.own_choice = False
        """Somebody has chosen what is drawn."""
        self._frame_text = ""

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
        for n, chart in enumerate(self.charts):
            chart.set_class(n >= len(keys), "-empty")
            chart.series = keys[n] if n < len(keys) else ""
        self._assign()
        self._columns()
        self.call_after_refresh(self.tick)

    def _columns(self) -> None:
        wide = self.size.width >= NARROW and len(self.chosen) > 1
        self.grid.styles.grid_size_columns = 2 if wide else 1

    def on_resize(self) -> None:
        """One column of charts, or two."""
        self._columns()

    def _assign(self) -> None:
        """Titles and axes, from what the newest sample says about the series."""
        feed = self.feed
        if feed is None or feed.newest is None:
            return
        sample = feed.newest
        about = {figure.key: (q, figure) for q in IN_GROUPS for figure in q.rows(sample, feed.watt_decimals)}
        for chart in self.charts[: len(self.chosen)]:
            if chart.series not in about:
                chart.value = ""
                continue
            quantity, figure = about[chart.series]
            name = f"{quantity.group} {figure.label}" if quantity.group in PREFIXED else figure.label
            unit = quantity.unit
            chart.become_series(f"{name}  {unit.text}", 1 / unit.divisor, unit.low, quantity.top(sample))
            chart.value = figure.value or DASH

    def tick(self) -> None:
        """Read the window again and draw it."""
        feed = self.feed
        if feed is None or self.frozen or feed.newest is None:
            return
        if not self.own_choice and len(first := first_choice(feed.newest)) > len(self.chosen):
            self.choose(first)  # loads come with the second sample
        self._assign()
        history, begin, end = feed.view(WINDOWS[self.window][0])
        marked = [(bar.begin_s, bar.end_s, SOLID if bar.solid else DOTTED) for bar in self.bars]
        still = feed.still(WINDOWS[self.window][0])
        for chart in self.charts[: len(self.chosen)]:
            chart.look(history, begin, end, hold_s=2.5 * feed.period_s, still=still, marked=marked)
            chart.draw()
        self.frame()

    def frame(self) -> None:
        """Title and foot; written only when they change, for that repaints the pane."""
        share = self.feed.share_read if self.feed is not None else 1.0
        reading = f"   reading {share:.0%}" if share < 1 else ""
        title = "Past" + ("  paused" if self.frozen else "")
        seconds, words = WINDOWS[self.window]
        all_of_it = self.feed is not None and self.feed.still(seconds)
        foot = f"w window {'all of it' if all_of_it else words}{reading}"
        if self._frame_text != title + foot:
            self._frame_text = title + foot
            self.border_title, self.border_subtitle = title, foot

    def next_window(self) -> None:
        """Show more or less of the past."""
        self.window = (self.window + 1) % len(WINDOWS)
        frozen, self.frozen = self.frozen, False
        self.tick()
        self.frozen = frozen
        self.frame()
