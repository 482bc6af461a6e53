"""Answers for the search from ordinary runs: one that holds a mix against labels on half of the samples, one that measures it.

What was answered is kept in the search's folder and not asked again; the n-th run of a search is its n-th question.
"""

from __future__ import annotations

import time

from msgspec import structs

from ..advice.columns import Column
from ..advice.metrics import AIMS, LABELLED, LIMITED, METRICS
from ..errors import RunFailed
from ..runs.carrying import Carrier
from ..runs.search_folder import SearchDir
from ..schema.figures import Ratio
from ..schema.result import Result
from ..schema.search import MixChecked, MixMeasured, SearchLine, SearchRequest, UnitInfo
from ..schema.spec import Preset, RunSpec
from ..search.asked import Bounds, Checked, CostFigures, Half
from ..search.mixes import Format, Mix
from .mix_recipes import recipe_of


class OutOfBudget(Exception):
    """The time is over, or the search was asked to end."""


class MixAnswers:
    """All that a search asks of models; see `search.asked`."""

    def __init__(self, folder: SearchDir, asked: SearchRequest, carrier: Carrier) -> None:
        self.folder, self.asked, self._carrier = folder, asked, carrier
        lines = folder.found()
        self.checked = [line.checked for line in lines if line.checked is not None]
        self.measured = [line.measured for line in lines if line.measured is not None]
        self.units: tuple[UnitInfo, ...] = ()
        self._begun = time.monotonic()
        self._asked_before: dict[Mix, int] = {}
        self._number = 0

    # search.asked

    def effect(self, unit: str, form: Format) -> float:
        """See `search.asked.UnitEffects`."""
        return next(each.effects[form] for each in self.units if each.unit == unit)

    def check(self, mix: Mix, half: Half) -> Checked:
        """See `search.asked.AccuracyChecks`."""
        if set(mix) == {"fp32"}:
            beside = next((each for each in self.checked if each.half == half), None) or self._checked_mix(self.integers, half)
            return Checked(difference=Bounds(0, 0, 0), qualities={key: _bounds(each) for key, each in beside.baseline.items()})
        known = self._checked_mix(mix, half)
        return Checked(
            difference=_bounds(known.difference), qualities={key: _bounds(each) for key, each in known.qualities.items()}
        )

    def measure(self, mix: Mix) -> CostFigures:
        """See `search.asked.CostMeasurements`. The first time a mix is measured quickly, later as well as the
        preset that was asked for says.
        """
        found = self.measured_mix(mix)
        return CostFigures(
            ratios={key: _bounds(each) for key, each in found.ratios.items() if each.value is not None}, figures=found.figures
        )

    # for whoever begins the search

    @property
    def integers(self) -> Mix:
        """The mix with as many units in integers as can be."""
        return tuple("int8" if "int8" in unit.effects else "fp32" for unit in self.units)

    def _checked_mix(self, mix: Mix, half: Half) -> MixChecked:
        known = next((each for each in self.checked if each.mix == mix and each.half == half), None)
        if known is None:
            result = self._run(mix, structs.replace(self.asked.spec, measure=False, half=half))
            known = _checked(result, mix, half)
            self._keep(SearchLine(checked=known))
            self.checked.append(known)
        return known

    def measured_mix(self, mix: Mix) -> MixMeasured:
        """The same as it is kept."""
        if set(mix) == {"fp32"} and self.measured:
            same = {metric.limited_as: Ratio(value=1.0, low=1.0, high=1.0) for metric in AIMS.values()}
            return MixMeasured(mix=mix, ratios=same, figures=self.measured[-1].baseline)
        before = self._asked_before.get(mix, 0)
        self._asked_before[mix] = before + 1
        known = [each for each in self.measured if each.mix == mix]
        if before < len(known):
            return known[before]
        preset: Preset = self.asked.spec.preset if before else "quick"
        found = _measured(self._run(mix, structs.replace(self.asked.spec, preset=preset)), mix, preset)
        self._keep(SearchLine(measured=found))
        self.measured.append(found)
        return found

    def say(self, text: str) -> None:
        """A line for whoever follows."""
        self._keep(SearchLine(note=text))

    def begin(self) -> None:
        """From here on questions are the search's: the first of each is answered by what is known."""
        self._asked_before.clear()

    def out_of_time(self) -> bool:
        """Whether nothing new may be begun."""
        limit = self.asked.seconds
        return limit is not None and time.monotonic() - self._begun > limit

    def _keep(self, line: SearchLine) -> None:
        self.folder.add(line)

    def _run(self, mix: Mix, spec: RunSpec) -> Result:
        """The result of the next run.

        Raises:
            OutOfBudget: there is no time left, or the search is to end.
            RunFailed: it failed.
        """
        number = len(self.checked) + len(self.measured)
        if self._carrier.to_end() or self.out_of_time():
            raise OutOfBudget
        recipe = recipe_of(mix, self.units, self.asked.spec.recipe, number) if self.units else self.asked.spec.recipe
        members = self._carrier.carry(number, [structs.replace(spec, recipe=recipe)])
        if self._carrier.to_end():
            raise OutOfBudget
        result = members[0].result() if members else None
        if result is None or result.state != "done":
            run = members[0].name if members else ""
            why = result.error.what if result is not None and result.error is not None else "it did not end"
            raise RunFailed(f"a run of the search failed: {why}", fix=f"see `edgetui show {run}`, then search again")
        return result


