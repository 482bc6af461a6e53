"""The text user interface: one app that shows what the engine does and asks it to do more.

A run goes on without it: all that is shown is read from run folders, so quitting, a dropped link or a crash here costs nothing.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import structs
from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.css.stylesheet import Stylesheet
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.geometry import Size
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.theme import Theme

from ..engine.config import Config, here
from ..engine.errors import EdgetuiError
from .ahead import Ahead
from .begun_elsewhere import BegunElsewhere
from .colon import Colon
from .compositor import forget
from .desk import Desk
from .endings import Endings
from .hangup import leave_when_gone
from .held_frames import HoldsFrames
from .jump import Jump
from .run_past import RunPast
from .screens.dialog import EVERYWHERE
from .screens.small import TooSmall, is_small, least_of
from .screens.workbench import WorkbenchScreen
from .small_caches import SmallCaches
from .terminal import is_served
from .theme import AsciiFilter, BlankEnds, DrawnFilter, choose_theme, themes
from .widgets.entry import Entry, opens_line
from .widgets.keybar import KeyBar, keys_of

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel as Severity

    from ..engine.api import Engine
    from .screens.monitor_asked import Shown

MOST = (1000, 500)
"""Columns and rows above which nothing is drawn. Serial lines may claim 65535x65535: cells for tens of gigabytes."""


def _palette() -> type[Provider]:
    """The palette's provider; imported when the palette opens."""
    from .palette import BenchCommands

    return BenchCommands


class ParsedOnce(Stylesheet):
    """Style sheets that are read once. Textual reads all again when a screen brings its own: a third of opening it."""

    def reparse(self) -> None:
        """Read what is new, and all only where variables have changed: then nothing is kept."""
        self.parse()


