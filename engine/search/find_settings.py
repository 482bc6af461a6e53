"""The search for settings that serve a goal: amounts, calibrators, threads and whatever else can only be tried.

A tree-structured Parzen estimator proposes (Bergstra et al. 2011; Optuna's, multivariate, with constraints); what ships and
what the search for formats found is tried first. Each proposal goes as far as it is worth: what is foretold without a build,
then half A of the labelled samples, then a quick measurement. Nothing that failed is given a made-up cost: a limit that is not
kept is a constraint. The best few are measured again, and half B has the last word, as in `find_mix.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..advice.goals import DROP, Goal
from ..advice.metrics import AIMS
from ..errors import UsageError
from .asked import Bounds, CannotBeBuilt, Checked
from .mixes import CostTable
from .settings_asked import Knob, Outcome, SettingAnswers, Settings, SettingsAnswer, SettingsWhy, TriedSettings
from .wanted import Wanted

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

FINALISTS = 3
_ON_B = 2
"""Settings that half B may be asked of: two intervals, each wrong on its lower side in 2.5 % of cases."""
_CHECKS_A_BUILD = 2
_ASKED_A_BUILD = 12
"""Proposals for each build, most of which are known already or are not worth one."""
_BESIDE_SEEDS = 4
"""Drawn at random before proposals follow from what was seen."""
_NO_TABLE = CostTable(units=())
HOPELESS = "hopeless"
Hopeless = Callable[[Settings, Sequence[TriedSettings]], float]


def find_settings(
    knobs: Sequence[Knob],
    goal: Goal,
    asked: SettingAnswers,
    seeds: Sequence[Settings] = (),
    builds: int = 15,
    seed: int = 0,
    hopeless: Hopeless | None = None,
) -> SettingsAnswer:
    """The settings that serve the goal best within its limits.

    seeds: tried first, in this order. builds: measurements at most. The same answers bring the same questions.
    hopeless: by how much settings are worse than what was tried already says is of use, before anything is built; 0 or less:
    they are not.

    Raises:
        UsageError: Optuna is not installed.
        ValueError: there is nothing to set, or a seed has a value that is no choice.
    """
    if not knobs:
        raise ValueError("there is nothing to set")
    return _SettingsSearch(knobs, goal, asked, seeds, builds, seed, hopeless).answer()


def wanted_of(goal: Goal) -> Wanted:
    """A goal where nothing is foretold by a table of costs."""
    qualities = tuple(limit for limit in goal.limits if limit.metric.quality)
    others = tuple(limit for limit in goal.limits if not limit.metric.quality)
    return Wanted(quantity=AIMS[goal.aim].limited_as, drop=goal.drop, qualities=qualities, measured=others)


class _Final(NamedTuple):
    """Settings that may be the answer."""

    tried: TriedSettings
    cost: Bounds
    figures: dict[str, float]


class _SettingsSearch:
    def __init__(
        self,
        knobs: Sequence[Knob],
        goal: Goal,
        asked: SettingAnswers,
        seeds: Sequence[Settings],
        builds: int,
        seed: int,
        hopeless: Hopeless | None,
    ) -> None:
        self.wanted = wanted_of(goal)
        self.knobs, self.asked, self.builds = knobs, asked, builds
        self.study = _study(seed, len(seeds))
        for each in seeds:
            self.study.enqueue_trial({knob.name: _place(knob, each[knob.name]) for knob in knobs})
        self.seeds, self.hopeless = len(seeds), hopeless
        self.tried: dict[tuple[object, ...], TriedSettings] = {}
        self.checked = self.built = 0

    def answer(self) -> SettingsAnswer:
        """Propose and try until the builds are used, then the last word."""
        for _ in range(_ASKED_A_BUILD * self.builds):
            if self.built + FINALISTS + 1 >= self.builds:
                break
            if self.checked >= _CHECKS_A_BUILD * self.builds:
                break
            trial = self.study.ask()
            settings = self._suggested(trial)
            key = tuple(settings.values())
            if key not in self.tried:
                self.tried[key] = self._try(settings)
            self._tell(trial, self.tried[key])
        return self._claimed()

    def _suggested(self, trial: Trial) -> Settings:
        found: Settings = {}
        for knob in self.knobs:
            last = len(knob.choices) - 1
            place = (
                trial.suggest_int(knob.name, 0, last)
                if knob.ordered
                else trial.suggest_categorical(knob.name, list(range(len(knob.choices))))
            )
            found[knob.name] = knob.choices[place]
        return found

    def _try(self, settings: Settings) -> TriedSettings:
        """As far as it is worth."""
        foretold = self.asked.foretold(settings)
        if isinstance(foretold, str):
            return TriedSettings(settings=settings, outcome="cannot be built", excess={"built": 1.0}, why=foretold)
        excess = self._beyond(foretold)
        if any(each > 0 for each in excess.values()):
            return TriedSettings(settings=settings, outcome="too far", excess=excess)
        if self.hopeless is not None and (by := self.hopeless(settings, tuple(self.tried.values()))) > 0:
            return TriedSettings(settings=settings, outcome="hopeless", excess={HOPELESS: by})
        self.checked += 1
        try:
            judged = self.asked.check_settings(settings, "A")
        except CannotBeBuilt as error:
            return TriedSettings(settings=settings, outcome="cannot be built", excess={"built": 1.0}, why=str(error))
        excess[DROP] = -self.wanted.slack(judged)
        if excess[DROP] > 0:
            return TriedSettings(settings=settings, outcome="not good enough", excess=excess)
        self.built += 1
        try:
            figures = self.asked.measure_settings(settings, sure=False)
        except CannotBeBuilt as error:
            return TriedSettings(settings=settings, outcome="cannot be built", excess={"built": 1.0}, why=str(error))
        outcome: Outcome = "measured"
        cost = figures.ratios.get(self.wanted.quantity)
        excess |= self._beyond(figures.figures)
        return TriedSettings(settings=settings, outcome=outcome, excess=excess, cost=cost)

    def _beyond(self, figures: dict[str, float]) -> dict[str, float]:
        """By how much limits are not kept, as shares; of those whose figures are known."""
        known = ((limit, figures.get(limit.key)) for limit in self.wanted.measured)
        return {limit.key: limit.excess(value * limit.metric.scale) for limit, value in known if value is not None}

    def _tell(self, trial: Trial, tried: TriedSettings) -> None:
        from optuna.trial import TrialState

        for name, excess in tried.excess.items():
            trial.set_constraint(name, excess)
        if tried.cost is None:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, math.log(tried.cost.value))

    # the last word

    def _claimed(self) -> SettingsAnswer:
        good = sorted((each for each in self.tried.values() if each.keeps), key=lambda each: _value(each.cost))
        if not good:
            return self._told(None, "none", nearest=self._nearest())
        finals = sorted(filter(None, map(self._sure, good[:FINALISTS])), key=lambda each: each.cost.value)
        candidate = finals[0] if finals and finals[0].cost.high < 1 else None
        if candidate is None:
            return self._told(None, "not shown")
        for again in range(_ON_B):
            self.checked += 1
            judged = self.asked.check_settings(candidate.tried.settings, "B")
            short = -self.wanted.slack(judged)
            if short <= 0:
                return self._told(candidate.tried.settings, "found", candidate.cost, candidate.figures, judged)
            safer = [each for each in good if each.excess[DROP] <= candidate.tried.excess[DROP] - short]
            candidate = self._sure(safer[0]) if safer and again + 1 < _ON_B else None
            if candidate is None or candidate.cost.high >= 1:
                break
        return self._told(None, "refuted")

    def _sure(self, tried: TriedSettings) -> _Final | None:
        """Measured as it is to be claimed; None: a limit is not kept, or it cannot be built any more."""
        self.built += 1
        try:
            found = self.asked.measure_settings(tried.settings, sure=True)
        except CannotBeBuilt:
            return None
        cost = found.ratios.get(self.wanted.quantity)
        kept = not any(excess > 0 for excess in self._beyond(found.figures).values())
        return _Final(tried, cost, found.figures) if cost is not None and kept else None

    def _nearest(self) -> TriedSettings | None:
        known = [each for each in self.tried.values() if each.excess and each.outcome not in ("cannot be built", HOPELESS)]
        return min(known, key=lambda each: (max(each.excess.values()), _value(each.cost)), default=None)

    def _told(
        self,
        settings: Settings | None,
        why: SettingsWhy,
        cost: Bounds | None = None,
        figures: dict[str, float] | None = None,
        held_out: Checked | None = None,
        nearest: TriedSettings | None = None,
    ) -> SettingsAnswer:
        return SettingsAnswer(
            settings=settings,
            why=why,
            cost=cost,
            figures=figures or {},
            held_out=held_out,
            nearest=nearest,
            tried=tuple(self.tried.values()),
            checks=self.checked,
            builds=self.built,
        )


def _study(seed: int, seeds: int) -> Study:
    try:
        import optuna
    except ImportError:
        raise UsageError(
            "settings are searched for with Optuna, which is not installed", fix="pip install 'edgetui[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=seeds + _BESIDE_SEEDS)
    return optuna.create_study(sampler=sampler)


def _place(knob: Knob, value: object) -> int:
    if value not in knob.choices:
        raise ValueError(f"{value!r} is no choice of {knob.name}")
    return knob.choices.index(value)


def _value(cost: Bounds | None) -> float:
    return math.inf if cost is None else cost.value
