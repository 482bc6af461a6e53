"""Answers for a search from ordinary runs: one holds a candidate against labels on half of the samples, one measures it.

What was answered is kept in the search's folder and not asked again; the n-th run of a search is its n-th question.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, cast

from msgspec import structs

from ..advice.columns import Column
from ..advice.goals import parse_goal
from ..advice.metrics import AIMS, LABELLED, LIMITED, METRICS
from ..advice.sweep_answer import sweep_command
from ..errors import RunFailed
from ..runs.carrying import Carrier
from ..runs.folder import RunDir
from ..runs.search_folder import SearchDir
from ..schema.figures import Ratio
from ..schema.result import Result
from ..schema.search import BesideMix, CandidateChecked, CandidateMeasured, SearchChoice, SearchLine, SearchRequest
from ..schema.settings import BackendSettings, Preset
from ..schema.steps import Recipe
from ..search.asked import Bounds, CannotBeBuilt, Checked, CostFigures, Half
from ..search.mixes import Format
from ..system.power_modes import known_modes
from ..system.root_files import Files


class OutOfBudget(Exception):
    """The time is over, or the search was asked to end."""


class Candidate(NamedTuple):
    """What a search tries."""

    of: tuple[str, ...]
    """The format of each unit, or settings as `NAME=VALUE`."""
    recipe: Recipe
    own: BackendSettings | None = None
    """What it is built and run with; None: what the baseline is."""
    outputs: tuple[str, ...] = ()
    """Of settings those that outputs depend on, which are checked once for all others; empty: all."""


class RunAnswers:
    """What is known of candidates, and runs that find out more."""

    failure_answers = False
    """A candidate that fails while it is measured is one that cannot be built; else the search fails with it."""

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

    def sweep_of(self, choice: SearchChoice | None) -> str:
        """See `SearchDocument.sweep`. Modes are no setting of a search: FP32 beside the candidate would be in the same mode."""
        if choice is None or not choice.run or not known_modes(Files()):
            return ""
        return sweep_command(choice.run, parse_goal(self.asked.goal).limits)

    def checked_as(self, candidate: Candidate, half: Half) -> CandidateChecked:
        """What half of the samples says of a candidate."""
        of = candidate.outputs or candidate.of
        known = next((each for each in self.checked if each.of == of and each.half == half), None)
        if known is None:
            (result,) = self._runs((candidate,), half=half)
            known = _checked(result, of, half) if result.state == "done" else _failed(result, of, half)
            self.folder.add(SearchLine(checked=known))
            self.checked.append(known)
        return known

    def measured_as(
        self, candidate: Candidate, preset: Preset | None = None, beside: Sequence[Candidate] = ()
    ) -> CandidateMeasured:
        """What a candidate costs, measured anew each time it is asked: quickly the first time, later as well as was asked for;
        or with `preset`. `beside`: others that are measured in turns with it.
        """
        before = self._asked_before.get(candidate.of, 0)
        self._asked_before[candidate.of] = before + 1
        known = [each for each in self.measured if each.of == candidate.of]
        if before < len(known):
            return known[before]
        sure = preset or (self.asked.spec.preset if before else "quick")
        result, *others = self._runs((candidate, *beside), preset=sure)
        found = _measured(result, candidate, sure)
        rivals = zip(beside, others, strict=True)
        found = structs.replace(
            found, beside=tuple(_beside(result, other, each) for each, other in rivals if other.state == "done")
        )
        self.folder.add(SearchLine(measured=found))
        self.measured.append(found)
        return found

    def _runs(
        self, candidates: Sequence[Candidate], preset: Preset | None = None, half: Half | None = None
    ) -> Sequence[Result]:
        """The results of the next run, and of those that are measured in turns with it.

        Raises:
            OutOfBudget: there is no time left, or the search is to end.
            RunFailed: it was broken off twice, did not begin, or failed though it was to be measured.
        """
        if self._carrier.to_end() or self.out_of_time():
            raise OutOfBudget
        whole = self.asked.spec
        whole = (
            structs.replace(whole, measure=False, half=half) if half else structs.replace(whole, preset=preset or whole.preset)
        )
        specs = [structs.replace(whole, recipe=each.recipe, candidate=each.own) for each in candidates]
        members = self._carrier.carry(self.next, specs)
        if not self._carrier.to_end() and (broken := next(filter(broken_off, members), None)) is not None:
            self.say(f"run {broken.name} was broken off; it is taken up once more")
            members = self._carrier.carry(self.next, specs)
        if self._carrier.to_end():
            raise OutOfBudget
        results = [result for run in members if (result := run.result()) is not None]
        answers = half is not None or self.failure_answers
        lead = results[0] if len(results) == len(specs) else None
        if lead is None or not (lead.state == "done" or (answers and lead.state == "failed")):
            if not members:
                raise RunFailed(
                    "a run of the search did not begin", fix=f"see {self.folder.path / 'log.txt'}, then search again"
                )
            why = (
                "it was broken off twice"
                if lead is None
                else lead.error.what
                if lead.error is not None
                else f"it is {lead.state}"
            )
            raise RunFailed(
                f"a run of the search failed: {why}", fix=f"see `edgetui show {members[0].name}`, then search again"
            )
        return results


def broken_off(run: RunDir) -> bool:
    """Whether a run's supervisor was killed, or a process of one of its stages."""
    result = run.result()
    return result is None or (result.error is not None and result.error.killed)


