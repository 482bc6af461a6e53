"""Frames that carry only what has changed leave the terminal with what a whole picture would show, letters and colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyte
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.tui.app import EdgetuiApp
from screens import shows
from textual._compositor import ChopsUpdate, Compositor, CompositorUpdate, LayoutUpdate

KEYS = (
    "2 j j enter escape u 1 j 3 w p 4 5 o question_mark escape J 2 ctrl+p t h e escape colon s e escape tab R j slash x escape"
)
MORE = "s space j space C b escape escape D escape P escape F escape W escape f escape L escape e escape m w j tab escape"


class Terminal:
    """A terminal in memory that hears the frames of an app."""

    def __init__(self, app: EdgetuiApp, size: tuple[int, int]) -> None:
        self.app = app
        self.screen = _blank(*size)
        self.narrow = 0
        self._display, app._display = app._display, self.hear

    def hear(self, screen, renderable):
        if isinstance(renderable, CompositorUpdate):
            self.narrow += isinstance(renderable, ChopsUpdate)
            pyte.Stream(self.screen).feed(renderable.render_segments(self.app.console))
        self._display(screen, renderable)

    def whole(self) -> pyte.Screen:
        """What a terminal shows that was told everything, by Textual's own way of drawing."""
        drawn = self.app.screen._compositor
        pieces = Compositor._render_chops(drawn, drawn.size.region, lambda _: True)
        told = LayoutUpdate([row.values() for row in pieces], drawn.size.region).render_segments(self.app.console)
        screen = _blank(*drawn.size)
        pyte.Stream(screen).feed(told)
        return screen

    def looks_whole(self, key: str) -> None:
        want, got = _cells(self.whole()), _cells(self.screen)
        wrong = [y for y, (wanted, there) in enumerate(zip(want, got, strict=True)) if wanted != there]
        rows = "\n".join(f"{y}: {''.join(cell.data for cell in got[y])}" for y in wrong)
        assert not wrong, f"after {key} on {type(self.app.screen).__name__} rows differ:\n{rows}"


def _blank(columns: int, rows: int) -> pyte.Screen:
    screen = pyte.Screen(columns, rows)
    screen.set_mode(pyte.modes.LNM)
    return screen


def _cells(screen: pyte.Screen) -> list[list[object]]:
    return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]


@pytest.mark.parametrize(
    ("size", "keys"), [((80, 24), KEYS), pytest.param((160, 45), f"{KEYS} {MORE}", marks=pytest.mark.long)]
)
async def test_the_terminal_shows_the_whole_picture(
    config: Config, engine: Engine, past_run: Callable[..., str], model: Path, size: tuple[int, int], keys: str
):
    for to in ("done", "failed", "done"):
        past_run(to, model)
    app = EdgetuiApp(config, engine)
    terminal = Terminal(app, size)
    async with app.run_test(size=size, notifications=True) as pilot:
        await shows(pilot, "Models")
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause()
            terminal.looks_whole(key)
        assert terminal.narrow > 20
