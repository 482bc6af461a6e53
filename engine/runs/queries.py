"""Questions that a light process has answered by a heavy one: what may be asked, and how it is asked."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import ClassVar, Literal

import msgspec
from msgspec import Struct

from ..advice.recomputed import RawSamples
from ..advice.spread import SampleSet
from ..errors import EdgetuiError, PlanRefused, RunFailed
from ..schema import events
from ..schema.module_sources import ModelFactory
from ..schema.ready import ready
from ..schema.result import Result
from ..schema.sensitivity import UNITS
from ..schema.settings import BackendSettings, Preset
from ..schema.spec import Dataset, RunSpec
from ..schema.workloads import FlatOut, Workload
from ..system.log import logger
from .fork_client import ForkedProcess, ForkServer

IDLE_S = 60.0
_log = logger(__name__)
_FORKS = ForkServer(quiet=True)
_ASKED: set[ForkedProcess] = set()


class _Question(Struct, frozen=True, kw_only=True):
    fresh: ClassVar[bool] = False
    """Answered by an interpreter of its own, as the answer tells how much memory it takes."""

    @property
    def executed(self) -> str:
        """The model or plan that a backend is to execute; empty: none. Who refuses it advises only backends that read it."""
        return ""


class InspectQuestion(_Question, frozen=True, kw_only=True, tag="inspect"):
    """What is in this model?"""

    model: str
    shapes: dict[str, tuple[int, ...]] = {}


class ExportQuestion(_Question, frozen=True, kw_only=True, tag="export"):
    """Which ONNX file is this PyTorch module? It is written to `out`."""

    program: str = ""
    """A `.pt2` file."""
    factory: ModelFactory | None = None
    """None: it is in the file."""
    out: str


class CheckQuestion(_Question, frozen=True, kw_only=True, tag="check"):
    """Would this run be refused for its model's inputs or its data?"""

    spec: RunSpec
    backend: bool = False
    """Also for want of what executes it here, which the run's first stage finds out by itself."""
    elsewhere: bool = False
    """What it needs installed need not be here."""
    goal: str | None = None
    """Of a search, whose candidates data have to tell apart; None: it is of no search."""

    @property
    def executed(self) -> str:
        """The model of the run."""
        return self.spec.model


class BenchQuestion(_Question, frozen=True, kw_only=True, tag="bench"):
    """How fast is this model or plan, alone?"""

    fresh = True

    model: str
    shapes: dict[str, tuple[int, ...]] = {}
    backend: BackendSettings = BackendSettings()
    workload: Workload = FlatOut()
    preset: Preset = "normal"
    seed: int = 0

    @property
    def executed(self) -> str:
        """The model or plan that is timed."""
        return self.model


class PlanQuestion(_Question, frozen=True, kw_only=True, tag="plan"):
    """What is inside this plan? Of a model: of the plan that `backend` makes of it."""

    plan: str
    backend: BackendSettings = BackendSettings()
    """Its `name` matters for models only: a plan's file says what executes it."""
    source: str = ""
    """The ONNX file that the plan was built from, to tell which of its nodes a layer computes; empty: not known."""
    shapes: dict[str, tuple[int, ...]] = {}
    """Of a model with dynamic axes."""

    @property
    def executed(self) -> str:
        """The plan, or the model that one is made of."""
        return self.plan


class SpreadQuestion(_Question, frozen=True, kw_only=True, tag="spread"):
    """How do these latencies spread?"""

    sets: tuple[SampleSet, ...]


class RecomputeQuestion(_Question, frozen=True, kw_only=True, tag="recompute"):
    """What do the raw samples of these runs say?"""

    runs: tuple[RawSamples, ...]


class DatasetQuestion(_Question, frozen=True, kw_only=True, tag="dataset"):
    """What is in this dataset, and how is it fed into this model?"""

    dataset: Dataset
    model: str = ""
    """Empty: the dataset alone is looked at."""
    shapes: dict[str, tuple[int, ...]] = {}
    samples: int = 0
    """That are tried in each way to feed them; 0: as many as some 12 seconds allow, 300 at most."""
    shown: int = 8
    """That are told of one by one."""
    picture: int = 0
    """Pixels a side of a small picture of each; 0: none is made."""


class SensitivityQuestion(_Question, frozen=True, kw_only=True, tag="sensitivity"):
    """How far do outputs move when one unit is changed alone, or when a setting is swept over the whole model?"""

    spec: RunSpec
    """Model, samples, backend, and a recipe of the one step."""
    over: str = UNITS
    values: tuple[float, ...] = ()
    """Of a sweep; empty: those that the step itself says."""
    at: float | None = None
    """Where the weights are counted before and after; None: at the knee of the sweep, else at the step's own value."""
    samples: int = 256
    """At most."""
    made_up: bool = False
    """Made-up inputs take the place of samples that are not there."""
    key: str = ""
    """What its rows are kept by."""


class SweepBuildQuestion(_Question, frozen=True, kw_only=True, tag="sweep-build"):
    """What of this model is loaded with these sizes? A folder `out` is made with it: a plan, or the settled model."""

    model: str
    shapes: dict[str, tuple[int, ...]] = {}
    backend: BackendSettings = BackendSettings()
    out: str

    @property
    def executed(self) -> str:
        """The model."""
        return self.model


class SweepCheckQuestion(_Question, frozen=True, kw_only=True, tag="sweep-check"):
    """Why is there nothing here that executes with these settings? An answer for each, none where there is something."""

    model: str
    plan: bool = False
    """It is one, which other machines may refuse."""
    backends: tuple[BackendSettings, ...]

    @property
    def executed(self) -> str:
        """The model or plan."""
        return self.model


