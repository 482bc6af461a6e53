"""What a board answers that is asked for a whole search or sweep: it plans and begins it, or finds it, or tells of it.

Apart from `driven_asks.py`, the question, which who asks makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import structs

from ..errors import RunFailed, StorageRefused, from_os_error
from ..fleet.driven_tasks import DrivenOrder, DrivenTold, answered, folder_of_key, keep_folder
from ..runs.carrying import begin_driver
from ..runs.ensure import MOST_BREAKS
from ..runs.search_folder import DRIVER, SearchDir, create_search, same_search
from ..runs.sweep_driver import MODULE
from ..runs.sweep_folder import SweepDir, create_sweep, same_sweep
from ..schema.ready import ready
from ..schema.search import Over, SearchDocument, SearchRequest
from ..schema.settings import BackendSettings
from ..schema.spec import RunSpec
from ..schema.sweep import SweepReport, SweepRequest
from ..system.locks import wait_for_lock
from .driven_asks import DrivenAsked, SearchAsked
from .sweep_words import SweepWords

_BREAKS = "broken-off"
"""In the folder: a byte for each time that it was taken up without anybody having ended it."""


class Planner(Protocol):
    """What of the engine is needed here; it stands above this room."""

    home: Path

    async def check(self, spec: RunSpec, *, backend: bool = False, goal: str | None = None) -> tuple[str, ...]:
        """Refuse what would fail."""

    async def plan_search(
        self, spec: RunSpec, goal: str, builds: int, seconds: float | None = None, over: Over = "formats"
    ) -> SearchRequest:
        """What is asked by a search here."""

    async def plan_sweep(self, path: Path, name: str, backend: BackendSettings, said: SweepWords) -> SweepRequest:
        """What is asked by a sweep here."""

    async def search_document(self, search: str) -> SearchDocument:
        """A search's answer."""

    async def sweep_report(self, sweep: str, want: str | None = None) -> SweepReport:
        """A sweep's table."""

    def ask_no_more(self) -> None:
        """End what answers questions."""


def answer(open_engine: Callable[[], Planner], said: bytes) -> bytes:
    """Begin what an order asks, or find it, or tell of it; what goes wrong is a value in the answer."""
    try:
        return answered(_answer(open_engine(), msgspec.json.decode(said, type=ready(DrivenOrder))))
    except Exception as error:
        return answered(error)


def _answer(engine: Planner, order: DrivenOrder) -> DrivenTold:
    home = engine.home
    if order.asked is None:
        return asyncio.run(_tell(engine, order.once))
    asked: DrivenAsked = msgspec.convert(order.asked, ready(DrivenAsked))
    lock = wait_for_lock(home / "ensure.lock")
    try:
        folder = folder_of_key(home, order.once)
        if folder is None:
            folder = asyncio.run(_planned(engine, asked, again=order.again))
            keep_folder(home, order.once, folder)
        state = folder.state()
        if state in ("done", "running"):
            return DrivenTold(found=state == "done")
        if state == "crashed":
            _refuse_hopeless(folder)
        begin_driver(folder, DRIVER if isinstance(folder, SearchDir) else MODULE)
    except OSError as error:
        raise from_os_error(error, path=home) from None
    finally:
        lock.release()
        engine.ask_no_more()
    return DrivenTold()


async def _planned(engine: Planner, asked: DrivenAsked, *, again: bool) -> SearchDir | SweepDir:
    """The folder of the same that was asked here before, else a new one."""
    if isinstance(asked, SearchAsked):
        warned = await engine.check(asked.spec, backend=True, goal=asked.goal)
        search = await engine.plan_search(asked.spec, asked.goal, asked.builds, asked.seconds, asked.over)
        search = structs.replace(search, warnings=warned)
        known = None if again else same_search(engine.home, search)
        return known or create_search(engine.home, structs.replace(search, learnt=not again))
    sweep = await engine.plan_sweep(Path(asked.model), asked.name, asked.backend, asked.said)
    return (None if again else same_sweep(engine.home, sweep)) or create_sweep(engine.home, sweep)


def _refuse_hopeless(folder: SearchDir | SweepDir) -> None:
    """Count that it was broken off.

    Raises:
        RunFailed: too often.
    """
    file = folder.path / _BREAKS
    before = file.stat().st_size if file.exists() else 0
    begun = (folder.path / "begun").exists()
    if begun and before >= MOST_BREAKS:
        raise RunFailed(
            f"{folder.id} was broken off {before} times, as when a board goes off under it",
            fix=f"see {folder.path / 'log.txt'} there; remove {file} to try once more",
        )
    if begun:
        with file.open("ab") as kept:
            kept.write(b".")


async def _tell(engine: Planner, once: str) -> DrivenTold:
    folder = folder_of_key(engine.home, once)
    if folder is None:
        raise StorageRefused("what was asked for is not on the board any more", fix="ask again")
    if isinstance(folder, SearchDir):
        return DrivenTold(search=await engine.search_document(folder.id))
    return DrivenTold(sweep=await engine.sweep_report(folder.id))
