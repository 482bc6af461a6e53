"""How well a threshold tells two kinds apart: the ROC curve, its area with an interval, and the threshold to choose.

Numbers in, numbers out. What is looked for (`positive`) has the larger scores.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_Z = 1.959963984540054


def area(positive: Floats, negative: Floats) -> float:
    """Area under the curve: the share of pairs in which the positive has the larger score, ties counting half (Mann and Whitney
    1947, Ann. Math. Stat. 18:50).

    Raises:
        ValueError: one of the kinds has no sample.
    """
    if not len(positive) or not len(negative):
        raise ValueError("no pairs")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    upto = np.searchsorted(ordered, positive, "right")
    return float((below + upto).sum() / 2 / (len(positive) * len(negative)))


def area_interval(found: float, positives: int, negatives: int) -> tuple[float, float]:
    """95 % interval of an area over independent samples (Newcombe 2006, Stat. Med. 25:559, method 5).

    The areas that a score test with Hanley and McNeil's variance does not refuse; unlike theirs it has a width where all pairs
    are in order.
    """
    mean = (positives + negatives) / 2 - 1

    def far(theta: float) -> bool:
        spread = theta * (1 - theta) * (1 + mean * (1 - theta) / (2 - theta) + mean * theta / (1 + theta))
        return abs(found - theta) > _Z * math.sqrt(spread / (positives * negatives))

    return _last_near(found, 0.0, far), _last_near(found, 1.0, far)


def _last_near(inside: float, outside: float, far: object) -> float:
    assert callable(far)
    if not far(outside):
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if far(middle) else (middle, outside)
    return inside


def curve(positive: Floats, negative: Floats, most: int = 64) -> list[tuple[float, float]]:
    """Points (false positives, true positives) as shares, from (0, 0) to (1, 1): a threshold each, at most so many of them."""
    thresholds = np.unique(np.concatenate([positive, negative]))[::-1]
    if len(thresholds) > most - 1:
        thresholds = thresholds[np.linspace(0, len(thresholds) - 1, most - 1).round().astype(int)]
    found = [(0.0, 0.0)]
    found += [(float((negative >= each).mean()), float((positive >= each).mean())) for each in thresholds]
    return found


def best_threshold(positive: Floats, negative: Floats) -> float:
    """The score from which on samples are taken for positive: where true less false positives are most (Youden 1950, Cancer
    3:32), in the middle between the scores around it.
    """
    scores = np.unique(np.concatenate([positive, negative]))
    edges = np.concatenate([[-np.inf], (scores[1:] + scores[:-1]) / 2, [np.inf]])
    true = (positive[None, :] > edges[:, None]).mean(axis=1)
    false = (negative[None, :] > edges[:, None]).mean(axis=1)
    return float(edges[int((true - false).argmax())])
