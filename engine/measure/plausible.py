"""Whether an accuracy can be that of a trained model: against guessing, and against the same predictions in another order.

Apart from `accuracy.py`, which says what came out: this says when not to believe it. Two classes a sample are all it needs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .class_averages import Classes
from .statistics import mcnemar_p

LEAST_SKILL = 0.15
"""Share of the way from guessing to all right below which a trained model is not believed to be."""
POOR = 0.5
"""The same share below which it is worth many inferences to look for preprocessing that fits better."""
GAIN, LEVEL = 0.03, 0.001
"""Top-1 that something else must win at least, and the p-value it must win with."""
_Z = 2.33
"""One-sided 99 %."""


class ClassOrder(NamedTuple):
    """Another order of the classes with which the predictions fit the labels."""

    top1: float
    moved: tuple[tuple[int, int], ...]
    """(class of the model, label that it stands for), the most frequent first."""


def guessing(true: Classes, predicted: Classes) -> float:
    """Top-1 of predictions that occur as often as these and know nothing of the labels (the chance of Cohen's kappa)."""
    size = int(max(true.max(initial=0), predicted.max(initial=0))) + 1
    shares = [np.bincount(classes, minlength=size) / max(len(classes), 1) for classes in (true, predicted)]
    return float(shares[0] @ shares[1])


def poor(true: Classes, predicted: Classes) -> bool:
    """Whether top-1 leaves much to be found."""
    chance = guessing(true, predicted)
    return len(true) > 0 and float((true == predicted).mean()) - chance < POOR * (1 - chance)


def near_guessing(true: Classes, predicted: Classes) -> bool:
    """Whether top-1 is hardly above guessing, by so many samples that it is no matter of luck (Wilson's upper bound)."""
    n, chance = len(true), guessing(true, predicted)
    if n == 0 or len(np.unique(true)) < 2:
        return False
    share = float((true == predicted).mean())
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + (_Z / (2 * n)) ** 2)
    return (centre + half - chance) / (1 - chance) < LEAST_SKILL


def better(other: np.ndarray[tuple[int], np.dtype[np.bool_]], now: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    """Whether the same samples are told right clearly more often in another way."""
    won, lost = int((other & ~now).sum()), int((now & ~other).sum())
    return won - lost >= GAIN * len(now) and mcnemar_p(lost, won) < LEVEL


def in_another_order(true: Classes, predicted: Classes) -> ClassOrder | None:
    """The order of classes that fits better than the one there is; None: there is none.

    Each half of the samples is told by the order that fits the other half, so that chance alone wins nothing.
    """
    if len(true) < 2 or len(np.unique(true)) < 2:
        return None
    renamed, nothing = np.empty_like(predicted), int(true.max()) + 1
    for half in (0, 1):
        names = _fitting(true[1 - half :: 2], predicted[1 - half :: 2])
        renamed[half::2] = [names.get(said, nothing) for said in predicted[half::2].tolist()]
    if not better(renamed == true, predicted == true) or near_guessing(true, renamed):
        return None
    names = _fitting(true, predicted)
    return ClassOrder(float((renamed == true).mean()), tuple((said, label) for said, label in names.items() if said != label))


def _fitting(true: Classes, predicted: Classes) -> dict[int, int]:
    """Class of the model to label, one to one, the most frequent pair first."""
    pairs, counts = np.unique(np.stack([predicted, true]), axis=1, return_counts=True)
    names: dict[int, int] = {}
    taken: set[int] = set()
    for place in np.argsort(-counts, kind="stable").tolist():
        said, label = int(pairs[0, place]), int(pairs[1, place])
        if said not in names and label not in taken:
            names[said] = label
            taken.add(label)
    return names
