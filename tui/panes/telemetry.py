"""Live telemetry on the right: what the board's sensors say, and what the running run measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec import structs
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.content import Content

from ...engine.advice.words import digits
from ...engine.telemetry.quantities import BY_KEY, IN_GROUPS
from ..kept_look import LIVE_CHARTS, MonitorLook
from ..readings import SETTLED, absent_words, chart_name, drawable, series_value, told_series
from ..widgets.chart import DOTTED, SOLID, Chart
from ..widgets.lines import Line, Lines
from .live_figures import figures, whole_figures
from .pane import Pane

if TYPE_CHECKING:
    from ...engine.api import Bucket, History, Sample
    from ..feed import LiveFeed
    from ..runview import Bar, RunView

WINDOWS_MIN = (1, 5, 30)
WATT_DECIMALS = 2
READINGS = 300
"""Readings of a run that its two charts show."""


USUAL = MonitorLook()
FINE_S, FINE_STEP_S, COARSE_STEP_S = 290.0, 0.25, 5.0
"""How far back the store of samples has quarters of a second, and what is asked of it there and before."""
HELD_S = 3.0
RUN_CHARTS = {"fps": "Frames/s", "latency": "Latency  ms"}
"""What the measuring run says: title by slot. The other slots are keys of quantities."""


def choose_slots(sample: Sample | None, look: MonitorLook = USUAL) -> list[str]:
    """Which quantities are drawn, four at most: those that were chosen, as far as this board has them; else frames a second,
    then what this board can say, by interest.
    """
    if look.charts and sample:
        here = told_series(sample)
        can = [each for each in look.sensors if each in here]
        if look.with_run:
            return [each for each in look.charts if each in can or each in RUN_CHARTS][:LIVE_CHARTS]
        if can:
            return [*can[:1], "fps", *can[1:3], "latency"][:LIVE_CHARTS]
    drawn = (quantity for quantity in IN_GROUPS if quantity.chart and quantity.single)
    can = [quantity.key for quantity in drawn if sample and quantity.value(sample) is not None][:3]
    slots = [*can[:1], "fps", *can[1:]]
    return [*slots, "latency"] if len(slots) < 4 else slots


def mark_at(bars: Sequence[Bar], t_s: float) -> int:
    """How the foot of a chart is marked at a time."""
    bar = next((bar for bar in reversed(bars) if bar.begin_s <= t_s <= bar.end_s), None)
    return 0 if bar is None else SOLID if bar.solid else DOTTED


def _stretches(history: History, name: str, begin_s: float, end_s: float) -> Iterator[tuple[float, float, Bucket | None]]:
    """(begin, seconds, what it had), from the first that had something: samples of the last minutes, before them five seconds
    at a time, for that is what the store keeps. A hole of a few seconds is not one: lines of a run come once a second, and
    end where samples begin.
    """
    fine_s = max(begin_s, end_s - FINE_S) // COARSE_STEP_S * COARSE_STEP_S  # where buckets of both widths begin
    newest_s = (end_s // FINE_STEP_S + 1) * FINE_STEP_S
    last: Bucket | None = None
    missed_s = 0.0
    for from_s, to_s, long_s in ((begin_s, fine_s, COARSE_STEP_S), (fine_s, newest_s, FINE_STEP_S)):
        count = round((to_s - from_s) / long_s)
        if count < 1:
            continue
        from_s = to_s - count * long_s
        for n, bucket in enumerate(history.buckets(name, from_s, to_s, count)):
            missed_s = 0.0 if bucket is not None else missed_s + long_s
            if bucket is not None:
                last = bucket
            if last is not None:
                yield from_s + n * long_s, long_s, last if missed_s <= HELD_S else None


def _spread(bucket: Bucket | None, count: int, divisor: float) -> list[float | None]:
    """So many samples with the bucket's least, mean and largest."""
    if bucket is None:
        return [None] * count
    low, mean, high = (value / divisor for value in bucket)
    return [low, high, *[mean] * (count - 2)] if count > 2 else [mean] * count


