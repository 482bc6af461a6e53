"""Pictures of the book, from the real program at fixed sizes: `make pictures` writes docs/pictures/ and docs/workbench.svg.

The demo's model is compressed and measured here, in a folder of its own; screens are then shown and drawn one by one. `run.svg`
moves: frames of the workbench while a run goes, by CSS alone. Nothing in any of them is fetched.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(TEXTUAL_ANIMATIONS="none", TEXTUAL_SMOOTH_SCROLL="0", TEXTUAL_FPS="15", COLORTERM="truecolor", LANG="C.UTF-8")

from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config, Defaults, Models, state_home
from edgetui.tui.app import EdgetuiApp
from textual.pilot import Pilot

OUT = PACKAGE / "docs" / "pictures"
DEMO = PACKAGE / "profiles" / "demo"
LARGE, SMALL = (160, 45), (80, 24)
SCREENS = {"runs": "R", "monitor": "m", "sensitivity": "e", "layers": "L"}
"""Pictures by the key that leads to their screen from the workbench."""
MOST_FRAMES, FRAME_S, LAST_S = 12, 1.2, 5.0


def main() -> None:
    """Make all of them."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="edgetui-") as home:
        folder = Path(home) / "models"
        folder.mkdir()
        (folder / "digits.onnx").write_bytes((DEMO / "digits.onnx").read_bytes())
        os.environ.update(HOME=home, XDG_STATE_HOME=f"{home}/state", XDG_CONFIG_HOME=f"{home}/config")
        if "moving" not in sys.argv:  # alone it is quick
            command([sys.executable, "-m", "edgetui", "demo"])
            asked = ["sensitivity", str(folder / "digits.onnx"), "--dataset", str(DEMO / "digits.toml")]
            command([sys.executable, "-m", "edgetui", *asked])
        config = Config(
            models=Models(folders=(str(folder),)),
            datasets={"digits": str(DEMO / "digits.toml")},
            defaults=Defaults(dataset="digits"),
        )
        if "moving" not in sys.argv:
            asyncio.run(still(config))
        asyncio.run(moving(config))


def command(argv: list[str]) -> None:
    """Do what a person would do before."""
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=os.environ["HOME"])


async def still(config: Config) -> None:
    """A picture of each screen, and of the workbench in both sizes."""
    for size, name in ((LARGE, "workbench"), (SMALL, "workbench-80")):
        app = EdgetuiApp(config, Engine(config, state_home()))
        async with app.run_test(size=size) as pilot:
            await settled(pilot, lambda app=app: app.workbench.models.facts)
            app.workbench.load_recipe("int8")
            if size == SMALL:
                await pilot.press("4")
            await settle(pilot, 6)
            write(name, picture(app))
            for screen, key in SCREENS.items() if size == LARGE else ():
                await pilot.press(key)
                await settle(pilot, 8 if screen in ("sensitivity", "layers") else 3)
                write(screen, picture(app))
                await pilot.press("escape")
                await settle(pilot, 0.5)
            if size == LARGE:
                await pilot.press("R")
                await settle(pilot, 2)
                await pilot.press("space", "down", "space", "C")
                await settle(pilot, 3)
                write("compare", picture(app))
    (OUT / "workbench.svg").replace(PACKAGE / "docs" / "workbench.svg")


async def moving(config: Config) -> None:
    """The workbench from `r` to the verdict, a frame where something has changed."""
    app = EdgetuiApp(config, Engine(config, state_home()))
    frames: list[str] = []
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot, lambda: app.workbench.models.facts)
        app.workbench.load_recipe("prune-30-int8")
        await pilot.press("2")
        await settle(pilot, 3)
        frames.append(picture(app))
        await pilot.press("r")
        await settle(pilot, 0.5)
        await pilot.press("4")
        end = time.monotonic() + 240
        while time.monotonic() < end:
            await settle(pilot, 1.0)
            if (frame := picture(app)) != frames[-1]:
                frames.append(frame)
            if "run done" in frame.replace("&#160;", " "):
                break
    some = min(MOST_FRAMES, len(frames))
    write("run", animated([frames[round(n * (len(frames) - 1) / (some - 1))] for n in range(some)]))


async def settled(pilot: Pilot[object], true: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not true() and time.monotonic() < end:
        await pilot.pause(0.1)


async def settle(pilot: Pilot[object], seconds: float) -> None:
    """Let the screen come to rest."""
    await pilot.pause(seconds)


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
    main()
