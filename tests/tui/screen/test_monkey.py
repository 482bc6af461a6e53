"""A short game of a monkey over real folders: whatever keys, clicks and sizes come, the app goes on and escape leads back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Models
from edgetui.engine.runs.folder import RunDir
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.monitor import Shown
from errands import WAYS, go, settles
from monkey import Monkey, back_to, caged, look_closely, resize
from processes import kill_all

UNWANTED = frozenset({"run", "after", "resume", "runs.resume"})
"""What would start runs."""
pytestmark = pytest.mark.long
SEEDS = (1, 2, 3)


@pytest.fixture(autouse=True)
def a_place_of_its_own(tmp_path: Path, own_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is written where it was started goes with the test, and so does what it has begun."""
    monkeypatch.chdir(tmp_path)
    yield
    kill_all(own_state.parent)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_monkey_at_the_workbench(
    config: Config, engine: Engine, past_run: Callable[..., str], own_state: Path, tmp_path: Path, model: Path, seed: int
):
    runs = [past_run(to, model) for to in ("done", "failed", "measure", "done", "measure")]
    broken = tmp_path / "broken"
    broken.mkdir()
    shutil.copy(model, broken / "\x1b[31m[red]日本.onnx")
    (broken / "cut.onnx").write_bytes(model.read_bytes()[:99])
    (broken / "empty.onnx").write_bytes(b"")
    engine.config = Config(models=Models(folders=("~/models", str(broken), str(tmp_path / "nowhere"))))
    app = caged(EdgetuiApp(config, engine))
    monkey = Monkey(app, seed, UNWANTED)
    with RunDir(own_state / "runs" / runs[-1]).hold():  # this one is running
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await monkey.play(120)
            print("played:", *monkey.did)  # pytest shows it when what follows fails
            await pilot.pause()
            await look_closely(app, pilot)
            await back_to(app, pilot)


@pytest.mark.parametrize("seed", SEEDS[:2])
async def test_a_monkey_at_a_replay(shared: Path, own_state: Path, seed: int):
    engine = Engine(Config(), own_state)
    player = engine.replay(sorted((shared / "tegrastats").glob("*.txt"))[seed])
    app = EdgetuiApp(Config(), engine, Shown(player=player))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await Monkey(app, seed, UNWANTED | {"monitor.leave"}).play(120)
        await pilot.pause()
        if app.is_running:
            await pilot.resize_terminal(120, 40)
            await look_closely(app, pilot)


async def test_every_screen_bears_a_terminal_of_a_few_columns(full_home: RunDir, config: Config, engine: Engine):
    """What stands behind `too small` is drawn at that size too: the help had a column of less than no width."""
    app = caged(EdgetuiApp(config, engine))
    monkey = Monkey(app, 1, UNWANTED)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        for name in sorted(set(WAYS) - {"BoardRunScreen", "RunOnBoards", "TooSmall"}):
            assert await go(monkey, name, (120, 40)), f"{name} was not reached"
            for size in ((20, 5), (1, 1), (5, 60), (200, 5)):
                resize(app, *size)
                await settles(app, 0.1)
                assert app.is_running, (name, size)
            await pilot.pause()
        await back_to(app, pilot)
