"""A short game of a monkey over real folders: whatever keys, clicks and sizes come, the app goes on and escape leads back."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Models
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema import events as ev
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.monitor import Shown
from monkey import Monkey, back_to, look_closely

UNWANTED = frozenset({"run", "resume", "runs.resume", "screenshot"})
"""What would start real work or write where the test runs."""


pytestmark = pytest.mark.long
SEEDS = (1, 2, 3)
MOVES = int(os.environ.get("EDGETUI_MONKEY", "2000"))
"""Of the long game; `make bench-monkey` plays 20 000, which take five minutes of a processor."""


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
    app = EdgetuiApp(config, engine)
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


GROWTH_MB = 40
"""What the process may take more after the second half of the moves than after the first."""


async def keep_telling(folder: RunDir) -> None:
    """As a supervisor does that measures: a reading and a note, again and again."""
    n = 10_000
    with (folder.path / "events.jsonl").open("ab") as file:
        while True:
            n += 2
            told = (
                ev.Reading(n=n, t=n / 10, side="candidate", latency_ms=1.1, mean_ms=1.2, half_width=0.02, samples=n),
                ev.Note(n=n + 1, t=n / 10, stage="measure", text=f"note {n}"),
            )
            file.write(b"".join(ev.encode(each) + b"\n" for each in told))
            file.flush()
            await asyncio.sleep(0.05)


async def test_thousands_of_moves_end_nothing_and_leave_nothing_behind(
    config: Config, engine: Engine, past_run: Callable[..., str], own_state: Path, model: Path
):
    runs = [past_run(to, model) for to in ("done", "failed", "measure", "done", "measure")]
    app = EdgetuiApp(config, engine)
    monkey = Monkey(app, 20_000, UNWANTED)
    going = RunDir(own_state / "runs" / runs[-1])
    process = psutil.Process()
    with going.hold():
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            telling = asyncio.create_task(keep_telling(going))
            taken = []
            for _ in range(MOVES // 1000):
                await monkey.play(1000, (0, 0, 0, 0.001))
                assert app.is_running, [*monkey.did]
                gc.collect()
                taken.append(process.memory_info().rss / 2**20)
                print(f"{len(taken)}000 moves, {taken[-1]:.0f} MB, {len(app.screen_stack)} screens, {widgets(app)} widgets")
            telling.cancel()
            await back_to(app, pilot)
            assert widgets(app) < 120
            assert len(app.pace._drawers) < 60
    half = len(taken) // 2
    assert taken[-1] - taken[half - 1] < GROWTH_MB, taken


def widgets(app: EdgetuiApp) -> int:
    """On all screens."""
    return sum(len(screen.query("*")) for screen in app.screen_stack)
