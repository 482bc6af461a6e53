"""Which row of a sweep is the cheapest that reaches a wish, and which rows another round may still decide between.

Apart from `goals.py`, whose goals are about candidates and what they lose: every row of a sweep has the same outputs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ..errors import UsageError, nearest
from ..schema.sweep import SweepPoint, SweepRequest, SweepRow, SweptFigure
from ..schema.sweep_shot import Shot
from . import words
from .few_values import mean_and_half
from .goals import Limit, parse_goal
from .metrics import AIMS

SWEPT = ("fps", "latency_ms", "power_w", "energy_j")
"""What a wish may limit, in the words of goals."""
OF_POWER = ("power_w", "energy_j")
RESOLVES = 0.03
"""Share by which two rows must differ before the cheaper of them is looked for with further rounds."""
NARROW = 0.01
"""Half width, as a share, with which a figure that lies at a limit is left as it is."""
_SAID = "fps>=30 power_w<=12"
_YET = "not measured yet"
_SIGNS = {"more": ">=", "less": "<="}


class SweepAnswer(NamedTuple):
    """The row to take, its number, and why."""

    place: int | None
    why: str


def sweep_command(run: str, limits: Sequence[Limit]) -> str:
    """What takes a run's plan over power modes, with those limits that a sweep measures."""
    want = " ".join(f"{limit.key}{_SIGNS[limit.metric.better]}{limit.value:g}" for limit in limits if limit.key in SWEPT)
    return f"edgetui sweep {run} --modes all" + (f' --want "{want}"' if want else "")


def parse_want(text: str) -> tuple[Limit, ...]:
    """The limits of a wish, `fps>=30 power_w<=12`; empty: nothing is wished.

    Raises:
        UsageError: it limits what a sweep does not measure, one figure twice, or is none.
    """
    goal = parse_goal(text, _SAID)
    limits = goal.limits
    if goal.max_drop is not None:
        raise UsageError("every row of a sweep loses as much accuracy: none", fix="leave `drop` out")
    if aims := [word for word in text.replace(",", " ").split() if word in AIMS]:
        raise UsageError(f"`{aims[0]}` is no limit: a sweep always takes the cheapest row", fix=f"write limits: {_SAID}")
    said: dict[str, float] = {}
    for limit in limits:
        if limit.key not in SWEPT:
            raise UsageError(f"a sweep does not measure {limit.key}", fix=nearest(limit.key, SWEPT))
        if limit.key in said:
            twice = f"{limit.key} is limited twice, to {said[limit.key]:g} and to {limit.value:g}"
            raise UsageError(twice, fix="leave one of them out")
        said[limit.key] = limit.value
    return limits


def want_words(limits: Sequence[Limit]) -> str:
    """`fps >= 30 and power_w <= 12`."""
    return " and ".join(f"{each.key} {_SIGNS[each.metric.better]} {each.value:g}" for each in limits)


def rows_of(
    asked: SweepRequest, shots: Sequence[Shot], modes: Mapping[str, str], *, going: bool = False
) -> tuple[SweepRow, ...]:
    """The table, a row a point in the order asked. `modes`: those that did not come, and why; `going`: it has not ended."""
    limits = parse_want(asked.want)
    rows = []
    for number, point in enumerate(asked.points):
        mine = [shot for shot in shots if shot.point == number]
        row = msgspec.structs.replace(_figures(mine), **{name: getattr(point, name) for name in point.__struct_fields__})
        why = asked.reasons.get(number, "") or next((shot.reason for shot in mine if shot.reason), "")
        if not row.rounds:
            row = msgspec.structs.replace(
                row, reason=why or modes.get(point.mode or "", "") or (_YET if going else "not measured")
            )
        elif limits:
            known = all(_bounds(row, limit.key)[0] is not None for limit in limits)
            short = _short_of(row, limits)
            row = msgspec.structs.replace(
                row, reaches=not short if known else None, reason="; ".join(filter(None, (short, row.reason)))
            )
        rows.append(row)
    return tuple(rows)


