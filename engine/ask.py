"""One question answered in a process of its own, for callers that must stay light: inspect a model, time a model or plan.

`python -m edgetui.engine.ask HOME`, with the question on standard input. Standard output carries events as a stage does,
then `{"answer": ...}`.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from .errors import EdgetuiError, RunFailed, from_os_error
from .lineage import die_with_parent
from .pipesay import PipeSay
from .questions import BenchQuestion, CheckQuestion, InspectQuestion, PlanQuestion, Question, SpreadQuestion
from .queue import Device, draw_ticket, enter
from .result import Metrics, ModelFacts, PlanFacts
from .spread import Spreads


def _inspect(question: InspectQuestion) -> ModelFacts:
    from .graph.inspect import inspect

    return inspect(Path(question.model), question.shapes)


def _bench(home: Path, question: BenchQuestion, say: PipeSay) -> Metrics:
    from .benching import bench

    ticket, name = draw_ticket(home), f"bench-{os.getpid()}"
    enter(home, ticket, name)
    with _alone(home, ticket, name, say):
        return bench(home, question, say)


@contextmanager
def _alone(home: Path, ticket: int, name: str, say: PipeSay) -> Iterator[None]:
    """Hold the board: wait until nobody else measures."""
    device = Device(home, ticket, name)
    device.acquire(lambda run: say.note(f"waiting for {run}"), lambda: False)
    try:
        yield
    finally:
        device.release()


def _plan(home: Path, question: PlanQuestion, say: PipeSay) -> PlanFacts:
    """Not entered into the queue: whoever asks may walk away, and a run must not wait for an entry that nobody takes back."""
    from .inside import inspect_plan

    return inspect_plan(home, question, lambda: _alone(home, draw_ticket(home), f"layers-{os.getpid()}", say), say)


def _answer(home: Path, question: Question, say: PipeSay) -> ModelFacts | PlanFacts | Metrics | Spreads | None:
    if isinstance(question, InspectQuestion):
        return _inspect(question)
    if isinstance(question, CheckQuestion):
        from .parts import check
        from .pipeline import backend

        settings = question.spec.backend
        if question.backend:
            backend(settings, home).check(settings, execute=not settings.target)
        check(question.spec, say)
        return None
    if isinstance(question, PlanQuestion):
        return _plan(home, question, say)
    if isinstance(question, SpreadQuestion):
        from .measure.spread import spreads

        return spreads(question.sets)
    return _bench(home, question, say)


def _narrow(error: EdgetuiError, question: Question | None) -> None:
    """Advise no backend that does not read the model which is asked about."""
    from .parts import narrowed

    if isinstance(question, CheckQuestion):
        asked = question.spec.model
    else:
        asked = question.model if isinstance(question, BenchQuestion) else getattr(question, "plan", "")
    if asked.endswith(".onnx"):
        narrowed(error, Path(asked))


def main() -> int:
    """Answer; 0 when the answer was given."""
    home = Path(sys.argv[1])
    die_with_parent()
    os.umask(0o077)
    fd = os.dup(1)
    os.dup2(2, 1)
    say = PipeSay(fd, "question")
    question: Question | None = None
    try:
        question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
        say = PipeSay(fd, str(question.__struct_config__.tag))
        found = _answer(home, question, say)
        os.write(fd, msgspec.json.encode({"answer": found}) + b"\n")
    except EdgetuiError as error:
        _narrow(error, question)
        say.failed(error)
        return 1
    except OSError as error:
        say.failed(from_os_error(error))
        return 1
    except Exception as error:
        trace = home / f"trace-{time.strftime('%Y%m%d-%H%M%S')}.txt"
        with suppress(OSError):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            trace.write_text(traceback.format_exc(), encoding="utf-8")
        say.failed(RunFailed(f"a defect of edgetui ({type(error).__name__}: {str(error)[:200]})", fix=f"report {trace}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