class SweepTry(Struct, frozen=True, kw_only=True):
    """A point of a sweep, as it is to be measured."""

    point: int
    plan: str
    backend: BackendSettings
    streams: int = 1
    shapes: dict[str, tuple[int, ...]] = {}
    """Of inputs whose sizes the plan leaves open."""


class SweepQuestion(_Question, frozen=True, kw_only=True, tag="sweep"):
    """How fast are these, and what do they take, one after another? Whoever asks holds the board."""

    fresh = True

    tries: tuple[SweepTry, ...]
    round: int = 0
    preset: Preset = "normal"
    seed: int = 0


Listen = Callable[[events.AnyEvent], None]
Side = Literal["baseline", "candidate", "second"]
"""`second`: of two plans that are one (`adaptive`) the one of higher precision."""
_PLANS: dict[Side, str] = {"baseline": "baseline_plan", "candidate": "plan", "second": "plan_wide"}
_GRAPHS: dict[Side, str] = {"candidate": "onnx", "second": "onnx_wide"}
"""What artifacts call each side's plan, and the graph that it was made of."""
Question = (
    InspectQuestion
    | ExportQuestion
    | CheckQuestion
    | BenchQuestion
    | PlanQuestion
    | SpreadQuestion
    | RecomputeQuestion
    | DatasetQuestion
    | SensitivityQuestion
    | SweepCheckQuestion
    | SweepBuildQuestion
    | SweepQuestion
)


class Answer(Struct, frozen=True, kw_only=True):
    """The last line of the answering process."""

    answer: msgspec.Raw


def sides_of(result: Result) -> tuple[Side, ...]:
    """Whose plans a run has."""
    return ("baseline", "candidate", "second") if _PLANS["second"] in result.artifacts else ("baseline", "candidate")


def plan_of(result: Result, spec: RunSpec, side: Side) -> PlanQuestion:
    """What is inside the plan of a run?

    Raises:
        PlanRefused: it has no such plan, or not yet.
    """
    plan = result.artifacts.get(_PLANS[side], "")
    if not plan or not Path(plan).is_file():
        why, fix = "", f"take it up again with `edgetui resume {result.run}`"
        if result.state in ("running", "queued"):
            why, fix = " yet", "wait for its stage build"
        elif result.state == "done":
            why, fix = ": nothing was measured", "look at its other plan, or run it with `edgetui run`"
        if side == "second" and "plan" in result.artifacts:
            why, fix = ": its candidate is one plan, not two", "look at that: leave --second out"
        raise PlanRefused(
            f"run {result.run} has no {'second plan' if side == 'second' else f'plan of the {side}'}{why}", fix=fix
        )
    source = result.artifacts.get(_GRAPHS[side], "") if side in _GRAPHS else spec.model
    return PlanQuestion(
        plan=plan,
        backend=spec.backend if side == "baseline" else spec.candidate_backend,
        source=source if Path(source).is_file() else "",
        shapes=spec.shapes,
    )


async def ask(home: Path, question: Question, listen: Listen | None) -> msgspec.Raw:
    """Have a question answered by a process of its own, pass its events to `listen`, return its answer as JSON. Cancelling the
    task ends the process.

    Raises:
        EdgetuiError: what the process said of its failure.
    """
    process = _FORKS.begin("query_process", [str(home)], given=msgspec.json.encode(question), fresh=question.fresh)
    _ASKED.add(process)
    answer: msgspec.Raw | None = None
    failure: EdgetuiError | None = None
    try:
        async with _lines(process) as lines:
            async for line in lines:
                event = events.decode(line)
                if isinstance(event, events.StageFailed):
                    failure = EdgetuiError(event.what, fix=event.fixes or event.fix, node=event.node)
                elif event is not None and listen:
                    listen(event)
                elif event is None:
                    answer = msgspec.json.decode(line, type=ready(Answer)).answer
        if answer is None and failure is None:
            code = await asyncio.to_thread(process.wait)
            failure = RunFailed(f"the process that reads the model ended with {code}", fix="try again with more free memory")
    finally:
        process.stop(signal.SIGKILL)
        process.close()
        _log.debug("%s: %s", type(question).__name__, failure or ("not answered" if answer is None else "answered"))
        _ASKED.discard(process)
        # in a context of its own: who asked, a screen say, is not kept for it
        asyncio.get_running_loop().call_later(IDLE_S, _end_idle, process, context=Context())
    if answer is not None:
        return answer
    assert failure
    raise failure


@asynccontextmanager
async def _lines(process: ForkedProcess) -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.out)
    try:
        yield reader
    finally:
        transport.close()


def expect_question() -> None:
    """Let what answers questions begin to import; returns at once."""
    _FORKS.start()


def begin_supervisor(words: Sequence[str], log: int, folder: Path) -> bool:
    """Start a supervisor with a copy of the fork server that has answered the last question, so that it waits for no imports.
    False: there is no such server, or it could not.
    """
    return _FORKS.ready and _FORKS.begin_apart(words, log, folder) == 0


def _end_idle(last: ForkedProcess) -> None:
    """Give the fork server's memory back, where nobody has asked since `last`."""
    if _FORKS.last is last:
        end_server()


def end_server() -> None:
    """Give the fork server's memory back, unless it answers now; the next question starts another."""
    if not _ASKED:
        _FORKS.close()
