"""What the screen remembers of the engine: the run that is watched, models and plans that were read, the sensors.

What needs no memory is asked of the engine itself (`desk.engine`). Nothing here draws; `pace.py` decides when that is done.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ..engine.advice.words import size
from ..engine.config import Config, Models, typed_path
from ..engine.errors import EdgetuiError, ModelRefused, from_os_error
from ..engine.system.disk import read_disk
from ..engine.system.log import logger
from .background import refusal
from .fix_words import on_screen
from .setups import Setups, utf8

if TYPE_CHECKING:
    from ..engine.api import Comparison, DatasetQuestion, Engine, Forecast, RunSummary, Side, Spreads
    from ..engine.schema.dataset_probe import DatasetProbe
    from ..engine.schema.events import AnyEvent
    from ..engine.schema.model_facts import ModelFacts
    from ..engine.schema.plan import PlanFacts
    from ..engine.schema.sensitivity import Sensitivity
    from ..engine.schema.spec import RunSpec
    from ..engine.schema.step import Step
    from ..engine.schema.steps import Recipe
    from .draft import RunSetup
    from .feed import LiveFeed
    from .runview import RunView

Found = TypeVar("Found")
_log = logger(__name__)


GOING = ("running", "queued")
"""States of a run that has not ended, those that are shown first before others."""
SEEN_IN = 200
"""Of so many runs, the newest, one is looked for that quantized a model."""


class Link(Setups):
    """One engine, and the run that is being watched."""

    def __init__(self, config: Config, engine: Engine | None = None) -> None:
        super().__init__()
        self.config = config
        self._engine = engine
        self.view: RunView | None = None
        self.members: tuple[RunView, ...] = ()
        """The runs that were started together with it, itself among them; one alone is the only one."""
        self.comparison: Comparison | None = None
        """Of these, once all have ended and there are several."""
        self._chosen = False
        """Somebody chose which of them is shown; else it is the one that works."""
        self.board = ""
        """The machine in a few words; empty until `look_at_board`."""
        self.watt_decimals = 2
        """Decimals of a watt that its power sensor means."""
        self._asking: set[asyncio.Future[Any]] = set()
        self._layers: dict[tuple[str, int], PlanFacts] = {}
        self._trouble = ""
        self.feed: LiveFeed | None = None
        """The board's sensors, for the workbench and the monitor; None before `open_telemetry`."""
        self.farewell = ""
        """What is said on the terminal once the screen has been left: a recording that ended with it."""
        self.submitting = 0
        """Of runs that are being begun, or taken up again, from here."""
        self.own: set[str] = set()
        """Runs that were begun, or taken up again, from here, and have not been seen to go since."""
        self.expect: Callable[..., None] = lambda *_: None
        """Told of runs whose end is to be said."""

    @property
    def engine(self) -> Engine:
        """The engine; imported when it is first asked something, which is after the first paint."""
        if self._engine is None:
            from ..engine.api import Engine

            self._engine = Engine(self.config)
        return self._engine

    # models and recipes

    def open_folder(self, text: str) -> str:
        """Add a folder, or a model's folder, to those that are shown; returns the path to point at.

        Raises:
            ModelRefused: there is no such folder or model.
        """
        path = typed_path(text)
        if not os.path.exists(path):  # noqa: PTH110  (a name that is too long is no error there)
            raise ModelRefused(f"there is no {path}", fix="check the path, then press o again")
        folder = str(path if path.is_dir() else path.parent)
        folders = self.config.models.folders
        if folder not in (str(typed_path(known)) for known in folders):
            self.config = self.engine.config = msgspec.structs.replace(self.config, models=Models(folders=(*folders, folder)))
        return str(path)

    def has_own_recipe(self, name: str) -> bool:
        """Whether the user's folder has a recipe of that name, which saving would write over."""
        from ..engine.library.recipes import own_folder

        return (own_folder(self.config) / f"{name}.toml").exists()

    def save_recipe(self, recipe: Recipe) -> Path:
        """Write a recipe into the user's folder.

        Raises:
            StorageRefused: the folder cannot be written to.
        """
        from ..engine.library.recipes import own_folder, write_recipe

        path = own_folder(self.config) / f"{recipe.name}.toml"
        write_recipe(recipe, path)
        return path

    async def inspect(self, model: str, shapes: dict[str, tuple[int, ...]] | None = None) -> ModelFacts:
        """What is in a model. When nobody waits any more it is still read to the end: the engine remembers the answer."""
        task = asyncio.ensure_future(self.engine.inspect(utf8(model), shapes or {}))
        self._asking.add(task)
        task.add_done_callback(self._answered)
        return await asyncio.shield(task)

    async def look_into(self, model: Path) -> ModelFacts:
        """What is in a model that is passed by: who is cancelled ends the process that reads it."""
        return await self._asked(self.engine.inspect(utf8(str(model))))

    async def probe_dataset(self, question: DatasetQuestion, listen: Callable[[AnyEvent], None] | None = None) -> DatasetProbe:
        """What is in a dataset, and how a model is fed with it. Who is cancelled ends the process that looks."""
        return await self._asked(self.engine.probe_dataset(question, listen))

    async def _asked(self, work: Coroutine[Any, Any, Found]) -> Found:
        """Wait for an answer; whoever is cancelled ends the work, and so does the end of the screen."""
        task = asyncio.ensure_future(work)
        self._asking.add(task)
        task.add_done_callback(self._answered)
        return await task

    async def activations(self, model: ModelFacts) -> tuple[float, float] | None:
        """Between which values its activations lie, by the newest run that quantized this very file; None: there is none."""
        for run in [each for each in await self.engine.list() if each.state == "done"][:SEEN_IN]:
            if Path(run.model).stem == model.name:
                result = await self.engine.result(run.run)
                path = result.artifacts.get("onnx", "")
                if result.model is not None and result.model.sha256 == model.sha256 and os.path.exists(path):  # noqa: PTH110
                    facts = await self.inspect(path)
                    if facts.activation_low is not None and facts.activation_high is not None:
                        return facts.activation_low, facts.activation_high
        return None

    def _answered(self, task: asyncio.Future[Any]) -> None:
        """An answer that nobody waits for any more may be an error; asyncio must not print it over the screen."""
        self._asking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.info("an answer nobody may wait for any more", exc_info=error)

    # what would be run

    async def forecast(self, setup: RunSetup, model: str) -> Forecast:
        """What will happen if this is run."""
        spec = await asyncio.to_thread(self.spec, setup, model)
        await self.inspect(model, spec.shapes)
        return await self.engine.forecast(spec)

    async def foresee(self, setup: RunSetup, model: str) -> Forecast:
        """The same, with what opening model and data tells."""
        spec = await asyncio.to_thread(self.spec, setup, model)
        await self.inspect(model, spec.shapes)
        return await self.engine.foresee(spec)

    async def submit(self, setups: Sequence[RunSetup], model: str, after: str = "") -> str:
        """Start runs that differ in their recipes, together, once `after` has ended well; returns the id of the first."""
        return await self.begin([await asyncio.to_thread(self.spec, setup, model) for setup in setups], after)

    async def begin(self, specs: Sequence[RunSpec], after: str = "") -> str:
        """Start runs that are known; returns the id of the first."""
        self.submitting += 1
        try:
            runs = await self.engine.submit_all(specs, after)
            self.own |= set(runs)
        finally:
            self.submitting -= 1
        self.engine.ask_no_more()
        self.expect(*runs)
        return runs[0]

    async def resume(self, run: str) -> None:
        """Take a run, or the group that it was started with, up again."""
        self.submitting += 1
        try:
            self.own |= set(await self.engine.resume(await self.engine.group_of(run)))
        finally:
            self.submitting -= 1

    # runs

    async def latest(self) -> RunSummary | None:
        """The run that works, else the newest that waits, else the newest."""
        runs = await self.engine.list()
        self.expect(*(run.run for run in runs if run.state in GOING))
        return min(runs, key=lambda run: GOING.index(run.state) if run.state in GOING else len(GOING), default=None)

    async def follow(self, run: str, *, chosen: bool = False) -> None:
        """Watch a run, and those that were started with it, from the first event to the last; `view` is the run from now on.
        Unless it was `chosen`, another of them is shown while that works.
        """
        from .runview import RunView

        views = []
        for name in await self.engine.together(run):
            spec = await self.engine.spec(name)
            views.append(RunView(name, Path(spec.model).stem, spec.recipe.name))
        self.members, self.comparison, self._chosen = tuple(views), None, chosen
        self.view = next((view for view in views if view.run == run), views[0])
        self.expect(*(view.run for view in views))
        mine = self.members
        await asyncio.gather(*map(self._watch, views))
        done = [view.run for view in views if view.state == "done"]
        if len(views) > 1 and done:
            found = await self.engine.compare(done)
            if self.members is mine:
                self.comparison = found

    async def _watch(self, view: RunView) -> None:
        from .runview import READINGS

        try:
            async for event in self.engine.watch(view.run, caught_up=view.catch_up, past_readings=READINGS):
                view.take(event)
            result = await self.engine.result(view.run)
        except (EdgetuiError, OSError) as error:
            _log.warning("%s is followed no more", view.run, exc_info=True)
            view.lose(refusal(error))
            raise
        view.end(result)

    def show_working(self) -> None:
        """Of several runs that one is shown which works, until somebody chooses another."""
        if not self._chosen and self.view is not None and not (self.view.going and not self.view.state):
            self.view = next((view for view in self.members if view.going and not view.state), self.view)

    def ends_with_screen(self) -> str:
        """What goes on when the screen is left, and what does not, in words; empty: nothing is going."""
        parts = ["the run goes on"] if any(not view.state for view in self.members) else []
        parts += ["the recording ends"] if self.feed is not None and self.feed.recorder is not None else []
        return ", ".join(parts)

    def works(self) -> bool:
        """Whether a run that is watched is at work: not one that waits, or has ended."""
        return any(view.going and not view.state for view in self.members)

    def show_next(self) -> None:
        """The next of the runs that were started together."""
        if self.view in self.members and len(self.members) > 1:
            self._chosen = True
            self.view = self.members[(self.members.index(self.view) + 1) % len(self.members)]

    async def latencies(self, runs: Sequence[str]) -> Spreads:
        """How the single latencies of runs spread."""
        return await self._asked(self.engine.latencies(runs))

    async def layers(self, run: str, side: Side, wait: Callable[[str], None], *, again: bool = False) -> PlanFacts:
        """What is inside a run's plan; remembered while the file stays as it is, unless it is asked `again`. `wait` hears for
        whom it waits. Who is cancelled ends the process that looks.

        Raises:
            EdgetuiError: there is no plan, or it cannot be loaded here.
        """
        from ..engine.advice.words import waits
        from ..engine.schema.events import Queued

        question = await self.engine.plan_of(run, side)
        try:
            key = (question.plan, Path(question.plan).stat().st_mtime_ns)
        except OSError as error:
            raise from_os_error(error) from None
        if again or key not in self._layers:

            def listen(event: AnyEvent) -> None:
                if isinstance(event, Queued):
                    wait(waits(event))

            self._layers[key] = await self._asked(self.engine.inspect_plan(question, listen))
        return self._layers[key]

    async def known_sensitivity(
        self, setup: RunSetup, model: str, step: Step, over: str, *, made_up: bool
    ) -> Sensitivity | None:
        """What is known by now of how far a step moves the outputs; None: nothing."""
        question = await asyncio.to_thread(self.question, setup, model, step, over, made_up)
        return await self.engine.known_sensitivity(question)

    async def sensitivity(
        self, setup: RunSetup, model: str, step: Step, over: str, *, made_up: bool, listen: Callable[[AnyEvent], None]
    ) -> Sensitivity:
        """How far a step moves the outputs; `listen` hears each row. Who is cancelled ends the process that computes."""
        question = await asyncio.to_thread(self.question, setup, model, step, over, made_up)
        return await self._asked(self.engine.sensitivity(question, listen))

    # the board

    def look_at_board(self) -> None:
        """Find out what machine this is; reads some small files."""
        import platform

        from ..engine.system.boards import detect

        board = detect()
        name = board.name if board.known else platform.node()
        about = [name, board.os, board.cpu if not board.jetson else "", f"{board.cores} cores" if board.cores else ""]
        self.board = " · ".join(part for part in about if part)
        self.watt_decimals = board.profile.watt_decimals

    def disk_free(self) -> str:
        """Free space where runs are kept, in words; whole GB, so that it seldom changes."""
        for folder in (self.engine.home, *self.engine.home.parents):
            with suppress(OSError):
                return f"disk {read_disk(folder).free_bytes / 1e9:.0f} GB free"
        return ""

    # telemetry

    async def open_telemetry(self, rate_hz: float | None = None, source: str = "auto") -> None:
        """Begin to read the board's sensors; where that cannot be, `trouble` says why."""
        from .feed import LiveFeed

        try:
            telemetry = await asyncio.to_thread(self.engine.telemetry, rate_hz or self.config.ui.rate_hz, source)
        except EdgetuiError as error:
            self._trouble = on_screen(error)
            _log.warning("no telemetry: %s", error)
            return
        self.feed = LiveFeed(self.engine, telemetry, self.watt_decimals)

    def trouble(self) -> str:
        """Why there are no samples; empty: there are, or they are on their way."""
        return self._trouble if self.feed is None else self.feed.refusal()

    async def close(self) -> None:
        """Let go of the sampler, and end the processes that read models for us."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        for _ in range(4):  # turns in which asyncio closes the pipes of processes that were killed
            await asyncio.sleep(0)
        if self.feed is not None:
            feed, self.feed = self.feed, None
            recorder = feed.recorder
            try:
                feed.close()
            except EdgetuiError as error:
                self.farewell = f"error: {error}"
                return
            if recorder is not None:
                self.farewell = f"recorded {recorder.path}, {size(recorder.size_bytes)}"
