"""Pictures of the book, from the real program at fixed sizes: `make pictures` writes docs/pictures/ and docs/workbench.svg.

Everything that they show is done here before: runs, a search, a sweep, a study, a fleet of two boards that are this machine,
over the models and samples that ship. `python docs/make/pictures.py PART...` makes parts anew (PARTS), each within some
minutes, so that a machine can be left alone for it. `run.svg` moves: frames of the workbench while a run goes, by CSS alone.
Nothing in any of them is fetched.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

os.environ.update(TEXTUAL_ANIMATIONS="none", TEXTUAL_SMOOTH_SCROLL="0", TEXTUAL_FPS="15", COLORTERM="truecolor", LANG="C.UTF-8")

import numpy as np
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config, Defaults, Models, state_home
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.monitor import Shown
from PIL import Image
from textual.pilot import Pilot

OUT = PACKAGE / "docs" / "pictures"
DEMO, ZOO = PACKAGE / "profiles" / "demo", PACKAGE / "profiles" / "zoo"
HOME = Path(tempfile.gettempdir()) / "edgetui-book"
"""Short, for one screen shows whole paths; kept for the parts, gone when all were made."""
LARGE, WIDE, MIDDLE, SMALL, LEAST = (160, 45), (150, 34), (110, 32), (80, 24), (40, 12)
MOST_FRAMES, FRAME_S, LAST_S = 12, 1.2, 5.0

Say = Callable[[EdgetuiApp, Pilot[object]], Awaitable[None]]


def main(parts: list[str]) -> None:
    """Make all of them, or these."""
    OUT.mkdir(exist_ok=True)
    if not parts:
        shutil.rmtree(HOME, ignore_errors=True)
    lay_out()
    for part in parts or PARTS:
        asyncio.run(PARTS[part]())
    if not parts:
        shutil.rmtree(HOME)


def lay_out() -> None:
    """A home with models, and with samples as people have them: pictures in folders."""
    os.environ.update(HOME=str(HOME), XDG_STATE_HOME=f"{HOME}/state", XDG_CONFIG_HOME=f"{HOME}/config")
    os.environ["EDGETUI_FLEET"] = str(HOME / "fleet.toml")
    models, data = HOME / "models", HOME / "data"
    models.mkdir(parents=True, exist_ok=True)
    data.mkdir(exist_ok=True)
    shutil.copy(DEMO / "digits.onnx", models)
    for name in ("digits-resnet20", "bccd-yolo-n"):
        shutil.copy(ZOO / f"{name}.onnx", models)
    digits = np.load(DEMO / "digits.npz")
    with zipfile.ZipFile(data / "digits.zip", "w") as archive:
        for number, (digit, label) in enumerate(zip(digits["image"], digits["labels"], strict=True)):
            picture = io.BytesIO()
            Image.fromarray((digit[0] * 255).astype(np.uint8)).save(picture, "PNG")
            archive.writestr(f"{label}/{number}.png", picture.getvalue())
    boards = (
        f'[[board]]\nname = "{name}"\nhost = "localhost"\nenv = {{ XDG_STATE_HOME = "{HOME}/{name}" }}\n' for name in BOARDS
    )
    (HOME / "fleet.toml").write_text("\n".join(boards))


BOARDS = ("bench", "window")
DIGITS = ("models/digits.onnx", "--dataset", str(DEMO / "digits.toml"))


def edgetui(*words: str) -> None:
    """Do what a person would do before."""
    subprocess.run([sys.executable, "-m", "edgetui", *words], check=True, stdout=subprocess.DEVNULL, cwd=HOME)


def config() -> Config:
    """Where models and data lie."""
    data = {"digits": str(DEMO / "digits.toml"), "cells": str(ZOO / "bccd.toml")}
    return Config(models=Models(folders=("~/models",)), datasets=data, defaults=Defaults(dataset="digits"))


async def shown(size: tuple[int, int], does: Say, told: Shown | None = None) -> None:
    """The app at a size, for as long as something is done with it."""
    own = config()
    app = EdgetuiApp(own, Engine(own, state_home()), told)
    async with app.run_test(size=size) as pilot:
        if told is None:
            await settled(pilot, lambda: app.workbench.models.folders)
            app.workbench.models.rewrite(str(HOME / DIGITS[0]))
            await settled(pilot, lambda: app.workbench.models.facts)
            await has(app, pilot, "✓")
            app.workbench.load_recipe("int8")
        await does(app, pilot)


async def at(name: str, size: tuple[int, int], keys: str, *words: str) -> None:
    """A picture of what these keys lead to from the workbench, once all words are there."""

    async def does(app: EdgetuiApp, pilot: Pilot[object]) -> None:
        for key in keys.split():
            await pilot.press(*(key.removeprefix("'") if key.startswith("'") else [key]))
            await pilot.pause(0.3)
        await has(app, pilot, *words)
        await pilot.pause(2)
        write(name, picture(app))

    await shown(size, does)


async def runs() -> None:
    """The demo's two runs, and the first of them on the workbench."""
    shutil.rmtree(HOME / "state" / "edgetui" / "cache", ignore_errors=True)
    edgetui("demo")

    async def workbench(app: EdgetuiApp, pilot: Pilot[object]) -> None:
        await app.workbench.follow(next(each.run for each in await app.engine.list() if each.recipe == "int8"))
        if app.size.width == SMALL[0]:
            await pilot.press("4")
        await has(app, pilot, "of the time")
        await pilot.pause(6)
        write("workbench-80" if app.size.width == SMALL[0] else "workbench", picture(app))

    await shown(LARGE, workbench)
    await shown(SMALL, workbench)
    (OUT / "workbench.svg").replace(PACKAGE / "docs" / "workbench.svg")


