"""Which row of one side is which row of the other, whatever their order and number.

Detectors that choose inside the graph give rows sorted by score: among near-equal scores rows change places, and those at the
end come and go. Compared place by place, such outputs look broken where every box is right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

REACH = 0.5
"""A row may be so far from its twin at most, in each column, of that column's standard deviation over the rows."""
RELATIVE = 0.1
"""Or of that share of the column's root mean square, where the rows hardly differ in it."""
NARROWED = 8.0
"""Once most rows have found a twin, so many times their median distance in a column is the reach in it: what tells rows apart
(a place on the image) is then held more exactly than what is near the same for all."""
_ROUNDS = 2
_LEAST_PAIRS = 10
_MOST_PAIRS = 2_000_000
_WINDOW = 256
"""Where there are more pairs than that, only so many neighbours of a row are looked at."""
_EQUAL = 0.5


class Matching(NamedTuple):
    """Pairs of rows: `first[n]` of one side is `second[n]` of the other."""

    first: Places
    second: Places
    by_chance: int | None = None
    """How many rows find a twin when each column of the other side is shuffled by itself; None: not asked, or it has no meaning
    (one row, one column)."""


def match(a: Floats, b: Floats, labels: NDArray[np.bool_], *, chance: bool = False) -> Matching:
    """Pair rows of two sides, the nearest first, none twice. Columns that are `labels` must be equal; the others near."""
    if len(a) == len(b) == 1:
        return Matching(np.zeros(1, np.intp), np.zeros(1, np.intp))
    if a.shape[1] == 1 and len(a) == len(b) and not labels[0]:  # the order of numbers is all there is
        return Matching(np.argsort(a[:, 0], kind="stable"), np.argsort(b[:, 0], kind="stable"))
    reach = _reach(a, labels)
    first, second = _nearest(a, b, reach)
    for _ in range(_ROUNDS):
        if len(first) < _LEAST_PAIRS:
            break
        middle = np.median(np.abs(a[first] - b[second]), axis=0)
        reach = np.where(labels, reach, np.minimum(reach, np.maximum(NARROWED * middle, 1e-4 * reach)))
        first, second = _nearest(a, b, reach)
    by_chance = None
    if chance and min(len(a), len(b)) > 1 and a.shape[1] > 1:
        draw = np.random.default_rng(0)
        shuffled = np.stack([draw.permutation(column) for column in b.T], axis=1)
        by_chance = len(_nearest(a, shuffled, reach)[0])
    return Matching(first, second, by_chance)


def _reach(a: Floats, labels: NDArray[np.bool_]) -> Floats:
    """How far apart twins may be in each column."""
    finite = np.where(np.isfinite(a), a, 0.0)
    if not len(finite):
        return np.ones(a.shape[1])
    size = np.sqrt((finite**2).mean(axis=0))
    least = 1e-6 * float(size.max(initial=0.0)) + 1e-12
    found: Floats = np.where(labels, _EQUAL, REACH * np.maximum(np.maximum(finite.std(axis=0), RELATIVE * size), least))
    return found


def _nearest(a: Floats, b: Floats, reach: Floats) -> tuple[Places, Places]:
    """Pairs within reach in every column; distance is that of the worst column."""
    if not len(a) or not len(b):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    i, j = _candidates(a, b, reach)
    far = np.zeros(len(i))
    for column in range(a.shape[1]):
        step = np.abs(a[i, column] - b[j, column]) / reach[column]
        near = step <= 1
        i, j, far = i[near], j[near], np.maximum(far[near], step[near])
    order = np.argsort(far, kind="stable")
    return _greedy(i[order], j[order], len(a), len(b))


def _candidates(a: Floats, b: Floats, reach: Floats) -> tuple[Places, Places]:
    """Pairs that are near in the column that tells rows apart best."""
    spread = np.where(np.isfinite(b), b, 0.0).std(axis=0) / reach
    column = int(spread.argmax())
    order = np.argsort(b[:, column], kind="stable")
    ranked, asked = b[order, column], a[:, column]
    low = np.searchsorted(ranked, asked - reach[column], "left")
    high = np.searchsorted(ranked, asked + reach[column], "right")
    if int((high - low).sum()) > _MOST_PAIRS:
        middle = np.searchsorted(ranked, asked, "left")
        low, high = np.maximum(low, middle - _WINDOW // 2), np.minimum(high, middle + _WINDOW // 2)
    many = np.maximum(high - low, 0)
    i = np.repeat(np.arange(len(a)), many)
    within = np.arange(len(i)) - np.repeat(np.cumsum(many) - many, many)
    return i, order[np.repeat(low, many) + within]


def _greedy(i: Places, j: Places, rows: int, others: int) -> tuple[Places, Places]:
    """Of pairs sorted by distance the first of each row, then of those left, until none is left."""
    first: list[Places] = []
    second: list[Places] = []
    while len(i):
        best = np.zeros(len(i), np.bool_)
        best[np.unique(i, return_index=True)[1]] = True
        both = np.zeros(len(i), np.bool_)
        both[np.unique(j, return_index=True)[1]] = True
        taken = best & both
        first.append(i[taken])
        second.append(j[taken])
        gone_i, gone_j = np.zeros(rows, np.bool_), np.zeros(others, np.bool_)
        gone_i[i[taken]] = True
        gone_j[j[taken]] = True
        left = ~gone_i[i] & ~gone_j[j]
        i, j = i[left], j[left]
    return (np.concatenate(first), np.concatenate(second)) if first else (i, j)
