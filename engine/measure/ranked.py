"""Outputs whose rows come in an order that the data choose: rows of both sides are matched, then compared.

Outputs of one choice (boxes, scores and classes of one TopK or one non-maximum suppression) are matched together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph.output_meaning import Meaning, RowOrder
from .matching import match

Array = NDArray[np.generic]
Floats = NDArray[np.float64]


@dataclass
class RowMatches:
    """How many rows have found their twin, over all samples of a group of outputs."""

    rows: int = 0
    """Of whichever side has more."""
    matched: int = 0
    weight: float = 0.0
    """Of all rows of both sides: their scores where the outputs have some, else one each."""
    matched_weight: float = 0.0
    chance_rows: int = 0
    """Rows where matching by chance means something."""
    by_chance: int = 0
    chance_matched: int = 0


class Block(NamedTuple):
    """Columns of one part of one output, of one set of rows: those of rows that have a twin, and how many rows there were."""

    name: str
    part: int
    labels: bool
    a: Array
    b: Array
    rows: int


class _Sheet(NamedTuple):
    """One output of both sides as rows."""

    name: str
    a: Array
    """(sets, rows, columns)."""
    b: Array
    parts: NDArray[np.intp]
    """Which part a column belongs to."""
    labels: NDArray[np.bool_]


def groups(meanings: Mapping[str, Meaning]) -> list[list[str]]:
    """Names of ranked outputs, those of one choice together."""
    found: list[tuple[frozenset[str], list[str]]] = []
    for name, meaning in meanings.items():
        if meaning.orders:
            sources = meaning.orders[0].sources
            same = [each for each in found if each[0] & sources]
            found = [each for each in found if each not in same]
            names = [other for _, others in same for other in others]
            found.append((sources.union(*(each[0] for each in same)), [*names, name]))
    return [names for _, names in found]


def compare(
    pairs: Mapping[str, tuple[Array, Array]], meanings: Mapping[str, Meaning], found: RowMatches, *, chance: bool
) -> tuple[list[Block], list[str]]:
    """The outputs of one group, of one sample or of a whole batch: blocks of matched rows, and names that do not fit."""
    sheets, uneven = [], []
    for name, (a, b) in pairs.items():
        made = _sheet(name, a, b, meanings[name])
        if made is None:
            uneven.append(name)
        else:
            sheets.append(made)
    blocks: list[Block] = []
    together: dict[tuple[int, int, int], list[_Sheet]] = {}
    for sheet in sheets:
        together.setdefault((len(sheet.a), sheet.a.shape[1], sheet.b.shape[1]), []).append(sheet)
    for several in together.values():
        for place in range(len(several[0].a)):
            blocks += _one_set(several, place, found, chance=chance)
    return blocks, uneven


def _sheet(name: str, a: Array, b: Array, meaning: Meaning) -> _Sheet | None:
    order = meaning.orders[0]
    rows = [_rows(side, order) for side in (a, b)]
    if rows[0] is None or rows[1] is None or a.ndim != b.ndim:
        return None
    if rows[0].shape[0] != rows[1].shape[0] or rows[0].shape[2] != rows[1].shape[2]:
        return None
    columns = rows[0].shape[2]
    parts = np.zeros(columns, np.intp)
    labels = np.full(columns, meaning.labels or a.dtype.kind not in "fiu")
    axis = a.ndim + meaning.parts_axis
    if meaning.parts and 0 <= axis < a.ndim and axis != a.ndim + order.axis:
        told = np.repeat(np.arange(len(meaning.parts)), [part.size for part in meaning.parts])
        if len(told) == a.shape[axis]:
            shape = [1 if n - a.ndim in order.sets or n - a.ndim == order.axis else size for n, size in enumerate(a.shape)]
            laid = np.broadcast_to(told.reshape([-1 if n == axis else 1 for n in range(a.ndim)]), shape)
            spread = _rows(laid, order._replace(width=1))
            if spread is not None and spread.shape[2] == columns:
                parts = spread[0, 0].astype(np.intp)
                labels = np.array([part.labels for part in meaning.parts])[parts]
    return _Sheet(name, rows[0], rows[1], parts, labels)


def _rows(array: Array, order: RowOrder) -> Array | None:
    """An array as (sets, rows, columns)."""
    rank = array.ndim
    axis = rank + order.axis
    if axis < 0:
        return None
    shape, width = array.shape, order.width if array.shape[axis] % order.width == 0 else 1
    split = array.reshape(*shape[:axis], shape[axis] // width, width, *shape[axis + 1 :])
    sets = [n if n < axis else n + 1 for n in sorted(rank + s for s in order.sets) if n >= 0 and n != axis]
    rest = [n for n in range(split.ndim) if n not in sets and n != axis]
    moved = split.transpose(*sets, axis, *rest)
    shaped: Array = moved.reshape(prod(split.shape[n] for n in sets), split.shape[axis], prod(split.shape[n] for n in rest))
    return shaped


def _one_set(several: Sequence[_Sheet], place: int, found: RowMatches, *, chance: bool) -> list[Block]:
    """Rows of one set: numbers of all outputs beside each other, matched at once."""
    sides = [_numbers([(sheet.a[place], sheet.b[place]) for sheet in several], side) for side in (0, 1)]
    labels = np.concatenate([sheet.labels for sheet in several])
    kept = [np.flatnonzero(~_padding(side, labels)) for side in sides]
    a, b = (side[rows] for side, rows in zip(sides, kept, strict=True))
    pairs = match(a, b, labels, chance=chance)
    weights = _weights(several, a, b)
    found.rows += max(len(a), len(b))
    found.matched += len(pairs.first)
    found.weight += float(weights[0].sum() + weights[1].sum())
    found.matched_weight += float(weights[0][pairs.first].sum() + weights[1][pairs.second].sum())
    if pairs.by_chance is not None:
        found.chance_rows += max(len(a), len(b))
        found.chance_matched += len(pairs.first)
        found.by_chance += pairs.by_chance
    blocks = []
    for sheet in several:
        first, second = sheet.a[place][kept[0]][pairs.first], sheet.b[place][kept[1]][pairs.second]
        for part in np.unique(sheet.parts):
            mine = sheet.parts == part
            is_label = bool(sheet.labels[mine][0])
            blocks.append(Block(sheet.name, int(part), is_label, first[:, mine], second[:, mine], max(len(a), len(b))))
    return blocks


def _numbers(pairs: Sequence[tuple[Array, Array]], side: int) -> Floats:
    """Columns of one side as numbers; texts by their place among those of both sides."""
    columns = []
    for pair in pairs:
        if pair[side].dtype.kind in "fiub":
            columns.append(pair[side].astype(np.float64))
            continue
        both = np.concatenate([one.reshape(-1) for one in pair]).astype(str)
        index = np.unique(both, return_inverse=True)[1].reshape(-1)
        mine = index[: pair[0].size] if side == 0 else index[pair[0].size :]
        columns.append(mine.reshape(pair[side].shape).astype(np.float64))
    return np.concatenate(columns, axis=1)


def _padding(rows: Floats, labels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows that fill up a fixed number: 0 or -1 in every column; places that are all 0 are a place."""
    if len(labels) < 2:
        return np.zeros(len(rows), np.bool_)
    empty: NDArray[np.bool_] = (rows == -1).all(axis=1)
    return empty if labels.all() else empty | (rows == 0).all(axis=1)


def _weights(several: Sequence[_Sheet], a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """A score for each row, where one column alone holds numbers between 0 and 1: of what is hardly detected it matters little
    which of it is listed. Else one each.
    """
    found = np.ones(len(a)), np.ones(len(b))
    start = 0
    for sheet in several:
        for part in np.unique(sheet.parts):
            mine = np.flatnonzero(sheet.parts == part)
            if len(mine) == 1 and not sheet.labels[mine[0]]:
                both = a[:, start + mine[0]], b[:, start + mine[0]]
                if all(((side >= 0) & (side <= 1)).all() for side in both) and any(side.any() for side in both):
                    found = both  # the last: boxes stand before scores
        start += len(sheet.parts)
    return found