async def looks() -> None:
    """The screens that look at those runs, and at their model."""
    edgetui("sensitivity", *DIGITS)
    await at("runs", SMALL, "R", "2 of 2")
    await at("monitor", LARGE, "m", "Memory")
    await at("sensitivity", MIDDLE, "e", "SQNR")
    await at("layers", MIDDLE, "R down L", "%")
    await at("compare", LARGE, "R space down space C", "Front", "Take")
    await at("deploy", MIDDLE, "E", "copy to", "a folder here")


async def data() -> None:
    """Looking for data, what is in them, and what is drawn."""
    await at("browse", MIDDLE, "o tilde slash 'data enter right down", "classes")
    await at("dataset", MIDDLE, f"colon 'dataset space '{HOME}/data/digits.zip enter", "fed as")
    await at("draw", SMALL, "3 d", "not drawn")


async def search() -> None:
    """Which layers to put into INT8."""
    asked = [*DIGITS, "--goal", "fastest drop<=0.02"]
    edgetui("search", *asked, "--budget", "4 builds")
    await at("search", WIDE, "f", "answer")


async def sweep() -> None:
    """Threads and batches, for a computer has no power modes."""
    edgetui("sweep", "models/digits.onnx", "--modes", "none", "--threads", "1,2", "--batch", "1,4,16", "--want", "fps>=2000")
    await at("sweep", WIDE, "W", "★")


async def study() -> None:
    """A paper, done again."""
    edgetui("study", "filippou2024", "--small")
    await at("study", WIDE, "P down", "before")


async def fleet() -> None:
    """Two boards that are this machine, while they work."""
    edgetui("fleet", "up")

    async def asked(app: EdgetuiApp, pilot: Pilot[object]) -> None:
        await pilot.press("2", "g", "space")
        app.workbench.load_recipe("prune-5")
        await pilot.press("F")
        await has(app, pilot, "2 of 2 boards", "nothing")
        await pilot.press("r")
        await has(app, pilot, "Run on boards")
        await pilot.press("j", "space", "G", "space")  # both of them, anew
        write("fleet-ask", picture(app))
        await pilot.press("enter")
        await settled(pilot, lambda: app.board_asks.going)
        app.clear_notifications()  # they stand over the title
        await has(app, pilot, "2 of 2 boards", "measure", "runs done", " ms")
        write("fleet", picture(app))
        await settled(pilot, lambda: not app.board_asks.going)

    try:
        await shown(MIDDLE, asked)
    finally:
        edgetui("fleet", "down")


