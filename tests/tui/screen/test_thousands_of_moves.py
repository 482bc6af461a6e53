"""A long game of a monkey: it comes to every screen at every usual size, nothing ends the app, and nothing is left behind.

`make bench-monkey` plays it whole: beside real runs, a fleet of one board, and with processes of the engine killed meanwhile.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib.util
import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config, Defaults, Models
from edgetui.engine.errors import EdgetuiError
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema import events as ev
from edgetui.engine.schema.spec import RunSpec
from edgetui.tui.app import EdgetuiApp
from errands import WAYS, run_errand
from fleets import LoopbackFleet
from monkey import Monkey, back_to, caged
from processes import kill_all, working_for
from visits import USUAL, every_screen

pytestmark = pytest.mark.long
MOVES = int(os.environ.get("EDGETUI_MONKEY", "1000"))
SEED = int(os.environ.get("EDGETUI_SEED", "20000"))
WHOLE = MOVES >= 10_000 or "EDGETUI_SEED" in os.environ
"""With all that takes more than CI has time for; also a short game whose seed is given."""
ERRANDS = 30
"""Of each thousand moves: so often it goes where it was least."""
GROWTH_MB = 40
"""What the process may take more after the second half of the moves than after the first."""
UNWANTED = frozenset({"run", "after", "resume", "runs.resume"})
"""What would start runs by the hundred: beside the whole game one is always going."""
DEMO = PACKAGE / "profiles" / "demo"


async def keep_telling(folder: RunDir) -> None:
    """As a supervisor does that measures: a reading and a note, again and again; until somebody deletes its folder."""
    n = 10_000
    while (folder.path / "events.jsonl").exists():
        n += 2
        told = (
            ev.Reading(n=n, t=n / 10, side="candidate", latency_ms=1.1, mean_ms=1.2, half_width=0.02, samples=n),
            ev.Note(n=n + 1, t=n / 10, stage="measure", text=f"note {n}"),
        )
        with (folder.path / "events.jsonl").open("ab") as file:
            file.write(b"".join(ev.encode(each) + b"\n" for each in told))
        await asyncio.sleep(0.05)


async def keep_running(config: Config, home: Path) -> None:
    """One real run after another, whatever becomes of them."""
    engine, n = Engine(config, home), 0
    while True:
        n += 1
        with suppress(EdgetuiError, OSError):
            spec = RunSpec(model=str(DEMO / "digits.onnx"), recipe=engine.recipes()[0], preset="quick", seed=n)
            run = await engine.submit(spec)
            async for _ in engine.watch(run):
                pass
        await asyncio.sleep(0.5)


def part_of(process: psutil.Process) -> str:
    """Which room and module of the engine it is, or "another"."""
    with suppress(psutil.Error):
        for word in process.cmdline():
            if word.startswith("edgetui.engine."):
                return word.removeprefix("edgetui.engine.")
    return "another"


async def keep_killing(home: Path, seed: int, told: Counter[str]) -> None:
    """Every three seconds some process of the engine; every half minute all, so that what was begun never piles up. The
    fleet has two minutes.
    """
    dice, n = random.Random(seed), 0
    while True:
        await asyncio.sleep(3)
        n += 1
        there = [(process, part_of(process)) for process in await asyncio.to_thread(working_for, home)]
        if n % 40:
            there = [(process, part) for process, part in there if not part.startswith("fleet.")]
        for process, part in there if n % 10 == 0 else dice.sample(there, min(1, len(there))):
            with suppress(psutil.Error):
                process.kill()
                told[part] += 1


def kinds_of_objects() -> Counter[str]:
    """How many there are of each. No thread works meanwhile: a tuple that one is making cannot grow once another has it,
    which Python tells as an error of its own (`SystemError`, in tupleobject.c).
    """
    was = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        objects = gc.get_objects()
        kinds = Counter(type(each).__qualname__ for each in objects)
        del objects
        return kinds
    finally:
        sys.setswitchinterval(was)


class Heap(ctypes.Structure):
    """mallinfo2(3) of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]
    ]


def heap_words() -> str:
    """What of the C library's heaps is taken and what lies free between it, and how many blocks Python has taken of its own:
    what a process takes grows with holes as well as with what is held.
    """
    blocks = f"{sys.getallocatedblocks()} blocks"
    try:
        told = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return blocks
    told.restype = Heap
    heap = told()
    return f"{blocks}, heap {heap.uordblks / 2**20:.0f} MB and {heap.fordblks / 2**20:.0f} free"


