"""The choice by goal, on values alone: what `sentences.py` says of it is said there.

Only what was shown counts: a candidate that is not shown to be faster does not win by its mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ..schema.figures import Difference, Ratio
from .columns import Column, against_guard
from .escalated import escalation_of, front_places
from .goals import Goal, Limit
from .metric import Metric
from .metrics import AIMS, LABELLED, QUALITIES


class Fault(Struct, frozen=True, kw_only=True):
    """Why a candidate is out of the question."""

    kind: Literal["not done", "limits", "lost", "ruined", "far", "guard", "alone"]
    """The run has not ended well; a limit of the goal is not kept; it lost too much accuracy; outputs are ruined or far; it is
    not shown to be better than its guard; it is two plans, of which one alone is as good and as cheap."""
    metric: Metric | None = None
    """What was lost, or what outputs are far by."""
    value: float = 0.0
    """The figure that is not good enough."""
    bound: float = 0.0
    """What it would have had to be: what may be lost, or how near outputs must stay."""
    unkept: tuple[tuple[Limit, float | None], ...] = ()
    """Of the limits: each with the figure; None: it is not known."""


def choose(columns: Sequence[Column], goal: Goal) -> Column | None:
    """The column that serves the goal best within its limits and the accuracy it may cost; the baseline where no candidate is
    shown better, and another one only where the baseline does not keep the limits.

    None: columns of several models, a figure that nobody measured, or limits that none keeps.
    """
    if not decided(columns, goal):
        return None
    within = [column for column in columns if fault(column, goal) is None]
    gains = [(value, column) for column in within if column.candidate and (value := gain(column, goal))]
    able = [(value, column) for value, column in gains if is_better(column, goal)]
    if able:
        return min(able, key=lambda pair: pair[0])[1]
    kept = next((column for column in within if not column.candidate), None)
    return kept or (min(gains, key=lambda pair: pair[0])[1] if gains else None)


def decided(columns: Sequence[Column], goal: Goal) -> bool:
    """Whether the columns have one baseline, and what the goal is about was measured."""
    one = sum(not column.candidate for column in columns) == 1
    return one and any(gain(column, goal) is not None for column in columns if column.candidate)


def nearest(columns: Sequence[Column], goal: Goal) -> Column | None:
    """Of columns that do not keep the goal's limits, the one that is least beyond the limit it is farthest beyond, as a share
    of that; None: what a limit is about is known of none.
    """
    beyond = []
    for column in columns:
        figures = [(limit, limit.metric.value(column)) for limit in goal.limits]
        if not column.candidate or column.result.state == "done":
            known = [limit.excess(value) for limit, value in figures if value is not None]
            if known and len(known) == len(figures):
                beyond.append((max(known), column))
    return min(beyond, key=lambda pair: pair[0])[1] if beyond else None


def gain(column: Column, goal: Goal) -> float | None:
    """Candidate over baseline in what the goal is about; below 1 is better."""
    change = AIMS[goal.aim].change
    return None if column.result.state != "done" or change is None else change.figure(column.result.difference).value


def is_better(column: Column, goal: Goal) -> bool:
    """Whether a candidate is shown to be better than its baseline in what the goal is about."""
    metric = AIMS[goal.aim]  # an older result has no word for some
    word = column.verdict(metric.key) or (metric.change.verdict(column.result.difference) if metric.change else "")
    return word != "" and word == metric.best()


def fault(column: Column, goal: Goal) -> Fault | None:
    """Why a column is out of the question; None when it is not. Of a baseline only limits ask anything."""
    result = column.result
    if column.candidate and result.state != "done":
        return Fault(kind="not done")
    figures = [(limit, limit.metric.value(column)) for limit in goal.limits]
    unkept = tuple((limit, value) for limit, value in figures if value is None or not limit.keeps(value))
    if unkept:
        return Fault(kind="limits", unkept=unkept)
    return (_unlike(column, goal) or _unproven(column, goal) or _beaten_alone(column, goal)) if column.candidate else None


def _unproven(column: Column, goal: Goal) -> Fault | None:
    """INT8 that is not shown to beat its guard in what the goal is about."""
    metric = AIMS[goal.aim]
    if column.result.guard is None or metric.change is None:
        return None
    beats = metric.change.verdict(against_guard(column.result)) == metric.best()
    return None if beats else Fault(kind="guard", metric=metric)


def _beaten_alone(column: Column, goal: Goal) -> Fault | None:
    """Two plans of which one alone is as good, and takes no more of what the goal is about (of time, where it is neither)."""
    told = None if column.guard else escalation_of(column.result)
    places = {place.cost: place for place in (front_places(told) if told is not None else ())}
    place = places.get("energy" if AIMS[goal.aim].key == "energy" else "latency")
    return Fault(kind="alone") if place is not None and place.beaten_by else None


def first_plan_serves(column: Column, goal: Goal) -> Ratio | None:
    """Of two plans that are one: both together over the first alone in what the goal is about, where that keeps the accuracy
    that the goal asks and is shown to take less. No column stands for it, so nothing else would say so. None: otherwise.
    """
    told = None if column.guard else escalation_of(column.result)
    key = AIMS[goal.aim].key
    if told is None or key not in ("latency", "energy"):
        return None
    alone = told.narrow
    ratio = alone.energy_ratio if key == "energy" else alone.latency_ratio
    metric = next((each for each in QUALITIES if each.key == told.metric), None)
    if ratio is None or (ratio.low or 0.0) <= 1 or metric is None or alone.quality is None:
        return None
    if not all(limit.keeps(alone.quality) for limit in goal.limits if limit.metric.key == metric.key):
        return None
    both = metric.change.figure(column.result.difference).value if metric.change else None
    less = alone.quality_points.value if alone.quality_points is not None else None
    if goal.drop is not None and (both is None or less is None or less - both > goal.drop):
        return None
    return ratio


def _unlike(column: Column, goal: Goal) -> Fault | None:
    """What a candidate lost that the goal does not allow."""
    result = column.result
    if goal.drop is None:
        return None
    if (lost := points_lost(result.difference)) is not None:
        return Fault(kind="lost", metric=lost[0], value=lost[1], bound=goal.drop) if -lost[1] > goal.drop else None
    if result.fidelity.ruined:
        return Fault(kind="ruined")
    near = nearest_known(column)
    if near is None:
        return None
    metric, value = near
    bound = least(metric, goal)
    return Fault(kind="far", metric=metric, value=value, bound=bound) if value < bound else None


def points_lost(difference: Difference) -> tuple[Metric, float] | None:
    """What labels say of the candidate, less what they say of its baseline, as a share; None: there are none."""
    figures = ((metric, metric.change.figure(difference).value) for metric, _ in LABELLED if metric.change)
    return next(((metric, value) for metric, value in figures if value is not None), None)


def nearest_known(column: Column) -> tuple[Metric, float] | None:
    """How near a candidate's outputs are, by the first metric that says so."""
    figures = ((metric, metric.value(column)) for metric in QUALITIES if metric.nearness)
    return next(((metric, value) for metric, value in figures if value is not None), None)


