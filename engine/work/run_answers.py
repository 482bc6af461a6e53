"""Answers for a search from ordinary runs: one holds a candidate against labels on half of the samples, one measures it.

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
from ..schema.search import CandidateChecked, CandidateMeasured, SearchLine, SearchRequest
from ..schema.spec import Preset
from ..schema.steps import Recipe
from ..search.asked import Bounds, CannotBeBuilt, Checked, CostFigures, Half


class OutOfBudget(Exception):
    """The time is over, or the search was asked to end."""


class RunAnswers:
    """What is known of candidates, and runs that find out more."""

    def __init__(self, folder: SearchDir, asked: SearchRequest, carrier: Carrier) -> None:
        self.folder, self.asked, self._carrier = folder, asked, carrier
        lines = folder.found()
        self.checked = [line.checked for line in lines if line.checked is not None]
        self.measured = [line.measured for line in lines if line.measured is not None]
        self._begun = time.monotonic()
        self._asked_before: dict[tuple[str, ...], int] = {}

    @property
    def next(self) -> int:
        """The number of the next run."""
        return len(self.checked) + len(self.measured)

    def begin(self) -> None:
        """From here on questions are the search's: the first of each is answered by what is known."""
        self._asked_before.clear()

    def say(self, text: str) -> None:
        """A line for whoever follows."""
        self.folder.add(SearchLine(note=text))

    def out_of_time(self) -> bool:
        """Whether nothing new may be begun."""
        limit = self.asked.seconds
        return limit is not None and time.monotonic() - self._begun > limit

    def checked_as(self, of: tuple[str, ...], recipe: Recipe, half: Half) -> CandidateChecked:
        """What half of the samples says of a candidate."""
        known = next((each for each in self.checked if each.of == of and each.half == half), None)
        if known is None:
            result = self._run(recipe, half=half)
            known = _checked(result, of, half) if result.state == "done" else _failed(result, of, half)
            self.folder.add(SearchLine(checked=known))
            self.checked.append(known)
        return known

    def measured_as(self, of: tuple[str, ...], recipe: Recipe, preset: Preset | None = None) -> CandidateMeasured:
        """What a candidate costs, measured anew each time it is asked: quickly the first time, later as well as was asked for;
        or with `preset`.
        """
        before = self._asked_before.get(of, 0)
        self._asked_before[of] = before + 1
        known = [each for each in self.measured if each.of == of]
        if before < len(known):
            return known[before]
        sure = preset or (self.asked.spec.preset if before else "quick")
        found = _measured(self._run(recipe, preset=sure), of, sure)
        self.folder.add(SearchLine(measured=found))
        self.measured.append(found)
        return found

    def _run(self, recipe: Recipe, preset: Preset | None = None, half: Half | None = None) -> Result:
        """The result of the next run.

        Raises:
            OutOfBudget: there is no time left, or the search is to end.
            RunFailed: it did not end, or failed though it was to be measured.
        """
        if self._carrier.to_end() or self.out_of_time():
            raise OutOfBudget
        spec = structs.replace(self.asked.spec, recipe=recipe)
        spec = structs.replace(spec, measure=False, half=half) if half else structs.replace(spec, preset=preset or spec.preset)
        members = self._carrier.carry(self.next, [spec])
        if self._carrier.to_end():
            raise OutOfBudget
        result = members[0].result() if members else None
        tried = half is not None and result is not None and result.state == "failed"
        if result is None or (result.state != "done" and not tried):
            run = members[0].name if members else ""
            why = result.error.what if result is not None and result.error is not None else "it did not end"
            raise RunFailed(f"a run of the search failed: {why}", fix=f"see `edgetui show {run}`, then search again")
        return result


def checked_figures(known: CandidateChecked) -> Checked:
    """As the search reads it.

    Raises:
        CannotBeBuilt: there is nothing to read.
    """
    if known.failed:
        raise CannotBeBuilt(known.failed)
    return Checked(difference=bounds(known.difference), qualities={key: bounds(each) for key, each in known.qualities.items()})


def cost_figures(found: CandidateMeasured) -> CostFigures:
    """As the search reads it."""
    ratios = {key: bounds(each) for key, each in found.ratios.items() if each.value is not None}
    return CostFigures(ratios=ratios, figures=found.figures)


def figures_of(column: Column) -> dict[str, float]:
    """What a goal may limit, in its units."""
    told = ((key, metric, metric.value(column)) for key, metric in LIMITED.items())
    return {key: value / metric.scale for key, metric, value in told if value is not None}


def columns_of_run(result: Result) -> tuple[Column, Column]:
    """Baseline and candidate."""
    return Column("", result.baseline, result, False), Column("", result.candidate, result, True)


def _measured(result: Result, of: tuple[str, ...], preset: str) -> CandidateMeasured:
    ratios = {}
    for metric in AIMS.values():
        figure = metric.change.figure(result.difference) if metric.change is not None else Ratio()
        if figure.value is not None:
            single = figure.low is None or figure.high is None
            ratios[metric.limited_as] = Ratio(value=figure.value, low=figure.value, high=figure.value) if single else figure
    baseline, candidate = (figures_of(column) for column in columns_of_run(result))
    return CandidateMeasured(of=of, ratios=ratios, figures=candidate, baseline=baseline, run=result.run, preset=preset)


def _failed(result: Result, of: tuple[str, ...], half: str) -> CandidateChecked:
    why = result.error.what if result.error is not None else "it failed"
    return CandidateChecked(of=of, half=half, failed=why, run=result.run)


def _checked(result: Result, of: tuple[str, ...], half: str) -> CandidateChecked:
    """What labels say; without labels, how often both sides say the same.

    Raises:
        RunFailed: nothing tells how good outputs are.
    """
    baseline, qualities = (_qualities(column) for column in columns_of_run(result))
    for metric, _ in LABELLED:
        figure = metric.change.figure(result.difference) if metric.change is not None else Ratio()
        if figure.value is not None and figure.low is not None:
            return CandidateChecked(of=of, half=half, difference=figure, qualities=qualities, baseline=baseline, run=result.run)
    for metric in METRICS:
        if metric.nearness is not None and (near := qualities.get(metric.limited_as)) is not None:
            less = _moved(near, -1.0)
            return CandidateChecked(of=of, half=half, difference=less, qualities=qualities, baseline=baseline, run=result.run)
    raise RunFailed(
        "nothing tells how good the outputs of a candidate are: there are no labels, and outputs are no classes",
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


def bounds(ratio: Ratio) -> Bounds:
    """A figure without an interval is its own."""
    value = ratio.value or 0.0
    return Bounds(value, value if ratio.low is None else ratio.low, value if ratio.high is None else ratio.high)