class Growth:
    """What of the process is counted after each thousand of moves."""

    def __init__(self, app: EdgetuiApp) -> None:
        self.app, self.process = app, psutil.Process()
        self.megabytes: list[float] = []
        self.began_s = time.monotonic()
        self._kinds: list[Counter[str]] = []

    def note(self) -> str:
        """Count, and say it in a row."""
        gc.collect()
        self.megabytes.append(self.process.memory_info().rss / 2**20)
        kinds = kinds_of_objects()
        self._kinds.append(kinds)
        screens = sum(n for kind, n in kinds.items() if kind in every_screen())
        return (
            f"{len(self.megabytes)}000 moves {time.monotonic() - self.began_s:.0f} s {self.megabytes[-1]:.0f} MB  "
            f"({heap_words()})  {kinds.total()} objects, {screens} screens of which "
            f"{len(self.app.screen_stack)} stand, {widgets(self.app)} widgets, {kinds['Timer']} timers, "
            f"{len(asyncio.all_tasks())} tasks, {len(self.app.workers)} workers, {self.process.num_threads()} threads, "
            f"{self.process.num_fds()} files, {len(self.app.pace._drawers)} drawers"
        )

    def grown(self) -> str:
        """Kinds of objects of which there are more at the end than in the middle, the most first."""
        if not self._kinds:
            return "nothing was counted"
        more = self._kinds[-1] - self._kinds[len(self._kinds) // 2 - 1]
        return ", ".join(f"{kind} +{n}" for kind, n in more.most_common(25))


def widgets(app: EdgetuiApp) -> int:
    """On all screens."""
    return sum(len(screen.query("*")) for screen in app.screen_stack)


@asynccontextmanager
async def beside(*works: asyncio.Future[None]) -> AsyncIterator[None]:
    """Have these go on meanwhile; what fails in one fails the test."""
    try:
        yield
        for work in works:
            if work.done():
                work.result()
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


@pytest.fixture
def fleet(tmp_path: Path, own_state: Path, full_home: RunDir, past_run, monkeypatch) -> Iterator[LoopbackFleet | None]:
    """One board with a run, where the extra is installed."""
    if not WHOLE or importlib.util.find_spec("distributed") is None:
        yield None
        return
    fleet = LoopbackFleet(tmp_path / "fleet", monkeypatch, own_state)
    fleet.add("one")
    shutil.copytree(own_state / "runs" / past_run("done"), fleet.home_of("one") / "runs" / "20261120-2300-of-a-board")
    yield fleet
    fleet.close()


async def test_thousands_of_moves_end_nothing_and_leave_nothing_behind(
    full_home: RunDir, own_state: Path, tmp_path: Path, fleet: LoopbackFleet | None
):
    defaults = Defaults(dataset=str(DEMO / "digits.toml"))
    config = Config(models=Models(folders=("~/models", str(DEMO))), defaults=defaults)
    app = caged(EdgetuiApp(config, Engine(config, own_state)))
    monkey, growth, killed = Monkey(app, SEED, UNWANTED), Growth(app), Counter[str]()
    screens = every_screen()
    assert screens == set(WAYS), "a monkey needs a way to every screen: tests/support/errands.py"
    screens -= set() if fleet is not None else {"BoardRunScreen", "RunOnBoards"}
    if fleet is not None:
        await fleet.fleet.bring_up()
    works = [asyncio.ensure_future(keep_telling(full_home))]
    if WHOLE:
        works += map(asyncio.ensure_future, (keep_running(config, own_state), keep_killing(own_state.parent, SEED, killed)))
    try:
        async with beside(*works):
            with full_home.hold():
                async with app.run_test(size=(120, 40), notifications=True) as pilot:
                    for _ in range(MOVES // 1000):
                        for _ in range(ERRANDS):
                            await run_errand(monkey, screens)
                            await monkey.play(1000 // ERRANDS, (0, 0, 0, 0.001))
                            assert app.is_running, (app.return_code, [*monkey.did][-50:])
                        print(growth.note(), flush=True)
                    await back_to(app, pilot)
                    assert widgets(app) < 120
                    assert len(app.pace._drawers) < 60
    finally:
        print(monkey.visits.table(screens), f"killed: {dict(killed)}", f"more: {growth.grown()}", sep="\n")
        never = monkey.visits.never(screens)
        print(f"never on top: {', '.join(never) or 'none'}; errands that did not come there: {dict(monkey.visits.missed)}")
        kill_all(own_state.parent)
    half = len(growth.megabytes) // 2
    assert not half or growth.megabytes[-1] - growth.megabytes[half - 1] < GROWTH_MB, growth.megabytes
    assert not never
    assert not {*USUAL} - {at for _, at in monkey.visits.seen}
