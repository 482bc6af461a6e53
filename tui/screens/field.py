"""Field mode: five figures that can be read in the sun, what is wrong in plain words, record and mark with one key each.

For a slow link: one picture a second, whatever else draws faster.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from ...engine.advice.words import DASH, digits
from ...engine.errors import EdgetuiError, StorageRefused
from ...engine.report.width import cut, width_of
from ..desk import AtDesk
from ..fix_words import on_screen
from ..panes.happened import hms
from ..widgets.bigdigits import PLAIN, fitting_rows, rows_of
from ..widgets.histogram import bars
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Lines, wrap
from .monitor_asked import Shown
from .safe_dismiss import SafeDismiss, dismiss_once
from .small import TooSmall, is_small

if TYPE_CHECKING:
    from ...engine.api import AlertEvent, Sample
    from ...engine.schema.events import Reading
    from ..feed import LiveFeed

EVERY_S, LOOK_S, OLD_S = 1.0, 5.0, 15.0
"""A picture; a look for a run that goes; a reading of a run that is older says nothing of now."""
PAST = 240
LABEL = 12
"""Columns of a figure's name."""
_PLAIN = {
    "temperature": "too hot",
    "power": "too much power",
    "ram": "memory nearly full",
    "throttling": "slowed down",
    "silence": "a sensor is silent",
}
"""What an alert means, by what its rule watches."""


class FieldFigure(NamedTuple):
    """One of the five."""

    name: str
    value: float | None
    text: str
    why_not: str = ""
    """Why there is no value."""


