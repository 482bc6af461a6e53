"""The one timer of the screen: how often what is shown is brought up to date.

4 Hz; 1 Hz while the terminal is not looked at, a measurement window is open (the screen's own watts must not be in the
reading) or nothing that is on screen moves: a picture that was stopped, sensors that stand still; nothing for what is hidden.
One tick for all panes, so that all changes go out in one frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.timer import Timer
from textual.widget import Widget

from ..engine.errors import EdgetuiError
from ..engine.system.log import logger

SLOW_HZ = 1.0
STILL_AFTER_S = 3.0
"""So long after the last key, and the last tick at which something moved, the screen is taken to stand still."""
_LATE_S = 0.1
"""A tick that takes longer is felt at the keys."""
_log = logger(__name__)


class Pace:
    """Calls every drawer whose widget is on screen, at the rate that the moment allows."""

    def __init__(self, app: App[Any], rate_hz: float, refused: Callable[[EdgetuiError | OSError], None]) -> None:
        """`refused` is told what a drawer cannot read."""
        self.app, self._refused = app, refused
        self.rate_hz = rate_hz
        self.hush = False
        """A measurement window is open."""
        self.always: list[Callable[[], None]] = []
        """Called at every tick, whatever is on screen: what comes in must not wait until it is looked at."""
        self._drawers: list[tuple[Widget, Callable[[], None], Callable[[], bool]]] = []
        self._stirred_s = time.monotonic()
        self._timer: Timer | None = None
        self._running_hz = 0.0

    @property
    def wanted_hz(self) -> float:
        """The rate for this moment."""
        still = time.monotonic() - self._stirred_s >= STILL_AFTER_S
        return min(self.rate_hz, SLOW_HZ) if still or self.hush or not self.app.app_focus else self.rate_hz

    def add(self, widget: Widget, draw: Callable[[], None], moves: Callable[[], bool] = lambda: True) -> None:
        """Have `draw` called at every tick at which `widget` can be seen. `moves` says whether what it draws changes by itself,
        more than once a second: while nothing on screen does, the slow rate is enough.
        """
        self._drawers.append((widget, draw, moves))

    def stir(self) -> None:
        """A key: whatever it sets going is drawn at the full rate."""
        self._stirred_s = time.monotonic()
        if self._timer is not None:
            self.settle()

    def settle(self) -> None:
        """Start the timer, or change its rate if the moment asks for another one."""
        if self._running_hz == self.wanted_hz:
            return
        _log.debug("%g Hz instead of %g", self.wanted_hz, self._running_hz)
        if self._timer is not None:
            self._timer.stop()
        self._running_hz = self.wanted_hz
        self._timer = self.app.set_interval(1 / self._running_hz, self.tick, name="pace")

    def tick(self) -> None:
        """Draw what is seen."""
        began_s = time.monotonic()
        self.settle()
        for take in self.always:
            self._attempt(take)
        self._drawers = [drawer for drawer in self._drawers if drawer[0].is_attached]
        moving = False
        for widget, draw, moves in self._drawers:
            if widget.screen is self.app.screen and widget.is_on_screen:
                self._attempt(draw)
                moving = moving or moves()
        if moving:
            self.stir()
        took_s = time.monotonic() - began_s
        if took_s > _LATE_S:
            _log.info("a tick took %.0f ms on %s", 1e3 * took_s, type(self.app.screen).__name__)

    def _attempt(self, work: Callable[[], None]) -> None:
        """One that cannot read what it shows leaves the others their tick."""
        try:
            work()
        except (EdgetuiError, OSError) as error:
            self._refused(error)
