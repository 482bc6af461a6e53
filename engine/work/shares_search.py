"""A search over shares of channels, from what each group alone does to its document, and one share for all beside the answer.

Apart from `settings_search.py`: the model says what can be set, and what it moves is known before anything is built.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from msgspec import structs

from ..advice.goals import parse_goal
from ..advice.metrics import AIMS
from ..library.recipes import recipe_toml
from ..runs.carrying import Carrier
from ..runs.kept_rows import keyed
from ..runs.queries import InspectQuestion, SensitivityQuestion, ask, end_server
from ..runs.search_folder import SearchDir, points_of, runs_of, units_told
from ..schema.channel_table import Shares
from ..schema.figures import Ratio
from ..schema.model_facts import ModelFacts
from ..schema.ready import ready
from ..schema.search import CandidateMeasured, EvenBeside, SearchChoice, SearchDocument, SearchLine, SearchRequest
from ..schema.sensitivity import GROUPS, Sensitivity
from ..schema.steps import PruneChannels, Recipe
from ..search.asked import CannotBeBuilt
from ..search.find_settings import find_settings, wanted_of
from ..search.settings_asked import Settings, SettingsAnswer
from ..search.share_hopes import ShareHopes, shares_of
from .paired_checks import paired
from .run_answers import OutOfBudget, checked_figures
from .share_answers import ShareAnswers, settings_of, share_knobs, share_words

_SMALL = ("smallest", "least-memory")
"""Aims whose costs follow from weights, not from multiplications."""


def search_shares(folder: SearchDir, asked: SearchRequest, carrier: Carrier) -> None:
    """Find shares and write the answer into the folder; what was asked to end has none.

    Raises:
        UsageError: Optuna is not installed.
        ModelRefused: the model cannot be read, or no channel of it can go.
        DataRefused: there are no samples to rank groups by.
        RunFailed: a run failed.
    """
    told = _told(folder, asked)
    facts = asyncio.run(ask(folder.home, InspectQuestion(model=str(Path(asked.spec.model)), shapes=asked.spec.shapes), None))
    end_server()
    _SharesSearch(folder, asked, carrier, told, msgspec.json.decode(facts, type=ready(ModelFacts))).drive()


def _told(folder: SearchDir, asked: SearchRequest) -> Sensitivity:
    """What each group alone does, kept from before or asked now."""
    kept = next((line.sensitivity for line in folder.found() if line.sensitivity is not None), None)
    if kept is not None:
        return kept
    folder.add(SearchLine(note="what each group of channels alone does to the outputs"))
    (step,) = (step for step in asked.spec.recipe.active if isinstance(step, PruneChannels))
    spec = structs.replace(asked.spec, recipe=Recipe(name=step.method, title="", step=(step,)))
    answer = asyncio.run(ask(folder.home, keyed(SensitivityQuestion(spec=spec, over=GROUPS)), None))
    found = msgspec.json.decode(answer, type=ready(Sensitivity))
    folder.add(SearchLine(sensitivity=found))
    return found


class _SharesSearch:
    def __init__(self, folder: SearchDir, asked: SearchRequest, carrier: Carrier, told: Sensitivity, facts: ModelFacts) -> None:
        assert told.channels is not None
        self.folder, self.asked, self.told, self.table = folder, asked, told, told.channels
        self.goal = parse_goal(asked.goal)
        self.quantity = AIMS[self.goal.aim].limited_as
        priced = self.table.of_weights(facts.parameters) if self.goal.aim in _SMALL else self.table
        self.hopes = ShareHopes(priced, told.group_moves())
        self.answers = ShareAnswers(folder, asked, carrier, facts, self.table)

    def drive(self) -> None:
        """To its answer."""
        try:
            seeds = [settings_of(each, self.table) for each in self.hopes.seeds(self._passes)]
            found = find_settings(
                share_knobs(self.table),
                self.goal,
                self.answers,
                seeds,
                self.asked.builds - 1,
                self.asked.spec.seed,
                self.hopes.hopeless(),
            )
            even = None if found.settings is None else self._even(found.settings)
        except OutOfBudget:
            if self.answers.out_of_time():
                self.folder.add(SearchLine(answer=self.folder.out_of_time()))
            return
        self.folder.add(SearchLine(answer=self._document(found, even)))

    def _passes(self, shares: Shares) -> bool:
        """Whether half A bears them out."""
        try:
            judged = self.answers.check_settings(settings_of(shares, self.table), "A")
        except CannotBeBuilt:
            return False
        return wanted_of(self.goal).slack(judged) >= 0

    def _even(self, settings: Settings) -> EvenBeside | None:
        """One share for all, on both halves and as well measured as what was found; the answer where it is better."""
        found = self.hopes.even_beside(shares_of(settings))
        if found is None:
            return None
        amount, shares = found
        other = settings_of(shares, self.table)
        on = {half: self._checks(settings, other, half) for half in ("A", "B")}
        built = self.answers.measured_as(self.answers.candidate(other), self.asked.spec.preset)
        cost = built.ratios.get(self.quantity)
        worse = (on["A"].value or 0.0) < 0 or (on["B"].high is not None and on["B"].high < 0)
        return EvenBeside(
            amount=amount,
            macs=self.table.macs_of(shares) / self.table.macs,
            macs_found=self.table.macs_of(shares_of(settings)) / self.table.macs,
            difference=on["B"],
            measured=cost,
            run=built.run or None,
            taken=worse and self._serves(other, cost),
        )

    def _checks(self, settings: Settings, other: Settings, half: str) -> Ratio:
        known = []
        for each in (settings, other):
            self.answers.check_settings(each, "A" if half == "A" else "B")
            words = share_words(each)
            known.append(next(one for one in self.answers.checked if one.of == words and one.half == half))
        return paired(self.folder.home, known[0], known[1], self.asked.spec.seed)

    def _serves(self, settings: Settings, cost: Ratio | None) -> bool:
        """Whether one share for all keeps the goal by half B, and costs less than FP32."""
        words = share_words(settings)
        judged = checked_figures(next(each for each in self.answers.checked if each.of == words and each.half == "B"))
        return wanted_of(self.goal).slack(judged) >= 0 and cost is not None and (cost.high or 1.0) < 1

    # the answer

    def _document(self, found: SettingsAnswer, even: EvenBeside | None) -> SearchDocument:
        lines = self.folder.found()
        settings = found.settings
        if even is not None and even.taken:
            settings = settings_of(next(each.shares for each in self.table.even if each.amount == even.amount), self.table)
        choice = held_out = measured = None
        if settings is not None:
            words = share_words(settings)
            measured = next((each for each in reversed(self.answers.measured) if each.of == words), None)
            held_out = next((each for each in self.answers.checked if each.of == words and each.half == "B"), None)
            run = None if measured is None else measured.run
            choice = SearchChoice(recipe=recipe_toml(self.answers.recipe(settings, 0)), run=run)
        return SearchDocument(
            search=self.folder.id,
            state="done",
            goal=self.asked.goal,
            over="channels",
            choice=choice,
            built=tuple(points_of(lines, self.quantity).values()),
            sensitivity=units_told(lines),
            checks=len(self.answers.checked),
            builds=len(self.answers.measured),
            held_out=held_out,
            even=even,
            sweep=self.answers.sweep_of(choice),
            why=self._sentence(found, settings, measured),
            runs=runs_of(lines),
            warnings=self.told.warnings,
        )

    def _sentence(self, found: SettingsAnswer, settings: Settings | None, measured: CandidateMeasured | None) -> str:
        if settings is not None and measured is not None and (cost := measured.ratios.get(self.quantity)) is not None:
            return (
                f"{self._said(settings)}: {cost.value:.3g} of FP32's {self.quantity} (95 %: {cost.low:.3g} to {cost.high:.3g})"
            )
        if found.why == "none":
            near = found.nearest
            short = "" if near is None else ", ".join(key for key, excess in near.excess.items() if excess > 0)
            return "none reaches it" + ("" if near is None else f"; nearest is {self._said(near.settings)}, short of {short}")
        said = {
            "refuted": "what one half of the data bore out the other half did not",
            "not shown": f"no shares of channels are shown to have less {self.quantity}",
        }
        return f"FP32: {said.get(found.why, '')}"

    def _said(self, settings: Settings) -> str:
        shares = shares_of(settings)
        left = 100 * self.table.macs_of(shares) / self.table.macs
        return f"channels of {len(shares)} of {len(self.table.groups)} groups go, {left:.0f} % of multiplications left"
