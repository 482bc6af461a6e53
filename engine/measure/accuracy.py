"""Top-1, precision, recall and F1 on labelled samples, with intervals, and the paired difference of two sides.

Apart from `fidelity.py`, which needs no labels. Two classes a sample are kept (the true and the predicted one), nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .. import result
from ..errors import DataRefused
from ..result import TensorFacts
from .statistics import bootstrap_mean, mcnemar_p

Array = NDArray[np.generic]
Classes = NDArray[np.int64]

_FLOATS = ("float", "float16", "double")
_NO_LABELS = 'set task = "none" in the dataset\'s TOML file to compare outputs without labels'


class Accuracy:
    """Add batches of outputs and labels, then ask for `figures()`."""

    def __init__(self, classes: int | None = None) -> None:
        """`classes`: how many the dataset has, where that is known; the model must tell as many apart."""
        self._classes = classes
        self._predicted: list[Classes] = []
        self._true: list[Classes] = []

    def add(self, outputs: Mapping[str, Array], labels: Classes) -> None:
        """The outputs of len(labels) samples; rows past them are padding.

        Raises:
            DataRefused: no output tells classes apart, or not as many as the labels have.
        """
        scores = _scores(outputs, len(labels))
        refuse_classes(scores.shape[1], self._classes, labels)
        self._predicted.append(scores.argmax(axis=1).astype(np.int64))
        self._true.append(labels.astype(np.int64))

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

    def figures(self, seed: int) -> result.Accuracy:
        """The figures; empty when nothing was added. `seed` draws the bootstrap."""
        right = self.right()
        if not len(right):
            return result.Accuracy()
        low, high = bootstrap_mean(right.astype(np.float64), seed)
        precision, recall, f1 = macro(self.true, self.predicted)
        return result.Accuracy(
            top1=float(right.mean()),
            top1_low=low,
            top1_high=high,
            precision=precision,
            recall=recall,
            f1=f1,
            n=len(right),
        )


def refuse_classes(told: int, classes: int | None, labels: Classes) -> None:
    """Refuse labels of other classes than the `told` that a model tells apart; `classes`: how many the dataset says it has.

    Raises:
        DataRefused: they are not as many.
    """
    least = int(labels.max(initial=0)) + 1
    if (classes is not None and classes != told) or least > told:
        raise DataRefused(
            f"the dataset has {classes or least} classes and the model tells {told} apart",
            fix=f"make a folder for each of the model's classes, in their order, or {_NO_LABELS}",
        )


def told_apart(outputs: Sequence[TensorFacts]) -> int | None:
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


def macro(true: Classes, predicted: Classes) -> tuple[float, float, float]:
    """Precision, recall and F1, each the mean over the classes that are a label or a prediction somewhere.

    A class that is never predicted has precision 0, one that never occurs recall 0.
    """
    size = int(max(true.max(), predicted.max())) + 1
    hits = np.bincount(true[true == predicted], minlength=size)
    actual, told = np.bincount(true, minlength=size), np.bincount(predicted, minlength=size)
    seen = (actual + told) > 0
    hits, actual, told = hits[seen], actual[seen], told[seen]
    precision = hits / np.maximum(told, 1)
    recall = hits / np.maximum(actual, 1)
    f1 = 2 * hits / (actual + told)
    return float(precision.mean()), float(recall.mean()), float(f1.mean())


def compare(baseline: Accuracy, candidate: Accuracy, seed: int) -> tuple[result.Ratio, float | None]:
    """Candidate minus baseline in top-1 as a share, its interval by bootstrap over samples (each keeps its pair), and McNemar's
    mid-p; empty when there are no samples.

    Raises:
        DataRefused: the sides saw different samples.
    """
    if not np.array_equal(baseline.true, candidate.true):
        raise DataRefused("baseline and candidate were evaluated on different samples", fix="evaluate both again")
    a, b = baseline.right(), candidate.right()
    if not len(a):
        return result.Ratio(), None
    difference = b.astype(np.float64) - a.astype(np.float64)
    low, high = bootstrap_mean(difference, seed)
    points = result.Ratio(value=float(difference.mean()), low=low, high=high, interleaved=True)
    return points, mcnemar_p(int((a & ~b).sum()), int((b & ~a).sum()))


def _scores(outputs: Mapping[str, Array], n: int) -> Array:
    """The first output that has one number a class for each sample: (n, classes), or with axes of length 1 behind."""
    for array in outputs.values():
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.ndim >= 2 and array.shape[0] >= n:
            flat = array[:n].reshape(n, -1)
            if flat.shape[1] == array.shape[1] > 1:
                return flat
    shapes = ", ".join(f"{name} {list(np.shape(array))}" for name, array in outputs.items())
    raise DataRefused(f"no output of the model tells classes apart ({shapes})", fix=_NO_LABELS)
