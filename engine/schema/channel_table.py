"""Groups of channels that a search chooses shares for, and what multiplications follow from them.

Apart from `search.py`, whose documents name groups alone: this is what a process that reads the model tells one that does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from msgspec import Struct, structs

Shares = dict[str, float]
"""The share of its channels that goes, 0..1, by the name of the group; one that is not named keeps all."""


class ChannelGroup(Struct, frozen=True, kw_only=True):
    """Channels of which a step takes one share."""

    name: str
    """The first layer that makes some of them."""
    layers: tuple[str, ...]
    """All that do."""
    channels: int
    shares: tuple[float, ...]
    """Those that may go, in whole blocks, from 0 to a half."""


class ChannelProduct(Struct, frozen=True, kw_only=True):
    """A node that multiplies."""

    macs: int
    """With all channels."""
    weights: int = 0
    """The same."""
    axes: tuple[Shares, ...]
    """Of each axis that its multiplications grow with: the part of it that is a group's."""

    def gone(self, shares: Mapping[str, float]) -> float:
        """The part of its multiplications that goes, 0..1."""
        left = 1.0
        for axis in self.axes:
            left *= 1.0 - sum(part * shares.get(group, 0.0) for group, part in axis.items())
        return 1.0 - left


class EvenShares(Struct, frozen=True, kw_only=True):
    """What one share for all takes of each group, in whole blocks."""

    amount: float
    shares: Shares


class ChannelTable(Struct, frozen=True, kw_only=True):
    """The groups of a model."""

    groups: tuple[ChannelGroup, ...]
    products: tuple[ChannelProduct, ...]
    macs: int
    """Of the whole model, those included that no share changes."""
    even: tuple[EvenShares, ...] = ()

    def macs_of(self, shares: Mapping[str, float]) -> float:
        """Multiplications that are left."""
        return self.macs - sum(each.macs * each.gone(shares) for each in self.products)

    def of_weights(self, parameters: int) -> ChannelTable:
        """The same with weights in place of multiplications, for who wants the file small."""
        products = tuple(structs.replace(each, macs=each.weights) for each in self.products)
        return structs.replace(self, products=products, macs=parameters)

    def weights_gone(self, shares: Mapping[str, float]) -> float:
        """Weights fewer than with all channels."""
        return sum(each.weights * each.gone(shares) for each in self.products)


Curve = tuple[tuple[float, float], ...]
"""Shares in rising order from (0, 0), and how far the outputs move without them."""


class GroupMoves(Struct, frozen=True):
    """How far each group alone moves the outputs; of groups together it adds up."""

    curves: dict[str, Curve]

    def of(self, shares: Mapping[str, float]) -> float:
        """The sum; straight between shares that were tried, and beyond the last by its slope."""
        return sum(_at(self.curves[group], share) for group, share in shares.items() if share and group in self.curves)


def rising(rows: Mapping[float, float]) -> Curve:
    """A curve of what was tried: more that goes never moves less, whatever a few samples say."""
    found, most = [(0.0, 0.0)], 0.0
    for share, moved in sorted(rows.items()):
        most = max(most, moved)
        found.append((share, most))
    return tuple(found)


def _at(curve: Curve, share: float) -> float:
    for (left, low), (right, high) in pairwise(curve):
        if share <= right:
            return low + (high - low) * (share - left) / (right - left)
    (left, low), (right, high) = curve[-2:]
    return high + (high - low) * (share - right) / (right - left)
