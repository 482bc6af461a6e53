"""Both plans over the same samples: fidelity, and accuracy where there are labels. Part of the pipeline."""

from __future__ import annotations

import msgspec

from .backends.base import Session
from .data.samples import Samples
from .measure import accuracy
from .measure.fidelity import Fidelity
from .outcome import Outcome
from .result import DatasetStamp, Difference, Metrics
from .say import Say
from .spec import RunSpec


def evaluate(baseline: Session, candidate: Session, samples: Samples, batch: int, spec: RunSpec, say: Say) -> Outcome:
    """Run every sample through both, `batch` at a time, and say how their outputs and their accuracy differ.

    Raises:
        DataRefused: no sample can be read, or the labels do not fit the outputs.
    """
    near = Fidelity()
    sides = [accuracy.Accuracy(len(samples.classes) or None) for _ in range(2)]
    done = 0
    for part in samples.batches(batch, padded=True):
        outputs = [session.run(part.feeds) for session in (baseline, candidate)]
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