class EdgetuiApp(HoldsFrames, Desk):
    """The app."""

    TITLE = "edgetui"
    CSS_PATH = "app.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    HORIZONTAL_BREAKPOINTS = [(0, "-one"), (120, "-two"), (160, "-three")]  # noqa: RUF012  (Textual declares it so)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (40, "-high"), (54, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *EVERYWHERE,
        Binding("q", "leave", "quit", id="quit", tooltip="Leave; a run goes on, a recording ends"),
    ]
    ENABLE_COMMAND_PALETTE = True
    ALLOW_SELECT = False  # rows drawn line by line have no text to select, and a click on what has just gone ended the app

    def __init__(self, config: Config, engine: Engine | None = None, monitor: Shown | None = None) -> None:
        self._themes: dict[str, Theme | None] = {}
        # a first screen's own CSS_PATH is not read
        super().__init__(
            config,
            engine,
            css_path=None if monitor is None else ["app.tcss", f"screens/{'field' if monitor.field else 'monitor'}.tcss"],
        )
        self.monitor = monitor
        """Show the monitor alone, not the workbench."""
        self._filters.append(DrawnFilter())
        if self.graph == "ascii":
            self._filters.append(AsciiFilter())
        ScrollBar.renderer = BlankEnds if self.graph == "ascii" else ScrollBarRender
        self.defect: BaseException | None = None
        for theme in themes():
            self.register_theme(theme)
        self._begin_with(choose_theme(config.ui.theme, os.environ, self.available_themes, no_color=self.no_color))
        if self.no_color:  # Textual has chosen grey RGB, before it knew the theme: black on black with a terminal's own colours
            self._filters = [*(f for f in self._filters if not isinstance(f, Monochrome)), NoColor()]
        self.workbench = WorkbenchScreen()
        self.colon = Colon(self)
        self._filtering = False
        """A filter's key has come, perhaps not yet to its screen: letters behind it are the filter's (`/recipe:int8`)."""
        self.jump = Jump(self)

    def _begin_with(self, name: str) -> None:
        """Have a theme from the beginning. To change to it makes Textual read all style sheets twice, for 6 ms."""
        self.set_reactive(EdgetuiApp.theme, name)
        theme = self.current_theme
        for word, on in ((f"-theme-{name}", True), ("-dark-mode", theme.dark), ("-light-mode", not theme.dark)):
            self.set_class(on, word, update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet = ParsedOnce(variables=self.get_css_variables())

    def get_theme(self, theme_name: str) -> Theme | None:
        """A theme by its name. Every row that is drawn asks; Textual has a table of all made for each: a sixth of a paint."""
        if theme_name not in self._themes:
            self._themes[theme_name] = super().get_theme(theme_name)
        return self._themes[theme_name]

    def register_theme(self, theme: Theme) -> None:
        """A theme to choose."""
        self._themes.clear()
        super().register_theme(theme)

    def get_driver_class(self) -> type[Driver]:
        """On a terminal, the driver that wakes up for nothing but keys."""
        from textual.drivers.linux_driver import LinuxDriver

        from .driver import WaitingDriver

        chosen = super().get_driver_class()
        return WaitingDriver if chosen is LinuxDriver else chosen

    def get_default_screen(self) -> Screen[Any]:
        """The workbench, or the monitor alone."""
        if self.monitor is None:
            return self.workbench
        if self.monitor.field:
            from .screens.field import FieldScreen

            return FieldScreen(self.monitor)
        from .screens.monitor import MonitorScreen

        return MonitorScreen(self.monitor)

    def on_mount(self) -> None:
        """Leave cleanly when the link or the system ends us; a SIGHUP that is ignored makes the input thread spin for ever."""
        self.set_keymap({name: keys_of(text) for name, text in self.config.ui.keys.items()})
        if not self.is_headless:
            leave_when_gone(lambda status: self.exit(status, status))
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw())  # Textual draws nothing on the empty terminal
        self.watch(self, "app_focus", self.pace.settle, init=False)
        self.pace.always.append(self._take_in)
        endings = Endings(self)
        self.link.expect = endings.expect
        self.pace.always.append(endings.tick)
        self.pace.always.append(RunPast(self).tick)
        self.pace.always.append(SmallCaches().tick)
        if self.monitor is None:
            self.pace.always.append(Ahead(self.pace).tick)
            self.pace.always.append(BegunElsewhere(self, self.workbench.follow).tick)
        self.call_after_refresh(self._after_first_paint)

    def _after_first_paint(self) -> None:
        from ..engine.system.heap import share_one_heap

        share_one_heap()
        if self.config.ui.keys:
            self.run_in_background(self._refuse_wrong_keys, "own-keys")

    async def _refuse_wrong_keys(self) -> None:
        """Of the user's own keys those that cannot be are said; the rest stays in force."""
        from .own_keys import wrong_keys

        keys = self.config.ui.keys
        wrong = await asyncio.to_thread(wrong_keys, keys)
        if not wrong:
            return
        left = {name: text for name, text in keys.items() if name not in {each.name for each in wrong}}
        self.link.config = structs.replace(self.config, ui=structs.replace(self.config.ui, keys=left))
        self.set_keymap({name: keys_of(text) for name, text in left.items()})
        if self.monitor is None:
            self.workbench.settings.name_keys()
        for each in wrong:
            self.notify(str(each), severity="warning", timeout=10)

    def _take_in(self) -> None:
        """What the sensors say, whatever is on screen: a recording goes on, an alert is said."""
        if self.link.feed is None:
            return
        try:
            for event in self.link.feed.pump():
                if getattr(self.screen, "QUIET", False):
                    continue  # it says so itself
                severity: Severity = "warning" if event.raised else "information"
                self.notify(event.text, severity=severity, timeout=8)
        except EdgetuiError as error:
            self.show_error(error)

    async def on_event(self, event: events.Event) -> None:
        """What is typed behind a colon, and letters that are jumped to, go no further."""
        fresh = isinstance(event, events.InputEvent | events.Paste | events.Resize) and not event.is_forwarded
        if fresh:
            self.pace.stir()
        if fresh and self.screen_stack:
            if isinstance(event, events.Key) and self.typing is None:
                self._filtering = opens_line(self.screen, event) or (self._filtering and event.key not in ("enter", "escape"))
            filtering = self._filtering and self.typing is None
            if not filtering and (self.jump.takes(event) or self.colon.takes(event)):
                return
        await super().on_event(event)

    @property
    def typing(self) -> Entry | None:
        """What the row of keys shows in place of the keys, whatever has the focus."""
        return self.colon.entry or self.jump.entry

    def on_resize(self, event: events.Resize) -> None:
        """Below the least size keys must not act on what cannot be seen; above the most nothing is drawn."""
        forget(self.console)
        claimed, event.size = event.size, Size(min(event.size.width, MOST[0]), min(event.size.height, MOST[1]))
        if claimed != event.size:  # before Textual has the event
            event.virtual_size = event.container_size = event.size
            drawn = f"{event.size.width}x{event.size.height} of it are drawn; `stty cols N rows N` tells it the true size"
            self.notify(f"the terminal claims {claimed.width}x{claimed.height}: {drawn}", severity="warning", timeout=8)
        small = is_small(event.size, least_of(self))
        if small and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall())
        elif not small and isinstance(self.screen, TooSmall):
            self.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A dialog without a row of keys has nothing to type a command into, and few parts."""
        del parameters
        return (
            action not in ("command_palette", "command", "jump") or not self.screen.is_modal or bool(self.screen.query(KeyBar))
        )

    def action_leave(self) -> None:
        """Quit; a run goes on, a recording ends."""
        self.exit(0)

    def action_redraw(self) -> None:
        """Draw everything: another program has written here."""
        forget(self.console)
        self.screen.refresh()

    def action_command_palette(self) -> None:
        """Everything by its name; not over what stands for a screen that is too small."""
        from .palette import Palette

        if not isinstance(self.screen, (Palette, TooSmall)):
            self.push_screen(Palette())

    def search_themes(self) -> None:
        """The palette, of themes."""
        from textual.theme import ThemeProvider

        from .palette import Palette

        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def action_command(self) -> None:
        """Type a command."""
        self.colon.begin()

    def action_jump(self) -> None:
        """Put letters on the parts of the screen."""
        self.jump.begin()

    def action_help(self) -> None:
        """The help of what has the focus."""
        from .screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """All of the screen, also what is below a dialog that was not drawn yet. Viewers that are no browser drop blanks at the
        ends of a text, where nothing says that they stay.
        """
        forget(self.console)
        drawn = super().export_screenshot(title=title, simplify=simplify)
        return drawn.replace("<svg ", '<svg xml:space="preserve" ', 1)

    def action_picture(self) -> None:
        """Save the screen."""
        try:
            path = self.save_screenshot(path=str(here()))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            fix = "free some space, then try again" if full else "start edgetui in a folder of yours"
            self.notify(f"error: cannot write here ({error.strerror}); {fix}", severity="error")
            return
        self.notify(f"saved {path}")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Of Textual's own commands only the theme: the rest are bindings of ours."""
        del screen
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)

    def _handle_exception(self, error: Exception) -> None:
        """A defect: leave, and let the command line write its traceback to a file; never onto the screen."""
        if self.is_headless:
            super()._handle_exception(error)
        elif self.defect is None:
            self.defect = error
            self.exit(1, 1)

    async def on_unmount(self) -> None:
        """Let go of what other processes and boards do for us."""
        await self.follow_no_boards()
        await self.link.close()


def run_app(config: Config, engine: Engine | None = None, monitor: Shown | None = None) -> int:
    """Show the workbench, or the monitor alone, until the user leaves; returns the exit status. Without an engine it makes one,
    after the first frame.

    Raises:
        Exception: whatever defect ended the app.
    """
    app = EdgetuiApp(config, engine, monitor)
    app.run(mouse=config.ui.mouse)
    if app.link.farewell and not is_served():
        from .commands.printing import echo

        with suppress(OSError):  # the terminal may be what ended us
            echo(app.link.farewell)
    if app.defect is not None:
        raise app.defect
    return app.return_code or 0
