"""The columns of a comparison: a baseline for each group of runs that can share one, then the group's candidates."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct

from ..schema.figures import Difference, Metrics, Ratio
from ..schema.output_figures import Fidelity
from ..schema.result import Payback, Result
from ..schema.stamps import RecipeStamp
from .comparable import BaselineGroup, groups, names

_MINUTE = re.compile(r"\d{8}-\d{4}(?=-)")
"""What an id begins with."""
_NUMBERED = re.compile(r" #\d+$")
"""What `_unused` writes behind a name."""
GUARD = "FP16 guard"
"""What its column is called."""


class Column(Struct, frozen=True):
    """A baseline or a candidate."""

    label: str
    metrics: Metrics
    result: Result
    """The run it comes from."""
    candidate: bool
    guard: bool = False
    """The FP16 plan that was built beside an INT8 candidate: to be deployed as any, and no run of its own."""

    @property
    def side(self) -> str:
        """Which part of the document it is."""
        return "guard" if self.guard else "candidate" if self.candidate else "baseline"

    def figure(self, path: str, *, compared: bool = False) -> float | None:
        """A figure by its path in the document: `latency_ms.mean` of this side, or `fidelity.cosine` where it is `compared`,
        which only candidates have.
        """
        if compared and not self.candidate:
            return None
        value: object = self.result if compared else self.metrics
        for name in path.split("."):
            value = getattr(value, name, None)  # a part that this workload does not have is no Struct
        return value if isinstance(value, int | float) else None

    def interval(self, path: str) -> tuple[float, float] | None:
        """The 95 % interval of a figure of this side, from `PATH_low` and `PATH_high`, `PATH_half_width`, or, of a mean, the
        `half_width` beside it; None: it has none.
        """
        value, low, high = (self._known(f"{path}{end}") for end in ("", "_low", "_high"))
        if low is not None and high is not None:
            return low, high
        half = self._known(f"{path.removesuffix('mean')}half_width" if path.endswith(".mean") else f"{path}_half_width")
        return None if value is None or half is None else (value - half, value + half)

    def _known(self, path: str) -> float | None:
        value: object = self.metrics
        for name in path.split("."):
            value = getattr(value, name, None)
        return value if isinstance(value, int | float) else None

    def reason(self, path: str) -> str | None:
        """Why a figure of this side is not known, e.g. `latency_ms.p99`."""
        return self.result.reasons.get(f"{'candidate' if self.candidate else 'baseline'}.{path}")

    def verdict(self, metric: str) -> str:
        """The verdict's word; empty for a baseline and where there is none."""
        return self.result.verdict.get(metric, "") if self.candidate else ""


def columns(results: Sequence[Result]) -> tuple[Column, ...]:
    """Columns for runs: the baseline of each group once, from its first run that measured it, before the group's candidates.

    Where runs of a group measured it apart, it is called after the run whose it is.
    """
    return columns_of(groups(results))


def columns_of(together: Sequence[BaselineGroup]) -> tuple[Column, ...]:
    """The same for runs that are in groups already."""
    found: list[Column] = []
    for group, name in zip(together, names(together), strict=True):
        first = max(group.results, key=_measured)
        candidates: list[Column] = []
        for result in group.results:
            label = _unused(result.recipe.name or result.run, [*found, *candidates])
            candidates.append(Column(label, result.candidate, result, candidate=True))
        whose = next(column.label for column in candidates if column.result is first)
        said = ("FP32", name, f"of {whose}" if _apart(group.results) else "")
        found.append(Column(_unused(" ".join(filter(None, said)), found), first.baseline, first, candidate=False))
        found += candidates
        guarded = next((result for result in group.results if result.guard is not None and result.guard_run is None), None)
        if guarded is not None:
            beside = as_candidate(guarded)
            found.append(Column(_unused(GUARD, found), beside.candidate, beside, candidate=True, guard=True))
    return tuple(found)


def as_candidate(result: Result) -> Result:
    """The result that its guard would have had, alone."""
    assert result.guard is not None
    apart = {path.removeprefix("guard_").replace("guard.", "candidate.", 1): why for path, why in result.reasons.items()}
    return msgspec.structs.replace(
        result,
        recipe=RecipeStamp(name=GUARD, title="half precision, built beside INT8"),
        candidate=result.guard,
        difference=result.guard_difference or Difference(),
        fidelity=result.guard_fidelity or Fidelity(),
        guard=None,
        guard_difference=UNSET,
        guard_fidelity=UNSET,
        pairs=(),
        verdict=result.guard_verdict,
        payback=Payback(),
        stages=(),
        artifacts={word.removeprefix("guard_"): path for word, path in result.artifacts.items()},
        reasons=apart,
    )


def against_guard(result: Result) -> Difference:
    """A candidate over its guard; empty where there is none."""
    if result.guard is None:
        return Difference()
    one, other = result.candidate, result.guard
    return Difference(
        latency_ratio=result.difference.latency_ratio_to_guard or Ratio(),
        energy_ratio=result.difference.energy_ratio_to_guard or None,
        size_ratio=_over(one.size_bytes, other.size_bytes),
        memory_ratio=_over(one.memory_mb.process_peak, other.memory_mb.process_peak),
    )


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def runs_of(columns: Sequence[Column]) -> tuple[str, ...]:
    """Which run each column is of, where the names of some have numbers; empty: names tell them apart. It is the minute with
    which its id begins, or the whole id where another is of that minute. Of baselines it is told where theirs have numbers.
    """
    twins = {column.candidate for column in columns if _NUMBERED.search(column.label)}
    if not twins:
        return ()
    minutes = [_minute(run) for run in {column.result.run for column in columns}]
    whole = {minute for minute in minutes if minutes.count(minute) > 1}
    told = [run if _minute(run) in whole else _minute(run) for run in (column.result.run for column in columns)]
    return tuple(run if column.candidate or False in twins else "" for run, column in zip(told, columns, strict=True))


def _minute(run: str) -> str:
    """`20261120-2311`; all of an id that does not begin so."""
    found = _MINUTE.match(run)
    return found[0] if found else run


def own_baseline(column: Column) -> Column:
    """The baseline that a candidate was measured beside, whether or not it has a column."""
    return Column("", column.result.baseline, column.result, candidate=False)


def _apart(results: Sequence[Result]) -> bool:
    """Whether their baselines are several measurements; runs that were measured in turns have one."""
    sides = [result.baseline for result in results]
    figures = (
        [side.latency_ms.mean for side in sides],
        [side.energy_j_per_inference.net for side in sides],
        [side.fps for side in sides],
    )
    return any(len(set(known) - {None}) > 1 for known in figures)


def _measured(result: Result) -> int:
    """How much of its baseline a run has measured: the first of those with most is shown."""
    return (result.baseline.latency_ms.mean is not None) + (result.baseline.accuracy.n is not None)


def _unused(label: str, taken: Sequence[Column]) -> str:
    """The label, with a number when another column has it already."""
    again = sum(1 for column in taken if column.label.partition(" #")[0] == label)
    return f"{label} #{again + 1}" if again else label
