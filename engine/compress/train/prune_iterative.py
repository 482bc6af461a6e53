"""`train.prune_iterative`: rank, remove a little, train what is left, and again.

Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks (section 3). How much is gone after each
round: Zhu and Gupta 2017, To Prune, or Not to Prune (equation 1), or evenly.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ...data.samples import Samples
from ...data.training import training_labels
from ...errors import RecipeRefused
from ...graph.load import load, save_apart
from ...schema.steps import PruneMagnitude, TrainPruneIterative
from ...system.reporter import NullReporter, Reporter, Stretch
from ..magnitude import zero_smallest
from .class_marks import ClassMarks
from .loop import Learnt, held_out_of, look, train
from .prepared import begin_torch, prepared, take_trained, zeros_kept


class _Round(NamedTuple):
    """A model that something was removed of and that was trained."""

    model: ModelProto
    line: str
    """How much is gone."""
    learnt: Learnt


class _Part(Stretch):
    """A `Reporter` for one round. Its warnings wait: those of a round that others follow are no news of the result."""

    def __init__(self, say: Reporter, begin: float, end: float) -> None:
        super().__init__(say, begin, end)
        self.heard: list[str] = []
        self.warn = self._hear

    def _hear(self, text: str) -> None:
        self.heard.append(text)


def prune_iteratively(
    step: TrainPruneIterative, source: Path, out: Path, samples: Samples, say: Reporter, kept: Path | None = None
) -> str:
    """Prune the model at `source` in rounds, training on labelled `samples` after each, and write it to `out`; returns a line
    of what was done.

    After every round the weights of its best epoch are taken. With `drop`, the first round whose accuracy on the samples held
    out lies further than that below the original's ends it (by the figures; their intervals are in the log), and the round
    before is what is written, or the original. What goes on after a kill is in the folder `kept`.

    Raises:
        RecipeRefused: PyTorch cannot be loaded, there is nothing to train, or no samples are held out and `drop` is given.
        DataRefused: there are no labels, or they do not fit the model.
        ModelRefused: there is nothing to prune, or the model cannot be executed in PyTorch (the node is named).
        RunFailed: the loss or a weight became NaN, or memory ran out.
        StorageRefused: `out` cannot be written.
    """
    begin_torch(step.seed)
    labels = training_labels(samples)
    model = load(source)
    first = None if step.drop is None else _accuracy_before(step, model, samples, labels, say)
    taken: _Round | None = None
    rounds, warnings = 0, list[str]()
    for number, share in enumerate(shares(step), 1):
        part = _Part(say, (number - 1) / step.rounds, number / step.rounds)
        found = _round(step, model, share, samples, labels, part, None if kept is None else kept / f"round-{number}")
        now = None if found.learnt.after is None else found.learnt.after.accuracy
        say.note(f"round {number} of {step.rounds}: {found.line}; {found.learnt.told()}")
        if first is not None and now is not None and now < first - (step.drop or 0.0):
            say.note(f"accuracy on the samples held out fell from {first:.3f} to {now:.3f}: round {number} is not taken")
            break
        taken, model, rounds, warnings = found, found.model, number, part.heard
    for text in warnings:
        say.warn(text)
    if taken is None:
        say.warn(f"already the first round costs more than a `drop` of {step.drop:g}: nothing is removed")
        save_apart(model, out)
        return "nothing is removed, nothing is trained"
    save_apart(model, out)
    return f"{rounds} of {step.rounds} rounds, {taken.line}; the last: {taken.learnt.told()}"


def _accuracy_before(
    step: TrainPruneIterative, model: ModelProto, samples: Samples, labels: NDArray[np.int64], say: Reporter
) -> float:
    """Of the model as it came, on the samples held out.

    Raises:
        RecipeRefused: none are held out.
    """
    ready = prepared(model, step, samples, say)
    held = held_out_of(step, samples, say)[1]
    seen = None if held is None else look(ready.learner(ClassMarks(ready, samples, labels, NullReporter())), held)
    if seen is None or seen.accuracy is None:
        raise RecipeRefused(
            f"`drop` of {step.method} is told by samples held out, and of {len(samples)} none are",
            fix="give more samples, or a larger `held_out`",
        )
    return seen.accuracy


def _round(
    step: TrainPruneIterative,
    model: ModelProto,
    share: float,
    samples: Samples,
    labels: NDArray[np.int64],
    say: Reporter,
    kept: Path | None,
) -> _Round:
    """Remove so much in all that `share` of it is gone, and train the rest."""
    smaller = ModelProto()
    smaller.CopyFrom(model)
    quiet = NullReporter()
    ranked = PruneMagnitude(scope=step.scope, amount=share, only=step.only, exclude=step.exclude)
    line = zero_smallest(ranked, smaller, "the model", quiet).line
    for text in quiet.warnings:
        say.warn(text)
    ready = prepared(smaller, step, samples, say)
    mark = ClassMarks(ready, samples, labels, say)
    learnt = train(step, ready.learner(mark, zeros_kept(ready)), samples, say, kept)
    take_trained(ready, step)
    return _Round(smaller, line, learnt)


def shares(step: TrainPruneIterative) -> Iterator[float]:
    """Share that is gone after each round, 0..1; the last is `amount` itself."""
    amount = Fraction(repr(step.amount))
    for number in range(1, step.rounds + 1):
        done = Fraction(number, step.rounds)
        yield float(amount * (done if step.schedule == "linear" else 1 - (1 - done) ** 3))