def least(metric: Metric, goal: Goal) -> float:
    """How near outputs must stay."""
    return getattr(goal, metric.nearness.limit) if metric.nearness else 0.0


def beside(metric: Metric, one: Column, other: Column) -> Ratio | None:
    """One candidate over another where they were measured in turns with each other; None: they were not."""
    runs = (one.result.run, other.result.run)
    if metric.change is None or one.guard or other.guard:
        return None
    for pair in one.result.pairs:
        figure = getattr(pair, metric.change.field, None)
        if {pair.a, pair.b} == set(runs) and isinstance(figure, Ratio) and figure.value:
            return figure if pair.b == runs[0] else _inverse(figure)
    return None


def _inverse(ratio: Ratio) -> Ratio:
    value, low, high = (1 / bound if bound else None for bound in (ratio.value, ratio.high, ratio.low))
    return Ratio(value=value, low=low, high=high, interleaved=ratio.interleaved)


def alike(metric: Metric, one: Column, other: Column) -> bool:
    """Whether two candidates are not shown to differ: by their own ratio, else where their ratios to the baseline overlap."""
    ratio = beside(metric, one, other)
    if ratio is None:
        return overlap(metric, one.result.difference, other.result.difference)
    return ratio.low is None or ratio.high is None or ratio.low <= 1 <= ratio.high


def overlap(metric: Metric, one: Difference, other: Difference) -> bool:
    """Whether the intervals of two differences share a value."""
    if metric.change is None:
        return False
    a, b = metric.change.figure(one), metric.change.figure(other)
    return None not in (a.low, a.high, b.low, b.high) and a.low <= b.high and b.low <= a.high  # type: ignore[operator]


def quality(columns: Sequence[Column]) -> Metric:
    """What stands beside the cost: what labels say, else how near outputs are."""
    known = (metric for metric in QUALITIES if any(metric.value(column) is not None for column in columns))
    return next(known, next(metric for metric in QUALITIES if metric.nearness))
