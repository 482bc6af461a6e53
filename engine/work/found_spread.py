"""What a search for shares of channels has found out about the groups of a model, for a search over settings.

Apart from `shares_search.py`, which finds it out.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..runs.search_folder import SearchDir, search_folders
from ..schema.channel_table import ChannelTable, GroupMoves
from ..schema.pruning_steps import PruneChannels
from ..schema.search import SearchRequest
from ..search.spread_shares import spread
from .share_answers import with_own


@dataclass(frozen=True)
class FoundSpread:
    """Groups, and what each does alone."""

    search: str
    """Its id."""
    whole: PruneChannels
    """The step whose settings it took."""
    table: ChannelTable
    moves: GroupMoves

    def step(self, amount: float) -> PruneChannels:
        """At no more multiplications than one share for all of `amount` leaves, shares of which the outputs move least."""
        even = next(each.shares for each in self.table.even if each.amount == amount)
        return with_own(self.whole, spread(self.table, self.moves, self.table.macs_of(even)) or even)


def found_spread(folder: SearchDir, asked: SearchRequest) -> FoundSpread | None:
    """Of the newest search for shares of the same model; None: there was none."""
    for other in search_folders(folder.home):
        before = other.asked()
        if before.over != "channels" or before.model_sha256 != asked.model_sha256:
            continue
        told = next((line.sensitivity for line in other.found() if line.sensitivity is not None), None)
        step = next((each for each in before.spec.recipe.active if isinstance(each, PruneChannels)), None)
        if told is not None and told.channels is not None and step is not None:
            return FoundSpread(other.id, step, told.channels, told.group_moves())
    return None