async def field() -> None:
    """Five figures while a run measures."""
    edgetui("run", *DIGITS, "--recipe", "int8", "--preset", "quick", "--detach")

    async def does(app: EdgetuiApp, pilot: Pilot[object]) -> None:
        end = time.monotonic() + 90
        while app.screen._fps() is None and time.monotonic() < end:  # type: ignore[attr-defined]
            await pilot.pause(0.5)
        await pilot.press("r")
        await pilot.pause(8)
        await pilot.press("m")
        await pilot.pause(1.5)
        write("field", picture(app))
        await pilot.press("r")

    await shown(LEAST, does, Shown(field=True))
    edgetui("watch", "last")


async def moving() -> None:
    """The workbench from `r` to the verdict, a frame where something has changed."""
    frames: list[str] = []

    async def does(app: EdgetuiApp, pilot: Pilot[object]) -> None:
        app.workbench.load_recipe("prune-30-int8")
        await pilot.press("2")
        await pilot.pause(3)
        frames.append(picture(app))
        before = app.link.view.run if app.link.view is not None else ""
        await pilot.press("r")
        await pilot.pause(0.5)
        await pilot.press("4")
        end = time.monotonic() + 240
        while time.monotonic() < end:
            await pilot.pause(1.0)
            if (frame := picture(app)) != frames[-1]:
                frames.append(frame)
            view = app.link.view
            if view is not None and view.run != before and view.state:
                await pilot.pause(2)
                frames.append(picture(app))
                break

    await shown((100, 30), does)
    some = min(MOST_FRAMES, len(frames))
    write("run", animated([frames[round(n * (len(frames) - 1) / (some - 1))] for n in range(some)]))


PARTS: dict[str, Callable[[], Awaitable[None]]] = {
    "runs": runs,
    "looks": looks,
    "data": data,
    "search": search,
    "sweep": sweep,
    "study": study,
    "fleet": fleet,
    "field": field,
    "moving": moving,
}


async def settled(pilot: Pilot[object], true: Callable[[], object]) -> None:
    """Wait until something is so.

    Raises:
        SystemExit: it never is; a picture of anything else would be wrong.
    """
    end = time.monotonic() + 120
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"never came:\n{rows(pilot.app)}")  # type: ignore[arg-type]
        await pilot.pause(0.1)


async def has(app: EdgetuiApp, pilot: Pilot[object], *words: str) -> None:
    """Wait until the screen shows all words."""
    await settled(pilot, lambda: all(word in rows(app) for word in words))


def rows(app: EdgetuiApp) -> str:
    """The screen as text."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def picture(app: EdgetuiApp) -> str:
    """The screen as SVG, in whatever monospaced font there is: the one that Textual names would be fetched."""
    drawn = app.export_screenshot(title="edgetui")
    return re.sub(r"@font-face\s*\{[^}]*\}", "", drawn)


def animated(frames: list[str]) -> str:
    """Frames of one size as one picture, each shown in its turn, the last one longest."""
    whole_s = FRAME_S * (len(frames) - 1) + LAST_S
    head = re.match(r"<svg[^>]*>", frames[0])
    assert head is not None
    parts, rules = [], []
    for number, frame in enumerate(frames):
        own = re.sub(r"terminal-\d+", f"f{number}", frame)
        own = re.sub(r'<clipPath id="f\d+-line-\d+">.*?</clipPath>', "", own, flags=re.DOTALL)
        own = re.sub(r' clip-path="url\(#f\d+-line-\d+\)"', "", own)  # half of a frame, which texts with a length do without
        inner = own[own.index(">") + 1 : own.rindex("</svg>")]
        begin = FRAME_S * number / whole_s * 100
        end = FRAME_S * (number + 1) / whole_s * 100 if number + 1 < len(frames) else 100
        shown = f"0%{{visibility:hidden}}{begin:.2f}%{{visibility:visible}}{end:.2f}%{{visibility:hidden}}"
        rules.append(f"@keyframes k{number}{{{shown}}}")
        parts.append(f'<g style="animation:k{number} {whole_s:.1f}s step-end infinite;visibility:hidden">{inner}</g>')
    return f"{head[0]}<style>{''.join(rules)}</style>{''.join(parts)}</svg>\n"


def write(name: str, text: str) -> None:
    """Keep a picture."""
    (OUT / f"{name}.svg").write_text(text, encoding="utf-8")
    print(f"{name}.svg  {len(text) / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
