"""Plans over the same samples: fidelity, and accuracy where there are labels. Part of the pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.samples import Array, Batch, Samples
from ..graph.output_meaning import Meaning
from ..measure.fidelity import FidelityMeter
from ..runs.outcome import Outcome, over
from ..schema.figures import Metrics
from ..schema.spec import RunSpec
from ..schema.stamps import DatasetStamp
from ..system.reporter import Reporter
from ..tasks.decoder import Outputs
from ..tasks.exporter import ExportNotes
from .concurrent import infer_all
from .judge import Judged
from .judges import judge_of, refuse_unfit
from .seen import Seers


def refuse_labels(session: Session, samples: Samples, batch: int, spec: RunSpec) -> None:
    """Refuse labels that no output of the model can be held against, before minutes are spent on measuring.

    Raises:
        DataRefused: no output tells what the labels tell, or not as many classes.
    """
    refuse_outputs(session.run, samples, batch, spec)


def refuse_outputs(run: Callable[[dict[str, Array]], Outputs], samples: Samples, batch: int, spec: RunSpec) -> None:
    """The same of whatever gives outputs of feeds.

    Raises:
        DataRefused: no output tells what the labels tell, or not as many classes.
    """
    judge = judge_of(samples)
    if judge is not None:
        one = next(samples.take(1).batches(batch, padded=True))
        outputs = run(one.feeds)
        judge.add(one, outputs, outputs, Seers(spec.dataset, samples, ExportNotes()).look(one, outputs, outputs))
        refuse_unfit(samples, one, outputs)


class Contender(NamedTuple):
    """A plan that is held against the baseline, and who hears of it."""

    session: Session
    say: Reporter


class _Beside:
    """What is known of one plan beside the baseline."""

    def __init__(self, samples: Samples, spec: RunSpec, meanings: Mapping[str, Meaning] | None, notes: ExportNotes) -> None:
        self.near, self.seers = FidelityMeter(meanings), Seers(spec.dataset, samples, notes)
        self.judge = judge_of(samples)

    def add(self, part: Batch, expected: Outputs, outputs: Outputs, batch: int) -> None:
        seen = self.seers.look(part, expected, outputs)
        for layout in self.seers.layouts:
            self.near.read_as(layout)
        self.near.add(expected, outputs, part.n, batch)
        if self.judge is not None:
            self.judge.add(part, expected, outputs, seen)

    def warnings(self) -> list[str]:
        return [*self.near.warnings(), *self.seers.warnings()]

    def outcome(self, stamp: DatasetStamp, told: Judged | None, seed: int) -> Outcome:
        reasons = {f"fidelity.{field}": why for field, why in self.near.reasons().items()} | self.seers.reasons(seed)
        same = self.seers.agreement(seed)
        found = Outcome(
            dataset=stamp,
            fidelity=self.seers.within(self.near.figures()),
            candidate=Metrics(accuracy=same),
            reasons=reasons,
            summary=f"{stamp.evaluated} samples",
        )
        if told is None:
            return found
        return msgspec.structs.replace(
            found,
            summary=told.summary,
            baseline=Metrics(accuracy=told.baseline),
            candidate=Metrics(accuracy=over(told.candidate, same)),
            difference=told.difference,
            reasons=reasons | told.reasons,
        )


def sample_list(samples: Samples) -> bytes:
    """A name a line, in the order in which they were fed: so that somebody else can evaluate the same ones."""
    names = (name.replace("\\", "\\\\").replace("\n", "\\n") for name in samples.names())
    return "".join(f"{name}\n" for name in names).encode(errors="surrogateescape")


def evaluate(
    baseline: Session,
    others: Mapping[str, Contender],
    samples: Samples,
    batch: int,
    spec: RunSpec,
    say: Reporter,
    meanings: Mapping[str, Meaning] | None = None,
    notes: ExportNotes | None = None,
    kept: dict[str, dict[str, NDArray[np.generic]]] | None = None,
) -> dict[str, Outcome]:
    """Run every sample through all plans, `batch` at a time, and say how outputs and accuracy of each of `others` differ from
    the baseline's.

    meanings: what the outputs are, by `graph.meaning`. notes: what the exporter says of them. kept: gets, for each of `others`,
    what its figures follow from, as `TRUTH SIDE NAME`; nothing where there are no labels.

    Raises:
        DataRefused: no sample can be read, or the labels do not fit the outputs.
    """
    beside = {name: _Beside(samples, spec, meanings, notes or ExportNotes()) for name in others}
    sessions, done = (baseline, *(other.session for other in others.values())), 0
    for part, (expected, *outputs) in infer_all(sessions, samples.batches(batch, padded=True)):
        for each, own in zip(beside.values(), outputs, strict=True):
            each.add(part, expected, own, batch)
        done += part.n
        say.progress(done, len(samples), "samples")
    data = spec.dataset or spec.calibration
    assert data is not None
    stamp = DatasetStamp(
        name=data.name,
        path=data.path,
        evaluated=done,
        evaluation=samples.source,
        seed=spec.seed,
        samples_sha256=hashlib.sha256(sample_list(samples)).hexdigest(),
        skipped=len(samples.skipped),
    )
    found: dict[str, Outcome] = {}
    for name, each in beside.items():
        for text in each.warnings():
            others[name].say.warn(text)
        told = None if each.judge is None else each.judge.judged(baseline, samples, batch, spec.seed)
        if told is not None and told.doubt:
            say.warn(told.doubt)
        found[name] = each.outcome(stamp, told, spec.seed)
        if kept is not None and each.judge is not None:
            kept[name] = {f"{samples.truth} {part}": array for part, array in each.judge.kept().items()}
    return found
