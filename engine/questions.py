"""Questions that a light process has answered by a heavy one: what may be asked, and how it is asked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from . import events
from .errors import EdgetuiError, PlanRefused, RunFailed
from .result import Result
from .spec import BackendSettings, FlatOut, Preset, RunSpec, Workload
from .spread import SampleSet

REAPED_S = 5.0


class InspectQuestion(Struct, frozen=True, kw_only=True, tag="inspect"):
    """What is in this model?"""

    model: str
    shapes: dict[str, tuple[int, ...]] = {}


class CheckQuestion(Struct, frozen=True, kw_only=True, tag="check"):
    """Would this run be refused for its model's inputs or its data?"""

    spec: RunSpec
    backend: bool = False
    """Also for want of what executes it here, which the run's first stage finds out by itself."""


class BenchQuestion(Struct, frozen=True, kw_only=True, tag="bench"):
    """How fast is this model or plan, alone?"""

    model: str
    shapes: dict[str, tuple[int, ...]] = {}
    backend: BackendSettings = BackendSettings()
    workload: Workload = FlatOut()
    preset: Preset = "normal"
    seed: int = 0


class PlanQuestion(Struct, frozen=True, kw_only=True, tag="plan"):
    """What is inside this plan? Of a model: of the plan that `backend` makes of it."""

    plan: str
    backend: BackendSettings = BackendSettings()
    """`name` matters for models only: a plan's file says what executes it."""
    source: str = ""
    """The ONNX file that the plan was built from, to tell which of its nodes a layer computes; empty: not known."""
    shapes: dict[str, tuple[int, ...]] = {}
    """Of a model with dynamic axes."""
    trust: bool = False


class SpreadQuestion(Struct, frozen=True, kw_only=True, tag="spread"):
    """How do these latencies spread?"""

    sets: tuple[SampleSet, ...]


Listen = Callable[[events.AnyEvent], None]
Side = Literal["baseline", "candidate"]
Question = InspectQuestion | CheckQuestion | BenchQuestion | PlanQuestion | SpreadQuestion


class Answer(Struct, frozen=True, kw_only=True):
    """The last line of the answering process."""

    answer: msgspec.Raw


def plan_of(result: Result, spec: RunSpec, side: Side) -> PlanQuestion:
    """What is inside the plan of a run?

    Raises:
        PlanRefused: it has no such plan, or not yet.
    """
    plan = result.artifacts.get("plan" if side == "candidate" else "baseline_plan", "")
    if not plan or not Path(plan).is_file():
        why, fix = "", f"take it up again with `edgetui resume {result.run}`"
        if result.state in ("running", "queued"):
            why, fix = " yet", "wait for its stage build"
        elif result.state == "done":
            why, fix = ": nothing was measured", "look at its other plan, or run it with `edgetui run`"
        raise PlanRefused(f"run {result.run} has no plan of the {side}{why}", fix=fix)
    source = result.artifacts.get("onnx", "") if side == "candidate" else spec.model
    return PlanQuestion(
        plan=plan,
        backend=spec.backend,
        source=source if Path(source).is_file() else "",
        shapes=spec.shapes,
        trust=spec.backend.tensorrt.trust,
    )


async def ask(home: Path, question: Question, listen: Listen | None) -> msgspec.Raw:
    """Start `engine.ask`, pass its events to `listen`, return its answer as JSON. Cancelling the task ends the process.

    Raises:
        EdgetuiError: what the process said of its failure.
    """
    words = (sys.executable, "-m", "edgetui.engine.ask", str(home))
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=nowhere, limit=1 << 24)
    assert process.stdin
    assert process.stdout
    answer: msgspec.Raw | None = None
    failure: EdgetuiError | None = None
    try:
        with suppress(ConnectionError):  # it ended at once; its standard output says why
            process.stdin.write(msgspec.json.encode(question))
            await process.stdin.drain()
        process.stdin.close()
        async for line in process.stdout:
            event = events.decode(line)
            if isinstance(event, events.StageFailed):
                failure = EdgetuiError(event.what, fix=event.fix)
            elif event is not None and listen:
                listen(event)
            elif event is None:
                answer = msgspec.json.decode(line, type=Answer).answer
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await _reaped(process)
    if answer is not None:
        return answer
    raise failure or RunFailed(f"the process that reads the model ended with {code}", fix="try again with more free memory")


async def _reaped(process: asyncio.subprocess.Process) -> None:
    """Wait for a process that was killed, and for the end of its output, however often the waiting is cancelled.

    A screen that is left cancels its questions, and a loop that closes cancels what is left once more; a process that
    was not waited for until then is never. One that even SIGKILL does not end is left after `REAPED_S`.

    Raises:
        asyncio.CancelledError: afterwards, if it was.
    """
    loop, cancelled = asyncio.get_running_loop(), False
    end = loop.time() + REAPED_S
    ending = asyncio.ensure_future(process.communicate())
    while loop.time() < end:
        if ending.cancelled():  # by the loop that closes, which takes every task there is
            ending = asyncio.ensure_future(process.communicate())
        try:
            await asyncio.wait([ending], timeout=end - loop.time())
        except asyncio.CancelledError:
            cancelled = True
            continue
        if not ending.cancelled():
            break
    if cancelled:
        raise asyncio.CancelledError
