"""Which shares of groups are worth a build: by multiplications and by how far outputs move, before anything is built.

Apart from `find_settings.py`, which knows of neither: numbers in, numbers out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..schema.channel_table import ChannelTable, GroupMoves, Shares
from .settings_asked import Settings, TriedSettings
from .spread_shares import spread

_FIRST = 0.25
"""One share for all that is tried first, whatever single groups say: it ships."""
_CLOSE = 1.05
"""Times the multiplications of the best so far: with more nothing becomes cheaper, for they are not all of the time."""
_FARTHER = 1.25
"""Times how far outputs move of what half A did not bear out: what moves them this far is not asked of it."""
_BEATEN = 1.5
"""Times how far they move at the best spread of as many multiplications."""
_LEVELS = 24
"""Multiplications for which the best spread is known."""


class ShareHopes:
    """What is known of any shares without a build."""

    def __init__(self, table: ChannelTable, moves: GroupMoves) -> None:
        """`table`: whose multiplications are what costs follow from; of a file that is to be small its weights."""
        self.table, self.moves = table, moves
        self._front = self._spreads()

    def _spreads(self) -> list[tuple[float, float, Shares]]:
        """(multiplications, moved, shares), the most multiplications first."""
        most = {each.name: each.shares[-1] for each in self.table.groups}
        least = self.table.macs_of(most)
        found: list[tuple[float, float, Shares]] = []
        for level in range(1, _LEVELS + 1):
            shares = spread(self.table, self.moves, self.table.macs - (self.table.macs - least) * level / _LEVELS)
            if shares and (not found or shares != found[-1][2]):
                found.append((self.table.macs_of(shares), self.moves.of(shares), shares))
        return found

    def seeds(self, passes: Callable[[Shares], bool]) -> list[Shares]:
        """What is tried first: the spread with fewest multiplications that half A bears out, found by bisection; one share for
        all, and at as many multiplications the spread that moves outputs least; the spreads beside the first.

        passes: whether half A bears shares out; asked a handful of times.
        """
        asked: list[Shares] = []
        low, high = -1, len(self._front)
        while high - low > 1:
            middle = (low + high) // 2
            asked.append(self._front[middle][2])
            if passes(asked[-1]):
                low = middle
            else:
                high = middle
        first = self._first()
        beside = spread(self.table, self.moves, self.table.macs_of(first)) if first else None
        best = [self._front[place][2] for place in (low, low - 1) if place >= 0]
        kept: list[Shares] = []
        for each in (*best[:1], first, beside, *best[1:], *asked):
            if each and each not in kept:
                kept.append(each)
        return kept

    def _first(self) -> Shares:
        return next((each.shares for each in self.table.even if each.amount == _FIRST), {})

    def even_beside(self, shares: Shares) -> tuple[float, Shares] | None:
        """One share for all with no fewer multiplications, as near as there is: its amount and what it takes. None: there is
        none, or it is the same.
        """
        macs = self.table.macs_of(shares)
        known = [(self.table.macs_of(each.shares), each.amount, each) for each in self.table.even if each.shares]
        fit = [each for each in known if each[0] >= macs * (1 - 1e-6)]
        nearest = min(fit, key=lambda each: each[:2], default=None)
        if nearest is None or nearest[2].shares == shares:
            return None
        return nearest[2].amount, nearest[2].shares

    def hopeless(self) -> Callable[[Settings, Sequence[TriedSettings]], float]:
        """For `find_settings`."""
        first = self._first()

        def by(settings: Settings, tried: Sequence[TriedSettings]) -> float:
            mine = shares_of(settings)
            moved, macs = self.moves.of(mine), self.table.macs_of(mine)
            over = [0.0]
            good = [each for each in tried if each.keeps and each.cost is not None]
            if good:
                best = min(good, key=lambda each: each.cost.value if each.cost is not None else 0.0)
                over.append(macs / (_CLOSE * self.table.macs_of(shares_of(best.settings))) - 1)
            failed = [self.moves.of(shares_of(each.settings)) for each in tried if each.outcome == "not good enough"]
            if failed:
                over.append(moved / (_FARTHER * max(min(failed), 1e-9)) - 1)
            better = [far for left, far, _ in self._front if left <= macs]
            if better and mine != first:
                over.append(moved / (_BEATEN * max(min(better), 1e-9)) - 1)
            return max(over)

        return by


def shares_of(settings: Settings) -> Shares:
    """Of groups that lose some."""
    return {name: float(value) for name, value in settings.items() if float(value)}
