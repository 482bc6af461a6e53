"""Questions that a light process has answered by a heavy one: what may be asked, and how it is asked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from . import events
from .errors import EdgetuiError, ModelRefused, RunFailed
from .spec import BackendSettings, FlatOut, Preset, Workload


class InspectQuestion(Struct, frozen=True, kw_only=True, tag="inspect"):
    """What is in this model?"""

    model: str
    shapes: dict[str, tuple[int, ...]] = {}


class BenchQuestion(Struct, frozen=True, kw_only=True, tag="bench"):
    """How fast is this model or plan, alone?"""

    model: str
    shapes: dict[str, tuple[int, ...]] = {}
    backend: BackendSettings = BackendSettings()
    workload: Workload = FlatOut()
    preset: Preset = "normal"
    seed: int = 0


class PlanQuestion(Struct, frozen=True, kw_only=True, tag="plan"):
    """What is inside this plan?"""

    plan: str
    trust: bool = False


Question = InspectQuestion | BenchQuestion | PlanQuestion


class Answer(Struct, frozen=True, kw_only=True):
    """The last line of the answering process."""

    answer: msgspec.Raw


async def ask(home: Path, question: Question, listen: Callable[[events.AnyEvent], None] | None) -> msgspec.Raw:
    """Start `engine.ask`, pass its events to `listen`, return its answer as JSON. Cancelling the task ends the process.

    Raises:
        EdgetuiError: what the process said of its failure.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edgetui.engine.ask",
        str(home),
        msgspec.json.encode(question).decode(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 24,
    )
    assert process.stdout
    answer: msgspec.Raw | None = None
    failure: EdgetuiError | None = None
    try:
        async for line in process.stdout:
            event = events.decode(line)
            if isinstance(event, events.StageFailed):
                failure = ModelRefused(event.what, fix=event.fix)
            elif event is not None and listen:
                listen(event)
            elif event is None:
                answer = msgspec.json.decode(line, type=Answer).answer
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if answer is not None:
        return answer
    raise failure or RunFailed(f"the process that reads the model ended with {code}", fix="try again with more free memory")
