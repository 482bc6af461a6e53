"""Telemetry alone, full screen, for field tests: all figures, their past, marks and alerts; recorded, or a replay."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from ...engine.advice.words import size
from ...engine.errors import EdgetuiError, StorageRefused
from ..feed import LiveFeed, ReplayFeed
from ..panes.happened import HappenedPane, hms
from ..panes.pane import Pane
from ..panes.sensors import WINDOWS, ChartsPane, SensorsPane
from ..readings import SETTLED, left
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Lines
from ..widgets.motion import LEFT, RIGHT
from .headlines import fitting, with_note
from .monitor_asked import Shown
from .monitor_charts import MonitorCharts
from .safe_dismiss import dismiss_once

if TYPE_CHECKING:
    from ..feed import Feed

TABS = ("sensors", "past", "happened")
WORDS = {"sensors": "Sensors", "past": "Past", "happened": "Marks and alerts"}
TRACK = 40
"""Columns of the line that shows the place in a replay."""
REPLAYING = ("seek", "speed", "next_event")
LIVE = ("record", "mark", "field")
"""Actions that make sense only there."""


class MonitorScreen(MonitorCharts):
    """The screen; alone (`edgetui monitor`), or over the workbench."""

    CSS_PATH = "monitor.tcss"
    EXAMPLE = SensorsPane.EXAMPLE
    HELP = SensorsPane.HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "chart", "chart", id="monitor.chart", tooltip="Draw this figure, or no longer"),
        Binding("p", "pause", "pause", id="monitor.pause", tooltip="Stop the picture; the data go on"),
        Binding("w", "window", "window", id="monitor.window", tooltip="Show more or less of the past, a minute to a day"),
        Binding("escape", "back", "leave", id="monitor.leave", tooltip="To where you came from"),
        Binding("r", "record", "record", id="monitor.record", tooltip="Begin a recording in the state folder, or end it"),
        Binding("m", "mark", "mark", id="monitor.mark", tooltip="Mark this moment, with a note"),
        Binding(
            "o", "over", "over", id="monitor.over", show=False, tooltip="Draw this figure over the last chart, or no longer"
        ),
        Binding("f", "field", "field", id="monitor.field", tooltip="Five large figures, for the sun and a slow link"),
        Binding("d", "draw", "draw", id="monitor.draw", tooltip="Choose what is drawn, and in which order"),
        Binding(LEFT, "seek(-1)", "back", id="monitor.back", tooltip="Replay: a tenth of the window back"),
        Binding(RIGHT, "seek(1)", "on", id="monitor.on", tooltip="Replay: a tenth of the window on"),
        Binding("minus", "speed(-1)", "slower", id="monitor.slower", show=False, tooltip="Replay: slower"),
        Binding("plus", "speed(1)", "faster", id="monitor.faster", tooltip="Replay: faster"),
        Binding("n", "next_event(1)", "next mark", id="monitor.next", tooltip="Replay: go to the next mark or alert"),
        Binding(
            "N", "next_event(-1)", "mark before", show=False, id="monitor.before", tooltip="Replay: the mark or alert before"
        ),
        Binding("tab", "next_pane(1)", "next", id="monitor.pane", tooltip="Focus the next pane"),
        Binding(
            "shift+tab",
            "next_pane(-1)",
            "previous pane",
            id="monitor.pane.previous",
            show=False,
            tooltip="Focus the pane before",
        ),
        *[
            Binding(str(n), f"pane('{name}')", WORDS[name], id=f"monitor.{name}", show=False, tooltip=f"Go to {WORDS[name]}")
            for n, name in enumerate(TABS, 1)
        ],
        Binding("y", "copy", "copy", id="monitor.copy", show=False, tooltip="Copy all figures to the clipboard"),
    ]

    def __init__(self, shown: Shown | None = None) -> None:
        super().__init__()
        self.shown = shown
        """None: over the workbench."""
        self.replay: ReplayFeed | None = None
        self.tab = "sensors"
        self._to_record = shown.record if shown else None
        self._paused = False
        self._marks = 0
        self.lines = {name: Lines(id=name) for name in ("monitor-head", "monitor-alerts", "monitor-tabs", "transport")}

    @property
    def feed(self) -> Feed | None:
        """The replay, or the board's sensors; None: not opened yet."""
        return self.replay or self.desk.link.feed

    def compose(self) -> ComposeResult:
        """Header, alerts, tabs (one column only), panes, the replay's line, keys."""
        self.sensors, self.past, self.happened = SensorsPane(), ChartsPane(), HappenedPane()
        yield from (self.lines[name] for name in ("monitor-head", "monitor-alerts", "monitor-tabs"))
        with Container(id="monitor-body"):
            yield from (self.sensors, self.past, self.happened)
        yield self.lines["transport"]
        yield KeyBar()

    def on_mount(self) -> None:
        """Everything that takes time comes after the first paint."""
        self._show_tab()
        self.sensors.rows.focus()
        for widget, draw in ((self, self.tick), *((pane, pane.tick) for pane in (self.sensors, self.past, self.happened))):
            self.desk.pace.add(widget, draw, self._moves)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        link, shown = self.desk.link, self.shown
        if shown is not None and shown.player is not None:
            self.replay = ReplayFeed(link.engine, shown.player)
            self.past.window = next((n for n, (s, _) in enumerate(WINDOWS) if s >= self.replay.duration_s), len(WINDOWS) - 1)
            self.lines["transport"].add_class("-shown")
            self.refresh_bindings()
            for note in shown.player.recording.said:
                self.notify(f"note: {note}", timeout=8)
            self.run_in_background(partial(asyncio.to_thread, self.replay.read), "replay-read")
        elif shown is not None:
            self.run_in_background(partial(self._open, shown), "telemetry")
        if self.replay is None:
            self._remember()
        self.desk.pace.settle()
        self.tick()

    async def _open(self, shown: Shown) -> None:
        await asyncio.to_thread(self.desk.link.look_at_board)
        await self.desk.link.open_telemetry(shown.rate_hz, shown.source)

    # what is drawn by the pace

    def tick(self) -> None:
        """Take in what a replay has come to; header, alerts and the replay's line."""
        feed, live = self.feed, self.desk.link.feed
        self.sensors.feed = self.past.feed = self.happened.feed = feed
        view = self.desk.link.view
        followed = view if self.replay is None else None
        self.past.bars = followed.bars() if followed is not None else ()
        self.past.stages = followed.stage_begins() if followed is not None else ()
        if self.replay is not None:
            self.replay.pump()
            if self.replay.behind:
                self.run_in_background(partial(asyncio.to_thread, self.replay.catch_up), "replay-place")
            self.lines["transport"].show([self._transport(self.replay)])
        elif live is not None and self._to_record is not None and live.newest is not None:
            path, self._to_record = self._to_record, None
            self._start_recording(live, path)
        self.sensors.charted = [*self.past.drawn, *self.past.over.values()]
        alerts = feed.active if feed is not None else ()
        self.lines["monitor-alerts"].set_class(bool(alerts), "-shown")
        if alerts:
            text = "   ".join(event.about for event in alerts)
            self.lines["monitor-alerts"].show([((" ! ALERT ", "bad"), (f" {text}", "bad"))])
        self.lines["monitor-head"].show([self._head(feed)])
        self._show_tabs()

    def _moves(self) -> bool:
        feed = self.feed
        return feed is not None and (feed.moves or feed.heard <= SETTLED) and not self._paused

    def _head(self, feed: Feed | None) -> Line:
        about = self._about()
        right: Line = ()
        if self.replay is None and feed is not None:
            if feed.recorder is not None:
                facts = [size(feed.recorder.size_bytes), left(feed.recorder.days_left())]
                right = ((f"● recording {', '.join(fact for fact in facts if fact)}", "bad"),)
            right = (*right, (f"   {self.desk.link.disk_free()}   {datetime.now():%H:%M} ", "dim"))
        elif feed is not None and feed.newest is not None:
            right = ((f"{feed.newest.wall[:19].replace('T', ' ')} ", "dim"),)
        room = max(0, self.size.width - 21 - sum(len(text) for text, _ in right))
        return ((" edgetui  ", "title"), ("Monitor  ", "accent"), (f"{fitting(about, room):<{room}}  ", ""), *right)

    def _about(self) -> str:
        if self.replay is not None:
            return f"{self.replay.player.recording.path.name}   {self.replay.source()}"
        live = self.desk.link.feed
        source = live.source() if live is not None else ""
        return " · ".join(part for part in (source, self.desk.link.board) if part)

    def _tabs(self, alerts: int) -> Line:
        line: Line = ()
        for n, name in enumerate(TABS, 1):
            word = WORDS[name] + (f" ! {alerts}" if name == "happened" and alerts else "")
            here = name == self.tab
            line = (*line, (f"[{n} {word}]" if here else f" {n} {word} ", "accent" if here else "dim"))
        return line

    def _show_tabs(self) -> None:
        if self.has_class("-one"):
            tabs = self._tabs(len(self.feed.active) if self.feed is not None else 0)
            self.lines["monitor-tabs"].show([with_note(tabs, self._notes(), self.size.width)])

    def on_charts_pane_framed(self) -> None:
        """One column has no frames."""
        self._show_tabs()

    def _notes(self) -> tuple[str, ...]:
        if self.tab == "past":
            return self.past.notes
        return ("paused",) if self._paused and self.tab == "sensors" else ()

    def _transport(self, feed: ReplayFeed) -> Line:
        """`▶ 2x  0:01:23 of 0:05:00  ━━━━●────`."""
        player = feed.player
        word = "■ end" if player.ended else "‖ paused" if feed.paused else f"▶ {feed.speed:g}x"
        track = max(10, min(TRACK, self.size.width - 36))
        share = player.position_s / feed.duration_s if feed.duration_s else 1.0
        at = min(round(share * (track - 1)), track - 1)
        line = ("━" * at, "accent"), ("●", "key"), ("─" * (track - 1 - at), "dim")
        return ((f" {word:<9} ", "value"), (f"{hms(player.position_s)} of {hms(feed.duration_s)}  ", ""), *line)

    # panes

    def _show_tab(self) -> None:
        for name in TABS:
            self.query_one(f"#{name}").set_class(name == self.tab, "-tab")

    def on_descendant_focus(self) -> None:
        """The tab follows the focus."""
        for pane in self.query(Pane):
            if pane.has_focus_within and pane.id and pane.id != self.tab:
                self.action_pane(pane.id)

    def action_pane(self, name: str) -> None:
        """Go to a pane."""
        self.tab = name
        self._show_tab()
        pane = self.query_one(f"#{name}", Pane)
        (pane if pane.can_focus else next(child for child in pane.query("*") if child.can_focus)).focus()
        self.tick()
        self.call_after_refresh(pane.tick)

    def action_next_pane(self, by: int) -> None:
        """Go to the pane after or before this one."""
        self.action_pane(TABS[(TABS.index(self.tab) + by) % len(TABS)])

    def on_resize(self) -> None:
        """Header and charts fit the new size."""
        self.call_after_refresh(self.tick)
        self.call_after_refresh(self.past.tick)

    # actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing here are not offered."""
        del parameters
        if action in REPLAYING:
            return self.replay is not None
        return self.replay is None if action in LIVE else True

    def action_pause(self) -> None:
        """Stop the picture, or let it go on; a replay itself stands still."""
        if self.replay is not None:
            self.replay.toggle()
        else:
            self._paused = not self._paused
            self.sensors.frozen = self.past.frozen = self._paused
            self.past.frame()
        self.tick()

    def action_window(self) -> None:
        """More or less of the past."""
        self.past.next_window()
        self._keep()

    def action_record(self) -> None:
        """Begin or end a recording."""
        feed = self.desk.link.feed
        try:
            if feed is None or feed.newest is None:
                raise StorageRefused("there is nothing to record yet", fix="wait for the first sample")
            if feed.recorder is None:
                self._start_recording(feed, None)
                return
            length, path = feed.recorder.size_bytes, feed.stop_recording()
            self.notify(f"recorded {path}, {size(length)}", timeout=5)
        except EdgetuiError as error:
            self.desk.show_error(error)
        self.tick()

    def _start_recording(self, feed: LiveFeed, path: Path | None) -> None:
        try:
            made = feed.record(path)
        except EdgetuiError as error:
            self.desk.show_error(error)
            return
        self.notify(f"recording to {made}", timeout=5)
        self.tick()

    def action_mark(self) -> None:
        """Mark the moment at which the key was pressed."""
        from .dialogs import Ask

        feed = self.desk.link.feed
        if feed is None:
            return
        at_s = feed.now_s
        self._marks += 1

        def keep(note: str | None) -> None:
            if note:
                feed.mark(note, at_s)
                self.happened.tick()

        where = "in the recording" if feed.recorder is not None else "on the screen only; r records"
        self.app.push_screen(
            Ask(f"A note for this mark ({where})", f"mark {self._marks}", replaces=True, example="sun on the fan"), keep
        )

    def action_field(self) -> None:
        """Field mode."""
        from .field import FieldScreen

        self.app.push_screen(FieldScreen())

    def action_seek(self, by: int) -> None:
        """Move the place of a replay."""
        if self.replay is not None:
            span_s = min(WINDOWS[self.past.window][0], self.replay.duration_s)
            self.replay.seek(by * max(span_s / 10, self.replay.period_s))
            self.tick()

    def action_speed(self, by: int) -> None:
        """Faster or slower."""
        if self.replay is not None:
            self.replay.faster(by)
            self.tick()

    def action_next_event(self, by: int) -> None:
        """Go to the next mark or alert, or the one before."""
        if self.replay is not None and not self.replay.next_event(by):
            self.notify("this recording has no marks and no alerts", timeout=3)
        self.tick()

    def action_copy(self) -> None:
        """All figures to the clipboard of the user's own terminal."""
        self.app.copy_to_clipboard(self.sensors.rows.plain())
        self.notify("copied; tmux needs `set -g set-clipboard on`", timeout=3)

    def action_back(self) -> None:
        """To the workbench; alone, out."""
        if self.shown is None:
            dismiss_once(self)
        else:
            self.app.exit(0)

    def on_unmount(self) -> None:
        """Let go of the recording that was replayed."""
        if self.replay is not None:
            self.replay.close()