def figures_of(column: Column) -> dict[str, float]:
    """What a goal may limit, in its units."""
    told = ((key, metric, metric.value(column)) for key, metric in LIMITED.items())
    return {key: value / metric.scale for key, metric, value in told if value is not None}


def columns_of_run(result: Result) -> tuple[Column, Column]:
    """Baseline and candidate."""
    return Column("", result.baseline, result, False), Column("", result.candidate, result, True)


def _measured(result: Result, mix: Mix, preset: str) -> MixMeasured:
    ratios = {}
    for metric in AIMS.values():
        figure = metric.change.figure(result.difference) if metric.change is not None else Ratio()
        if figure.value is not None:
            single = figure.low is None or figure.high is None
            ratios[metric.limited_as] = Ratio(value=figure.value, low=figure.value, high=figure.value) if single else figure
    baseline, candidate = (figures_of(column) for column in columns_of_run(result))
    return MixMeasured(mix=mix, ratios=ratios, figures=candidate, baseline=baseline, run=result.run, preset=preset)


def _checked(result: Result, mix: Mix, half: str) -> MixChecked:
    """What labels say; without labels, how often both sides say the same.

    Raises:
        RunFailed: nothing tells how good outputs are.
    """
    baseline, qualities = (_qualities(column) for column in columns_of_run(result))
    for metric, _ in LABELLED:
        figure = metric.change.figure(result.difference) if metric.change is not None else Ratio()
        if figure.value is not None and figure.low is not None:
            if metric.better == "less":
                figure = Ratio(value=-figure.value, low=-(figure.high or 0.0), high=-figure.low)
            return MixChecked(mix=mix, half=half, difference=figure, qualities=qualities, baseline=baseline, run=result.run)
    for metric in METRICS:
        if metric.nearness is not None and (near := qualities.get(metric.limited_as)) is not None:
            less = _moved(near, -1.0)
            return MixChecked(mix=mix, half=half, difference=less, qualities=qualities, baseline=baseline, run=result.run)
    raise RunFailed(
        "nothing tells how good the outputs of a mix are: there are no labels, and outputs are no classes",
        fix="give a labelled `--dataset`",
    )


def _qualities(column: Column) -> dict[str, Ratio]:
    found = {}
    for metric in METRICS:
        if metric.quality and metric.limited_as and metric.path:
            interval, value = column.interval(metric.path), metric.value(column)
            if interval is not None and value is not None:
                found[metric.limited_as] = Ratio(value=value, low=interval[0], high=interval[1])
    return found


def _moved(ratio: Ratio, by: float) -> Ratio:
    value, low, high = ((each or 0.0) + by for each in (ratio.value, ratio.low, ratio.high))
    return Ratio(value=value, low=low, high=high)


def _bounds(ratio: Ratio) -> Bounds:
    value = ratio.value or 0.0
    return Bounds(value, value if ratio.low is None else ratio.low, value if ratio.high is None else ratio.high)