class LivePane(Pane, can_focus=True):
    """Four charts and a line of figures."""

    TITLE = "Live"
    EXAMPLE = "w shows more of the past, p stops the picture while a figure is read, m opens all sensors."
    HELP = (
        "What the board's sensors say: power, temperature, load and memory, as far as there are sensors;\n"
        "and frames a second and latency of the run that measures. p stops the picture, the data go on.\n"
        "w changes how much of the past is shown. While a measurement window is open the picture moves once a second,\n"
        "so that the screen's own work is not in the reading. d chooses what is drawn, for the monitor as well.\n"
        "Dots along the foot are windows of energy: all of them are the\n"
        "original's, every other one a candidate's."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "draw", "draw", id="live.draw", tooltip="Choose what is drawn, and in which order"),
    ]

    def __init__(self) -> None:
        super().__init__(id="live", classes="pane")
        self.paused = False
        self.slots: list[str] = []
        self.window = 1
        self._view: RunView | None = None
        self._heard = 0
        self._last: dict[str, float] = {}
        self._subtitle = ""
        self._sampled = False
        self._look = USUAL
        self._told: set[str] = set()
        self._settled = False
        """What the board tells is known."""
        self.absent = ""
        """What was chosen and is not on this board, in words."""
        self._pasts = 0
        """Of `LiveFeed.pasts`, those that the charts have."""

    def compose(self) -> ComposeResult:
        """Figures above, charts below."""
        self.figures = Lines(id="live-figures")
        graph = self.desk.graph
        points = round(WINDOWS_MIN[self.window] * 60 * self.desk.config.ui.rate_hz)
        kept = round(WINDOWS_MIN[-1] * 60 * self.desk.config.ui.rate_hz)
        self.charts = [Chart("", graph=graph, points=points, kept=kept, id=f"chart-{n}") for n in range(4)]
        yield self.figures
        with Grid(id="charts", classes="-empty") as self.grid:
            yield from self.charts

    def on_mount(self) -> None:
        """Draw with the pace."""
        super().on_mount()
        self.desk.pace.add(self, self.tick, self._moves)
        self._frame()

    def tick(self) -> None:
        """Take what has come, and draw it unless the picture is stopped."""
        feed = self.desk.link.feed
        samples = feed.fresh() if feed is not None else []
        if samples:
            self._take(samples)
        if feed is not None and feed.pasts != self._pasts and self.slots:
            self._pasts = feed.pasts
            for chart, name in zip(self.charts, self.slots, strict=False):
                self._recall(feed, chart, name)
        self._listen()
        if not self.paused:
            if samples or not self._sampled:
                self._sampled = self._sampled or bool(samples)
                self.figures.show(self._figures(samples[-1] if samples else None))
            for chart in self.charts:
                chart.draw()
            self._frame()

    def _moves(self) -> bool:
        feed = self.desk.link.feed
        return not self.paused and feed is not None and (feed.moves or not self._settled)

    def _take(self, samples: list[Sample]) -> None:
        self._arrange(samples[-1])
        view = self.desk.link.view
        bars = view.bars() if view is not None else []
        marks = [mark_at(bars, sample.t_s) for sample in samples]
        for chart, name in zip(self.charts, self.slots, strict=False):
            quantity = BY_KEY.get(name.partition(".")[0])
            if quantity is None:
                continue
            for sample, mark in zip(samples, marks, strict=True):
                value = series_value(name, sample)
                chart.push(None if value is None else value / quantity.unit.divisor, mark=mark)
                if value is not None:
                    chart.value = f"{quantity.words(value, WATT_DECIMALS)} {quantity.unit.text}"

    def _recall(self, feed: LiveFeed, chart: Chart, name: str) -> None:
        """Let a chart begin with what the store has of its quantity: before the first sample that is a run's own recording."""
        quantity, newest = BY_KEY.get(name.partition(".")[0]), feed.newest
        if quantity is None or newest is None:
            return
        view = self.desk.link.view
        rate_hz, bars = self.desk.config.ui.rate_hz, view.bars() if view is not None else []
        history, begin_s, end_s = feed.view(WINDOWS_MIN[-1] * 60)
        samples: list[tuple[float | None, ...]] = []
        marks: list[int] = []
        for t_s, long_s, bucket in _stretches(history, name, begin_s, min(end_s, newest.t_s)):
            values = _spread(bucket, max(1, round(long_s * rate_hz)), quantity.unit.divisor)
            samples += [(value,) for value in values]
            marks += [mark_at(bars, t_s + k / rate_hz) for k in range(len(values))]
        chart.begin_with(samples, marks)

    def _arrange(self, sample: Sample | None) -> None:
        """Give the charts their quantities, when there are more than before, or others were chosen."""
        look = self.desk.drawn
        feed = self.desk.link.feed
        self._settled = feed is not None and feed.heard >= SETTLED
        if sample is not None and self._settled:
            if not self._told.issuperset(look.sensors):  # looked for at each tick until all were told once
                self._told |= told_series(sample)
            self.absent = absent_words(look.sensors, self._told)
        slots, chosen = choose_slots(sample, look), look != self._look and sample is not None
        if slots == self.slots or (len(slots) < len(self.slots) and not chosen):
            return
        self.slots, self._look = slots, look if sample is not None else self._look
        self.grid.remove_class("-empty")
        self.grid.set_class(len(slots) < 3, "-row")
        for n, chart in enumerate(self.charts):
            chart.set_class(n >= len(slots), "-empty")
            if n < len(slots):
                self._assign(chart, slots[n], sample)
        self._pasts = -1 if chosen else self._pasts

    def _assign(self, chart: Chart, name: str, sample: Sample | None) -> None:
        """Give a chart its quantity."""
        quantity = BY_KEY.get(name.partition(".")[0])
        if quantity is not None:
            high = quantity.top(sample) if sample else quantity.unit.high
            title = quantity.chart if quantity.single else ""
            if not title and sample is not None and name in (found := drawable(sample)):
                title = chart_name(*found[name])
            chart.become(f"{title}  {quantity.unit.text}", low=quantity.unit.low, high=high)
            chart.window(round(WINDOWS_MIN[self.window] * 60 * self.desk.config.ui.rate_hz))
            self._pasts = 0  # the other charts have it already, and begin with it again
            return
        chart.become(RUN_CHARTS[name], series=2, low=0.0)
        chart.hint = "when measured"
        chart.window(READINGS)
        self._heard = 0

    def _listen(self) -> None:
        """Readings of the run since the last tick, into the charts of frames a second and latency."""
        view = self.desk.link.view
        if view is None:
            return
        if view.heard and not self.slots:
            self._arrange(None)
        if view is not self._view:
            self._view, self._heard, self._last = view, 0, {}
            for chart, name in zip(self.charts, self.slots, strict=False):
                if name in RUN_CHARTS:
                    chart.clear()
        if self._last and not view.sides:  # measuring has begun again
            self._last = {}
            self._say_readings()
        fresh = min(view.heard - self._heard, len(view.readings))
        self._heard = view.heard
        for reading in list(view.readings)[-fresh:] if fresh else []:
            self._last[reading.side] = reading.latency_ms
            base, candidate = self._last.get("baseline"), self._last.get("candidate")
            for chart, name in zip(self.charts, self.slots, strict=False):
                if name == "latency":
                    chart.push(candidate, base)
                elif name == "fps":
                    chart.push(*(1000 / ms if ms else None for ms in (candidate, base)))
        if fresh:
            self._say_readings()

    def _say_readings(self) -> None:
        """Last figures of both sides beside the titles."""
        for chart, name in zip(self.charts, self.slots, strict=False):
            if name not in RUN_CHARTS:
                continue
            figures = {side: ms if name == "latency" else 1000 / ms for side, ms in self._last.items() if ms}
            chart.value = digits(figures["candidate"]) if "candidate" in figures else ""
            chart.second = f"FP32 {digits(figures['baseline'])}" if "baseline" in figures else ""

    def _figures(self, sample: Sample | None) -> list[Line]:
        """What the board says now, in the rows that there are; figures have a fixed width, so that nothing jumps."""
        if sample is None:
            if self.desk.link.trouble():
                return [((" no sensors can be read; ", "warn"), ("`edgetui doctor` says why", "dim"))]
            return [((" waiting for the first sample …", "dim"),)]
        return whole_figures(figures(sample), self.figures.size.width, max(1, self.figures.size.height))

    def _frame(self) -> None:
        """Title and foot of the frame; written only when they change, for that repaints the pane."""
        feed = self.desk.link.feed
        title = f"Live  {feed.source_name if feed is not None else ''}".rstrip() + ("  paused" if self.paused else "")
        title += f"   {self.absent}" if self.absent else ""
        stop = f"{self.key('pause', 'p')} {'go on' if self.paused else 'pause'}"
        foot = f"{stop}   {self.key('window', 'w')} window {WINDOWS_MIN[self.window]} min"
        if self._subtitle != title + foot:
            self._subtitle = title + foot
            self.border_title, self.border_subtitle = Content(title), Content(foot)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the frame says of the picture, for a layout without frames; each shorter than the one before."""
        window = f"window {WINDOWS_MIN[self.window]} min"
        beside = (f"{window}   {self.absent}",) if self.absent else ()
        return (f"paused   {window}", "paused") if self.paused else (*beside, window) if self.slots else ()

    def action_draw(self) -> None:
        """The page that asks what is drawn, once the sensors have said what there is."""
        from ..screens.draw import DrawScreen

        feed = self.desk.link.feed
        if feed is None or feed.newest is None:
            self.notify("no sensor has said anything yet", timeout=3)
            return
        look = self.desk.drawn
        now = look.charts if look.with_run else tuple(self.slots)
        more = [each for each in look.charts if each not in now]
        self.app.push_screen(DrawScreen(feed.newest, [*now, *more], self._drawn, run=True))

    def _drawn(self, charts: list[str]) -> None:
        self.desk.draw(structs.replace(self.desk.drawn, charts=tuple(charts), with_run=bool(charts)))
        self._arrange(self.desk.link.feed.newest if self.desk.link.feed is not None else None)

    def pause(self) -> None:
        """Stop the picture, or let it go on."""
        self.paused = not self.paused
        self._frame()

    def next_window(self) -> None:
        """Show more or less of the past."""
        self.window = (self.window + 1) % len(WINDOWS_MIN)
        points = round(WINDOWS_MIN[self.window] * 60 * self.desk.config.ui.rate_hz)
        for chart, name in zip(self.charts, self.slots, strict=False):
            if name not in RUN_CHARTS:
                chart.window(points)
                chart.draw()
        self._frame()
