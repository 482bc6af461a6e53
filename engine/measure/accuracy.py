"""Top-1, top-5, precision, recall and F1 on labelled samples, with intervals, and the paired difference of two sides.

Apart from `fidelity.py`, which needs no labels. Two classes a sample are kept (the true and the predicted one), and whether the
true one is among the first five.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..schema import output_figures
from ..schema.figures import Difference, Ratio
from ..schema.model_facts import TensorFacts
from ..schema.ready import ready
from ..tasks.said_classes import FIRST, said_classes
from .class_averages import Averages, Classes, Floats, averages, bootstrapped
from .statistics import bootstrap_mean, mcnemar_p, paired_difference, percentile_interval

Array = NDArray[np.generic]

_FLOATS = ("float", "float16", "double")
_NO_LABELS = 'set task = "none" in the dataset\'s TOML file to compare outputs without labels'


class AccuracyMeter:
    """Add batches of outputs and labels, then ask for `figures()`."""

    def __init__(self, classes: int | None = None) -> None:
        """`classes`: how many the dataset has, where that is known; the model must tell as many apart."""
        self._classes = classes
        self._predicted: list[Classes] = []
        self._true: list[Classes] = []
        self._within: list[NDArray[np.bool_]] = []
        """Whether the label is among the first five; as long as `_true`, or the model does not rank so many."""
        self.ranked = ""
        """Why there is no top-5; empty: there is."""

    def add(self, outputs: Mapping[str, Array], labels: Classes) -> None:
        """The outputs of len(labels) samples; rows past them are padding.

        Raises:
            DataRefused: no output tells classes apart, or not as many as the labels have.
        """
        said = said_classes(outputs, len(labels))
        if said.classes is not None:
            refuse_classes(said.classes, self._classes, labels)
        self._predicted.append(said.first)
        self._true.append(labels.astype(np.int64))
        within = said.within(labels)
        if within is not None:
            self._within.append(within)
        elif said.classes is None:
            self.ranked = "the model says the class alone, no scores"
        else:
            self.ranked = f"the model tells {said.classes} classes apart, and {FIRST} of them always hold the label"

    @property
    def predicted(self) -> Classes:
        """The class with the highest score, of each sample."""
        return np.concatenate(self._predicted) if self._predicted else np.empty(0, np.int64)

    @property
    def true(self) -> Classes:
        """The label of each sample."""
        return np.concatenate(self._true) if self._true else np.empty(0, np.int64)

    def right(self) -> NDArray[np.bool_]:
        """Whether each sample was told right."""
        right: NDArray[np.bool_] = self.predicted == self.true
        return right

    def within(self) -> NDArray[np.bool_] | None:
        """Whether each sample's label is among the five classes with the highest scores; None: the model does not say."""
        return np.concatenate(self._within) if self._within and not self.ranked else None

    def kept(self) -> dict[str, Array]:
        """All that figures follow from, by `again`."""
        within = self.within()
        return {"predicted": self.predicted, "true": self.true} | ({} if within is None else {"within": within})

    @classmethod
    def again(cls, kept: Mapping[str, Floats]) -> AccuracyMeter:
        """A meter of the same figures, from what `kept` gave, each as floats."""
        made = cls()
        made._predicted, made._true = [kept["predicted"].astype(np.int64)], [kept["true"].astype(np.int64)]
        if "within" in kept:
            made._within = [kept["within"].astype(np.bool_)]
        return made

    def shares(self) -> dict[str, float]:
        """Figures without their intervals, by their fields."""
        within = self.within()
        top5 = {} if within is None else {"top5": float(within.mean())}
        return {"top1": float(self.right().mean()), **top5, **averages(self.true, self.predicted)._asdict()}

    def figures(self, seed: int) -> output_figures.Accuracy:
        """The figures of this side alone; empty when nothing was added. `seed` draws the bootstrap."""
        return Sides(self, self, seed).figures[0] if self._true else output_figures.Accuracy()


