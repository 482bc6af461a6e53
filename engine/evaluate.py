"""Both plans over the same samples: fidelity, and accuracy where there are labels. Part of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from .answering import answered
from .backends.base import Session
from .data.samples import Samples
from .doubt import doubt
from .graph.meaning import Meaning
from .measure import accuracy
from .measure.fidelity import Fidelity
from .outcome import Outcome
from .result import DatasetStamp, Difference, Metrics
from .say import Say
from .spec import RunSpec


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
    if doubted := doubt(baseline, samples, batch, sides[0]):
        say.warn(doubted)
    figures = [side.figures(spec.seed) for side in sides]
    points, p_value = accuracy.compare(sides[0], sides[1], spec.seed)
    return msgspec.structs.replace(
        outcome,
        summary=f"top-1 {figures[0].top1:.3f} → {figures[1].top1:.3f} over {done} samples",
        baseline=Metrics(accuracy=figures[0]),
        candidate=Metrics(accuracy=figures[1]),
        difference=Difference(top1_points=points, mcnemar_p=p_value),
    )
