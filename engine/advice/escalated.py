"""Two plans that are one (`adaptive`): whether both together beat each alone, in words and cells.

They win where no plan alone is at least as good and as cheap: better outputs than INT8, less time or energy than the other.
Of that other one a gain in outputs must be shown: theirs are made to agree with it, and differ by chance.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ..schema.figures import Escalation, PlanAlone, Ratio
from ..schema.result import Result
from . import words
from .columns import Column
from .words import DASH

PRECISIONS = {"float32": "FP32", "float16": "FP16"}
Cost = Literal["latency", "energy"]
COSTS_OF_PLANS: tuple[Cost, ...] = ("latency", "energy")
_OVER: dict[Cost, str] = {"latency": "of its time", "energy": "of its joules"}


class FrontPlace(Struct, frozen=True, kw_only=True):
    """Where both together stand beside each alone, on a front of one cost and the quality of outputs."""

    cost: Cost
    beaten_by: Literal["", "narrow", "wide"] = ""
    """A plan alone that is as good and as cheap; empty: none is, they lie on the front."""
    as_good: bool = False
    """By its figure; else both together are better by no more than chance would give."""
    shown: bool = False
    """That they lie there is shown: the interval over INT8 in quality, and over the other in cost, leave no doubt."""


def front_places(told: Escalation) -> list[FrontPlace]:
    """For each cost that was measured; none where nothing says how good outputs are."""
    return [place for cost in COSTS_OF_PLANS if (place := _front_place(told, cost)) is not None]


def _front_place(told: Escalation, cost: Cost) -> FrontPlace | None:
    sides: tuple[tuple[Literal["narrow", "wide"], PlanAlone], ...] = (("narrow", told.narrow), ("wide", told.wide))
    for name, alone in sides:
        points, ratio = alone.quality_points, _ratio(alone, cost)
        if points is None or points.value is None or ratio is None or ratio.value is None:
            return None
        gained = points.value > 0 if name == "narrow" else (points.low or 0.0) > 0
        if ratio.value >= 1 and not gained:
            return FrontPlace(cost=cost, beaten_by=name, as_good=points.value <= 0)
    better, cheaper = told.narrow.quality_points, _ratio(told.wide, cost)
    shown = better is not None and (better.low or 0.0) > 0 and cheaper is not None and (cheaper.high or 1.0) < 1
    return FrontPlace(cost=cost, shown=shown)


def _ratio(alone: PlanAlone, cost: Cost) -> Ratio | None:
    return alone.latency_ratio if cost == "latency" else alone.energy_ratio


def escalation_of(result: Result) -> Escalation | None:
    """What the candidate says of its two plans; None: it is one."""
    found = result.candidate.escalation
    return found if isinstance(found, Escalation) else None


def escalation_sentences(result: Result) -> list[str]:
    """What runs again and whether that wins, for people; empty where there is one plan."""
    told = escalation_of(result)
    if told is None or told.narrow.latency_ms is None:
        return []
    wide = PRECISIONS.get(told.precision, told.precision)
    again = f"{words.percent(told.share)} of inputs" if told.share is not None else "An unknown share of inputs"
    found = [f"{again} ran again in {wide}: {_beside('INT8', told.narrow)}; {_beside(wide, told.wide)}."]
    return found + [_verdict(each, wide) for each in front_places(told)]


def _beside(name: str, alone: PlanAlone) -> str:
    """`beside INT8 alone 0.4 points better, 1.31 [1.28, 1.34] of its time`."""
    parts = []
    points = alone.quality_points
    if points is not None and points.value is not None:
        doubt = (
            "" if points.low is not None and points.high is not None and not points.low <= 0 <= points.high else " (not shown)"
        )
        value = words.digits(abs(points.value) * 100, 2)
        way = "better" if points.value > 0 else "worse"
        parts.append(f"{value} points {way}{doubt}" if points.value else "as good")
    for cost in COSTS_OF_PLANS:
        ratio = _ratio(alone, cost)
        if ratio is not None and ratio.value is not None:
            parts.append(f"{words.ratio(ratio)} {_OVER[cost]}")
    return f"beside {name} alone {', '.join(parts) or 'not measured'}"


def _verdict(place: FrontPlace, wide: str) -> str:
    if place.beaten_by:
        name = "INT8" if place.beaten_by == "narrow" else wide
        good = "is as good" if place.as_good else "is not shown to be worse"
        return f"On the front of {place.cost} adaptive does not win: {name} alone {good} and takes no more. Deploy {name}."
    how = "beats both plans" if place.shown else "lies between both plans, and that it beats them is not shown"
    return f"On the front of {place.cost} adaptive {how}."


def share(column: Column) -> str:
    """`12.3 % [11.0, 13.7]`: of evaluated inputs, with its interval."""
    told = _told(column)
    if told is None or told.share is None:
        return DASH
    if told.share_low is None or told.share_high is None:
        return words.percent(told.share)
    return f"{words.percent(told.share)} [{100 * told.share_low:.1f}, {100 * told.share_high:.1f}]"


def threshold(column: Column) -> str:
    """`margin below 0.31`; with limits also what they left of it."""
    told = _told(column)
    if told is None or told.threshold is None:
        return DASH
    moved = told.limits and told.threshold_mean is not None
    mean = (
        f", {words.digits(told.threshold_mean)} on average under its limits"
        if moved and told.threshold_mean is not None
        else ""
    )
    return f"{told.sure_by} below {words.digits(told.threshold)}{mean}"


def plan_alone(side: Literal["narrow", "wide"], column: Column) -> str:
    """`0.31 ms, 0.802`: latency, and how good its outputs are, of one plan alone."""
    told = _told(column)
    alone = getattr(told, side, None)
    if not isinstance(alone, PlanAlone) or alone.latency_ms is None:
        return DASH
    half = alone.latency_half_width_ms
    return ", ".join([words.ms(alone.latency_ms, half), *([] if alone.quality is None else [f"{alone.quality:.3f}"])])


def _told(column: Column) -> Escalation | None:
    found = column.metrics.escalation
    return found if isinstance(found, Escalation) else None
