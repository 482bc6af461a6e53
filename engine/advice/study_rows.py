"""The rows of a study's table, from the results of its runs: each figure of each variant, as the paper has them.

Several repeats give a mean with Student's interval; a single run has the interval of its own measurement. What is not known has
its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from ..schema.figures import Ratio
from ..schema.result import Result
from ..schema.study import Shown, StudyModel, StudyRequest, StudyRow, StudyVariant
from ..schema.study_table import StudyCell, StudyTableRow
from ..schema.workloads import parse_workload
from .columns import Column, own_baseline
from .few_values import mean_and_half
from .metric import Metric
from .metrics import METRICS

BY_KEY: dict[str, Metric] = {metric.key: metric for metric in METRICS}
HUNDRED = 100.0


class Gathered(Struct, frozen=True, kw_only=True):
    """What is known of an experiment on one model."""

    repeats: tuple[Mapping[str, Result], ...]
    """Of each repeat the results that are there, by variant."""
    left_out: Mapping[str, str]
    """Variants that are not run, and why."""
    going: bool
    """Results may still come."""

    def why_none(self, variant: str) -> str:
        """Why there is no result of a variant."""
        if variant in self.left_out:
            return self.left_out[variant]
        if self.left_out and not self.repeats:  # nothing of this model is run, its baseline neither
            return next(iter(self.left_out.values()))
        return "not measured yet" if self.going else "there is no run of it"


Experiments = Mapping[tuple[str, str], Gathered]
"""By experiment and model."""


def study_rows(asked: StudyRequest, found: Experiments) -> tuple[StudyTableRow, ...]:
    """The rows that are figures of a metric, in the order of the file; of each, models in the order of the file."""
    rows: list[StudyTableRow] = []
    for row in asked.study.row:
        models = [model for model in models_of(asked, row.experiment) if row.model in ("", model.name)]
        for model in models:
            beside = found.get((row.over, model.name)) if row.over else None
            rows.append(_row(asked, row, model, found[row.experiment, model.name], beside))
    return tuple(rows)


def models_of(asked: StudyRequest, experiment: str) -> list[StudyModel]:
    """The models of an experiment, those that were taken; of a name that is not here the first that was wanted."""
    wanted = next(each.models for each in asked.study.experiment if each.name == experiment)
    taken = {model.name: model for model in reversed(asked.study.model)} | {model.name: model for model in asked.models}
    names = wanted or tuple(dict.fromkeys(model.name for model in asked.study.model))
    return [taken[name] for name in names]


def variants_of(asked: StudyRequest, experiment: str) -> list[StudyVariant]:
    """The columns that an experiment fills: its variants, and the baseline, which is measured beside them."""
    wanted = next(each.variants for each in asked.study.experiment if each.name == experiment)
    return [each for each in asked.study.variant if not wanted or not each.recipe or each.name in wanted]


def table_row(
    asked: StudyRequest,
    experiment: str,
    model: StudyModel,
    found: Gathered,
    *,
    figure: str,
    unit: str,
    here: dict[str, StudyCell],
    paper: Mapping[str, float] | None = None,
    note: str = "",
) -> StudyTableRow:
    """A row with what every row says: model, weights, data and workload."""
    about = next(each for each in asked.study.experiment if each.name == experiment)
    results = [result for repeat in found.repeats for result in repeat.values()]
    data = next((result.dataset.name for result in results if result.dataset is not None and result.dataset.name), "")
    planned = next((g.specs[0].dataset for g in asked.groups if (g.experiment, g.model) == (experiment, model.name)), None)
    return StudyTableRow(
        figure=figure,
        unit=unit,
        experiment=experiment,
        paper={name: (paper or {}).get(name) for name in here},
        here=here,
        model=model.name,
        in_place_of=model.of,
        weights=model.weights,
        data=data or (planned.name if planned is not None else "") or "none",
        workload=parse_workload(about.workload).text,
        repeats=about.repeats,
        note=note,
    )


def _row(asked: StudyRequest, row: StudyRow, model: StudyModel, found: Gathered, beside: Gathered | None) -> StudyTableRow:
    metric = BY_KEY[row.metric]
    show: Shown = "value" if row.over else row.show
    here: dict[str, StudyCell] = {}
    for variant in variants_of(asked, row.experiment):
        figure = partial(measured, metric, show)
        here[variant.name] = over_repeats(found, variant, figure, row.scale)
        if row.over:
            other = over_repeats(beside, variant, figure, row.scale) if beside is not None else StudyCell(reason="not run")
            here[variant.name] = _across(here[variant.name], other, row.show)
    return table_row(
        asked, row.experiment, model, found, figure=row.figure, unit=row.unit, here=here, paper=row.paper, note=row.note
    )


def _across(one: StudyCell, other: StudyCell, show: Shown) -> StudyCell:
    """A figure over that of another experiment; it has no interval, for they were not measured in turns."""
    for cell in (one, other):
        if not cell.value:
            return StudyCell(reason=cell.reason or "there is nothing to divide by")
    ratio = (one.value or 0.0) / (other.value or 1.0)
    return StudyCell(value=1 / ratio if show == "times" else HUNDRED * (ratio - 1))


def columns_by_repeat(found: Gathered, variant: StudyVariant) -> list[Column]:
    """The variant's column in each repeat whose run has ended well: of the baseline the side that stands beside the others."""
    columns = []
    for repeat in found.repeats:
        if variant.recipe:
            result = repeat.get(variant.name)
        else:
            result = next((each for each in repeat.values() if each.state == "done"), None)
        if result is not None and result.state == "done":
            side = result.candidate if variant.recipe else result.baseline
            columns.append(Column(variant.name, side, result, candidate=bool(variant.recipe)))
    return columns


