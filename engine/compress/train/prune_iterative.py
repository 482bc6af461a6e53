"""`train.prune_iterative`: rank, remove a little, train what is left, and again.

Weights: Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks (section 3). Channels: Li et al.
2017, Pruning Filters for Efficient ConvNets (section 3.4). How much is gone after each round: Zhu and Gupta 2017, To Prune, or
Not to Prune (equation 1), or evenly.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from onnx import ModelProto

from ...advice.words import told_apart
from ...data.samples import Samples
from ...data.training import refuse_unlabelled
from ...errors import ModelRefused, RecipeRefused
from ...graph.load import load, save_apart
from ...graph.macs import macs
from ...graph.shapes import inferred, shape_table
from ...schema.steps import PruneChannels, PruneMagnitude, TrainPruneIterative
from ...system.reporter import NullReporter, Reporter, Stretch
from .. import channels
from ..magnitude import zero_smallest
from .label_marks import label_marks
from .loop import Learnt, held_out_of, look, train
from .prepared import begin_torch, prepared, take_trained, zeros_kept


class _Smaller(NamedTuple):
    """A model of which something has gone."""

    model: ModelProto
    share: float
    """Of the original, as it was asked for."""
    line: str
    """How much is gone, for people."""


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
    refuse_unlabelled(samples)
    best = original = _Smaller(load(source), 0.0, "")
    least = None if step.drop is None else _accuracy_before(step, original.model, samples, say) - step.drop
    trained: Learnt | None = None
    rounds, warnings, stopped = 0, list[str](), False
    with TemporaryDirectory(dir=out.parent) as folder:
        for number, share in enumerate(shares(step), 1):
            part = _Part(say, (number - 1) / step.rounds, number / step.rounds)
            found = _removed(step, best, original, share, Path(folder) / f"{number}.onnx", part)
            if found is None:
                say.note(f"round {number} of {step.rounds}: less than a block of channels would go, and waits for the next")
                continue
            learnt = _trained(step, found, samples, part, None if kept is None else kept / f"round-{number}")
            now = None if learnt.after is None else learnt.after.accuracy
            say.note(f"round {number} of {step.rounds}: {found.line}; {learnt.told()}")
            if least is not None and now is not None and now < least:
                lost = f"{told_apart(_share, now, least)}, below {_share(least)}"
                say.note(f"accuracy on the samples held out is {lost}: round {number} is not taken")
                stopped = True
                break
            best, trained, rounds, warnings = found, learnt, number, part.heard
        for text in warnings:
            say.warn(text)
        save_apart(best.model, out)
    if trained is None and not stopped:
        raise ModelRefused(
            f"no channel can be removed in {step.rounds} rounds: what would go is less than a block of {step.round_to}",
            fix="take a smaller `round_to`, fewer `rounds`, or `streams` as well",
        )
    if trained is None:
        say.warn(f"already the first round costs more than a `drop` of {step.drop:g}: nothing is removed")
        return "nothing is removed, nothing is trained"
    return f"{rounds} of {step.rounds} rounds, {best.line}; the last: {trained.told()}"


def _share(value: float, *, more: int = 0) -> str:
    return f"{value:.{3 + more}f}"


def _accuracy_before(step: TrainPruneIterative, model: ModelProto, samples: Samples, say: Reporter) -> float:
    """Of the model as it came, on the samples held out.

    Raises:
        RecipeRefused: none are held out, or nobody says which are right.
    """
    if samples.truth != "classes":
        raise RecipeRefused(
            f"`drop` of {step.method} is told by accuracy, and {samples.truth} have only a loss while they are learnt",
            fix="leave `drop` out: all rounds are gone through",
        )
    ready = prepared(model, step, samples, say)
    held = held_out_of(step, samples, say)[1]
    seen = None if held is None else look(ready.learner(label_marks(ready, samples, NullReporter())), held)
    if seen is None or seen.accuracy is None:
        raise RecipeRefused(
            f"`drop` of {step.method} is told by samples held out, and of {len(samples)} none are",
            fix="give more samples, or a larger `held_out`",
        )
    return seen.accuracy


def _trained(step: TrainPruneIterative, smaller: _Smaller, samples: Samples, say: Reporter, kept: Path | None) -> Learnt:
    """Train what is left, in place."""
    ready = prepared(smaller.model, step, samples, say)
    learner = ready.learner(label_marks(ready, samples, say), zeros_kept(ready))
    learnt = train(step, learner, samples, say, kept)
    take_trained(ready, step)
    return learnt


def _removed(
    step: TrainPruneIterative, before: _Smaller, original: _Smaller, share: float, file: Path, say: Reporter
) -> _Smaller | None:
    """A copy of which so much has gone that `share` of the original has; None: of channels, no whole block would."""
    model = ModelProto()
    model.CopyFrom(before.model)
    quiet = NullReporter()
    if step.unit == "weights":
        ranked = PruneMagnitude(scope=step.scope, amount=share, only=step.only, exclude=step.exclude)
        line = zero_smallest(ranked, model, "the model", quiet).line
    elif share <= before.share:
        line = "no channel removed"
    else:
        amount = 1 - (1 - share) / (1 - before.share)
        smaller = PruneChannels(amount=amount, round_to=step.round_to, streams=step.streams, keep=step.exclude)
        save_apart(model, file)
        try:
            channels.prune(smaller, file, file.with_suffix(".less"), None, quiet)
        except channels.NothingRemoved:
            return None
        model = load(file.with_suffix(".less"))
        left = [macs(one.graph, shape_table(inferred(one, {}))) or 0 for one in (original.model, model)]
        line = f"{100 * left[1] / max(left[0], 1):.1f} % of multiplications left"
    for text in quiet.warnings:
        say.warn(text)
    return _Smaller(model, share, line)


def shares(step: TrainPruneIterative) -> Iterator[float]:
    """Share that is gone after each round, 0..1; the last is `amount` itself."""
    amount = Fraction(repr(step.amount))
    for number in range(1, step.rounds + 1):
        done = Fraction(number, step.rounds)
        yield float(amount * (done if step.schedule == "linear" else 1 - (1 - done) ** 3))
