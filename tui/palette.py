"""The command palette: every key that works now by its words, every recipe, model, setting and run, and what can be typed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.timer import Timer, TimerCallback
from textual.widgets import Input
from textual.worker import Worker

from ..engine.errors import EdgetuiError
from ..engine.report.sanitize import sanitize
from .command_list import commands
from .desk import Desk
from .screens.safe_dismiss import SafeDismiss
from .screens.small import TooSmall
from .screens.workbench import WorkbenchScreen
from .widgets.keybar import KeyBar, key_name
from .widgets.motion import is_motion

if TYPE_CHECKING:
    from ..engine.api import RunSummary
    from ..engine.library.setting_origins import Setting

RUNS = 1000
"""Of so many runs, the newest, the palette finds those that have the letters."""


class PaletteEntry(NamedTuple):
    """One line of the palette."""

    words: str
    help: str
    do: Callable[[], object]


class Commands(CommandList):
    """Textual's list, which may be filled anew between a click or key and its handling."""

    def on_click(self, event: events.Click) -> None:
        """A line that has gone meanwhile is not taken."""
        if event.style.meta.get("option", 0) >= self.option_count:
            event.prevent_default()

    def action_page_up(self) -> None:
        """A page up; nothing while the list is not laid out, where Textual finds no line."""
        with suppress(KeyError, IndexError):
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """A page down, likewise."""
        with suppress(KeyError, IndexError):
            super().action_page_down()  # type: ignore[no-untyped-call]