def over_repeats(
    found: Gathered, variant: StudyVariant, figure: Callable[[Column], StudyCell], scale: float = 1.0
) -> StudyCell:
    """A figure of a variant: over its repeats where there are several, else as it was measured."""
    if variant.recipe and variant.name in found.left_out:
        return StudyCell(reason=found.left_out[variant.name])
    columns = columns_by_repeat(found, variant)
    if not columns:
        return StudyCell(reason=_why_not_done(found, variant))
    cells = [figure(column) for column in columns]
    known = [cell.value for cell in cells if cell.value is not None]
    if not known:
        return cells[0]
    if len(known) > 1:
        return _scaled(mean_of(known), scale)
    return _scaled(next(cell for cell in cells if cell.value is not None), scale)


def mean_of(values: Sequence[float]) -> StudyCell:
    """Mean of several, with Student's 95 % interval."""
    mean, half = mean_and_half(values)
    return StudyCell(value=mean) if half is None else StudyCell(value=mean, low=mean - half, high=mean + half)


def _why_not_done(found: Gathered, variant: StudyVariant) -> str:
    for repeat in found.repeats:
        results = [repeat[variant.name]] if variant.name in repeat else [] if variant.recipe else list(repeat.values())
        for result in results:
            if result.state != "done":
                return result.error.what if result.error is not None else f"its run is {result.state}"
    return found.why_none(variant.name)


def _scaled(cell: StudyCell, scale: float) -> StudyCell:
    if scale == 1.0:
        return cell
    value, low, high = (None if each is None else each * scale for each in (cell.value, cell.low, cell.high))
    return StudyCell(value=value, low=low, high=high, reason=cell.reason)


def measured(metric: Metric, show: Shown, column: Column) -> StudyCell:
    """A metric of a column, by itself or over the baseline."""
    if not column.candidate and metric.compared:
        return StudyCell(reason="the baseline is what others are compared with")
    value = metric.value(column)
    if value is None:
        return StudyCell(reason=_reason(metric, column))
    if show == "value":
        low, high = _interval(metric, column) or (None, None)
        return StudyCell(value=value, low=low, high=high)
    if not column.candidate:
        return StudyCell(value=1.0 if show == "times" else 0.0)  # over itself
    return _over_baseline(metric, show, column, value)


