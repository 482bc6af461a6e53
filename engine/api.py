"""The engine's front: submit, watch, cancel, resume, list, inspect, compare. Asynchronous and light; others do the work.

Both the command line and the screen use this and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .advice.compare import Comparison
from .advice.forecast import Forecast, forecast, refuse_without_samples
from .advice.goals import Goal
from .advice.spread import Spread, Spreads
from .advice.workload_needs import refuse_workload
from .config import Config, state_home
from .errors import EdgetuiError, ModelRefused, from_os_error
from .front.asking_boards import AskingBoards
from .front.deploying import Deploying
from .front.searching import Searching
from .front.studying import GroupOfStudy
from .front.sweep_words import SweepWords
from .front.sweeping import Sweeping
from .front.tidying import Tidying
from .library.models import Folder, ModelFile, list_folder
from .library.recipes import list_recipes, missing_file, missing_package
from .library.torch_models import FOLDER, export_path
from .runs.asking import LOOK_S, Cancelling, meant, reopen, write
from .runs.coming_after import refuse_ended_badly
from .runs.folder import RunDir
from .runs.index import Index
from .runs.kept_rows import KeptRows, keyed
from .runs.launch import begin
from .runs.queries import (
    BenchQuestion,
    CheckQuestion,
    DatasetQuestion,
    ExportQuestion,
    InspectQuestion,
    Listen,
    PlanQuestion,
    SensitivityQuestion,
    Side,
    ask,
    end_server,
    expect_question,
    sides_of,
)
from .runs.tell_crashed import tell_crashed
from .schema.dataset_probe import DatasetProbe
from .schema.events import AnyEvent, Note, RunEnded
from .schema.figures import Metrics
from .schema.model_facts import ModelFacts
from .schema.module_sources import ModelFactory
from .schema.ready import ready
from .schema.run_summary import RunSummary
from .schema.sensitivity import Sensitivity
from .schema.spec import Dataset, RunSpec
from .schema.steps import Recipe
from .system.memory import read_memory
from .telemetry.alerts import AlertEvent, Alerts
from .telemetry.history import Bucket, History

if TYPE_CHECKING:
    from .telemetry.client import Telemetry
    from .telemetry.energy import Readings
    from .telemetry.recording import Mark, Recorder
    from .telemetry.replay import Player
    from .telemetry.run_clock import RunClock
    from .telemetry.sample import Sample, Stats

__all__ = [
    "AlertEvent", "Alerts", "BenchQuestion", "Bucket", "Comparison", "DatasetQuestion", "Engine", "Folder", "Forecast",
    "Goal", "GroupOfStudy", "History", "Mark", "ModelFile", "PlanQuestion", "Player", "Readings", "Recorder", "RunSummary",
    "Sample", "SensitivityQuestion", "Side", "Spread", "Spreads", "Stats", "SweepWords", "Telemetry", "sides_of",
]  # fmt: skip

POLL_S = 0.25
PIECE_BYTES = 1 << 19
"""Of events at once: four thousand, which a screen takes in 13 ms."""


class Engine(Searching, Sweeping, Tidying, Deploying, AskingBoards):
    """One state folder; any number of these, in any process, may work on it at once."""

    def __init__(self, config: Config, home: Path | None = None) -> None:
        super().__init__(config, home or state_home())
        self.index = Index(self.home)
        self._facts: dict[tuple[str, int, int, str], ModelFacts] = {}
        self._fits: dict[bytes, tuple[str, ...]] = {}

    async def submit(self, spec: RunSpec) -> str:
        """`submit_all` of one."""
        return (await self.submit_all([spec]))[0]

    async def submit_all(self, specs: Sequence[RunSpec], after: str = "") -> tuple[str, ...]:
        """Write the run folders of recipes that are to be measured together and start their supervisor, detached; returns the
        runs' ids once they have begun or stand in the queue. `after`: a run, or a group, that has to end well before they
        come into the queue.

        Raises:
            StorageRefused: there is no such run, or it has ended otherwise.
            EdgetuiError: the model or data cannot be read, the state folder cannot be written, the supervisor did not start.
        """
        model = Path(specs[0].model).expanduser().absolute()
        if not model.is_file():
            raise ModelRefused(f"there is no model {model}", fix="check the path; `ls` its folder")
        specs = [msgspec.structs.replace(spec, model=str(model)) for spec in specs]
        for spec in specs:
            await self.check(spec)
        others = await asyncio.to_thread(meant, self.home, after) if after else []
        await asyncio.to_thread(refuse_ended_badly, others)
        folders = await asyncio.to_thread(self._write, specs, others)
        await asyncio.to_thread(begin, folders, self.home)
        return tuple(folder.name for folder in folders)

    @staticmethod
    def expect_question() -> None:
        """Let what answers questions begin to import; returns at once."""
        expect_question()

    def ask_no_more(self) -> None:
        """Give back the 60 MB that are kept ready for questions. For fronts that have started a run: a small board needs them
        then, and memory that comes free while plans are loaded would hide what those take.
        """
        end_server()

    async def check(
        self, spec: RunSpec, *, backend: bool = False, elsewhere: bool = False, goal: str | None = None
    ) -> tuple[str, ...]:
        """Refuse what would fail in the run's first moments, in a process of its own; returns what it would be warned of.
        `backend`: also what is missing here to execute it. `elsewhere`: what it needs installed need not be here.
        `goal`: of a search, whose data have to tell how good outputs are.

        Raises:
            EdgetuiError: the model's inputs or the data cannot be read, or do not fit each other or the recipe.
        """
        refuse_without_samples(spec)
        refuse_workload(spec)
        if missing := (not elsewhere and missing_package(spec.steps_here)) or missing_file(spec.recipe):
            raise missing
        warned: list[str] = []

        def listen(event: AnyEvent) -> None:
            if isinstance(event, Note) and event.level == "warning":
                warned.append(event.text)

        await ask(self.home, CheckQuestion(spec=spec, backend=backend, elsewhere=elsewhere, goal=goal), listen)
        return tuple(warned)

    def _write(self, specs: Sequence[RunSpec], after: Sequence[RunDir] = ()) -> list[RunDir]:
        return write(self.home, specs, after=after)

    async def watch(
        self, run: str, since: int = 0, caught_up: Callable[[], None] | None = None, past_readings: int | None = None
    ) -> AsyncIterator[AnyEvent]:
        """All events numbered above `since`: the past first, then as they come, until the run has ended or crashed. A long past
        comes in pieces, between which whoever listens has its turn: a day in one took 0.3 s of a screen. `caught_up` hears
        that the past is over. Of the past's readings come only the newest so many, where that is said.
        """
        folder = await self._find(run)
        offset = 0
        readings_from = 0 if past_readings is None else await asyncio.to_thread(folder.readings_from, past_readings)
        while True:
            alive = folder.alive()
            found, end = await asyncio.to_thread(folder.events_from, offset, PIECE_BYTES, readings_from)
            for event in found:
                if event.n > since:
                    yield event
            if caught_up is not None and end - offset < PIECE_BYTES:
                caught_up()
                caught_up = None
            if not alive and end == offset:
                await asyncio.to_thread(tell_crashed, self.home, [folder.name])
                return
            if end - offset < PIECE_BYTES and (alive or not (found and isinstance(found[-1], RunEnded))):
                await asyncio.sleep(POLL_S)
            offset = end

    async def telemetry_past(self, run: str, clock: RunClock, until_s: float, into: History) -> RunClock | None:
        """What a run has kept of the board before the monotonic second `until_s`, put into a history: a day at most, read in
        a thread. Returns the clock, put right by what was read; None: the run has ended, and nothing was read.

        Raises:
            EdgetuiError: there is no such run, or what it has kept cannot be read.
        """
        from .runs.telemetry_past import read_past

        folder = await self._find(run)
        if not await asyncio.to_thread(folder.alive):
            return None
        try:
            return await asyncio.to_thread(read_past, folder.path, clock, until_s, into)
        except OSError as error:
            raise from_os_error(error) from error

    async def cancel(self, run: str) -> None:
        """End a run, or all of a group: SIGTERM to its processes, SIGKILL after 10 s. A group goes on without a run that is
        cancelled. Returns when it has ended.

        Raises:
            StorageRefused: there is no such run, or it is not running.
        """
        going = await asyncio.to_thread(lambda: Cancelling(self.home, meant(self.home, run)))
        while not await asyncio.to_thread(going.ended):
            await asyncio.sleep(LOOK_S)

    async def resume(self, run: str) -> tuple[str, ...]:
        """Run again what did not end well of a run or of a group; finished stages come from the cache. Returns the ids of what
        is carried together again.

        Raises:
            StorageRefused: there is no such run, it is running, or it is done.
            ModelRefused, DataRefused: its model or its data have changed since.
        """
        folders = await asyncio.to_thread(lambda: reopen(self.home, meant(self.home, run)))
        await asyncio.to_thread(begin, folders, self.home)
        return tuple(folder.name for folder in folders)

    async def list(self) -> tuple[RunSummary, ...]:
        """All runs, the newest first."""
        return await asyncio.to_thread(self._list)

    def _list(self) -> tuple[RunSummary, ...]:
        found = self.index.list()
        tell_crashed(self.home, [run.run for run in found if run.state == "crashed"])
        return found

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
            self._facts[key] = msgspec.json.decode(answer, type=ready(ModelFacts))
        return self._facts[key]

    async def as_onnx(self, name: str, source: Path | ModelFactory) -> Path:
        """The ONNX file of a PyTorch module: exported in a process of its own, once for its files' content.

        Raises:
            ModelRefused: it cannot be read or exported.
        """
        out = await asyncio.to_thread(export_path, self.home, name, source)
        if not out.is_file():
            program, made = (str(source), None) if isinstance(source, Path) else ("", source)
            await ask(self.home, ExportQuestion(program=program, factory=made, out=str(out)), None)
        return out

    async def bench(self, question: BenchQuestion, listen: Listen | None = None) -> Metrics:
        """Time a model or plan alone; `listen` hears the events."""
        return msgspec.json.decode(await ask(self.home, question, listen), type=ready(Metrics))

    async def sensitivity(self, question: SensitivityQuestion, listen: Listen | None = None) -> Sensitivity:
        """How far outputs move when one unit is changed alone, or a setting swept; `listen` hears each row as it is found. What
        was found before is not computed again; who cancels the task keeps what is known by then.

        Raises:
            EdgetuiError: the model or the samples cannot be read or run, or the step cannot be done so.
        """
        if missing := missing_package(question.spec.steps_here):
            raise missing
        asked = await asyncio.to_thread(keyed, question)
        known = await asyncio.to_thread(KeptRows(self.home, asked.key).read)
        if known is not None and known.state == "done":
            return known
        answer = await ask(self.home, asked, listen)
        return msgspec.json.decode(answer, type=ready(Sensitivity))

    async def known_sensitivity(self, question: SensitivityQuestion) -> Sensitivity | None:
        """What is known of it by now, nothing computed; None: nothing.

        Raises:
            ModelRefused, DataRefused: the model or the samples cannot be read.
        """
        return await asyncio.to_thread(lambda: KeptRows(self.home, keyed(question).key).read())

    async def forecast(self, spec: RunSpec) -> Forecast:
        """What will happen if `spec` is run.

        Raises:
            ModelRefused: the model cannot be read.
        """
        facts = await self.inspect(Path(spec.model), spec.shapes)
        history = await asyncio.to_thread(self.index.similar_seconds, spec)
        memory = await asyncio.to_thread(read_memory, light=True)
        return forecast(spec, facts, history, memory.available_mb)

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
            return msgspec.structs.replace(found, refusals=(error.refusal,), checked=True)
        return msgspec.structs.replace(found, warnings=(*self._fits[key], *found.warnings), checked=True)

    def recipes(self) -> tuple[Recipe, ...]:
        """The packaged recipes and the user's own that can be read."""
        return list_recipes(self.config)

    def models(self) -> tuple[Folder, ...]:
        """What lies in the configured model folders, and what was exported from PyTorch."""
        own = self.home / FOLDER
        return tuple(list_folder(folder) for folder in (*self.config.models.folders, *([str(own)] if own.is_dir() else [])))

    async def probe_dataset(self, question: DatasetQuestion, listen: Listen | None = None) -> DatasetProbe:
        """What is in a dataset, and how it is fed into a model; `listen` hears how far it is. Who cancels the task ends the
        process that looks.

        Raises:
            EdgetuiError: the dataset or the model cannot be read.
        """
        return msgspec.json.decode(await ask(self.home, question, listen), type=ready(DatasetProbe))

    def dataset_parts(self, text: str) -> Dataset:
        """`dataset`; of a folder with the parts `train` and `test` the second, calibrated with the first.

        Raises:
            DataRefused: as `dataset`.
        """
        from .library.datasets import read_parts

        return read_parts(text, self.config.datasets)

    def dataset(self, text: str) -> Dataset:
        """A dataset by its name in edgetui.toml, or by path.

        Raises:
            DataRefused: it is missing or its description cannot be read.
        """
        from .library.datasets import read_dataset

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
