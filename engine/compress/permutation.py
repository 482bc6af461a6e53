"""An order of channels in which a pattern of zeros loses least.

A layer's input channels are what layers before it give: to put them in another order, whoever makes or reads them is put in
that order too, as labels tell (`channel_labels.py`). The order is found by swaps between groups of `m` (Pool and Yu 2021,
Channel Permutations for N:M Sparsity), many pairs of groups at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ..graph.values import array_of
from .channel_graph import ChannelGraph, reorder
from .channel_labels import Labels
from .channel_walk import channel_graph
from .layer_rows import LinearLayer

Magnitudes = NDArray[np.float32]
Order = NDArray[np.intp]

_ROWS = 512
"""Of magnitudes that are looked at, drawn by lot: the order is one for all of them."""
_WORK = 200_000_000
"""Magnitudes that are compared for one set of channels, about: two seconds for the widest of a ResNet-50."""


def permute(model: ModelProto, layers: Iterable[LinearLayer], n: int, m: int) -> int:
    """Put channels in a better order for `layers`, in place; how many sets of them were moved. Outputs stay what they were."""
    graph = channel_graph(model)
    readers = _readers(graph, layers)
    done = 0
    for roots, read in _sets(graph, readers):
        rows = [_rows(graph, name, axis, labels, roots) for name, axis, labels in read]
        order = best_order(np.concatenate(rows), n, m)
        if not np.array_equal(order, np.arange(len(order))):
            reorder(graph, _orders(graph, roots, order))
            done += 1
    return done


Reader = tuple[str, int, Labels]
"""A weight, its axis of input channels, and the labels along it."""


def _readers(graph: ChannelGraph, layers: Iterable[LinearLayer]) -> list[Reader]:
    found = []
    for layer in layers:
        axis = layer.weight.input_axis
        labels = graph.of(layer.weight.name)[axis] if axis is not None else None
        if axis is not None and labels is not None:
            found.append((layer.weight.name, axis, labels))
    return found


def _sets(graph: ChannelGraph, readers: list[Reader]) -> Iterable[tuple[list[int], list[Reader]]]:
    """Roots that may change places, and who reads just these: wherever one of them is, all are, equally often."""
    fixed = set(graph.classes.fixed())
    for rows in graph.even:  # their readers are cut by groups, and have no labels
        fixed.update(graph.classes.roots(rows.reshape(-1)).tolist())
    sets: dict[frozenset[int], list[Reader]] = {}
    orders: dict[frozenset[int], list[int]] = {}
    for reader in readers:
        roots = graph.classes.roots(reader[2]).tolist()
        key = frozenset(roots)
        if len(key) == len(roots) and not key.intersection(fixed):
            sets.setdefault(key, []).append(reader)
            orders.setdefault(key, roots)
    everywhere = {
        tuple(graph.classes.roots(labels).tolist()) for axes in graph.axes.values() for labels in axes if labels is not None
    }
    everywhere.update(tuple(graph.classes.roots(labels).tolist()) for labels in graph.padding)
    for key, found in sets.items():
        if all(_whole(key, roots) for roots in everywhere):
            yield orders[key], found


def _whole(key: frozenset[int], roots: tuple[int, ...]) -> bool:
    counts = Counter(root for root in roots if root in key)
    return not counts or (len(counts) == len(key) and len(set(counts.values())) == 1)


def _rows(graph: ChannelGraph, name: str, axis: int, labels: Labels, roots: list[int]) -> Magnitudes:
    """Magnitudes of a weight as (rows, channels), the channels in the order of `roots`."""
    array = np.moveaxis(np.abs(array_of(graph.held[name]).astype(np.float32)), axis, -1)
    place = {root: at for at, root in enumerate(graph.classes.roots(labels).tolist())}
    found: Magnitudes = array.reshape(-1, array.shape[-1])[:, [place[root] for root in roots]]
    return found


def _orders(graph: ChannelGraph, roots: list[int], order: Order) -> dict[str, dict[int, Order]]:
    """For each constant and axis the places that its elements come from: where class k was, that of `order[k]` comes to be."""
    comes = {root: roots[at] for root, at in zip(roots, order.tolist(), strict=True)}
    found: dict[str, dict[int, Order]] = {}
    for name in graph.held:
        for axis, labels in enumerate(graph.axes.get(name, ())):
            if labels is None:
                continue
            own = graph.classes.roots(labels).tolist()
            places: dict[int, list[int]] = {}
            for at, root in enumerate(own):
                places.setdefault(root, []).append(at)
            if not any(root in comes for root in places):
                continue
            seen: Counter[int] = Counter()
            moved = []
            for at, root in enumerate(own):
                moved.append(places[comes[root]][seen[root]] if root in comes else at)
                seen[root] += 1
            found.setdefault(name, {})[axis] = np.array(moved, np.intp)
    return found


def kept_magnitude(rows: Magnitudes, n: int, m: int) -> float:
    """What is left of the sum of magnitudes when the `n` largest of every `m` in a row stay."""
    grouped = np.sort(rows.reshape(len(rows), -1, m), axis=2)
    return float(grouped[:, :, m - n :].sum(dtype=np.float64))


def best_order(rows: Magnitudes, n: int, m: int) -> Order:
    """The order of columns, found by swaps that each keep more magnitude, shape (columns,); never worse than the one it has."""
    draw = np.random.default_rng(0)
    columns = rows.shape[1]
    order = np.arange(columns)
    if columns % m or columns < 2 * m:
        return order
    sample = rows[np.sort(draw.permutation(len(rows))[:_ROWS])]
    groups = columns // m
    rounds = int(min(8 * groups, max(4, _WORK // (len(sample) * columns * m * m))))
    stale = 0
    for _ in range(rounds):
        shuffled = draw.permutation(groups)
        first, second = shuffled[: groups // 2], shuffled[groups // 2 : 2 * (groups // 2)]
        gained = _swap(sample, order, first, second, n, m)
        stale = 0 if gained else stale + 1
        if stale > 2 * groups:
            break
    better = kept_magnitude(rows[:, order], n, m) > kept_magnitude(rows, n, m)
    return order if better else np.arange(columns)


def _swap(sample: Magnitudes, order: Order, first: Order, second: Order, n: int, m: int) -> bool:
    """Make the best swap between each pair of groups, in place; whether there was any."""
    lanes = np.arange(m)
    ones, others = order.reshape(-1, m)[first], order.reshape(-1, m)[second]
    kept = _sums(sample, ones, n) + _sums(sample, others, n)
    best, where = np.zeros(len(first)), np.full(len(first), -1)
    for a in lanes:
        for b in lanes:
            one, other = ones.copy(), others.copy()
            one[:, a], other[:, b] = others[:, b], ones[:, a]
            gain = _sums(sample, one, n) + _sums(sample, other, n) - kept
            better = gain > best + 1e-6 * kept
            best, where = np.where(better, gain, best), np.where(better, a * m + b, where)
    for pair in np.flatnonzero(where >= 0):
        place, other_place = divmod(int(where[pair]), m)
        left, right = first[pair] * m + place, second[pair] * m + other_place
        order[left], order[right] = order[right], order[left]
    return bool((where >= 0).any())


def _sums(sample: Magnitudes, groups: Order, n: int) -> NDArray[np.float64]:
    """What each group of columns keeps; two of four by minima and maxima, for a partition takes 20 times as long."""
    lanes = [sample[:, groups[:, lane]] for lane in range(groups.shape[1])]
    if (n, len(lanes)) == (2, 4):
        a, b, c, d = lanes
        kept = np.maximum(np.maximum(a, b) + np.maximum(c, d), np.maximum(a + b, c + d))
    else:
        kept = np.partition(np.stack(lanes, axis=2), len(lanes) - n, axis=2)[:, :, len(lanes) - n :].sum(axis=2)
    found: NDArray[np.float64] = kept.sum(axis=0, dtype=np.float64)
    return found
