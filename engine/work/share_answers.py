"""Answers for the search for shares of channels: recipes from shares, and what they are worth and cost.

Apart from `setting_answers.py`: here the model says what can be set, one share for each group of channels.
"""

from __future__ import annotations

import glob

from msgspec import structs

from ..advice.metrics import LIMITED
from ..runs.carrying import Carrier
from ..runs.search_folder import SearchDir
from ..schema.channel_table import ChannelTable, Shares
from ..schema.model_facts import ModelFacts
from ..schema.pruning_steps import PruneChannels
from ..schema.search import SearchRequest
from ..schema.step import Step
from ..schema.steps import Recipe
from ..search.asked import Checked, CostFigures, Half
from ..search.settings_asked import Knob, Settings
from ..search.share_hopes import shares_of
from .run_answers import Candidate, RunAnswers, checked_figures, cost_figures

_BYTES = 4
"""Of a weight."""


def share_knobs(table: ChannelTable) -> tuple[Knob, ...]:
    """One for each group: shares in whole blocks, and what one share for all takes of it."""
    found = []
    for group in table.groups:
        evens = {each.shares.get(group.name, 0.0) for each in table.even}
        found.append(Knob(name=group.name, choices=tuple(sorted({*group.shares, *evens}))))
    return tuple(found)


def settings_of(shares: Shares, table: ChannelTable) -> Settings:
    """A value for each group."""
    return {group.name: shares.get(group.name, 0.0) for group in table.groups}


def share_words(settings: Settings) -> tuple[str, ...]:
    """`GROUP=SHARE` of those that lose some."""
    return tuple(f"{name}={share:g}" for name, share in shares_of(settings).items())


def with_own(step: PruneChannels, shares: Shares) -> PruneChannels:
    """The step with a share for each of these groups, and none for others."""
    return structs.replace(step, amount=0.0, amounts={glob.escape(group): share for group, share in shares.items()})


def with_shares(whole: Recipe, shares: Shares, name: str, title: str) -> Recipe:
    """A recipe whose step `prune.channels` takes these."""
    steps: list[Step] = [with_own(step, shares) if isinstance(step, PruneChannels) else step for step in whole.step]
    return structs.replace(whole, name=name, title=title, step=tuple(steps))


class ShareAnswers(RunAnswers):
    """All that a search for shares asks of models; see `search.settings_asked`."""

    failure_answers = True

    def __init__(
        self, folder: SearchDir, asked: SearchRequest, carrier: Carrier, facts: ModelFacts, table: ChannelTable
    ) -> None:
        super().__init__(folder, asked, carrier)
        self._facts, self._table = facts, table

    def recipe(self, settings: Settings, number: int) -> Recipe:
        """What takes these shares."""
        shares = shares_of(settings)
        left = 100 * self._table.macs_of(shares) / self._table.macs
        title = f"Channels of {len(shares)} of {len(self._table.groups)} groups, {left:.0f} % of multiplications left"
        return with_shares(self.asked.spec.recipe, shares, f"shares-{number}-{left:.0f}", title)

    def size_bytes(self, shares: Shares) -> float:
        """Of the model's file; an estimate."""
        return self._facts.size_bytes - _BYTES * self._table.weights_gone(shares)

    def foretold(self, settings: Settings) -> dict[str, float] | str:
        """See `search.settings_asked.SettingAnswers`."""
        shares = shares_of(settings)
        if not shares:
            return "no channel goes"
        alone = len(self.asked.spec.recipe.active) == 1  # others change what the file takes
        return {"size_mb": self.size_bytes(shares) / LIMITED["size_mb"].scale} if alone else {}

    def check_settings(self, settings: Settings, half: Half) -> Checked:
        """See `search.settings_asked.SettingAnswers`."""
        return checked_figures(self.checked_as(self.candidate(settings), half))

    def measure_settings(self, settings: Settings, *, sure: bool) -> CostFigures:
        """See `search.settings_asked.SettingAnswers`."""
        return cost_figures(self.measured_as(self.candidate(settings), self.asked.spec.preset if sure else "quick"))

    def candidate(self, settings: Settings) -> Candidate:
        """As runs are asked for it."""
        return Candidate(share_words(settings), self.recipe(settings, self.next))
