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
_HALVINGS = 5
"""Of the levels, in whose order they are tried: half of what can go, a quarter, three quarters, ..."""


class ShareHopes:
    """What is known of any shares without a build."""

    def __init__(self, table: ChannelTable, moves: GroupMoves) -> None:
        """`table`: whose multiplications are what costs follow from; of a file that is to be small its weights."""
        self.table, self.moves = table, moves
        self._front = self._spreads()

    def _spreads(self) -> list[tuple[float, float, Shares]]:
        """(multiplications, moved, shares), the most multiplications first."""
        most = {each.name: each.shares[-1] for each in self.table.groups}
        least, found = self.table.macs_of(most), []
        for level in range(1, _LEVELS + 1):
            shares = spread(self.table, self.moves, self.table.macs - (self.table.macs - least) * level / _LEVELS)
            if shares:
                found.append((self.table.macs_of(shares), self.moves.of(shares), shares))
        return found

    def seeds(self) -> list[Shares]:
        """One share for all, at as many multiplications the spread that moves outputs least, then such spreads by bisection:
        most of them are hopeless once a few are known.
        """
        first = self._first()
        found = [first, spread(self.table, self.moves, self.table.macs_of(first))] if first else []
        for halving in range(1, _HALVINGS + 1):
            parts = [part / 2**halving for part in range(1, 2**halving, 2)]
            found += [self._front[min(int(part * len(self._front)), len(self._front) - 1)][2] for part in parts if self._front]
        kept: list[Shares] = []
        for each in found:
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
