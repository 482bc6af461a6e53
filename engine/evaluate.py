"""Both plans over the same samples: fidelity, and accuracy where there are labels. Part of the pipeline."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
import numpy as np

from .backends.base import Session
from .data.samples import Array, Batch, Samples
from .graph.meaning import Meaning
from .measure import accuracy
from .measure.fidelity import Fidelity
from .outcome import Outcome
from .result import DatasetStamp, Difference, Metrics
from .say import Say
from .spec import RunSpec

_Answers = list[dict[str, Array]]
"""Outputs of each session."""


def refuse_labels(session: Session, samples: Samples, batch: int) -> None:
    """Refuse labels that no output of the model can be held against, before minutes are spent on measuring.

    Raises:
        DataRefused: no output tells classes apart, or not as many as the labels have.
    """
    one = next(samples.take(1).batches(batch, padded=True))
    highest = np.full(one.n, samples.known_labels().max(initial=0))
    accuracy.Accuracy(len(samples.classes) or None).add(session.run(one.feeds), highest)


def evaluate(
    baseline: Session,
    candidate: Session,
    samples: Samples,
    batch: int,
    spec: RunSpec,
    say: Say,
    meanings: Mapping[str, Meaning] | None = None,
) -> Outcome:
    """Run every sample through both, `batch` at a time, and say how their outputs and their accuracy differ.

    meanings: what the outputs are, by `graph.meaning`.

    Raises:
        DataRefused: no sample can be read, or the labels do not fit the outputs.
    """
    near = Fidelity(meanings)
    sides = [accuracy.Accuracy(len(samples.classes) or None) for _ in range(2)]
    done = 0
    for part, outputs in answered((baseline, candidate), samples.batches(batch, padded=True)):
        near.add(outputs[0], outputs[1], part.n, batch)
        if part.labels is not None:
            for side, output in zip(sides, outputs, strict=True):
                side.add(output, part.labels)
        done += part.n
        say.progress(done, len(samples), "samples")
    for text in near.warnings():
        say.warn(text)
    data = spec.dataset or spec.calibration
    assert data is not None
    stamp = DatasetStamp(name=data.name, path=data.path, evaluated=done, skipped=len(samples.skipped))
    reasons = {f"fidelity.{field}": why for field, why in near.reasons().items()}
    outcome = Outcome(dataset=stamp, fidelity=near.figures(), reasons=reasons, summary=f"{done} samples")
    if not samples.labels:
        return outcome
    figures = [side.figures(spec.seed) for side in sides]
    points, p_value = accuracy.compare(sides[0], sides[1], spec.seed)
    return msgspec.structs.replace(
        outcome,
        summary=f"top-1 {figures[0].top1:.3f} → {figures[1].top1:.3f} over {done} samples",
        baseline=Metrics(accuracy=figures[0]),
        candidate=Metrics(accuracy=figures[1]),
        difference=Difference(top1_points=points, mcnemar_p=p_value),
    )


def answered(sessions: tuple[Session, ...], batches: Iterator[Batch]) -> Iterator[tuple[Batch, _Answers]]:
    """Each batch and what the sessions make of it, in the order of the batches; a few are ahead, never all.

    Where the sessions bear several callers, as many batches are inferred at once; else the next one is read meanwhile.
    """
    callers = min(session.callers for session in sessions)
    if callers == 1:
        for part in _read_ahead(batches):
            yield part, _infer(sessions, part)
        return
    waiting: deque[tuple[Batch, Future[_Answers]]] = deque()
    with ThreadPoolExecutor(callers) as pool:
        for part in batches:
            waiting.append((part, pool.submit(_infer, sessions, part)))
            if len(waiting) >= 2 * callers:
                done, answers = waiting.popleft()
                yield done, answers.result()
        for done, answers in waiting:
            yield done, answers.result()


def _infer(sessions: tuple[Session, ...], part: Batch) -> _Answers:
    return [session.run(part.feeds) for session in sessions]


def _read_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (part := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield part
