"""Which ratios between candidates of a group are told: those of a few all, of many those that decide.

Twelve candidates have 66 ratios. The document keeps them all; whoever reads wants the best beside each, and neighbours in rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..schema.figures import Pair, Ratio
from .columns import Column
from .metric import Change, Metric

MOST_WHOLE = 4
"""Candidates of which every pair is told: six."""


def pairs_told(shown: Sequence[Column], metric: Metric, change: Change) -> list[tuple[str, Ratio]]:
    """`fp16/int8` and its ratio, of candidates that were measured together: as they were given or, of many, by their rank. None
    where they were not.
    """
    there = {column.result.run: column for column in shown if column.candidate and not column.guard}
    pairs = {(pair.a, pair.b): pair for column in shown for pair in column.result.pairs}
    known = {
        names: figure
        for names, pair in pairs.items()
        if there.keys() >= set(names) and (figure := _figure(pair, change)) is not None
    }
    if len({run for names in known for run in names}) > MOST_WHOLE:
        known = {names: known[names] for names in _deciding(there, metric, change) if names in known}
    return [(f"{there[b].label}/{there[a].label}", figure) for (a, b), figure in known.items()]


def _deciding(there: dict[str, Column], metric: Metric, change: Change) -> list[tuple[str, str]]:
    """Runs two by two, either way round: the best beside each, then neighbours in rank."""
    values = {run: change.figure(column.result.difference).value for run, column in there.items()}
    ranked = sorted(
        (run for run, value in values.items() if value is not None),
        key=lambda run: values[run] or 0.0,
        reverse=metric.better == "more",
    )
    beside = [*((run, ranked[0]) for run in ranked[1:]), *pairwise(ranked[1:])]
    return [names for one, other in beside for names in ((one, other), (other, one))]


def _figure(pair: Pair, change: Change) -> Ratio | None:
    found = getattr(pair, change.field, None)
    return found if isinstance(found, Ratio) and found.value is not None else None
