"""The command palette: every key that works now by its words, every recipe, every model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

from .screens.workbench import WorkbenchScreen
from .widgets.keybar import key_name


class Command(NamedTuple):
    """One line of the palette."""

    words: str
    help: str
    do: Callable[[], object]


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
            yield DiscoveryHit(command.words, command.do, help=command.help)

    async def search(self, query: str) -> Hits:
        """What fits the letters."""
        matcher = self.matcher(query)
        for command in (*self._bindings(), *self._choices()):
            score = matcher.match(command.words)
            if score > 0:
                yield Hit(score, matcher.highlight(command.words), command.do, help=command.help)
