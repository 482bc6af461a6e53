"""Many short runs on the boards of a loopback fleet, while workers are killed, a link is cut and the scheduler starts again."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgetui.engine.config import PACKAGE
from edgetui.engine.fleet.asks import FleetAsk
from edgetui.engine.runs.folder import RunDir, run_paths
from edgetui.engine.schema.events import MeasuredWindow
from edgetui.engine.schema.fleet import BoardOutcome
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, Recipe
from fleets import LoopbackFleet
from link_proxy import LinkProxy

CUT_S, LAST_UP_S = 6.0, 240.0


class Storm(NamedTuple):
    """What came of it."""

    outcomes: tuple[BoardOutcome, ...]
    seconds: float
    up_s: float
    """Until all boards were up."""
    folders: int
    """Runs on all boards: more than were asked where one was begun on a board that went off."""
    overlaps: list[str]
    """Runs of one board that were measured at the same time."""
    restarts: int
    """Workers that were started again: of killed ones, of the cut link, and all of them with the scheduler."""

    @property
    def lost(self) -> list[BoardOutcome]:
        """Asks without a good result."""
        return [each for each in self.outcomes if each.error or [run.state for run in each.runs] != ["done"]]


def asks(count: int, measured: int) -> list[FleetAsk]:
    """Runs that differ in their seeds, on whichever board is free; the first are measured as well."""
    recipe = Recipe(name="p", step=(PruneMagnitude(amount=0.3),))
    model = str(PACKAGE / "profiles" / "demo" / "digits.onnx")
    backend = BackendSettings(threads=1)
    return [
        FleetAsk((RunSpec(model=model, recipe=recipe, backend=backend, preset="quick", seed=n, measure=n < measured),), "any")
        for n in range(count)
    ]


async def storm(fleet: LoopbackFleet, boards: int, runs: int, measured: int) -> Storm:
    """Two workers are killed and the scheduler, and one link is cut, when shares of all runs have ended. Measuring is short."""
    proxy = LinkProxy(lambda: fleet.keeping.kept().port)
    await proxy.start()
    names = [f"board{n:02}" for n in range(boards)]
    short = {"EDGETUI_MEASURE_S": "0.1"}
    fleet.add(*names[1:], env=short)
    fleet.add(names[0], host="", command=["env"], python=sys.executable, env=short, scheduler=f"127.0.0.1:{proxy.port}")
    began_s = time.monotonic()
    up = await fleet.fleet.bring_up()
    while {each.standing.state for each in up.boards} != {"up"}:  # one that did not join in time is started again
        assert time.monotonic() - began_s < LAST_UP_S, up
        await asyncio.sleep(0.5)
        up = await fleet.fleet.status(glances=False)
    up_s = time.monotonic() - began_s
    ended: list[int] = []
    began_s = time.monotonic()
    asked = asks(runs, measured)
    going = asyncio.ensure_future(
        fleet.fleet.carry(asked, lambda told: None, tell=lambda number, outcome: ended.append(number))
    )

    async def after(share: float) -> None:
        while len(ended) < share * runs and not going.done():
            await asyncio.sleep(0.05)

    try:
        await after(0.15)
        fleet.worker(names[1]).kill()
        await after(0.3)
        proxy.cut()
        await asyncio.sleep(CUT_S)
        await proxy.start()
        await after(0.5)
        fleet.processes("scheduler_process")[0].kill()
        await after(0.7)
        fleet.worker(names[2]).kill()
        outcomes = await going
    finally:
        going.cancel()
        await proxy.close()
    homes = [fleet.home_of(name) for name in names]
    overlaps = [pair for home in homes for pair in measured_at_once(home)]
    restarts = sum(each.tries - 1 for each in fleet.keeping.standing().values())
    folders = sum(len(fleet.runs(name)) for name in names)
    return Storm(outcomes, time.monotonic() - began_s, up_s, folders, overlaps, restarts)


def measured_at_once(home: Path) -> list[str]:
    """Pairs of runs of a board whose measurements overlapped."""
    spans: list[tuple[float, float, str]] = []
    for path in run_paths(home):
        windows = [e for e in RunDir(path).events() if isinstance(e, MeasuredWindow) and e.end_s is not None]
        spans += [(e.begin_s, e.end_s or 0, path.name) for e in windows]
    return _overlapping(sorted(spans))


def _overlapping(spans: Sequence[tuple[float, float, str]]) -> list[str]:
    return [
        f"{name} and {other}"
        for place, (_, end, name) in enumerate(spans)
        for begin, _, other in spans[place + 1 :]
        if begin < end and name != other
    ]
