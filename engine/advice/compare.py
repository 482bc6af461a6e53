"""Runs side by side: the table, the front, and which to deploy for a goal."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from ..errors import UsageError
from ..schema.result import Result
from . import sentences
from .choose import choose, quality
from .columns import columns_of
from .comparable import differences, groups
from .goals import Goal, parse_goal
from .metric import Metric
from .metrics import LATENCY
from .pareto import ParetoPoint, axes_of, pareto, point
from .rows import TableRow, rows, run_row
from .spread import RateBox, Spreads, rate_boxes
from .stamp_differences import StampDifference, other_pace, stamp_differences, stamp_warning


class Comparison(Struct, frozen=True, kw_only=True):
    """Runs beside each other."""

    title: str
    """What was compared: how many runs, model, data, board."""
    columns: tuple[str, ...]
    runs: tuple[str, ...]
    """Run of each column; empty for a baseline or a guard."""
    measured: tuple[str, ...] = ()
    """Run whose figures each column shows, a baseline's and a guard's too."""
    sides: tuple[str, ...] = ()
    """Which of its figures: baseline, candidate or guard."""
    rows: tuple[TableRow, ...]
    advice: tuple[str, ...]
    choice: str = ""
    """Label of the column that serves the goal best; empty: it cannot be told."""
    points: tuple[ParetoPoint, ...] = ()
    axes: tuple[str, ...] = ("latency_ms", "top1")
    """Fields of `points` that the front is over, the first two of them drawn: latency and a quality unless others are asked
    for."""
    differs: dict[str, tuple[str, ...]] = {}
    """What keeps the runs from having one baseline (model, data, preprocessing, ...), and what each group of runs has; empty:
    they have one. Else there is neither a front nor a choice."""
    stamps: tuple[StampDifference, ...] = ()
    """In which states the runs were made, where these differ; a value for each of `made`."""
    made: tuple[str, ...] = ()
    """The runs, in the order given."""
    warnings: tuple[str, ...] = ()
    """What has to be known before figures of different runs are compared."""
    latencies: Spreads | None = None
    """How the single inferences of each column spread; None: not asked."""
    frame_rates: tuple[RateBox, ...] = ()
    """Box plots of frames a second, of workloads that have frames of two kinds."""


def compare(results: Sequence[Result], goal: Goal | str = "", front_over: str = "") -> Comparison:
    """Put runs side by side: a baseline for each group of runs that can share one, then their candidates.

    front_over: the axes of the front, as `axes_of` reads them; empty: latency, and what labels say or how near outputs are.

    Raises:
        UsageError: there is nothing to compare, or no such goal or axis.
    """
    asked = axes_of(front_over)
    goal = parse_goal(goal) if isinstance(goal, str) else goal
    if not results:
        raise UsageError("there are no runs to compare", fix="name at least one run; `edgetui runs` lists them")
    results = list({result.run: result for result in results}.values())
    together = groups(results)
    differs = differences(together)
    columns = columns_of(together)
    stamps = stamp_differences(results)
    axes = asked or (LATENCY, quality(columns))
    points = tuple(point(column) for column in columns)
    beside = len(together) == 1 and not (LATENCY in axes and other_pace(stamps))
    front = pareto(points, axes) if beside else frozenset()
    best = choose(columns, goal)
    return Comparison(
        title=sentences.title(results, differs),
        columns=tuple(column.label for column in columns),
        runs=tuple(column.result.run if column.side == "candidate" else "" for column in columns),
        measured=tuple(column.result.run for column in columns),
        sides=tuple(column.side for column in columns),
        rows=(*run_row(columns), *rows(columns)),
        advice=sentences.advice(columns, best, goal, differs),
        choice=best.label if best else "",
        points=tuple(msgspec.structs.replace(each, front=n in front) for n, each in enumerate(points)),
        axes=tuple(metric.axis.key for metric in axes if metric.axis),
        differs=differs,
        frame_rates=rate_boxes(columns),
        stamps=stamps,
        made=tuple(result.run for result in results),
        warnings=tuple(filter(None, [stamp_warning(stamps), _no_front(points, asked)])),
    )


def _no_front(points: Sequence[ParetoPoint], asked: Sequence[Metric]) -> str:
    """What was asked of the front and measured in none of the runs; empty: nothing."""
    unknown = [metric.axis.name for metric in asked if metric.axis and all(each.at(metric) is None for each in points)]
    return f"there is no front over {' and '.join(unknown)}: not one of these runs has measured that" if unknown else ""