def _figures(shots: Sequence[Shot]) -> SweepRow:
    """Of the windows of one point."""
    taken = [shot for shot in shots if shot.fps is not None and not shot.reason]
    if not taken:
        return SweepRow()
    powered = [shot for shot in taken if shot.power_w is not None]
    fps = [shot.fps for shot in taken if shot.fps is not None]
    values: dict[str, Sequence[float]] = {"fps": fps}
    values["latency_ms"] = [shot.latency_ms for shot in taken if shot.latency_ms is not None]
    values["power_w"] = [shot.power_w for shot in powered if shot.power_w is not None]
    hidden_w = statistics.fmean(shot.hidden_w for shot in powered) if powered else 0.0
    said: dict[str, float | None] = {}
    for name, each in values.items():
        if each:
            said |= _interval(name, each, hidden_w if name == "power_w" else 0.0)
    joules = [shot.power_w / shot.fps for shot in powered if shot.power_w is not None and shot.fps]
    energy = None
    if joules:
        told = _interval("value", joules, hidden_w / statistics.fmean(fps))
        energy = SweptFigure(value=told["value"] or 0.0, low=told["value_low"], high=told["value_high"])
    idle = [shot.idle_w for shot in powered if shot.idle_w is not None]
    return SweepRow(
        **said,  # type: ignore[arg-type]
        energy_j_per_inference=energy,
        idle_w=statistics.fmean(idle) if idle else None,
        rounds=len(taken),
        reason="" if powered else next((shot.why_no_power for shot in taken if shot.why_no_power), ""),
    )


def _interval(name: str, values: Sequence[float], hidden: float) -> dict[str, float | None]:
    mean, half = mean_and_half(values)
    if half is None:
        return {name: mean, f"{name}_low": None, f"{name}_high": None}
    half = math.hypot(half, hidden)
    return {name: mean, f"{name}_low": max(0.0, mean - half), f"{name}_high": mean + half}


class _Bounds(NamedTuple):
    """A figure of a row and its interval."""

    value: float | None
    low: float | None
    high: float | None


def _bounds(row: SweepRow, key: str) -> _Bounds:
    if key == "energy_j":
        energy = row.energy_j_per_inference
        return _Bounds(None, None, None) if energy is None else _Bounds(energy.value, energy.low, energy.high)
    return _Bounds(*(getattr(row, f"{key}{end}") for end in ("", "_low", "_high")))


def _safe(row: SweepRow, limit: Limit) -> bool:
    """Whether the worse end of the interval keeps a limit."""
    worse = _bounds(row, limit.key)[1 if limit.metric.better == "more" else 2]
    return worse is not None and limit.keeps(worse)


def _may(row: SweepRow, limit: Limit) -> bool:
    """Whether the better end does."""
    bounds = _bounds(row, limit.key)
    better = bounds.high if limit.metric.better == "more" else bounds.low
    return bounds.value is not None and (better is None or limit.keeps(better))


def _short_of(row: SweepRow, limits: Sequence[Limit]) -> str:
    """How a row falls short of a wish; empty: it reaches it."""
    for limit in limits:
        value = _bounds(row, limit.key)[0]
        if value is None:
            return f"{limit.key} is not known"
        if not limit.keeps(value):
            said = words.told_apart(words.digits, value, limit.value)
            beside = f" ({said})" if said != words.digits(value) else ""  # its cell seems to reach it
            return f"{'under' if limit.metric.better == 'more' else 'over'} {limit.key} {limit.value:g}{beside}"
        if not _safe(row, limit):
            known = _bounds(row, limit.key).low is not None
            return f"{limit.key} {limit.value:g} {'lies within its interval' if known else 'is not shown by one round'}"
    return ""


def _cost(rows: Sequence[SweepRow]) -> Callable[[SweepRow], _Bounds]:
    """What rows are compared by: joules, and latency where there are none."""
    key = "energy_j" if any(row.energy_j_per_inference is not None for row in rows) else "latency_ms"

    def cost(row: SweepRow) -> _Bounds:
        return _bounds(row, key)

    return cost


def answer_of(rows: Sequence[SweepRow], want: str, no_joules: str = "") -> SweepAnswer:
    """The cheapest row that reaches the wish with the safe ends of its intervals. `no_joules`: why there are none."""
    limits = parse_want(want)
    measured = [place for place, row in enumerate(rows) if row.fps is not None]
    if not measured:
        return SweepAnswer(
            None, "nothing is measured yet" if any(row.reason == _YET for row in rows) else "nothing was measured"
        )
    cost = _cost([rows[place] for place in measured])
    reach = [p for p in measured if all(_safe(rows[p], limit) for limit in limits) and cost(rows[p]).value is not None]
    if not reach:
        return SweepAnswer(None, _nearest(rows, measured, limits))
    best = min(reach, key=lambda place: cost(rows[place]).value or 0.0)
    alike = [place for place in reach if place != best and _overlap(cost(rows[place]), cost(rows[best]))]
    return SweepAnswer(best, _why(rows, best, reach, alike, limits, no_joules))


