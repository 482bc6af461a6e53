"""What every screen and pane shares: the engine, the link to it, the pace, and how it is said what went wrong.

`app.py` puts screens on it; screens and panes know this and never the app, so that nothing is imported in a circle.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.dom import DOMNode

from ..engine.config import Config
from ..engine.errors import EdgetuiError
from .background import in_background, refusal
from .compositor import draw_narrowly
from .fix_words import on_screen
from .kept_look import MonitorLook, keep_look, kept_look
from .late_toasts import BESIDE, LEAST_ROWS, fitting, mend_toasts
from .leaving import WIDGET_GONE, BearsLeaving, stays
from .link import Link
from .locale_told import told_environ
from .pace import Pace
from .says_refusals import SaysRefusals
from .strips import make_caches_late
from .terminal import told
from .theme import choose_graph

if TYPE_CHECKING:
    from textual.notifications import Notify, SeverityLevel
    from textual.worker import Worker

    from ..engine.api import Engine
    from .board_asks import BoardAsks


mend_toasts()
draw_narrowly()
make_caches_late()
ERROR_S = 8.0
"""So long an error stands on the screen."""


class Desk(SaysRefusals, App[int]):
    """An app with an engine."""

    def __init__(self, config: Config, engine: Engine | None = None, **textual: Any) -> None:  # noqa: ANN401
        super().__init__(**textual)
        self.link = Link(config, engine)
        self.pace = Pace(self, config.ui.rate_hz, self.refused)
        self.graph = choose_graph(config.ui.graph, told_environ())
        self.undone_by: list[Callable[[], Coroutine[Any, Any, str]]] = []
        """What takes back a deletion or an edit of runs, and says so; of what was done last at the end."""
        self._drawn: MonitorLook | None = None
        self._board_asks: BoardAsks | None = None
        self._said: dict[str, float] = {}
        """Errors that stand on the screen, and until when."""

    @property
    def config(self) -> Config:
        """edgetui.toml, and what was opened since."""
        return self.link.config

    @property
    def engine(self) -> Engine:
        """The engine; imported when it is first asked something, which is after the first paint."""
        return self.link.engine

    @property
    def drawn(self) -> MonitorLook:
        """What is drawn of the sensors, on the workbench as in the monitor."""
        if self._drawn is None:
            self._drawn = kept_look(self.engine.home)
        return self._drawn

    def draw(self, look: MonitorLook) -> None:
        """Draw this from now on, also the next time."""
        self._drawn = look
        self.run_in_background(partial(asyncio.to_thread, keep_look, self.engine.home, look), "keep-look")

    def show_error(self, error: EdgetuiError) -> None:
        """Say what happened and what to do; what a list says at each look stands there once."""
        said, now = f"error: {on_screen(error)}", time.monotonic()
        self._said = {text: until_s for text, until_s in self._said.items() if until_s > now}
        if said not in self._said:
            self._said[said] = now + ERROR_S
            self.notify(said, severity="error", timeout=ERROR_S)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Say something for a moment. Names are in it, which are no markup: `/data/a[/b]` ended the program as such."""
        del markup  # Textual's widgets ask for it where nobody says
        message = fitting(message, self.size.width - BESIDE, max(LEAST_ROWS, self.size.height // 4))
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def _on_notify(self, event: Notify) -> None:
        """What is said again while it stands takes the place of the same; Textual adds it to the others behind this."""
        new = event.notification
        said = (new.message, new.title, new.severity)
        for old in list(self._notifications):
            if (old.message, old.title, old.severity) == said:
                self._unnotify(old, refresh=False)

    @property
    def board_asks(self) -> BoardAsks:
        """What boards of the fleet were asked for from here."""
        if self._board_asks is None:
            from .board_asks import BoardAsks

            self._board_asks = BoardAsks(self, self.tell_end, self.show_error)
        return self._board_asks

    async def follow_no_boards(self) -> None:
        """Let go of what boards were asked for; they go on."""
        if self._board_asks is not None:
            await self._board_asks.close()

    def tell_end(self, text: str) -> None:
        """Say that what was waited for has ended: on the screen, and the terminal as the user wants it."""
        self.notify(text, timeout=6)
        when = self.config.notify.terminal
        if when == "always" or (when == "unfocused" and not self.app_focus):
            self.write_to_terminal(told(text))

    def write_to_terminal(self, codes: str) -> None:
        """Codes that draw nothing: the bell."""
        if self._driver is not None:
            self._driver.write(codes)

    async def act(self, action: str, node: DOMNode) -> None:
        """Do what a key of `node` does; nothing where it has gone meanwhile."""
        try:
            if stays(node):
                await self.run_action(action, node)
        except (EdgetuiError, OSError) as error:
            self.refused(error)

    def run_in_background(
        self, work: Callable[[], Coroutine[Any, Any, None]], group: str, asker: DOMNode | None = None
    ) -> Worker[None]:
        """Do something with the engine beside the screen; the newest of a group ends the one before.

        It goes on when `asker`, a screen or a pane, has gone; by itself the screen that is on top.
        """
        asked_by = asker or self.screen

        async def attempted() -> None:
            try:
                await work()
            except (EdgetuiError, OSError) as error:
                self.show_error(refusal(error))
            except WIDGET_GONE:
                # the answer came after the screen that had asked was left: there is nothing to show it on
                if stays(asked_by):
                    raise

        return in_background(self, attempted, group)


class AtDesk(BearsLeaving, SaysRefusals):
    """A screen or a pane: it finds the desk that it stands on, which says what it cannot do.

    No node of the tree by itself: Textual takes styles from the first base that is one, and would find none of `Screen`.
    """

    @property
    def desk(self) -> Desk:
        """The app, as far as screens and panes need it."""
        assert isinstance(self.app, Desk)
        return self.app

    def run_in_background(self, work: Callable[[], Coroutine[Any, Any, None]], group: str) -> Worker[None]:
        """Do something with the engine, for this screen; what is asked in the moment in which it is left is not for the one
        below, which is on top by then.
        """
        assert isinstance(self, DOMNode)
        return self.desk.run_in_background(work, group, self)

    def look_each(self, seconds: float, read: Callable[[], Worker[None] | None]) -> None:
        """Have `read` look now, and again and again unless its last look still waits: the next would end it, and what takes
        longer to answer, as a board may, would never be shown.
        """
        last: list[Worker[None] | None] = [None]

        def look() -> None:
            if last[0] is None or last[0].is_finished:
                last[0] = read()

        self.set_interval(seconds, look)
        look()