def _reason(metric: Metric, column: Column) -> str:
    reasons = column.result.reasons
    path = metric.path if metric.compared else f"{column.side}.{metric.path}"
    words = path.split(".")
    told = next((reasons[above] for n in range(len(words), 0, -1) if (above := ".".join(words[:n])) in reasons), "")
    return told or metric.why_missing(column.result) or "no stage says it"


def _interval(metric: Metric, column: Column) -> tuple[float, float] | None:
    if metric.compared:
        return None
    if metric.one_over:
        inverse = column.interval(BY_KEY[metric.one_over].path)
        value, one = metric.value(column), BY_KEY[metric.one_over].value(column)
        if inverse is None or value is None or not one or inverse[0] <= 0:
            return None
        return value * one / inverse[1], value * one / inverse[0]
    if (told := column.interval(metric.path)) is not None:
        return told
    if not metric.bounded_beside:
        return None
    part, _, _ = metric.path.rpartition(".")
    low, high = column.figure(f"{part}.low"), column.figure(f"{part}.high")
    return (low, high) if low is not None and high is not None else None


def _over_baseline(metric: Metric, show: Shown, column: Column, value: float) -> StudyCell:
    """A candidate's figure over its baseline's, with the interval of the pair where they were measured in turns."""
    told = _paired(metric, column)
    if refused := _refused(metric, column, told):
        return StudyCell(reason=refused)
    if show == "points":
        if told is not None and told.value is not None and metric.change is not None and metric.change.neutral == 0.0:
            return _told(metric, column, _through(lambda difference: HUNDRED * difference, told))
        before = _baseline_figure(metric, column)
        if before is None:
            return StudyCell(reason="the baseline has no such figure")
        return StudyCell(value=HUNDRED * (value - before))
    if told is None or told.value is None or (metric.change is not None and metric.change.neutral == 0.0):
        before = _baseline_figure(metric, column)
        if not before or not value:
            return StudyCell(reason="the baseline has no such figure")
        told = Ratio(value=value / before)
    if show == "times":
        return _told(metric, column, _through(lambda ratio: 1 / ratio, told))
    return _told(metric, column, _through(lambda ratio: HUNDRED * (ratio - 1), told))


def _told(metric: Metric, column: Column, cell: StudyCell) -> StudyCell:
    """The cell with what whoever measured says of an interval that is not known."""
    change = (BY_KEY[metric.one_over] if metric.one_over else metric).change
    if change is None or cell.low is not None:
        return cell
    return StudyCell(value=cell.value, reason=column.result.reasons.get(f"difference.{change.field}.low"))


def _refused(metric: Metric, column: Column, told: Ratio | None) -> str:
    """Why the two are not compared, where whoever measured them says so: the figures of both sides are there all the same."""
    change = (BY_KEY[metric.one_over] if metric.one_over else metric).change
    if change is None or (told is not None and told.value is not None):
        return ""
    reasons = column.result.reasons
    return reasons.get(f"difference.{change.field}.value") or reasons.get(f"difference.{change.field}") or ""


def _paired(metric: Metric, column: Column) -> Ratio | None:
    """The ratio or difference that was measured in turns; of one over a metric, one over its ratio."""
    if metric.one_over:
        other = BY_KEY[metric.one_over]
        told = other.change.figure(column.result.difference) if other.change is not None else Ratio()
        bounds = [None if each is None or each <= 0 else 1 / each for each in (told.value, told.high, told.low)]
        return Ratio(value=bounds[0], low=bounds[1], high=bounds[2])
    return None if metric.change is None else metric.change.figure(column.result.difference)


def _baseline_figure(metric: Metric, column: Column) -> float | None:
    return None if metric.compared else metric.value(own_baseline(column))


def _through(function: Callable[[float], float], told: Ratio) -> StudyCell:
    """A figure and its interval through a function that rises or falls."""
    assert told.value is not None
    if told.low is None or told.high is None or (told.low <= 0 and function(1.0) == 1.0):
        return StudyCell(value=function(told.value))
    ends = sorted((function(told.low), function(told.high)))
    return StudyCell(value=function(told.value), low=ends[0], high=ends[1])
