"""Precision, recall and F1 over classes, macro and weighted, and their intervals by bootstrap.

Apart from `accuracy.py`, which reads outputs: everything here follows from the true and the predicted classes alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.int64]
Floats = NDArray[np.float64]

RESAMPLES = 1000


class Averages(NamedTuple):
    """Over classes."""

    precision: float
    recall: float
    f1: float
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float


def averages(true: Classes, predicted: Classes) -> Averages:
    """Means over the classes that are a label or a prediction somewhere, each alike or weighted by how often it is a label, as
    scikit-learn's `precision_recall_fscore_support` has them.

    A class that is never predicted has precision 0, one that never occurs recall 0.
    """
    names, (true, predicted) = _numbered(true, predicted)
    ones = np.ones(len(true))
    return Averages(*_averages(_Counts(true, predicted, len(names)), ones).tolist())


def bootstrapped(true: Classes, sides: tuple[Classes, ...], seed: int, resamples: int = RESAMPLES) -> tuple[Floats, ...]:
    """The averages of as many sets of samples drawn with replacement, shape (resamples, 6), for each of the sides: the same
    samples for all, so that their difference is paired.

    Samples that are alike on all sides are drawn together, as one multinomial draw: memory and time depend on how many kinds
    there are, not on samples.
    """
    names, told = _numbered(true, *sides)
    kinds, counts = np.unique(np.stack(told), axis=1, return_counts=True)
    sums = [_Counts(kinds[0], side, len(names)) for side in kinds[1:]]
    draw = np.random.default_rng(seed)
    found = np.empty((len(sides), resamples, len(Averages._fields)))
    for turn in range(resamples):
        weights = draw.multinomial(len(true), counts / len(true)).astype(np.float64)
        for side, each in enumerate(sums):
            found[side, turn] = _averages(each, weights)
    return tuple(found)


class _Counts(NamedTuple):
    """Of kinds of samples: which class they have, which is said, and how many classes there are."""

    true: Classes
    predicted: Classes
    classes: int


def _numbered(*columns: Classes) -> tuple[Classes, list[Classes]]:
    """The classes that occur, and the columns with these numbered from 0."""
    names, numbers = np.unique(np.concatenate(columns), return_inverse=True)
    return names, np.split(numbers.astype(np.int64), len(columns))


def _averages(kinds: _Counts, weights: Floats) -> Floats:
    hit = kinds.true == kinds.predicted
    hits = np.bincount(kinds.true[hit], weights[hit], kinds.classes)
    actual = np.bincount(kinds.true, weights, kinds.classes)
    said = np.bincount(kinds.predicted, weights, kinds.classes)
    precision, recall = hits / np.maximum(said, 1), hits / np.maximum(actual, 1)
    f1 = 2 * hits / np.maximum(actual + said, 1)
    each = np.stack([precision, recall, f1])
    seen = (actual + said) > 0
    return np.concatenate([each[:, seen].mean(axis=1), each @ actual / actual.sum()])
