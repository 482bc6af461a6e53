"""The engine's front: submit, watch, cancel, resume, list, inspect, compare. Asynchronous and light; others do the work.

Both the command line and the screen use this and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .advise import Comparison, Goal, compare, sides
from .alike import with_conditions
from .boards import memory_free_mb
from .config import Config, state_home
from .errors import EdgetuiError, ModelRefused, StorageRefused, from_os_error
from .events import AnyEvent, Note, RunEnded
from .files import Folder, ModelFile, list_folder, model_hash
from .forecast import Forecast, forecast, refuse_without_samples
from .index import Index, RunSummary
from .launch import start
from .questions import BenchQuestion, CheckQuestion, InspectQuestion, Listen, PlanQuestion, Side, SpreadQuestion, ask, plan_of
from .queue import draw_ticket, enter
from .recipes import list_recipes, own_folder, without_torch
from .result import Metrics, ModelFacts, PlanFacts, Result
from .rundir import Asked, RunDir, check_room, create, new_name
from .sensing import Sensing
from .spec import Dataset, Recipe, RunSpec
from .spread import Spread, Spreads, sample_sets
from .stages import versions
from .state import assemble, close_cancelled
from .telemetry.alerts import AlertEvent, Alerts
from .telemetry.history import Bucket, History
from .unchanged import data_hashes, refuse_changed, samples_hash

if TYPE_CHECKING:
    from .telemetry.client import Telemetry
    from .telemetry.energy import Readings
    from .telemetry.recording import Mark, Recorder
    from .telemetry.replay import Player
    from .telemetry.sample import Sample, Stats

__all__ = [
    "AlertEvent", "Alerts", "BenchQuestion", "Bucket", "Comparison", "Engine", "Folder", "Forecast", "Goal", "History", "Mark",
    "ModelFile", "PlanQuestion", "Player", "Readings", "Recorder", "RunSummary", "Sample", "Side", "Spread", "Spreads",
    "Stats", "Telemetry",
]  # fmt: skip

POLL_S = 0.25
START_S = 20.0
CANCEL_S = 10.0


class Engine(Sensing):
    """One state folder; any number of these, in any process, may work on it at once."""

    def __init__(self, config: Config, home: Path | None = None) -> None:
        super().__init__(config, home or state_home())
        self.index = Index(self.home)
        self._facts: dict[tuple[str, int, int, str], ModelFacts] = {}
        self._fits: dict[bytes, tuple[str, ...]] = {}

    async def submit(self, spec: RunSpec) -> str:
        """Write the run folder and start its supervisor, detached; returns the run's id once it
        has begun or stands in the queue.

        Raises:
            EdgetuiError: the model or data cannot be read, the state folder cannot be written, the supervisor did not start.
        """
        model = Path(spec.model).expanduser().absolute()
        if not model.is_file():
            raise ModelRefused(f"there is no model {model}", fix="check the path; `ls` its folder")
        spec = msgspec.structs.replace(spec, model=str(model))
        await self.check(spec)
        folder = await asyncio.to_thread(self._write, spec)
        await self._start(folder)
        return folder.name

    async def check(self, spec: RunSpec, *, backend: bool = False) -> tuple[str, ...]:
        """Refuse what would fail in the run's first moments, in a process of its own; returns what it would be warned of.
        `backend`: also what is missing here to execute it.

        Raises:
            EdgetuiError: the model's inputs or the data cannot be read, or do not fit each other or the recipe.
        """
        refuse_without_samples(spec)
        if missing := without_torch(spec.recipe):
            raise missing
        warned: list[str] = []

        def listen(event: AnyEvent) -> None:
            if isinstance(event, Note) and event.level == "warning":
                warned.append(event.text)

        await ask(self.home, CheckQuestion(spec=spec, backend=backend), listen)
        return tuple(warned)

    def _write(self, spec: RunSpec) -> RunDir:
        from .. import __version__

        sha, hashes = model_hash(Path(spec.model)), data_hashes(spec)
        try:
            ticket = draw_ticket(self.home)
            check_room(self.home)
            name = new_name(self.home, spec.model, spec.recipe.name)
        except OSError as error:
            raise from_os_error(error) from None
        asked = Asked(
            run=name,
            ticket=ticket,
            wall=datetime.now().astimezone().isoformat(timespec="seconds"),
            edgetui=__version__,
            python=sys.executable,
            versions=versions(),
            model_sha256=sha,
            dataset_hash=hashes[0],
            calibration_hash=hashes[1],
            samples_hash=samples_hash(spec),
            spec=spec,
        )
        try:
            folder = create(self.home, asked)
            enter(self.home, ticket, name)
        except (OSError, StorageRefused) as error:
            shutil.rmtree(self.home / "runs" / name, ignore_errors=True)  # or it would be listed as one that crashed
            raise (from_os_error(error) if isinstance(error, OSError) else error) from None
        return folder

    async def _start(self, folder: RunDir, offset: int = 0) -> None:
        """Start the supervisor and wait for its first event behind so many bytes of them."""
        await asyncio.to_thread(start, folder, self.home)
        end = time.monotonic() + START_S
        while not folder.events_from(offset)[0] and not folder.result():
            if time.monotonic() > end:
                raise StorageRefused(
                    f"the supervisor of {folder.name} did not start",
                    fix=f"see {folder.path / 'log.txt'}, then `edgetui resume`",
                )
            await asyncio.sleep(0.02)

    async def watch(self, run: str, since: int = 0) -> AsyncIterator[AnyEvent]:
        """All events numbered above `since`: the past first, then as they come, until the run has ended or crashed."""
        folder = RunDir.find(self.home, run)
        offset = 0
        while True:
            alive = folder.alive()
            found, offset = folder.events_from(offset)
            for event in found:
                if event.n > since:
                    yield event
            if not alive and not found:
                return
            if alive or not isinstance(found[-1], RunEnded):
                await asyncio.sleep(POLL_S)

    async def cancel(self, run: str) -> None:
        """End a run: SIGTERM to its processes, SIGKILL after 10 s. Returns when it has ended.

        Raises:
            StorageRefused: there is no such run, or it is not running.
        """
        folder = RunDir.find(self.home, run)
        pid = folder.pid()
        if pid is None:
            raise StorageRefused(f"run {folder.name} is not running", fix="`edgetui runs` shows what is")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
        end = time.monotonic() + CANCEL_S
        while folder.alive():
            if time.monotonic() > end:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                end = float("inf")
            await asyncio.sleep(0.05)
        if folder.result() is None:
            close_cancelled(self.home, folder)

    async def resume(self, run: str) -> str:
        """Run again what did not end well; finished stages come from the cache. Returns the run's id.

        Raises:
            StorageRefused: there is no such run, it is running, or it is done.
            ModelRefused, DataRefused: its model or its data have changed since.
        """
        folder = RunDir.find(self.home, run)
        if folder.alive():
            raise StorageRefused(f"run {folder.name} is running", fix=f"`edgetui watch {folder.name}`")
        done = folder.result()
        if done is not None and done.state == "done":
            raise StorageRefused(f"run {folder.name} is done", fix=f"`edgetui show {folder.name}`, or start a new run")
        asked = folder.asked()
        check_room(self.home)
        await asyncio.to_thread(refuse_changed, asked)
        _, behind = folder.events_from(0)
        try:
            (folder.path / "result.json").unlink(missing_ok=True)
            enter(self.home, asked.ticket, asked.run)
        except OSError as error:
            raise from_os_error(error) from None
        await self._start(folder, behind)
        return folder.name

    async def list(self) -> tuple[RunSummary, ...]:
        """All runs, the newest first."""
        return await asyncio.to_thread(self.index.list)

    async def result(self, run: str) -> Result:
        """The result document; of a run that has not ended what is known by now."""
        folder = RunDir.find(self.home, run)
        known = folder.result()
        return known if known is not None else await asyncio.to_thread(assemble, self.home, folder)

    async def spec(self, run: str) -> RunSpec:
        """What was asked."""
        return RunDir.find(self.home, run).asked().spec

    async def log(self, run: str, last_bytes: int = 65536) -> str:
        """The end of log.txt."""
        path = RunDir.find(self.home, run).path / "log.txt"
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - last_bytes))
            return file.read().decode(errors="replace")

    async def inspect(self, model: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> ModelFacts:
        """What is in a model, found out in a process of its own and remembered while the file stays as it is.

        Raises:
            ModelRefused: it cannot be read.
        """
        try:
            stat = model.stat()
        except OSError as error:
            raise ModelRefused(f"cannot read the model {model} ({error.strerror})", fix="check the path") from None
        key = (str(model), stat.st_size, stat.st_mtime_ns, repr(shapes))
        if key not in self._facts:
            question = InspectQuestion(model=str(model.absolute()), shapes=dict(shapes or {}))
            answer = await ask(self.home, question, None)
            self._facts[key] = msgspec.json.decode(answer, type=ModelFacts)
        return self._facts[key]

    async def inspect_plan(self, question: PlanQuestion, listen: Listen | None = None) -> PlanFacts:
        """What is inside a plan; of one of TensorRT that cannot be loaded here what its manifest says.

        Raises:
            EdgetuiError: it is not there, not for this machine, or broken.
        """
        return msgspec.json.decode(await ask(self.home, question, listen), type=PlanFacts)

    async def plan_of(self, run: str, side: Side = "candidate") -> PlanQuestion:
        """The question what is inside a run's plan.

        Raises:
            EdgetuiError: there is no such run, or it has no plan, or not yet.
        """
        folder = RunDir.find(self.home, run)
        return plan_of(await self.result(folder.name), folder.asked().spec, side)

    async def bench(self, question: BenchQuestion, listen: Listen | None = None) -> Metrics:
        """Time a model or plan alone; `listen` hears the events."""
        return msgspec.json.decode(await ask(self.home, question, listen), type=Metrics)

    async def forecast(self, spec: RunSpec) -> Forecast:
        """What will happen if `spec` is run.

        Raises:
            ModelRefused: the model cannot be read.
        """
        facts = await self.inspect(Path(spec.model), spec.shapes)
        history = await asyncio.to_thread(self.index.similar_seconds, spec)
        return forecast(spec, facts, history, memory_free_mb())

    async def foresee(self, spec: RunSpec) -> Forecast:
        """`forecast`, and what `check` finds: all that can be told before the run.

        What fits is remembered while model, data and kinds of steps stay as they are, so that the screen may ask at every key.

        Raises:
            ModelRefused: the model cannot be read.
        """
        found = await self.forecast(spec)
        if found.errors:
            return found
        key = _checked_by(spec)
        try:
            if key not in self._fits:
                self._fits[key] = await self.check(spec, backend=True)
        except EdgetuiError as error:
            return msgspec.structs.replace(found, errors=(str(error),), checked=True)
        return msgspec.structs.replace(found, warnings=(*self._fits[key], *found.warnings), checked=True)

    async def compare(self, runs: Sequence[str], goal: Goal | str = "") -> Comparison:
        """Several runs side by side, with advice."""
        return compare([await self._told(run) for run in runs], goal)

    async def _told(self, run: str) -> Result:
        """A result with the conditions it was made under, also one of a version that did not write them."""
        found = await self.result(run)
        return found if found.conditions else with_conditions(found, RunDir.find(self.home, found.run).asked())

    async def latencies(self, runs: Sequence[str]) -> Spreads:
        """How the single latencies of each column of `compare` spread, over one axis."""
        columns = sides([await self._told(run) for run in dict.fromkeys(runs)])
        answer = await ask(self.home, SpreadQuestion(sets=sample_sets(columns)), None)
        return msgspec.json.decode(answer, type=Spreads)

    async def delete(self, run: str) -> None:
        """Remove a run's folder. What other runs share with it in the cache stays.

        Raises:
            StorageRefused: it is running, or cannot be removed.
        """
        folder = RunDir.find(self.home, run)
        if folder.alive():
            raise StorageRefused(f"run {folder.name} is running", fix=f"`edgetui cancel {folder.name}` first")
        try:
            await asyncio.to_thread(shutil.rmtree, folder.path)
        except OSError as error:
            raise from_os_error(error) from None

    def recipes(self) -> tuple[Recipe, ...]:
        """The packaged recipes and the user's own that can be read."""
        return list_recipes(self.config)

    def recipe_folder(self) -> Path:
        """Where the user's own recipes lie; need not exist."""
        return own_folder(self.config)

    def models(self) -> tuple[Folder, ...]:
        """What lies in the configured model folders."""
        return tuple(list_folder(folder) for folder in self.config.models.folders)

    def dataset(self, text: str) -> Dataset:
        """A dataset by its name in edgetui.toml, or by path.

        Raises:
            DataRefused: it is missing or its description cannot be read.
        """
        from .data.describe import read_dataset

        return read_dataset(text, self.config.datasets)


def _checked_by(spec: RunSpec) -> bytes:
    """All that `check` looks at, files by their size and time of change."""
    data = [part for part in (spec.dataset, spec.calibration) if part is not None]
    stamps = []
    for path in (spec.model, *(path for part in data for path in (part.path, part.calibration) if path)):
        with contextlib.suppress(OSError):
            stat = Path(path).stat()
            stamps.append((path, stat.st_size, stat.st_mtime_ns))
    methods = [step.method for step in spec.recipe.active]
    return msgspec.json.encode((spec.model, spec.shapes, spec.dataset, spec.calibration, spec.backend, methods, stamps))