class Sides:
    """Two sides that saw the same samples: the figures of both, and how they differ."""

    def __init__(self, baseline: AccuracyMeter, candidate: AccuracyMeter, seed: int) -> None:
        """`seed` draws the bootstrap, of the same samples for both.

        Raises:
            DataRefused: the sides saw different samples.
        """
        if not np.array_equal(baseline.true, candidate.true):
            raise DataRefused("baseline and candidate were evaluated on different samples", fix="evaluate both again")
        self._seed = seed
        self._meters = (baseline, candidate)
        true, told = baseline.true, (baseline.predicted, candidate.predicted)
        self._averages = [averages(true, predicted) for predicted in told]
        self._drawn = bootstrapped(true, told, seed)

    @property
    def figures(self) -> tuple[output_figures.Accuracy, output_figures.Accuracy]:
        """Of the baseline and the candidate."""
        one, other = (self._side(*each) for each in zip(self._meters, self._averages, self._drawn, strict=True))
        return one, other

    def _side(self, meter: AccuracyMeter, told: Averages, drawn: Floats) -> output_figures.Accuracy:
        found: dict[str, float] = {"n": len(meter.true)}
        for field, shares in (("top1", meter.right()), ("top5", meter.within())):
            if shares is not None:
                low, high = bootstrap_mean(shares.astype(np.float64), self._seed)
                found |= {field: float(shares.mean()), f"{field}_low": low, f"{field}_high": high}
        for place, (field, value) in enumerate(told._asdict().items()):
            low, high = percentile_interval(value, drawn[:, place])
            found |= {field: value, f"{field}_low": low, f"{field}_high": high}
        return msgspec.convert(found, ready(output_figures.Accuracy))

    def difference(self) -> Difference:
        """Candidate minus baseline, with the intervals of the paired differences, and McNemar's mid-p of top-1."""
        a, b = (meter.right() for meter in self._meters)
        one, other = (meter.within() for meter in self._meters)
        place = Averages._fields.index("f1")
        f1, drawn = (self._averages[1].f1 - self._averages[0].f1), self._drawn[1][:, place] - self._drawn[0][:, place]
        low, high = percentile_interval(f1, drawn)
        return Difference(
            top1_points=self._points(a, b),
            mcnemar_p=mcnemar_p(int((a & ~b).sum()), int((b & ~a).sum())),
            top5_points=Ratio() if one is None or other is None else self._points(one, other),
            f1_points=Ratio(value=f1, low=low, high=high, interleaved=True),
        )

    def _points(self, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Ratio:
        value, low, high = paired_difference(a.astype(np.float64), b.astype(np.float64), self._seed)
        return Ratio(value=value, low=low, high=high, interleaved=True)


def refuse_classes(told: int, classes: int | None, labels: Classes) -> None:
    """Refuse labels of other classes than the `told` that a model tells apart; `classes`: how many the dataset says it has.

    Raises:
        DataRefused: they are not as many.
    """
    least = int(labels.max(initial=0)) + 1
    if (classes is not None and classes != told) or least > told:
        raise DataRefused(
            f"the dataset has {classes or least} classes and the model has {told} output classes",
            fix="give it all of the model's classes in their order (folders, numbers of labels, or `classes` in a TOML file), "
            f"or {_NO_LABELS}",
        )


def output_class_count(outputs: Sequence[TensorFacts]) -> int | None:
    """How many classes a model tells apart by the shapes that its file declares; None: only running it can tell. The output is
    the one that accuracy is taken from.
    """
    for output in outputs:
        if output.dtype not in _FLOATS or len(output.shape) < 2:
            continue
        sizes = [size for size in output.shape[1:] if isinstance(size, int)]
        if len(sizes) < len(output.shape) - 1:
            return None
        if math.prod(sizes) == sizes[0] > 1:
            return sizes[0]
    return None
