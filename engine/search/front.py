"""The exact front of cost over the sum of sensitivities of a chain, by dynamic programming.

The sum of what each unit does alone ranks mixes as their joint KL does (Spearman 0.98 over 512 mixes of ResNet-20), and costs
of neighbours alone depend on each other: so a prefix of the chain is known by its last format, and of two that end alike one
that is no better in anything is never part of a best mix (Bellman's principle, for several criteria: Hansen 1980, Bicriterion
path problems).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .mixes import FORMATS, Floats, Mix, Places, Prices, mix_of

MOST_PREFIXES = 4096
"""That are kept for each unit and format. Beyond, of those whose effects share one of as many equal parts of the range only the
cheapest stays: the effect of a point may then be above the least for its cost by units / 4096 of the sum of all."""


class FrontPoint(NamedTuple):
    """A mix than which none is cheaper with as little effect."""

    mix: Mix
    effect: float
    cost: float


class CostFront(NamedTuple):
    """Points from the least effect to the least cost."""

    points: tuple[FrontPoint, ...]
    exact: bool
    """No prefix was dropped for want of room."""

    def cheapest(self, most_effect: float) -> FrontPoint | None:
        """The least cost for a bound on the sum of effects; None: no mix keeps it."""
        return next((point for point in reversed(self.points) if point.effect <= most_effect), None)


class Bound(NamedTuple):
    """The most that another quantity may come to."""

    prices: Prices
    most: float


class _Prefixes(NamedTuple):
    """Ways to one format of one unit."""

    sums: Floats
    """(ways, 2 + bounds): effect, cost, and what is bounded."""
    before: Places
    """(ways, 2): format of the unit before, and which of its ways."""


def front(prices: Prices, effects: Floats, bounds: Sequence[Bound] = ()) -> CostFront:
    """All mixes that none beats in cost and effect, within bounds.

    effects: (units, formats), not negative; what a unit does not have in `prices` is not looked at.
    """
    parts = (prices, *(bound.prices for bound in bounds))
    most = np.array([np.inf, np.inf, *(bound.most - bound.prices.fixed for bound in bounds)])
    exact = True
    layers: list[list[_Prefixes]] = []
    for unit in range(len(effects)):
        layer = []
        for form in range(len(FORMATS)):
            ways = _ways(layers[-1] if layers else None, unit, form, parts, effects)
            ways = _kept(ways, np.flatnonzero((ways.sums <= most).all(axis=1) & np.isfinite(ways.sums).all(axis=1)))
            ways = _kept(ways, unbeaten(ways.sums))
            if len(ways.sums) > MOST_PREFIXES:
                exact, ways = False, _kept(ways, _thinned(ways.sums))
            layer.append(ways)
        layers.append(layer)
    return CostFront(tuple(_points(layers, prices.fixed)), exact)


def _ways(last: list[_Prefixes] | None, unit: int, form: int, parts: Sequence[Prices], effects: Floats) -> _Prefixes:
    own = np.array([effects[unit, form], *(part.units[unit, form] for part in parts)])
    if last is None:
        return _Prefixes(own[None, :], np.zeros((1, 2), np.intp))
    sums, before = [], []
    for source, ways in enumerate(last):
        border = np.array([0.0, *(part.borders[unit - 1, source, form] for part in parts)])
        sums.append(ways.sums + (own + border))
        before.append(np.stack([np.full(len(ways.sums), source), np.arange(len(ways.sums))], axis=1))
    return _Prefixes(np.concatenate(sums), np.concatenate(before))


def _kept(ways: _Prefixes, which: NDArray[np.intp]) -> _Prefixes:
    return _Prefixes(ways.sums[which], ways.before[which])


def unbeaten(sums: Floats) -> Places:
    """Rows than which no other is as good in every column (less is better), by rising first column; of equal ones the first."""
    order = np.lexsort(sums.T[::-1])
    ranked = sums[order]
    if sums.shape[1] == 2:
        least = np.minimum.accumulate(ranked[:, 1])
        return np.asarray(order[np.r_[True, ranked[1:, 1] < least[:-1]]] if len(order) else order, np.intp)
    kept: list[int] = []
    for n, row in enumerate(ranked):
        if not (ranked[kept] <= row).all(axis=1).any():
            kept.append(n)
    return np.asarray(order[kept], np.intp)


def _thinned(sums: Floats) -> Places:
    """The cheapest of each equal part of the range of effects."""
    low, high = sums[:, 0].min(), sums[:, 0].max()
    part = np.minimum((sums[:, 0] - low) / max(high - low, 1e-300) * MOST_PREFIXES, MOST_PREFIXES - 1).astype(np.intp)
    order = np.lexsort((sums[:, 1], part))
    return np.asarray(order[np.r_[True, np.diff(part[order]) > 0]], np.intp)


def _points(layers: list[list[_Prefixes]], fixed: float) -> list[FrontPoint]:
    if not layers:
        return []
    ends = [(form, way) for form, ways in enumerate(layers[-1]) for way in range(len(ways.sums))]
    sums = np.concatenate([ways.sums for ways in layers[-1]])[:, :2]
    made = []
    for end in unbeaten(sums):
        form, way = ends[end]
        row = [form]
        for unit in range(len(layers) - 1, 0, -1):
            form, way = (int(each) for each in layers[unit][form].before[way])
            row.append(form)
        made.append(FrontPoint(mix_of(row[::-1]), float(sums[end, 0]), float(sums[end, 1]) + fixed))
    return made
