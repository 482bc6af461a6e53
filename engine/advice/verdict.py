"""Words for a difference: faster, smaller, worse, or no difference shown. Light: results only.

A stored result can be judged again, without measuring.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ..schema.figures import Difference, Metrics
from ..schema.result import Result
from .columns import Column
from .metrics import changes

Tone = Literal["", "better", "worse"]
RUINED = "ruined"
"""Of `outputs` in the list of runs; a result says in `fidelity.ruined` what and where."""
BETTER = frozenset(metric.best() for metric, _ in changes())
WORSE = frozenset(metric.worst() for metric, _ in changes())
DIFFERS = BETTER | WORSE | {RUINED}
EVIDENT = frozenset(metric.key for metric, change in changes() if change.evident)
"""Metrics whose verdict's word says by itself what is meant: faster, smaller."""

_NAMES = {metric.key: metric.name for metric, _ in changes()}


def named(metric: str) -> str:
    """What people call a metric of a verdict, by its key; one of an edgetui that knows others by its own."""
    return _NAMES.get(metric, metric.replace("_", " "))


def tone(word: str) -> Tone:
    """How a verdict's word is coloured."""
    return "better" if word in BETTER else "worse" if word in WORSE else ""


def verdicts(difference: Difference, baseline: Metrics, candidate: Metrics) -> dict[str, str]:
    """A word for each metric that was measured on both sides."""
    sides = [Column("", metrics, Result(run="", state="done"), candidate=True) for metrics in (baseline, candidate)]
    words = {
        metric.key: change.verdict(difference)
        for metric, change in changes()
        if not change.both or all(metric.value(side) is not None for side in sides)
    }
    return {metric: word for metric, word in words.items() if word}


def verdict_words(verdict: Mapping[str, str], *, differing: bool = False) -> str:
    """`faster; top-1 worse; no difference shown: memory`: what differs comes first, for the end may be out of sight.
    `differing`: that alone, where something differs.
    """
    differs = [word if metric in EVIDENT else f"{named(metric)} {word}" for metric, word in verdict.items() if word in DIFFERS]
    if differing and differs:
        return "; ".join(differs)
    others: dict[str, list[str]] = {}
    for metric, word in verdict.items():
        if word not in DIFFERS:
            others.setdefault(word, []).append(named(metric))
    return "; ".join([*differs, *(f"{word}: {', '.join(metrics)}" for word, metrics in others.items())])
