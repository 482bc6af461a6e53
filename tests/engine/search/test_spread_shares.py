"""Shares spread over groups: the least moved for no more multiplications, held against all allocations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from edgetui.engine.schema.channel_table import ChannelGroup, ChannelProduct, ChannelTable, EvenShares, GroupMoves, rising
from edgetui.engine.search.spread_shares import _Spread, spread

SHARES = (0.0, 0.125, 0.25, 0.375, 0.5)


def chain(seed: int, groups: int, shares: tuple[float, ...] = SHARES) -> tuple[ChannelTable, GroupMoves]:
    """Layers in a row: each reads the group before it and makes the next, so that what they save is no sum."""
    draw = np.random.default_rng(seed)
    names = [f"g{place}" for place in range(groups)]
    products = [ChannelProduct(macs=int(draw.integers(100, 1000)), weights=9, axes=({names[0]: 1.0},))]
    for one, other in itertools.pairwise(names):
        products.append(ChannelProduct(macs=int(draw.integers(100, 1000)), weights=9, axes=({one: 1.0}, {other: 1.0})))
    products.append(ChannelProduct(macs=int(draw.integers(100, 1000)), weights=9, axes=({names[-1]: 0.5},)))
    curves = {
        name: rising(dict(zip(shares[1:], np.cumsum(draw.gamma(0.5, size=len(shares) - 1)), strict=True))) for name in names
    }
    macs = sum(each.macs for each in products)
    even = tuple(EvenShares(amount=a, shares=dict.fromkeys(names, a)) for a in (0.125, 0.25, 0.5))
    told = tuple(ChannelGroup(name=name, layers=(name,), channels=64, shares=shares) for name in names)
    return ChannelTable(groups=told, products=tuple(products), macs=macs, even=even), GroupMoves(curves)


def best_of_all(table: ChannelTable, moves: GroupMoves, macs: float) -> float:
    every = itertools.product(*(each.shares for each in table.groups))
    names = [each.name for each in table.groups]
    tried = (dict(zip(names, row, strict=True)) for row in every)
    return min(moves.of(each) for each in tried if table.macs_of(each) <= macs + 1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_no_allocation_moves_the_outputs_less(seed: int):
    table, moves = chain(seed, 5)
    for part in (0.85, 0.7, 0.5):
        found = spread(table, moves, part * table.macs)
        assert found is not None
        assert table.macs_of(found) <= part * table.macs + 1e-6
        assert moves.of(found) == pytest.approx(best_of_all(table, moves, part * table.macs))


def test_where_not_all_can_be_tried_it_comes_near():
    """Greedy steps and exchanges, of 40 chains: the median is the best of all, the worst 1.3 of it."""
    over = []
    for seed in range(40):
        table, moves = chain(seed, 5)
        macs = 0.7 * table.macs
        found = _Spread(table, moves, macs).near()
        assert found is not None
        over.append(moves.of(found) / best_of_all(table, moves, macs))
    assert np.median(over) < 1.02, sorted(over)
    assert max(over) < 1.35, sorted(over)


def test_many_groups_are_spread_too():
    table, moves = chain(3, 30)
    even = {each.name: 0.25 for each in table.groups}
    found = spread(table, moves, table.macs_of(even))
    assert found is not None
    assert table.macs_of(found) <= table.macs_of(even) * (1 + 1e-6)
    assert moves.of(found) < moves.of(even)


def test_what_cannot_be_reached_is_none():
    table, moves = chain(0, 4)
    least = table.macs_of(dict.fromkeys((each.name for each in table.groups), 0.5))
    assert spread(table, moves, least * 0.99) is None
    assert _Spread(table, moves, least * 0.99).near() is None
    assert spread(table, moves, table.macs) == {}


def test_more_that_goes_never_moves_less():
    curve = rising({0.5: 0.2, 0.25: 0.3})
    assert curve == ((0.0, 0.0), (0.25, 0.3), (0.5, 0.3))
    moves = GroupMoves({"g": ((0.0, 0.0), (0.25, 0.1), (0.5, 0.5))})
    assert moves.of({"g": 0.125}) == pytest.approx(0.05)
    assert moves.of({"g": 0.75}) == pytest.approx(0.9), "beyond what was tried by the last slope"
