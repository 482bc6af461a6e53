"""Which figures the monitor draws: chosen in the list, over another, or on the page of all; kept for the next time.

Apart from `monitor.py`, which shows, records and replays.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from msgspec import structs
from textual.screen import Screen

from ..desk import AtDesk
from ..kept_look import RUN_SERIES
from ..panes.sensors import MOST_CHARTS, WINDOWS, ChartsPane, SensorsPane, first_choice
from .safe_dismiss import SafeDismiss

if TYPE_CHECKING:
    from ..feed import Feed, ReplayFeed


class MonitorCharts(AtDesk, SafeDismiss, Screen[None]):
    """A screen with a list of sensors and charts of some of them."""

    sensors: SensorsPane
    past: ChartsPane
    replay: ReplayFeed | None

    @property
    @abstractmethod
    def feed(self) -> Feed | None:
        """What is drawn of."""

    @abstractmethod
    def tick(self) -> None:
        """Draw the rest."""

    def _remember(self) -> None:
        """What was drawn the last time; figures that this board does not tell are left out, and kept for the one that does."""
        look = self.desk.drawn
        if look.sensors:
            self.past.own_choice, self.past.over = True, dict(look.over)
            self.past.choose(list(look.sensors))
        self.past.window = min(max(look.window, 0), len(WINDOWS) - 1)

    def action_chart(self) -> None:
        """Draw the figure under the cursor, or no longer."""
        key = self.sensors.rows.cursor
        chosen = list(self.past.chosen)
        if key in chosen:
            chosen.remove(key)
        elif key not in self.sensors.drawable:
            self.notify("this quantity has no chart over time", timeout=3)
            return
        elif key not in self.past.told:
            self.notify("this board tells nothing of it", timeout=3)
            return
        elif len(self.past.drawn) == MOST_CHARTS:
            self.notify(f"{MOST_CHARTS} charts are the most; space on another takes it away", timeout=3)
            return
        else:
            chosen.append(key)
        self._chosen(chosen)

    def _chosen(self, chosen: list[str]) -> None:
        self.past.own_choice = True
        self.past.choose(chosen)
        self.tick()
        self.sensors.tick()
        self._keep()

    def action_draw(self) -> None:
        """Choose what is drawn, and its order."""
        from .draw import DrawScreen

        feed = self.feed
        if feed is not None and feed.newest is not None:
            now = self.desk.drawn.with_sensors(self.past.chosen) if self.replay is None else self.past.chosen
            self.app.push_screen(DrawScreen(feed.newest, list(now), self._drawn, run=self.replay is None))

    def _drawn(self, charts: list[str]) -> None:
        """What was chosen there."""
        if self.replay is None:
            look = structs.replace(self.desk.drawn, charts=tuple(charts), with_run=bool(charts))
            self.desk.draw(look)
        self.past.own_choice = bool(charts)
        chosen = [each for each in charts if each not in RUN_SERIES]
        if self.past.own_choice or self.feed is None or self.feed.newest is None:
            self.past.choose(chosen)
        else:
            self.past.choose(first_choice(self.feed.newest))
        self.tick()
        self.sensors.tick()

    def action_over(self) -> None:
        """Draw the figure under the cursor over the last chart, or no longer."""
        key, past = self.sensors.rows.cursor, self.past
        base = next((base for base, other in past.over.items() if other == key), None)
        if base is not None:
            del past.over[base]
        elif key not in self.sensors.drawable:
            self.notify("this quantity has no chart over time", timeout=3)
            return
        else:
            others = [each for each in past.drawn if each != key]
            if not others:
                self.notify("there is no other chart to draw it over", timeout=3)
                return
            past.over[others[-1]] = key
            past.chosen = [each for each in past.chosen if each != key]
        self._chosen(list(past.chosen))

    def _keep(self) -> None:
        """Remember what is drawn, for the next time."""
        if self.replay is None:
            look, past = self.desk.drawn, self.past
            charts = look.with_sensors(past.chosen) if past.own_choice else look.charts
            self.desk.draw(structs.replace(look, charts=charts, over=dict(past.over), window=past.window))
