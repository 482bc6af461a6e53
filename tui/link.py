"""All traffic with the engine: what the screen asks for, and what comes back folded into values that panes draw.

Panes never touch the engine. Nothing here draws; `pace.py` decides when what has arrived is shown.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..engine.config import Config, Models, config_home, typed_path
from ..engine.errors import EdgetuiError, ModelRefused, from_os_error
from ..engine.events import AnyEvent, Note
from ..engine.spec import BackendSettings, Dataset, Recipe, RunSpec
from .aside import refusal
from .draft import Asked
from .runview import RunView

if TYPE_CHECKING:
    from ..engine.api import Comparison, Engine, Folder, Forecast, RunSummary, Sample, Side, Spreads, Telemetry
    from ..engine.result import ModelFacts, PlanFacts, Result
    from .feed import LiveFeed


class Link:
    """One engine, and the run that is being watched."""

    def __init__(self, config: Config, engine: Engine | None = None) -> None:
        self.config = config
        self._engine = engine
        self.view: RunView | None = None
        self.board = ""
        """The machine in a few words; empty until `look_at_board`."""
        self.watt_decimals = 2
        """Decimals of a watt that its power sensor means."""
        self._asking: set[asyncio.Future[Any]] = set()
        self._layers: dict[tuple[str, int], PlanFacts] = {}
        self._telemetry: Telemetry | None = None
        self._sampled = 0
        self._trouble = ""
        self.feed: LiveFeed | None = None
        """The board's sensors as the monitor shows them; None before `open_telemetry`."""
        self._known: dict[str, Dataset] = {}

    @property
    def engine(self) -> Engine:
        """The engine; imported when it is first asked something, which is after the first paint."""
        if self._engine is None:
            from ..engine.api import Engine

            self._engine = Engine(self.config)
        return self._engine

    # models and recipes

    def models(self) -> tuple[Folder, ...]:
        """What lies in the model folders."""
        return self.engine.models()

    def open_folder(self, text: str) -> str:
        """Add a folder, or a model's folder, to those that are shown; returns the model to point at, or "".

        Raises:
            ModelRefused: there is no such folder or model.
        """
        path = typed_path(text)
        if not os.path.exists(path):  # noqa: PTH110  (a name that is too long is no error there)
            raise ModelRefused(f"there is no {path}", fix="check the path, then press o again")
        folder = str(path if path.is_dir() else path.parent)
        folders = self.engine.config.models.folders
        if folder not in (str(typed_path(known)) for known in folders):
            self.engine.config = msgspec.structs.replace(self.engine.config, models=Models(folders=(*folders, folder)))
        return "" if path.is_dir() else str(path)

    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes that ship and the user's own."""
        return self.engine.recipes()

    def save_recipe(self, recipe: Recipe) -> Path:
        """Write a recipe into the user's folder.

        Raises:
            StorageRefused: the folder cannot be written to.
        """
        from ..engine.recipes import write_recipe

        folder = typed_path(self.config.recipes.folder) if self.config.recipes.folder else config_home() / "recipes"
        path = folder / f"{recipe.name}.toml"
        write_recipe(recipe, path)
        return path

    async def inspect(self, model: str, shapes: dict[str, tuple[int, ...]] | None = None) -> ModelFacts:
        """What is in a model. When nobody waits any more it is still read to the end: the engine remembers the answer."""
        task = asyncio.ensure_future(self.engine.inspect(_utf8(model), shapes or {}))
        self._asking.add(task)
        task.add_done_callback(self._answered)
        return await asyncio.shield(task)

    def _answered(self, task: asyncio.Future[Any]) -> None:
        """An answer that nobody waits for any more may be an error; asyncio must not print it over the screen."""
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()

    # what would be run

    def dataset_names(self) -> tuple[str, ...]:
        """Names to choose from: those of edgetui.toml, and those that runs of this session used."""
        return tuple(dict.fromkeys((*self.config.datasets, *self._known)))

    def check_dataset(self, text: str) -> None:
        """See whether a dataset can be read.

        Raises:
            DataRefused: it cannot; says why.
        """
        self._dataset(text)

    def _dataset(self, text: str) -> Dataset | None:
        if not text:
            return None
        return self._known.get(text) or self.engine.dataset(text)

    def first_asked(self, recipes: Sequence[Recipe]) -> Asked:
        """What a new run starts from: the defaults of edgetui.toml."""
        chosen = self.config.defaults
        recipe = next((r for r in recipes if r.name == chosen.recipe), recipes[0] if recipes else Recipe())
        own = self.config.backend.onnxruntime
        backend = BackendSettings(name=chosen.backend, threads=own.threads, graph=own.graph, **self._own_tables())
        return Asked(recipe=recipe, dataset=chosen.dataset, preset=chosen.preset, backend=backend)

    def _own_tables(self) -> dict[str, Any]:
        """Tables of edgetui.toml that a backend's settings hold as they are."""
        known = {field.name for field in msgspec.structs.fields(BackendSettings)}
        return {name: getattr(self.config.backend, name) for name in known & set(self.config.backend.__struct_fields__)}

    def asked_fields(self, spec: RunSpec) -> dict[str, object]:
        """What an earlier run asked, as fields of `Asked`, so that it can be changed and run again."""
        names = []
        for data in (spec.dataset, spec.calibration):
            name = "" if data is None else data.name or data.path
            if data is not None and name not in self.config.datasets:
                self._known[name] = data
            names.append(name)
        return {
            "recipe": spec.recipe,
            "dataset": names[0],
            "calibration": names[1],
            "preset": spec.preset,
            "workload": spec.workload,
            "backend": spec.backend,
            "shapes": {spec.model: spec.shapes} if spec.shapes else {},
        }

    def spec(self, asked: Asked, model: str) -> RunSpec:
        """The run as the engine wants it.

        Raises:
            DataRefused: a dataset is missing or cannot be read.
            ModelRefused: the model has a name that cannot be written down.
        """
        return RunSpec(
            model=str(_utf8(model)),
            recipe=asked.recipe,
            backend=asked.backend,
            dataset=self._dataset(asked.dataset),
            calibration=self._dataset(asked.calibration),
            workload=asked.workload,
            preset=asked.preset,
            shapes=asked.shapes.get(model, {}),
        )

    async def forecast(self, asked: Asked, model: str) -> Forecast:
        """What will happen if this is run."""
        spec = await asyncio.to_thread(self.spec, asked, model)
        await self.inspect(model, spec.shapes)
        return await self.engine.forecast(spec)

    async def foresee(self, asked: Asked, model: str) -> Forecast:
        """The same, with what opening model and data tells."""
        spec = await asyncio.to_thread(self.spec, asked, model)
        await self.inspect(model, spec.shapes)
        return await self.engine.foresee(spec)

    async def submit(self, asked: Asked, model: str) -> str:
        """Start a run; returns its id."""
        return await self.engine.submit(await asyncio.to_thread(self.spec, asked, model))

    # runs

    async def runs(self) -> tuple[RunSummary, ...]:
        """All runs, the newest first."""
        return await self.engine.list()

    async def latest(self) -> RunSummary | None:
        """The newest run that is running, else the newest."""
        runs = await self.runs()
        return next((run for run in runs if run.state in ("running", "queued")), runs[0] if runs else None)

    async def spec_of(self, run: str) -> RunSpec:
        """What a run asked."""
        return await self.engine.spec(run)

    async def follow(self, run: str) -> None:
        """Watch a run from its first event to its last; `view` is the run from now on."""
        spec = await self.engine.spec(run)
        view = RunView(run, f"{Path(spec.model).stem} · {spec.recipe.name or 'recipe'}")
        self.view = view
        try:
            async for event in self.engine.watch(run):
                view.take(event)
            result = await self.engine.result(run)
        except (EdgetuiError, OSError) as error:
            view.lose(refusal(error))
            raise
        view.end(result)

    async def cancel(self, run: str) -> None:
        """End a run."""
        await self.engine.cancel(run)

    async def resume(self, run: str) -> None:
        """Take a run up again."""
        await self.engine.resume(run)

    async def delete(self, run: str) -> None:
        """Remove a run's folder."""
        await self.engine.delete(run)

    async def compare(self, runs: Sequence[str], goal: str = "") -> Comparison:
        """Runs side by side."""
        return await self.engine.compare(runs, goal)

    async def latencies(self, runs: Sequence[str]) -> Spreads:
        """How the single latencies of runs spread."""
        task = asyncio.ensure_future(self.engine.latencies(runs))
        self._asking.add(task)
        task.add_done_callback(self._answered)
        return await task

    async def result(self, run: str) -> Result:
        """A run's result document."""
        return await self.engine.result(run)

    async def layers(self, run: str, side: Side, wait: Callable[[str], None], *, again: bool = False) -> PlanFacts:
        """What is inside a run's plan; remembered while the file stays as it is, unless it is asked `again`. `wait` hears for
        whom it waits. Who is cancelled ends the process that looks.

        Raises:
            EdgetuiError: there is no plan, or it cannot be loaded here.
        """
        question = await self.engine.plan_of(run, side)
        try:
            key = (question.plan, Path(question.plan).stat().st_mtime_ns)
        except OSError as error:
            raise from_os_error(error) from None
        if again or key not in self._layers:

            def listen(event: AnyEvent) -> None:
                if isinstance(event, Note):
                    wait(event.text)

            task = asyncio.ensure_future(self.engine.inspect_plan(question, listen))
            self._asking.add(task)
            task.add_done_callback(self._answered)
            self._layers[key] = await task
        return self._layers[key]

    async def tool_log(self, run: str) -> str:
        """The end of what the run's tools printed."""
        return await self.engine.log(run)

    # the board

    def look_at_board(self) -> None:
        """Find out what machine this is; reads some small files."""
        import platform

        from ..engine.boards import detect

        board = detect()
        name = board.name if board.known else platform.node()
        about = [name, board.os, board.cpu if not board.jetson else "", f"{board.cores} cores" if board.cores else ""]
        self.board = " · ".join(part for part in about if part)
        self.watt_decimals = board.profile.watt_decimals

    def disk_free(self) -> str:
        """Free space where runs are kept, in words; whole GB, so that it seldom changes."""
        for folder in (self.engine.home, *self.engine.home.parents):
            with suppress(OSError):
                return f"{shutil.disk_usage(folder).free / 1e9:.0f} GB free"
        return ""

    # telemetry

    async def open_telemetry(self, rate_hz: float | None = None, source: str = "auto") -> None:
        """Begin to read the board's sensors; where that cannot be, `trouble` says why."""
        from .feed import LiveFeed

        try:
            telemetry = await asyncio.to_thread(self.engine.telemetry, rate_hz or self.config.ui.rate_hz, source)
        except EdgetuiError as error:
            self._trouble = str(error)
            return
        self._telemetry = telemetry
        self.feed = LiveFeed(self.engine, telemetry, self.watt_decimals)

    def fresh_samples(self) -> list[Sample]:
        """Samples that have come since the last call, oldest first."""
        if self._telemetry is None:
            return []
        found = self._telemetry.since(self._sampled)
        if found:
            self._sampled = found[-1][0]
        return [sample for _, sample in found]

    def trouble(self) -> str:
        """Why there are no samples; empty: there are, or they are on their way."""
        if self._telemetry is None:
            return self._trouble
        return "" if self._sampled else self._telemetry.problem() or ""

    def source(self) -> str:
        """What reads the sensors; empty before the first sample."""
        return self._telemetry.source if self._telemetry is not None and self._sampled else ""

    async def close(self) -> None:
        """Let go of the sampler, and end the processes that read models for us."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        for _ in range(4):  # turns in which asyncio closes the pipes of processes that were killed
            await asyncio.sleep(0)
        if self.feed is not None:
            self.feed.close()
            self.feed = self._telemetry = None


def _utf8(model: str) -> Path:
    """A model's path, if it can be kept in files and documents, all of them UTF-8; Linux allows other names.

    Raises:
        ModelRefused: it cannot.
    """
    try:
        model.encode()
    except UnicodeEncodeError:
        raise ModelRefused("its name is not UTF-8", fix="rename it, or make a link to it") from None
    return Path(model)
