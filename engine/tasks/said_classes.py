"""What class a model says of each sample: by scores, by one score of two classes, or with the choice made inside.

Apart from whatever counts what is right, because the same classes are compared without labels too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from .decoder import Array, Outputs

FIRST = 5
_HALF = 0.5
_SLACK = 0.02
"""By which rounding may take a share past 0 or 1: two steps of eight bits."""
_NO_LABELS = 'set task = "none" in the dataset\'s TOML file to compare outputs without labels'


class SaidClasses(NamedTuple):
    """Of each of n samples."""

    first: NDArray[np.int64]
    """The class, shape (n,)."""
    classes: int | None
    """How many it tells apart; None: it gives the class alone."""
    scores: NDArray[np.float64] | None = None
    """Shape (n, classes); None: there is none for each class."""

    def within(self, labels: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Whether each label is among the five classes with the highest scores, of equal ones the first; None: the model has no
        more than five, or gives no scores.
        """
        if self.scores is None or self.scores.shape[1] <= FIRST:
            return None
        own = self.scores[np.arange(len(labels)), labels][:, None]
        before = np.arange(self.scores.shape[1]) < labels[:, None]
        found: NDArray[np.bool_] = ((self.scores > own) | ((self.scores == own) & before)).sum(axis=1) < FIRST
        return found

    @property
    def shares(self) -> bool:
        """Whether the scores of each sample are shares of one, as a softmax gives them."""
        if self.scores is None or self.scores.min(initial=0.0) < 0:
            return False
        return bool((np.abs(self.scores.sum(axis=1) - 1.0) < _SLACK).all())


def said_classes(outputs: Outputs, n: int) -> SaidClasses:
    """What the model says of the first `n` samples.

    The first output with one number a class for each sample counts: (n, classes), or with axes of length 1 behind. Without
    such, classes as whole numbers, one a sample (ArgMax inside the model); or one share a sample, of which 0.5 and more is
    class 1 (a sigmoid).

    Raises:
        DataRefused: no output tells classes apart, or a single score is not between 0 and 1.
    """
    arrays = {name: array for name, array in outputs.items() if isinstance(array, np.ndarray)}
    for array in arrays.values():
        if array.dtype.kind == "f" and array.ndim >= 2 and array.shape[0] >= n:
            scores = array[:n].reshape(n, -1)
            if scores.shape[1] == array.shape[1] > 1:
                return _of_scores(scores.astype(np.float64))
    single = {name: flat for name, array in arrays.items() if (flat := _one_each(array, n)) is not None}
    if len(single) == len(outputs):  # beside boxes one whole number is how many there are
        chosen = [flat for flat in single.values() if flat.dtype.kind in "iu"]
        if chosen:
            return SaidClasses(chosen[0].astype(np.int64), None)
        if len(single) == 1:
            return _of_a_share(*next((name, flat.astype(np.float64)) for name, flat in single.items()))
    shapes = ", ".join(f"{name} {list(np.shape(array))}" for name, array in outputs.items())
    raise DataRefused(f"no output of the model tells classes apart ({shapes})", fix=_NO_LABELS)


def _of_scores(scores: NDArray[np.float64]) -> SaidClasses:
    return SaidClasses(scores.argmax(axis=1).astype(np.int64), scores.shape[1], scores)


def _of_a_share(name: str, shares: NDArray[np.float64]) -> SaidClasses:
    low, high = (float(edge(shares, initial=_HALF, where=np.isfinite(shares))) for edge in (np.min, np.max))
    if low < -_SLACK or high > 1 + _SLACK:
        raise DataRefused(
            f"output {name} has one number a sample, from {low:.3g} to {high:.3g}, which is no share of two classes",
            fix='export the model with its sigmoid; or, where the labels are quantities, write task = "regression" in the '
            "dataset's TOML file",
        )
    return SaidClasses((shares >= _HALF).astype(np.int64), 2)


def _one_each(array: Array, n: int) -> Array | None:
    """One number for each sample, shape (n,); None: they are others."""
    if array.dtype.kind not in "fiu" or array.size < n:
        return None
    rows = array.shape[0] if array.ndim else 1
    return array.reshape(-1)[:n] if rows >= n and array.size == rows else None