def _overlap(one: _Bounds, other: _Bounds) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return True
    return one.low <= other.high and other.low <= one.high


def _why(
    rows: Sequence[SweepRow], best: int, reach: Sequence[int], alike: Sequence[int], limits: Sequence[Limit], no_joules: str
) -> str:
    row = rows[best]
    of = f"of the {len(reach)} rows" if len(reach) > 1 else "of the one row"
    reached = f" that reach{'' if len(reach) > 1 else 'es'} {want_words(limits)}" if limits else ""
    if row.energy_j_per_inference is not None:
        said = f"{row_words(row)}: {joules_words(row.energy_j_per_inference)} a frame, the least {of}{reached}"
    else:
        because = f" ({no_joules})" if no_joules else ""
        said = (
            f"{row_words(row)}: {words.ms(row.latency_ms)}, the lowest latency {of}{reached}, for joules are not known{because}"
        )
    if alike:
        others = "; ".join(row_words(rows[place]) for place in alike[:3])
        said += f"; not shown to differ: {others}{f' and {len(alike) - 3} more' if len(alike) > 3 else ''}"
    return said


def _nearest(rows: Sequence[SweepRow], measured: Sequence[int], limits: Sequence[Limit]) -> str:
    """What comes nearest to a wish that nothing reaches."""

    def short(place: int) -> tuple[float, float]:
        each = [_bounds(rows[place], limit.key) for limit in limits]
        excess = [
            math.inf if bounds.value is None else limit.excess(bounds.value) for bounds, limit in zip(each, limits, strict=True)
        ]
        return max(excess), sum(excess)

    near = rows[min(measured, key=short)]
    told = [
        f"{limit.key} {words.digits(value) if limit.keeps(value) else words.told_apart(words.digits, value, limit.value)}"
        for limit in limits
        if (value := _bounds(near, limit.key).value) is not None
    ]
    within = "; it reaches it by its means, not with its intervals" if max(short(rows.index(near))) == 0 else ""
    return f"none reaches {want_words(limits)}; nearest is {row_words(near)} with {', '.join(told)}{within}"


def row_words(row: SweepPoint) -> str:
    """`25W, batch 2, 2 streams`: a row's place; what stays as it is has no word."""
    said = [
        row.mode or "",
        f"batch {row.batch}" if row.batch is not None else "",
        f"{row.streams} streams" if row.streams > 1 else "",
        f"{row.threads} thread{'' if row.threads == 1 else 's'}" if row.threads is not None else "",
        row.device or "",
        *(f"{name} {value}" for name, value in row.settings.items()),
    ]
    return ", ".join(filter(None, said)) or "as it is"


def joules_words(figure: SweptFigure) -> str:
    """`184 mJ [181, 187]`."""
    scale, unit = (1e3, "mJ") if figure.value < 1 else (1.0, "J")
    text = words.digits(figure.value * scale)
    if figure.low is None or figure.high is None:
        return f"{text} {unit}"
    places = len(text.partition(".")[2])
    return f"{text} {unit} [{figure.low * scale:.{places}f}, {figure.high * scale:.{places}f}]"


def undecided(rows: Sequence[SweepRow], want: str) -> tuple[int, ...]:
    """Points that another round may decide: rows that lie at a limit and would be cheaper than the answer; and the answer
    beside those that are not shown to differ from it, while they are known less well than what is to be told apart.
    """
    limits = parse_want(want)
    measured = [place for place, row in enumerate(rows) if row.fps is not None]
    cost = _cost([rows[place] for place in measured])
    best = answer_of(rows, want).place
    dearest = None if best is None else cost(rows[best]).high
    found: set[int] = set()
    for place in measured:
        row, mine = rows[place], cost(rows[place])
        cheaper = dearest is None or mine.low is None or mine.low <= dearest
        open_ends = [limit for limit in limits if _may(row, limit) and not _safe(row, limit)]
        if not cheaper or any(not _may(row, limit) for limit in limits):
            continue
        if any(_wide(_bounds(row, limit.key)) > NARROW for limit in open_ends):
            found.add(place)
        elif open_ends or best in (None, place):
            continue
        elif best is not None and math.hypot(_wide(mine), _wide(cost(rows[best]))) > RESOLVES:
            found |= {place, best}
    return tuple(sorted(found))


def _wide(bounds: _Bounds) -> float:
    """Half width of an interval, as a share; infinite: there is none."""
    if not bounds.value or bounds.low is None or bounds.high is None:
        return math.inf
    return (bounds.high - bounds.low) / 2 / bounds.value
