"""Where a monkey was: which screen, at which size, how often; and which screens there are."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter

import edgetui.tui
from edgetui.tui.app import EdgetuiApp
from textual.screen import Screen

USUAL = ((40, 12), (60, 16), (80, 24), (120, 40), (200, 60))
"""Columns and rows, from field mode's least to a whole desk."""
TYPED = ("typing", "filter", ":", "jump")
"""What is no screen, and takes the keys all the same."""


def every_screen() -> set[str]:
    """All that can be on top: screens of ours from which no other of ours is made."""
    for module in pkgutil.walk_packages(edgetui.tui.__path__, "edgetui.tui."):
        if "commands" not in module.name:
            importlib.import_module(module.name)
    found: set[type] = set()
    todo: list[type] = [Screen]
    while todo:
        kind = todo.pop()
        below = [each for each in kind.__subclasses__() if not each.__module__.startswith("test")]
        todo += below
        if kind.__module__.startswith("edgetui.") and not any(each.__module__.startswith("edgetui.") for each in below):
            found.add(kind)
    return {kind.__name__ for kind in found}


class Visits:
    """Moves after which a screen was on top, by its name and the terminal's size."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, tuple[int, int] | None]] = Counter()
        """The size None is any other."""
        self.missed: Counter[str] = Counter()
        """Errands that did not come there."""

    def note(self, app: EdgetuiApp) -> None:
        """Where it is now."""
        size = (app.size.width, app.size.height)
        at = size if size in USUAL else None
        self.seen[type(app.screen).__name__, at] += 1
        for name, entry in (
            (":", app.colon.entry),
            ("jump", app.jump.entry),
            ("filter", getattr(app.screen, "entry", None)),
            ("typing", getattr(app.focused, "entry", None)),
        ):
            if entry is not None:
                self.seen[name, at] += 1

    def never(self, screens: set[str]) -> list[str]:
        """Those that were not seen at any size."""
        return sorted(screens - {name for name, _ in self.seen})

    def table(self, screens: set[str]) -> str:
        """A row each, those that were never seen as well."""
        sizes = (*USUAL, None)
        heads = "".join(f"{f'{size[0]}x{size[1]}' if size else 'others':>9}" for size in sizes)
        names = sorted(screens | {name for name, _ in self.seen})
        rows = [f"{name:<20}{''.join(f'{self.seen[name, size] or chr(45):>9}' for size in sizes)}" for name in names]
        return "\n".join([f"{'':<20}{heads}", *rows])
