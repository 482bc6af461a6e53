"""A monkey plays while somebody breaks, empties and removes files below the screen, and where the disk is full."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config, Defaults, Models
from edgetui.engine.runs.folder import RunDir
from edgetui.tui.app import EdgetuiApp
from monkey import Monkey, back_to, caged, look_closely
from processes import kill_all

pytestmark = pytest.mark.long
MOVES = int(os.environ.get("EDGETUI_MONKEY", "150"))
UNWANTED = frozenset({"run", "after", "resume", "runs.resume"})
DEMO = PACKAGE / "profiles" / "demo"
LEFT = (b"", b"\xff\xfe\x00{[", b"[]", b"{}\n", b"null", b"12345", b"\0" * 5000)
"""What stands in a file that a power cut, a full disk or another program has left."""


@pytest.fixture(autouse=True)
def nothing_left(own_state: Path) -> Iterator[None]:
    """What was begun goes with the test."""
    yield
    kill_all(own_state.parent)


def break_one(state: Path, dice: random.Random) -> str:
    """Break some file, or remove a folder that has some; returns what became of which."""
    files = [path for path in state.rglob("*") if path.is_file() and path.suffix != ".lock"]
    if not files:
        return ""
    path, how = dice.choice(files), dice.choice(("cut", "left", "left", "gone", "folder", "around"))
    with suppress(OSError):  # the app has removed it meanwhile
        if how == "cut":
            os.truncate(path, path.stat().st_size // 2)
        elif how == "left":
            path.write_bytes(dice.choice(LEFT))
        elif how == "around" and path.parent != state:
            shutil.rmtree(path.parent)
        else:
            path.unlink()
            if how == "folder":
                path.mkdir()
    return f"{how} {path.relative_to(state)}"


async def keep_breaking(state: Path, kept: Path, dice: random.Random, told: list[str]) -> None:
    """A few times a second; now and then all is there again, so that there is something to break."""
    while True:
        await asyncio.sleep(0.1)
        told.append(break_one(state, dice))
        if dice.random() < 0.05:
            with suppress(OSError):
                shutil.copytree(kept, state, dirs_exist_ok=True)


def an_app(state: Path) -> EdgetuiApp:
    config = Config(models=Models(folders=("~/models", str(DEMO))), defaults=Defaults(dataset=str(DEMO / "digits.toml")))
    return caged(EdgetuiApp(config, Engine(config, state)))


SEEDS = range(1, 2 + MOVES // 1000)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_monkey_beside_a_vandal(full_home: RunDir, own_state: Path, tmp_path: Path, seed: int):
    kept = shutil.copytree(own_state, tmp_path / "kept")
    app, broken = an_app(own_state), list[str]()
    monkey = Monkey(app, seed, UNWANTED)
    with full_home.hold():
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            vandal = asyncio.ensure_future(keep_breaking(own_state, kept, random.Random(seed), broken))
            await monkey.play(MOVES, (0, 0, 0.001, 0.01, 0.02))
            vandal.cancel()
            print("broken:", *broken[-50:], "\nplayed:", *monkey.did)
            assert app.is_running
            await pilot.pause()
            await look_closely(app, pilot)
            await back_to(app, pilot)


@pytest.mark.parametrize("left", [0, 5000][: 1 + MOVES // 1000])
async def test_a_monkey_on_a_full_disk(
    full_home: RunDir, own_state: Path, disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, left: int
):
    state = disk("2m") / "state" / "edgetui"
    shutil.copytree(own_state, state)
    monkeypatch.setenv("XDG_STATE_HOME", str(state.parent))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(state.parent.parent / "config"))
    monkeypatch.chdir(state.parent)
    with (state.parent / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))
    os.truncate(state.parent / "filler", (state.parent / "filler").stat().st_size - left)
    app = an_app(state)
    monkey = Monkey(app, 7, UNWANTED)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await monkey.play(MOVES, (0, 0, 0.001, 0.01, 0.02))
        print("played:", *monkey.did)
        assert app.is_running
        await pilot.pause()
        await back_to(app, pilot)
    kill_all(state.parent)
