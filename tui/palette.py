"""The command palette: every key that works now by its words, every recipe, every model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.widgets import Input

from ..engine.report.visible import visible
from .screens.workbench import WorkbenchScreen
from .widgets.keybar import key_name


class Command(NamedTuple):
    """One line of the palette."""

    words: str
    help: str
    do: Callable[[], object]


class Palette(CommandPalette):
    """Textual's palette with a caret that stays still, for one that blinks is bytes on the link, and pages that wait."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page('up')", show=False),
        Binding("pagedown", "page('down')", show=False),
    ]

    def on_mount(self) -> None:
        """Keep the caret still."""
        for line in self.query(Input):
            line.cursor_blink = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that come before there is a list do nothing: Textual would look for it, find none and fail."""
        del action, parameters
        return bool(self.query(CommandList))

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close once: a second click or key that was on its way closes nothing else."""
        return super().dismiss(result) if self.is_active else AwaitComplete()

    def action_page(self, way: Literal["up", "down"]) -> None:
        """A page up or down; nothing while the list is filled and not yet laid out, where Textual finds no line for it."""
        with suppress(KeyError, IndexError):
            self._action_command_list(f"page_{way}")


class BenchCommands(Provider):
    """What can be done from the screen below the palette."""

    def _bindings(self) -> Iterator[Command]:
        seen = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.id or binding.id in seen or not active.enabled or binding.id == "palette":
                continue
            seen.add(binding.id)
            words = f"{binding.description}  ({key_name(binding.key)})"
            yield Command(words, binding.tooltip, partial(self.app.run_action, binding.action, active.node))

    def _choices(self) -> Iterator[Command]:
        screen = self.screen
        if not isinstance(screen, WorkbenchScreen) or screen.settings.draft is None:
            return
        for recipe in screen.settings.draft.recipes:
            yield Command(f"recipe {recipe.name}", recipe.title, partial(screen.load_recipe, recipe.name))
        for folder in screen.models.folders or ():
            for model in folder.models:
                yield Command(f"model {Path(model.path).stem}", model.path, partial(screen.models.rewrite, model.path))

    async def discover(self) -> Hits:
        """What stands there before anything is typed."""
        for command in self._bindings():
            yield DiscoveryHit(_literal(command.words), command.do, command.words, _literal(command.help))  # type: ignore[arg-type]

    async def search(self, query: str) -> Hits:
        """What fits the letters."""
        matcher = self.matcher(query)
        for command in (*self._bindings(), *self._choices()):
            score, found = matcher.fuzzy_search.match(query, command.words)
            if score > 0:
                shown = _literal(command.words)
                for at in found:
                    shown = shown.stylize(matcher.match_style, at, at + 1)
                yield Hit(score, shown, command.do, command.words, _literal(command.help))  # type: ignore[arg-type]


def _literal(text: str) -> Content:
    """Names are no markup; the palette takes content for help as well, though its type does not say so."""
    return Content(visible(text))
