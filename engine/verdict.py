"""Words for a difference: faster, smaller, worse, or no difference shown. Light: results only.

Apart from the measurement because a stored result can be judged again, and the words are the same everywhere.
"""

from __future__ import annotations

from .result import Difference, Metrics, Ratio

NO_DIFFERENCE = "no difference shown"
RUINED = "ruined"
"""Of `outputs` in the list of runs; a result says in `fidelity.ruined` what and where."""

_MEMORY_NOISE = 0.05
"""Peaks of two processes that load the same file differ by this share; memory is measured once a side and has no interval."""

_SIZE_NAMES = 0.005
"""Names and notes in a file make so little a difference; with three digits it is a ratio of 1.00."""


def verdicts(difference: Difference, baseline: Metrics, candidate: Metrics) -> dict[str, str]:
    """A word for each of `latency`, `size`, `memory`, `accuracy` that was measured on both sides."""
    words = {
        "latency": by_interval(difference.latency_ratio, 1.0, "faster", "slower"),
        "size": _by_margin(difference.size_ratio, _SIZE_NAMES, "smaller", "larger"),
        "memory": _by_margin(difference.memory_ratio, _MEMORY_NOISE, "smaller", "larger"),
    }
    if baseline.accuracy.top1 is not None and candidate.accuracy.top1 is not None:
        words["accuracy"] = by_interval(difference.top1_points, 0.0, "worse", "better")
    return {metric: word for metric, word in words.items() if word is not None}


def by_interval(ratio: Ratio, neutral: float, below: str, above: str) -> str | None:
    """`below` or `above` when the whole interval lies on that side of `neutral`; None when nothing was measured."""
    if ratio.value is None:
        return None
    if ratio.low is None or ratio.high is None:
        return NO_DIFFERENCE
    if ratio.high < neutral:
        return below
    return above if ratio.low > neutral else NO_DIFFERENCE


def _by_margin(ratio: float | None, margin: float, below: str, above: str) -> str | None:
    """For single figures without an interval: a difference larger than `margin`."""
    if ratio is None:
        return None
    if ratio < 1 - margin:
        return below
    return above if ratio > 1 + margin else NO_DIFFERENCE