class Palette(SafeDismiss, CommandPalette):
    """Textual's palette with a caret that stays still: one that blinks is bytes on the link."""

    chosen = False

    def compose(self) -> ComposeResult:
        """Its parts, with a list of ours."""
        for part in super().compose():
            yield Commands() if type(part) is CommandList else part

    def on_mount(self) -> None:
        """Keep the caret still."""
        for line in self.query(Input):
            line.cursor_blink = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that come before there is a list do nothing: Textual would look for it, find none and fail."""
        del parameters
        return action == "escape" or bool(self.query(CommandList))

    def run_worker(self, *args: Any, **options: Any) -> Worker[Any]:  # noqa: ANN401
        """What looks for commands may still look when the palette has gone, and find no list."""
        return super().run_worker(*args, **options | {"exit_on_error": False})

    def set_timer(self, delay: float, callback: TimerCallback | None = None, **options: Any) -> Timer:  # noqa: ANN401
        """Textual's own of `no matches` and of being busy may come when the palette is being left, and found no list then."""

        def unless_left() -> object:
            return callback() if callback is not None and self.query(CommandList) else None

        return super().set_timer(delay, unless_left, **options)

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close once: a second click or key that was on its way closes nothing else."""
        self.chosen = True
        return super().dismiss(result) if self.is_active else AwaitComplete()

    def on_screen_resume(self) -> None:
        """Go as well when a choice was made as the terminal became too small, and something else was on top."""
        if self.chosen:
            self.dismiss()


class BenchCommands(Provider):
    """What can be done from the screen below the palette."""

    runs: Sequence[RunSummary] = ()
    """Those that can be found here."""
    configured: Sequence[Setting] = ()
    """Of edgetui.toml."""

    def _bindings(self) -> Iterator[PaletteEntry]:
        seen = set()
        for active in sorted(self.screen.active_bindings.values(), key=lambda each: is_motion(each.binding.id)):
            binding = active.binding
            if not binding.id or binding.id in seen or not active.enabled or binding.id == "palette":
                continue
            seen.add(binding.id)
            words = f"{binding.description}  ({key_name(binding.key, self.desk.graph)})"
            yield PaletteEntry(words, binding.tooltip, partial(self.desk.act, binding.action, active.node))

    def _choices(self) -> Iterator[PaletteEntry]:
        """Of the workbench, also from screens above it: they lead back to it, as commands that are typed do."""
        screen = next((each for each in self.app.screen_stack if isinstance(each, WorkbenchScreen)), None)
        if screen is None or screen.settings.draft is None:
            return
        for entry in self._of_workbench(screen):
            yield entry._replace(do=partial(self._there, screen, entry.do))

    def _there(self, bench: WorkbenchScreen, do: Callable[[], object]) -> None:
        while self.app.screen is not bench and bench in self.app.screen_stack:
            self.app.pop_screen()
        do()

    def _of_workbench(self, screen: WorkbenchScreen) -> Iterator[PaletteEntry]:
        assert screen.settings.draft is not None
        for recipe in screen.settings.draft.recipes:
            yield PaletteEntry(f"recipe {recipe.name}", recipe.title, partial(screen.load_recipe, recipe.name))
        for folder in screen.models.folders or ():
            for model in folder.models:
                yield PaletteEntry(f"model {Path(model.path).stem}", model.path, partial(screen.models.rewrite, model.path))
        for name, (value, help_) in screen.settings.named.told().items():
            yield PaletteEntry(f"setting {name}   {value}", help_, partial(self._go_to_setting, screen, name))
        for run in self.runs:
            words = f"run {run.run}   {run.model.removesuffix('.onnx')} {run.recipe}   {run.state}"
            show = partial(self.desk.run_in_background, partial(screen.show_run, run.run), "open")
            yield PaletteEntry(words, "Show it, with its whole past", show)

    @staticmethod
    def _go_to_setting(screen: WorkbenchScreen, name: str) -> None:
        screen.action_pane("settings")
        screen.settings.point_at(name)

    @property
    def desk(self) -> Desk:
        """The app, as far as screens need it."""
        assert isinstance(self.app, Desk)
        return self.app

    async def startup(self) -> None:
        """The newest runs, and what edgetui.toml says; what cannot be read is said where it is listed."""
        from ..engine.library.setting_origins import settings

        with suppress(EdgetuiError, OSError):
            self.runs = (await self.desk.engine.list())[:RUNS]
        with suppress(EdgetuiError, OSError):
            self.configured = (await asyncio.to_thread(settings, "")).settings

    def _typed(self) -> Iterator[PaletteEntry]:
        """What can be typed behind a colon and no key does."""
        colon = getattr(self.app, "colon", None)
        if colon is not None and self.screen.query(KeyBar):
            for name, command in commands(self.desk, self.screen).items():
                if command.own:
                    do = partial(colon.begin, f"{name} ") if command.wants else partial(command.do, ())
                    yield PaletteEntry(f":{name} {command.wants}".rstrip(), command.help, do)

    def _config(self) -> Iterator[PaletteEntry]:
        from .screens.page import show_config

        for each in self.configured:
            shown = partial(show_config, self.desk, each.key)
            yield PaletteEntry(f"config {each.key}   {each.in_toml}", "What edgetui.toml says of it, and in which line", shown)

    def _obey(self, command: PaletteEntry) -> object:
        """Do it, unless the terminal has become too small meanwhile: nobody sees what it would do."""
        try:
            return None if isinstance(self.app.screen, TooSmall) else command.do()
        except (EdgetuiError, OSError) as error:
            self.desk.refused(error)
            return None

    async def discover(self) -> Hits:
        """What stands there before anything is typed."""
        for command in (*self._bindings(), *self._typed()):
            yield DiscoveryHit(_literal(command.words), partial(self._obey, command), command.words, _literal(command.help))  # type: ignore[arg-type]

    async def search(self, query: str) -> Hits:
        """What fits the letters."""
        matcher = self.matcher(query)
        for command in (*self._bindings(), *self._choices(), *self._typed(), *self._config()):
            score, found = matcher.fuzzy_search.match(query, command.words)
            if score > 0:
                shown = _literal(command.words)
                for at in found:
                    shown = shown.stylize(matcher.match_style, at, at + 1)
                yield Hit(score, shown, partial(self._obey, command), command.words, _literal(command.help))  # type: ignore[arg-type]


def _literal(text: str) -> Content:
    """Names are no markup; the palette takes content for help as well, though its type does not say so."""
    return Content(sanitize(text))
