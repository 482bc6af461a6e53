"""Frames that carry only what has changed leave the terminal with what a whole picture would show, letters and colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pyte
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.compositor import NarrowCompositor, WholeUpdate
from rich.console import Console
from rich.segment import Segment
from screens import shows
from textual._compositor import ChopsUpdate, Compositor, CompositorUpdate, LayoutUpdate
from textual._context import visible_screen_stack
from textual.geometry import Region
from textual.strip import Strip

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
        self.told = 0
        """Letters, places and colours."""
        self._display, app._display = app._display, self.hear

    def hear(self, screen, renderable):
        if isinstance(renderable, CompositorUpdate):
            self.narrow += isinstance(renderable, ChopsUpdate)
            told = renderable.render_segments(self.app.console)
            self.told += len(told)
            pyte.Stream(self.screen).feed(told)
        self._display(screen, renderable)

    def whole(self) -> pyte.Screen:
        """What a terminal shows that was told everything, by Textual's own way of drawing."""
        drawn = self.app.screen._compositor
        visible_screen_stack.set(self.app._background_screens)
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
    """A blank shows no letters' colour."""
    cells = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
    return [[cell if cell.data != " " or cell.reverse else cell._replace(fg="default") for cell in row] for row in cells]


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


async def test_a_dialog_writes_what_it_covers_and_one_that_closes_what_it_has_covered(
    config: Config, engine: Engine, model: Path
):
    app = EdgetuiApp(config, engine)
    terminal = Terminal(app, (160, 45))
    async with app.run_test(size=(160, 45)) as pilot:
        await shows(pilot, "onnxruntime reads it")
        await pilot.press("p")  # what ticks would be counted as the dialog's
        await pilot.pause(0.5)
        terminal.told = 0
        await pilot.press("ctrl+l")
        await pilot.pause()
        whole = terminal.told
        for key in ("s", "escape"):
            terminal.told = 0
            await pilot.press(key)
            await pilot.pause(0.1)
            terminal.looks_whole(key)
            assert 0 < terminal.told < whole / 2
        terminal.told = 0
        await pilot.press("ctrl+l")
        await pilot.pause()
        assert terminal.told > whole / 2


def test_a_picture_of_what_is_not_all_there_yet_has_blanks():
    """A monkey pressed S in that moment, and the program ended."""
    rows = [{0: None, 3: Strip([Segment("abc")]), 6: None}, {}]
    console = Console(width=8, file=StringIO())
    console.print(WholeUpdate(rows, Region(0, 0, 8, 2), NarrowCompositor()))
    assert re.findall("[a ]+bc *", console.file.getvalue()) == ["   abc  "]


async def test_colours_and_sizes_that_change_below_a_dialog_are_drawn(config: Config, engine: Engine, model: Path):
    app = EdgetuiApp(config, engine)
    terminal = Terminal(app, (120, 36))
    async with app.run_test(size=(120, 36)) as pilot:
        await shows(pilot, "Models")
        await pilot.press("question_mark")
        await pilot.pause()
        app.theme = next(name for name in app.available_themes if name != app.theme)
        await pilot.pause(0.1)
        terminal.looks_whole("another theme")
        for size in ((100, 30), (120, 36)):
            terminal.screen = _blank(*size)
            await pilot.resize_terminal(*size)
            await pilot.pause(0.1)
            terminal.looks_whole(f"size {size}")
        await pilot.press("escape")
        await pilot.pause()
        terminal.looks_whole("escape")
