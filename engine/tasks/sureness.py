"""How sure a model is of an input, from its outputs alone: the margin between two classes, or the best box's score.

Apart from `said_classes.py` because it is asked within every inference of a plan that may run again: a few microseconds count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..schema.escalation import Sureness
from .detector import Detector
from .find_decoder import BOX_DECODERS

_FEW = 128
Outputs = Mapping[str, NDArray[np.generic]]
Asked = Callable[[Outputs], float]


def asked(how: Sureness, batch: int) -> Asked:
    """What tells how sure a model is, 0 to 1, of the input whose outputs it is given: of a batch, of its least sure sample.

    It raises DataRefused where the outputs are neither classes nor boxes.
    """
    return _BestScore(how, batch) if how.by == "score" else _LeastMargin(how.shares)


def margins(scores: NDArray[np.float64], *, shares: bool) -> NDArray[np.float64]:
    """Probability of the likeliest class less that of the second, of `scores` (n, classes >= 2): shape (n,).

    shares: they are probabilities already; else the softmax is taken. What is no number is of no class: 0.
    """
    top = np.partition(scores, scores.shape[1] - 2, axis=1)[:, -2:]
    second, first = top[:, 0], top[:, 1]
    with np.errstate(invalid="ignore", over="ignore"):
        apart = first - second if shares else (1 - np.exp(second - first)) / np.exp(scores - first[:, None]).sum(axis=1)
    found: NDArray[np.float64] = np.clip(np.nan_to_num(apart, nan=0.0), 0.0, 1.0)
    return found


def one_margin(scores: NDArray[np.generic], *, shares: bool) -> float:
    """As `margins`, of one sample, shape (classes,). Of few classes without numpy: its first calls behind an inference find
    their code out of the processor's caches, and took 30 µs of an inference of 350.
    """
    if scores.size > _FEW:
        return float(margins(scores.astype(np.float64)[None], shares=shares)[0])
    values: list[float] = scores.tolist()
    first = max(values)
    total = 1.0 if shares else sum(math.exp(value - first) for value in values)
    values[values.index(first)] = -math.inf
    second = max(values)
    apart = first - second if shares else (1.0 - math.exp(second - first)) / total
    return min(max(apart, 0.0), 1.0) if math.isfinite(apart) else 0.0


def class_scores(outputs: Outputs) -> tuple[str, NDArray[np.float64]]:
    """Name and values, shape (n, classes), of the first output with one number a class for each sample.

    Raises:
        DataRefused: there is none.
    """
    for name, array in outputs.items():
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.ndim >= 2:
            scores = array.reshape(array.shape[0], -1)
            if scores.shape[1] == array.shape[1] > 1:
                return name, scores.astype(np.float64)
    shapes = ", ".join(f"{name} {list(np.shape(array))}" for name, array in outputs.items())
    raise DataRefused(
        f"no output says how sure the model is ({shapes}): adaptive needs scores of classes, or boxes",
        fix="take a recipe without adaptive",
    )


class _LeastMargin:
    def __init__(self, shares: bool) -> None:
        self._shares, self._name = shares, ""

    def __call__(self, outputs: Outputs) -> float:
        if not self._name:
            self._name, _ = class_scores(outputs)
        array = outputs[self._name]
        if array.shape[0] == 1:
            return one_margin(array.reshape(-1), shares=self._shares)
        scores = array.reshape(array.shape[0], -1).astype(np.float64)
        return float(margins(scores, shares=self._shares).min())


class _BestScore:
    def __init__(self, how: Sureness, batch: int) -> None:
        self._detector = Detector(how.size or (0, 0), how.classes, BOX_DECODERS.get(how.decoder, "auto"))
        self._batch = batch

    def __call__(self, outputs: Outputs) -> float:
        seen = self._detector.look(outputs, self._batch, self._batch)
        return min((float(found.scores.max(initial=0.0)) for found in seen), default=0.0)
