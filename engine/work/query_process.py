"""One question answered in a process of its own, for callers that must stay light: inspect a model, time a model or plan.

`main` reads the question from standard input. Standard output carries events as a stage does, then `{"answer": ...}`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import singledispatch
from pathlib import Path

import msgspec

from ..advice.recomputed import Recomputed
from ..advice.spread import Spreads
from ..errors import EdgetuiError, RunFailed, from_os_error
from ..runs.board_queue import Device, draw_ticket, enter
from ..runs.queries import (
    BenchQuestion,
    CheckQuestion,
    DatasetQuestion,
    ExportQuestion,
    InspectQuestion,
    PlanQuestion,
    Question,
    RecomputeQuestion,
    SensitivityQuestion,
    SpreadQuestion,
    SweepBuildQuestion,
    SweepCheckQuestion,
    SweepQuestion,
)
from ..schema.dataset_probe import DatasetProbe
from ..schema.failure import Failure
from ..schema.figures import Metrics
from ..schema.model_facts import ModelFacts
from ..schema.plan import PlanFacts
from ..schema.ready import ready
from ..schema.sensitivity import Sensitivity
from ..schema.settings import BackendSettings
from ..system.defects import keep_traceback
from ..system.log import logger, start_log
from ..system.parent_death import die_with_parent
from ..system.pipe_reporter import PipeReporter

_log = logger(__name__)


Given = ModelFacts | PlanFacts | Metrics | Spreads | Sensitivity | DatasetProbe | list[Recomputed] | list[Failure | None] | None
"""What is answered; None: nothing is to be said against it."""


@singledispatch
def _answer(question: Question, home: Path, say: PipeReporter) -> Given:
    del home, say
    raise TypeError(f"nobody answers a {type(question).__name__}")


@_answer.register
def _inspect(question: InspectQuestion, home: Path, say: PipeReporter) -> Given:
    from ..inspection.inspect import inspect

    del home, say
    return inspect(Path(question.model), question.shapes)


@_answer.register
def _export(question: ExportQuestion, home: Path, say: PipeReporter) -> Given:
    from ..inspection.torch_model import export

    del home, say
    export(question.program, question.factory, Path(question.out))
    return None


@_answer.register
def _check(question: CheckQuestion, home: Path, say: PipeReporter) -> Given:
    from ..backends.cards import open_backend
    from .splits import check

    settings = question.spec.backend
    if question.backend:
        open_backend(settings, home).check(settings, execute=not settings.target)
    check(question.spec, say, elsewhere=question.elsewhere, goal=question.goal)
    return None


@_answer.register
def _bench(question: BenchQuestion, home: Path, say: PipeReporter) -> Given:
    from .bench import bench

    ticket, name = draw_ticket(home), f"bench-{os.getpid()}"
    enter(home, ticket, name)
    with _alone(home, ticket, name, say):
        return bench(home, question, say)


@_answer.register
def _plan(question: PlanQuestion, home: Path, say: PipeReporter) -> Given:
    """Not entered into the queue: whoever asks may walk away, and a run must not wait for an entry that nobody takes back."""
    from .plan_layers import inspect_plan

    return inspect_plan(home, question, lambda: _alone(home, draw_ticket(home), f"layers-{os.getpid()}", say), say)


@_answer.register
def _spread(question: SpreadQuestion, home: Path, say: PipeReporter) -> Given:
    from ..measure.latency_histograms import spreads

    del home, say
    return spreads(question.sets)


@_answer.register
def _recompute(question: RecomputeQuestion, home: Path, say: PipeReporter) -> Given:
    from ..measure.recompute import recompute

    del home, say
    return [recompute(each) for each in question.runs]


@_answer.register
def _dataset(question: DatasetQuestion, home: Path, say: PipeReporter) -> Given:
    from .probe_dataset import probe_dataset

    return probe_dataset(home, question, say)


@_answer.register
def _sensitivity(question: SensitivityQuestion, home: Path, say: PipeReporter) -> Given:
    from .sensitivities import sensitivity

    return sensitivity(home, question, say, say.row)


@_answer.register
def _sweep_check(question: SweepCheckQuestion, home: Path, say: PipeReporter) -> Given:
    from ..backends.cards import open_backend

    del say

    def why(settings: BackendSettings) -> Failure | None:
        try:
            backend = open_backend(settings, home)
            backend.check(settings, execute=True)
            if question.plan:
                backend.refuse_plan(Path(question.model), settings)
        except EdgetuiError as error:
            return Failure.of("", _narrowed(error, question))
        return None

    return list(map(why, question.backends))


@_answer.register
def _sweep_build(question: SweepBuildQuestion, home: Path, say: PipeReporter) -> Given:
    from .sweep_windows import build_for_sweep

    build_for_sweep(home, question, say)
    return None


@_answer.register
def _sweep(question: SweepQuestion, home: Path, say: PipeReporter) -> Given:
    from .sweep_windows import take_windows

    take_windows(home, question, say.shot)
    return None


@contextmanager
def _alone(home: Path, ticket: int, name: str, say: PipeReporter) -> Iterator[None]:
    """Hold the board: wait until nobody else measures."""
    device = Device(home, ticket, name)
    device.acquire(say.waiting, lambda: False)
    try:
        yield
    finally:
        device.release()


def main(words: Sequence[str]) -> int:
    """Answer, with the state folder in `words`; 0 when the answer was given."""
    home = Path(words[0])
    die_with_parent()
    os.umask(0o077)
    start_log(home)
    fd = os.dup(1)
    os.dup2(2, 1)
    say = PipeReporter(fd, "question")
    question: Question | None = None
    try:
        question = msgspec.json.decode(sys.stdin.buffer.read(), type=ready(Question))
        say = PipeReporter(fd, str(question.__struct_config__.tag))
        found = _answer(question, home, say)
        os.write(fd, msgspec.json.encode({"answer": found}) + b"\n")
    except EdgetuiError as error:
        _log.info("refused", exc_info=True)
        say.failed(error if question is None else _narrowed(error, question))
        return 1
    except MemoryError:
        say.failed(RunFailed("there is not enough memory to answer that", fix="close other programs, then try again"))
        return 1
    except OSError as error:
        _log.warning("failed", exc_info=True)
        say.failed(from_os_error(error))
        return 1
    except Exception as error:
        trace = keep_traceback(home)
        say.failed(RunFailed(f"a defect of edgetui ({type(error).__name__}: {str(error)[:200]})", fix=f"report {trace}"))
        return 1
    return 0


def _narrowed(error: EdgetuiError, question: Question) -> EdgetuiError:
    """The same, without ways that lead to backends which refuse the model."""
    if question.executed.endswith(".onnx"):
        from .splits import narrowed

        narrowed(error, Path(question.executed))
    return error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
