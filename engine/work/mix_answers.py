"""Answers for the search for formats: how far units move outputs, and what mixes of formats are worth and cost.

Apart from `run_answers.py`, whose runs are of any recipe.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..advice.metrics import AIMS
from ..runs.carrying import Carrier
from ..runs.search_folder import SearchDir
from ..schema.figures import Ratio
from ..schema.search import CandidateMeasured, SearchRequest, UnitInfo
from ..search.asked import Bounds, Checked, CostFigures, Half
from ..search.mixes import Format, Mix
from .mix_recipes import recipe_of
from .run_answers import Candidate, RunAnswers, bounds, checked_figures, cost_figures


class MixAnswers(RunAnswers):
    """All that a search for formats asks of models; see `search.asked`."""

    def __init__(self, folder: SearchDir, asked: SearchRequest, carrier: Carrier) -> None:
        super().__init__(folder, asked, carrier)
        self.units: tuple[UnitInfo, ...] = ()

    def effect(self, unit: str, form: Format) -> float:
        """See `search.asked.UnitEffects`."""
        return next(each.effects[form] for each in self.units if each.unit == unit)

    def check(self, mix: Mix, half: Half) -> Checked:
        """See `search.asked.AccuracyChecks`."""
        if set(mix) == {"fp32"}:
            beside = next((each for each in self.checked if each.half == half), None)
            known = beside or self.checked_as(self._candidate(self.integers), half)
            return Checked(difference=Bounds(0, 0, 0), qualities={key: bounds(each) for key, each in known.baseline.items()})
        return checked_figures(self.checked_as(self._candidate(mix), half))

    def measure(self, mix: Mix, beside: Sequence[Mix] = ()) -> CostFigures:
        """See `search.asked.CostMeasurements`."""
        return cost_figures(self.measured_mix(mix, beside))

    @property
    def integers(self) -> Mix:
        """The mix with as many units in integers as can be."""
        return tuple("int8" if "int8" in unit.effects else "fp32" for unit in self.units)

    def measured_mix(self, mix: Mix, beside: Sequence[Mix] = ()) -> CandidateMeasured:
        """The same as it is kept; FP32 was measured beside all others."""
        if set(mix) == {"fp32"} and self.measured:
            same = {metric.limited_as: Ratio(value=1.0, low=1.0, high=1.0) for metric in AIMS.values()}
            return CandidateMeasured(of=mix, ratios=same, figures=self.measured[-1].baseline)
        return self.measured_as(self._candidate(mix), beside=[self._candidate(each) for each in beside])

    def first_measured(self, mix: Mix) -> CandidateMeasured:
        """The first measurement of a mix, made now where there is none; the search's own question is answered by it too."""
        known = next((each for each in self.measured if each.of == mix), None)
        if known is None:
            known = self.measured_mix(mix)
            self._asked_before.pop(mix, None)
        return known

    def _candidate(self, mix: Mix) -> Candidate:
        return Candidate(mix, recipe_of(mix, self.units, self.asked.spec.recipe, self.next))