def checked_figures(known: CandidateChecked) -> Checked:
    """As the search reads it.

    Raises:
        CannotBeBuilt: there is nothing to read.
    """
    if known.failed:
        raise CannotBeBuilt(known.failed)
    return Checked(difference=bounds(known.difference), qualities={key: bounds(each) for key, each in known.qualities.items()})


def cost_figures(found: CandidateMeasured) -> CostFigures:
    """As the search reads it.

    Raises:
        CannotBeBuilt: there is nothing to read.
    """
    if found.failed:
        raise CannotBeBuilt(found.failed)
    ratios = {key: bounds(each) for key, each in found.ratios.items() if each.value is not None}
    beside = {
        tuple(cast("Format", form) for form in each.of): {key: bounds(ratio) for key, ratio in each.ratios.items()}
        for each in found.beside
    }
    return CostFigures(ratios=ratios, figures=found.figures, beside=beside)


def figures_of(column: Column) -> dict[str, float]:
    """What a goal may limit, in its units."""
    told = ((key, metric, metric.value(column)) for key, metric in LIMITED.items())
    return {key: value / metric.scale for key, metric, value in told if value is not None}


def columns_of_run(result: Result) -> tuple[Column, Column]:
    """Baseline and candidate."""
    return Column("", result.baseline, result, False), Column("", result.candidate, result, True)


def _measured(result: Result, candidate: Candidate, preset: str) -> CandidateMeasured:
    made = CandidateMeasured(of=candidate.of, same_outputs=candidate.outputs, ratios={}, run=result.run, preset=preset)
    if result.state == "failed":
        return structs.replace(made, failed=_why_failed(result))
    ratios = {}
    for metric in AIMS.values():
        figure = metric.change.figure(result.difference) if metric.change is not None else Ratio()
        if figure.value is not None:
            single = figure.low is None or figure.high is None
            ratios[metric.limited_as] = Ratio(value=figure.value, low=figure.value, high=figure.value) if single else figure
    before, after = (figures_of(column) for column in columns_of_run(result))
    return structs.replace(made, ratios=ratios, figures=after, baseline=before)


def _beside(result: Result, other: Result, candidate: Candidate) -> BesideMix:
    """What another costs over it: by their pairs of blocks, and where both have a figure without any noise, by that."""
    pair = next((each for each in result.pairs if (each.a, each.b) == (result.run, other.run)), None)
    found = {}
    for metric in AIMS.values():
        field = metric.change.field if metric.change is not None else ""
        ratio = getattr(pair, field, None)
        if isinstance(ratio, Ratio) and ratio.value is not None:
            found[metric.limited_as] = ratio
        elif metric.key == "size" and result.difference.size_ratio and other.difference.size_ratio:
            apart = other.difference.size_ratio / result.difference.size_ratio
            found[metric.limited_as] = Ratio(value=apart, low=apart, high=apart)
    return BesideMix(of=candidate.of, ratios=found, run=other.run)


def _failed(result: Result, of: tuple[str, ...], half: str) -> CandidateChecked:
    return CandidateChecked(of=of, half=half, failed=_why_failed(result), run=result.run)


def _why_failed(result: Result) -> str:
    return result.error.what if result.error is not None else "it failed"


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
