"""How to spread what goes over groups of channels: least moved outputs for no more multiplications.

What groups move alone adds up (a sum of divergences, as of formats); multiplications are those of the graph, products of what
is left of two groups where one reads the other. All allocations are tried where they are few; of more, greedy steps, the least
moved for what is saved first, then exchanges of two groups until none helps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from ..schema.channel_table import ChannelTable, GroupMoves, Shares

_ALL = 100_000
"""Allocations that are all tried."""
_SLACK = 1e-9


def spread(table: ChannelTable, moves: GroupMoves, macs: float) -> Shares | None:
    """Shares with no more multiplications than `macs` of which the outputs move least; None: as little cannot be reached."""
    search = _Spread(table, moves, macs)
    few = math.prod(len(each.shares) for each in table.groups) <= _ALL
    return search.best() if few else search.near()


class _Spread:
    def __init__(self, table: ChannelTable, moves: GroupMoves, macs: float) -> None:
        self._table, self._moves, self._most = table, moves, macs * (1 + _SLACK)
        self._choices = {each.name: each.shares for each in table.groups}
        self._at = dict.fromkeys(self._choices, 0)

    def best(self) -> Shares | None:
        """Of all allocations."""
        names = list(self._choices)
        grids = np.meshgrid(*(np.arange(len(each)) for each in self._choices.values()), indexing="ij")
        places = {name: grid.reshape(-1) for name, grid in zip(names, grids, strict=True)}
        gone = {name: np.array(self._choices[name])[at] for name, at in places.items()}
        macs: NDArray[np.float64] = np.full(len(grids[0].reshape(-1)), float(self._table.macs))
        for product in self._table.products:
            left = np.ones(len(macs))
            for axis in product.axes:
                left *= 1 - sum((part * gone[name] for name, part in axis.items() if name in gone), np.zeros(len(macs)))
            macs -= product.macs * (1 - left)
        moved = np.zeros(len(macs))
        for name, at in places.items():
            moved += np.array([self._moves.of({name: share}) for share in self._choices[name]])[at]
        moved[macs > self._most] = np.inf
        best = int(np.argmin(moved))
        if not np.isfinite(moved[best]):
            return None
        return {name: float(each[best]) for name, each in gone.items() if each[best]}

    def near(self) -> Shares | None:
        """By greedy steps and exchanges."""
        if not self._saved_enough():
            return None
        while self._exchanged() or self._given_back():
            pass
        return {name: share for name, share in self._shares(self._at).items() if share}

    def _saved_enough(self) -> bool:
        now = self._macs(self._at)
        while now > self._most:
            deeper = [each for each in map(self._deeper, self._at) if each is not None]
            if not deeper:
                return False
            self._at = min(deeper, key=lambda each: self._price(each, now))
            now = self._macs(self._at)
        return True

    def _price(self, at: Mapping[str, int], now: float) -> float:
        """Of one step more: how much farther outputs move for a multiplication that is needed."""
        saved = min(now - self._macs(at), max(now - self._most, 1.0))
        return (self._moved(at) - self._moved(self._at)) / saved if saved > 0 else math.inf

    def _deeper(self, group: str, by: int = 1) -> dict[str, int] | None:
        place = self._at[group] + by
        return {**self._at, group: place} if 0 <= place < len(self._choices[group]) else None

    def _exchanged(self) -> bool:
        """One group deeper, another less deep: whether that helped."""
        moved = self._moved(self._at)
        for one, other in permutations(self._at, 2):
            for down in range(1, len(self._choices[one]) - self._at[one]):
                for up in range(1, self._at[other] + 1):
                    tried = {**self._at, one: self._at[one] + down, other: self._at[other] - up}
                    if self._moved(tried) < moved * (1 - _SLACK) and self._macs(tried) <= self._most:
                        self._at = tried
                        return True
        return False

    def _given_back(self) -> bool:
        """One group less deep: whether there was room for it."""
        for group in self._at:
            tried = self._deeper(group, -1)
            if tried is not None and self._moved(tried) < self._moved(self._at) and self._macs(tried) <= self._most:
                self._at = tried
                return True
        return False

    def _shares(self, at: Mapping[str, int]) -> Shares:
        return {group: self._choices[group][place] for group, place in at.items()}

    def _moved(self, at: Mapping[str, int]) -> float:
        return self._moves.of(self._shares(at))

    def _macs(self, at: Mapping[str, int]) -> float:
        return self._table.macs_of(self._shares(at))