class FieldScreen(AtDesk, SafeDismiss, Screen[None]):
    """The screen; alone (`edgetui monitor --field`), or over another."""

    LEAST = (40, 12)
    QUIET = True
    """What happens is said at the foot; nothing may cover the figures."""
    CSS_PATH = "field.tcss"
    EXAMPLE = "r records from now on, space marks this moment, i is for the sun; esc leaves."
    HELP = (
        "Frames a second of the run that measures, power, the hottest zone, memory, and joules a frame: watts over frames a\n"
        "second, idle power in it. Below: whether it is recorded, and what is wrong. One picture a second.\n"
        "r records, m marks this moment, i is for the sun: dark on light and back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "record", "record", id="field.record", tooltip="Begin a recording in the state folder, or end it"),
        Binding("m,space", "mark", "mark", id="field.mark", tooltip="Mark this moment"),
        Binding("i", "invert", "sun", id="field.sun", tooltip="Dark on light, for the sun, and back"),
        Binding("escape", "back", "back", id="field.leave", tooltip="To where you came from"),
    ]

    def __init__(self, shown: Shown | None = None) -> None:
        super().__init__()
        self.shown = shown
        """None: over another screen."""
        self.past: dict[str, deque[float | None]] = {}
        self._next_s = self._look_s = 0.0
        self._read: Reading | None = None
        self._read_s = 0.0
        self._to_record = shown.record if shown else None
        self._began_s: tuple[object, float] = (None, 0.0)
        self._said = ""

    def compose(self) -> ComposeResult:
        """Figures, what is recorded and wrong, keys."""
        self.figures, self.foot = Lines(id="field-figures"), Lines(id="field-foot")
        yield self.figures
        yield self.foot
        yield KeyBar()

    @property
    def feed(self) -> LiveFeed | None:
        """The board's sensors; None: not opened yet."""
        return self.desk.link.feed

    def on_mount(self) -> None:
        """Everything that takes time comes after the first paint."""
        self.desk.pace.add(self, self.tick, lambda: False)  # a picture a second
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if self.feed is None and self.shown is not None:
            self.run_in_background(self._open, "telemetry")
        self.desk.pace.settle()
        self.draw()

    async def _open(self) -> None:
        assert self.shown is not None
        await self.desk.link.open_telemetry(self.shown.rate_hz, self.shown.source)

    def on_resize(self) -> None:
        """Figures as large as there is room."""
        self.call_after_refresh(self.draw)

    def tick(self) -> None:
        """A picture a second; every five a look for a run to show frames of."""
        now = time.monotonic()
        view = self.desk.link.view
        if now >= self._look_s and (view is None or view.state):
            self._look_s = now + LOOK_S
            self.run_in_background(self._follow, "field-look")
        if now >= self._next_s:
            self._next_s = max(self._next_s + EVERY_S, now + EVERY_S / 2)  # a tick a little early is none that is left out
            if self.feed is not None and self._to_record is not None and self.feed.newest is not None:
                path, self._to_record = self._to_record, None
                self._record(path)
            self._remember()
            self.draw()

    async def _follow(self) -> None:
        """Listen to the run that has the board."""
        going = next((run for run in await self.desk.engine.list() if run.state == "running"), None)
        if going is not None and (self.desk.link.view is None or self.desk.link.view.run != going.run):
            link = self.desk.link

            async def follow() -> None:
                await link.follow(going.run)

            self.run_in_background(follow, "follow")

    def _remember(self) -> None:
        for figure in self._now():
            self.past.setdefault(figure.name, deque(maxlen=PAST)).append(figure.value)

    def _fps(self) -> float | None:
        """Of the run that measures; None: none does."""
        view = self.desk.link.view
        reading = None if view is None or view.state else view.sides.get("candidate") or view.sides.get("baseline")
        if reading is not self._read:
            self._read, self._read_s = reading, time.monotonic()
        fresh = reading is not None and time.monotonic() - self._read_s < OLD_S
        return 1000 / reading.latency_ms if reading is not None and fresh and reading.latency_ms else None

    def _now(self) -> list[FieldFigure]:
        """The five figures."""
        sample: Sample | None = self.feed.newest if self.feed is not None else None
        watts = sample.total_mw / 1000 if sample is not None and sample.total_mw is not None else None
        hottest = sample.hottest[1] if sample is not None and sample.hottest is not None else None
        used = sample.ram_used_mb / 1024 if sample is not None and sample.ram_used_mb is not None else None
        fps = self._fps()
        joules = watts / fps if watts is not None and fps else None
        small = joules is not None and joules < 1
        untold = "no sample yet" if sample is None else ""
        return [
            FieldFigure("FPS", fps, _text(fps), "no run measures"),
            FieldFigure("W", watts, DASH if watts is None else f"{watts:.1f}", untold or "no power sensor"),
            FieldFigure("°C", hottest, DASH if hottest is None else f"{hottest:.0f}", untold or "no temperature sensor"),
            FieldFigure("RAM GB", used, DASH if used is None else f"{used:.1f}", untold or "not told here"),
            FieldFigure(
                "mJ/frame" if small or joules is None else "J/frame",
                joules,
                _text(None if joules is None else joules * (1000 if small else 1)),
                "no run measures" if fps is None else untold or "no power sensor",
            ),
        ]

    def draw(self) -> None:
        """Figures as large as there is room for, their past beside them."""
        figures = self._now()
        width, height = self.figures.size.width, self.figures.size.height
        if not width or not height:
            return
        each = (height - len(figures) + 1) // len(figures)
        large = fitting_rows([figure.text for figure in figures], each, width - LABEL - 2, self.desk.graph)
        blank = max(0, min((height - large * len(figures)) // (len(figures) - 1), 2))
        lines: list[Line] = []
        for figure in figures:
            drawn = rows_of(figure.text, large, self.desk.graph)
            least = 12 if large == PLAIN and figure.value is not None else 0
            wide = max(least, *(len(row) for row in drawn))
            room = width - LABEL - wide - 6
            past = self._past_rows(figure, room, len(drawn)) if room >= 6 else [""] * len(drawn)
            if figure.value is None:
                past[len(drawn) // 2] = cut(figure.why_not, max(0, room + 2))
            for n, (row, beside) in enumerate(zip(drawn, past, strict=True)):
                name = figure.name if n == len(drawn) // 2 else ""
                lines.append(((f"  {name:<{LABEL - 2}}", "title"), (f"{row:<{wide}}", "value"), (f"    {beside}", "dim")))
            lines += [()] * blank
        top = max(0, (height - len(lines) + blank) // 2)
        self.figures.show([*([()] * top), *lines][:height])
        self.foot.show(self._foot())

    def _past_rows(self, figure: FieldFigure, columns: int, rows: int) -> list[str]:
        """The last seconds as bars from the least to the most of them."""
        known = [value for value in self.past.get(figure.name, ()) if value is not None][-columns:]
        if len(known) < 2:
            return [""] * rows
        low, high = min(known), max(known)
        low -= max(0.15 * (high - low), 0.02 * abs(high))
        return bars([value - low for value in known], columns, rows, self.desk.graph, most=max(high - low, 1e-9))

    def _foot(self) -> list[Line]:
        """What is recorded; what is wrong, or what was last."""
        feed, width = self.feed, max(10, self.size.width - 4)
        trouble = self._said or (self.desk.link.trouble() if feed is None else feed.refusal())
        if feed is None or feed.refusal():
            return [((f"  {row}", "warn"),) for row in wrap(trouble or "waiting for the first sample", width)[:2]]
        marks = sum(event.raised is None for event in feed.happened())
        words = f"{marks} mark{'s' * (marks != 1)}" if marks else ""
        if feed.recorder is not None:
            if self._began_s[0] is not feed.recorder:
                self._began_s = (feed.recorder, time.monotonic())
            state: Line = (("  ● recording ", "bad"), (f"{hms(time.monotonic() - self._began_s[1])}   {words}", "value"))
        else:
            said, *more = _two_rows(self._said or "not recording", width)
            state = ((f"  {said}   {words}", "dim"),)
            if more:
                return [state, ((f"  {more[0]}", "dim"),)]
        return [state, self._wrong(feed)]

    def _wrong(self, feed: LiveFeed) -> Line:
        active = feed.active
        if active:
            more = f"  and {len(active) - 1} more" if len(active) > 1 else ""
            return ((f"  ! {_clock(active[-1])}{plain_words(active[-1])}{more}", "bad"),)
        over = next((event for event in reversed(feed.happened()) if event.raised is False), None)
        return () if over is None else ((f"  ✓ {_clock(over)}over: {plain_words(over)}", "dim"),)

    # actions

    def action_record(self) -> None:
        """Begin or end a recording."""
        feed = self.feed
        try:
            if feed is None or feed.newest is None:
                raise StorageRefused("there is nothing to record yet", fix="wait for the first sample")
            if feed.recorder is None:
                self._record(None)
            else:
                self._said = self._recorded(str(feed.stop_recording()))
        except EdgetuiError as error:
            self._said = on_screen(error)
        self.draw()

    def _recorded(self, path: str) -> str:
        """The path where it has room in a row, else the file's name."""
        words = f"recorded {path}"
        return words if width_of(words) <= self.size.width - 4 else f"recorded {Path(path).name}"

    def _record(self, path: Path | None) -> None:
        assert self.feed is not None
        try:
            self.feed.record(path)
            self._said = ""
        except EdgetuiError as error:
            self._said = on_screen(error)

    def action_mark(self) -> None:
        """Mark the moment at which the key was pressed."""
        if self.feed is not None:
            marks = sum(event.raised is None for event in self.feed.happened())
            self.feed.mark(f"mark {marks + 1}", self.feed.now_s)
            self.draw()

    def action_invert(self) -> None:
        """Dark on light, and back."""
        dark = self.app.current_theme.dark
        native = self.app.theme.startswith("ansi")
        self.app.theme = f"{'ansi' if native else 'edgetui'}-{'light' if dark else 'dark'}"
        self.draw()

    def action_back(self) -> None:
        """To where we came from; alone, out."""
        if self.shown is None:
            dismiss_once(self)
            if is_small(self.app.size):
                self.app.push_screen(TooSmall())
        else:
            self.app.exit(0)


def _text(value: float | None) -> str:
    return DASH if value is None else digits(value)


def _two_rows(text: str, width: int) -> list[str]:
    """Broken at spaces; where that takes more rows than there are, wherever a row is full."""
    rows = wrap(text, width)
    first = cut(text, width)
    return rows if len(rows) < 3 else [first, text[len(first) :]]


def _clock(event: AlertEvent) -> str:
    """`14:22 `; empty where the sample had no wall time."""
    try:
        return f"{datetime.fromisoformat(event.wall):%H:%M} "
    except ValueError:
        return ""


def plain_words(event: AlertEvent) -> str:
    """`too hot: gpu 97, above 95 °C`."""
    watch, _, rule = event.rule.partition(" ")
    if event.say:
        watch, rule = event.say, event.rule
    figure = f" {event.value:.0f}" if event.value is not None else ""
    told = ", ".join(filter(None, [f"{event.detail}{figure}".strip(), rule]))
    return f"{_PLAIN.get(watch, watch)}{': ' if told else ''}{told}"
