"""Ways from the workbench to every screen, for a monkey that was nowhere for long; a screen without one is told by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from types import MappingProxyType

from edgetui.tui.app import EdgetuiApp
from monkey import Monkey, press_at_once, resize
from visits import USUAL

WAYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "WorkbenchScreen": (),
        "TooSmall": (),
        "Ask": ("1", "o", "p"),
        "BoardRunScreen": ("F", "u", "enter"),
        "BrowseScreen": ("1", "o"),
        "Choose": ("1", "o", "b"),
        "CompareScreen": ("R", "C"),
        "Confirm": ("F", "x"),
        "DatasetScreen": ("D",),
        "DeployScreen": ("E",),
        "DrawScreen": ("3", "d"),
        "FieldScreen": ("m", "f"),
        "FleetScreen": ("F",),
        "HelpScreen": ("question_mark",),
        "LayersScreen": ("L",),
        "MonitorScreen": ("m",),
        "Page": ("colon", *"doctor", "enter"),
        "Palette": ("ctrl+p",),
        "RunOnBoards": ("F", "u", "r"),
        "RunsScreen": ("R",),
        "SearchesScreen": ("f",),
        "SensitivityScreen": ("1", "escape", "e"),
        "StudiesScreen": ("P",),
        "SweepSetup": ("W", "r"),
        "SweepsScreen": ("W",),
    }
)
"""Keys; the last is pressed until it is there: what it opens may have to be read first. `escape` lets a filter go, which
may leave no model in sight.
"""
TINY = (20, 5)
RESIZED_S, AGAIN, READ_S = 0.1, 5, 2.0
"""So often the last key is pressed, and so long it may take each time: pressed again earlier, what it asks for begins anew."""


async def settles(app: EdgetuiApp, limit_s: float = 0.4) -> None:
    """Until a key has done what it does at once."""
    top, end = app.screen, time.monotonic() + limit_s
    while app.screen is top and app.is_running and time.monotonic() < end:
        await asyncio.sleep(0.02)


async def home(app: EdgetuiApp) -> bool:
    """Back to the workbench, by escape alone."""
    for _ in range(30):
        if app.screen is app.workbench and app.typing is None:
            return True
        press_at_once(app, "escape")
        await settles(app, 0.2)
        if not app.is_running:
            return False
    return app.screen is app.workbench


async def go(monkey: Monkey, name: str, size: tuple[int, int]) -> bool:
    """To that screen at that size; whether it came there."""
    app = monkey.app
    resize(app, 120, 40)
    await settles(app, RESIZED_S)
    if not await home(app):
        return False
    monkey.did.append(f"to {name}")
    *keys, last = WAYS[name] or ("escape",)
    for key in keys:
        press_at_once(app, key)
        await settles(app)
    for _ in range(AGAIN):
        if not app.is_running or type(app.screen).__name__ == name:
            break
        press_at_once(app, last)
        await settles(app, READ_S)
    resize(app, *size)
    await settles(app, RESIZED_S)
    monkey.visits.note(app)
    return type(app.screen).__name__ == name


async def run_errand(monkey: Monkey, screens: set[str]) -> None:
    """To the screen that was seen least, at the size at which it was least; one that an errand did not reach, which takes ten
    seconds, comes later.
    """
    seen, missed = monkey.visits.seen, monkey.visits.missed

    def often(name: str) -> int:
        return sum(seen[name, size] for size in (*USUAL, None)) + 10 * missed[name]

    least = min(sorted(screens), key=lambda name: (min(often(name), 20), monkey.dice.random()))
    sizes = [TINY] if least == "TooSmall" else USUAL if least == "FieldScreen" else USUAL[1:]
    if not await go(monkey, least, min(sizes, key=lambda size: seen[least, size])):
        missed[least] += 1
