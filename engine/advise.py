"""Which run to deploy: the Pareto front, the choice by goal, and the reasons in sentences.

Only what was shown counts: a candidate that is not shown to be faster does not win by its mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from .alike import Group, differences, groups, names
from .errors import UsageError, nearest
from .report import words
from .report.front import Point, pareto, point
from .report.rows import Row, Side, pays_back, rows
from .result import Result
from .spread import Spreads

Aim = Literal["fastest", "smallest", "least-memory", "least-energy"]


class Goal(Struct, frozen=True, kw_only=True):
    """What is wanted, and how much accuracy it may cost."""

    aim: Aim = "fastest"
    max_drop: float = 0.01
    """Top-1 that may be lost, as a share (0.01 = one point); used where `min_top1` is not given."""
    min_top1: float | None = None
    min_cosine: float = 0.95
    """Where there are no labels: how near the outputs must stay to the baseline's."""
    min_agreement: float = 0.95
    """The same where no output is a quantity: the share of elements that must equal the baseline's."""


class Comparison(Struct, frozen=True, kw_only=True):
    """Runs beside each other."""

    title: str
    """What was compared: how many runs, model, data, board."""
    columns: tuple[str, ...]
    runs: tuple[str, ...]
    """Run of each column; empty for a baseline."""
    rows: tuple[Row, ...]
    advice: tuple[str, ...]
    choice: str = ""
    """Label of the column that serves the goal best; empty: it cannot be told."""
    points: tuple[Point, ...] = ()
    axes: tuple[str, str] = ("latency_ms", "top1")
    """Fields of `Point` that the front is drawn over: a cost, and a quality."""
    differs: dict[str, tuple[str, ...]] = {}
    """What keeps the runs from having one baseline (model, data, preprocessing, ...), and what each group of runs has; empty:
    they have one. Else there is neither a front nor a choice."""
    latencies: Spreads | None = None
    """How the single inferences of each column spread; None: not asked."""


def compare(results: Sequence[Result], goal: Goal | str = "") -> Comparison:
    """Put runs side by side: a baseline for each group of runs that can share one, then their candidates.

    Raises:
        UsageError: there is nothing to compare, or no such goal.
    """
    goal = parse_goal(goal) if isinstance(goal, str) else goal
    if not results:
        raise UsageError("there are no runs to compare", fix="name at least one run; `edgetui runs` lists them")
    results = list({result.run: result for result in results}.values())
    together = groups(results)
    columns = _columns(together)
    quality = _quality(columns)
    points = tuple(point(side) for side in columns)
    front = pareto(points, "latency_ms", quality) if len(together) == 1 else frozenset()
    best = choose(columns, goal)
    return Comparison(
        title=_title(results, differences(together)),
        columns=tuple(side.label for side in columns),
        runs=tuple(side.result.run if side.candidate else "" for side in columns),
        rows=rows(columns),
        advice=_sentences(columns, best, goal, differences(together)),
        choice=best.label if best else "",
        points=tuple(msgspec.structs.replace(each, front=n in front) for n, each in enumerate(points)),
        axes=("latency_ms", quality),
        differs=differences(together),
    )


def _quality(columns: Sequence[Side]) -> str:
    """What the front has beside the cost: what labels say, else how near outputs are."""
    if any(side.metrics.accuracy.top1 is not None for side in columns):
        return "top1"
    near = any(side.result.fidelity.cosine is not None for side in columns if side.candidate)
    return "cosine" if near or not _equal_told(columns) else "agreement"


def advise(results: Sequence[Result], goal: Goal | str = "") -> tuple[str, ...]:
    """Only the sentences of `compare`."""
    return compare(results, goal).advice


def parse_goal(text: str) -> Goal:
    """A goal from words: an aim, and if wanted `drop=0.02` or `top1=0.80`; empty: the default.

    Raises:
        UsageError: there is no such aim or limit.
    """
    known: tuple[str, ...] = get_args(Aim)
    found: dict[str, object] = {}
    for word in text.replace(",", " ").split():
        key, equals, value = word.partition("=")
        if not equals:
            if word not in known:
                raise UsageError(f"there is no goal `{word}`", fix=nearest(word, known))
            found["aim"] = word
        elif key in ("drop", "top1") and re.fullmatch(r"0?\.\d+|[01]", value):
            found["max_drop" if key == "drop" else "min_top1"] = float(value)
        else:
            raise UsageError(f"`{word}` is no limit", fix="write drop=0.02 (top-1 that may be lost) or top1=0.80 (the least)")
    return msgspec.convert(found, Goal)


def sides(results: Sequence[Result]) -> tuple[Side, ...]:
    """Columns for runs: the baseline of each group once, from its first run that measured it, before the group's candidates."""
    return _columns(groups(results))


def _columns(together: Sequence[Group]) -> tuple[Side, ...]:
    found: list[Side] = []
    for group, name in zip(together, names(together), strict=True):
        first = max(group.results, key=_measured)
        found.append(Side(_unused(f"FP32 {name}".rstrip(), found), first.baseline, first, candidate=False))
        for result in group.results:
            found.append(Side(_unused(result.recipe.name or result.run, found), result.candidate, result, candidate=True))
    return tuple(found)


def _measured(result: Result) -> int:
    """How much of its baseline a run has measured: the first of those with most is shown."""
    return (result.baseline.latency_ms.mean is not None) + (result.baseline.accuracy.top1 is not None)


def _unused(label: str, taken: Sequence[Side]) -> str:
    """The label, with a number when another column has it already."""
    again = sum(1 for side in taken if side.label.partition(" #")[0] == label)
    return f"{label} #{again + 1}" if again else label


def in_words(result: Result) -> str:
    """The verdict of one finished run in a sentence; empty when it measured nothing."""
    side = sides([result])[1]
    deeds = _deeds(side)
    if result.difference.latency_ratio.value is None:
        return ""
    ratio = words.ratio(result.difference.latency_ratio)
    return f"{side.label} against FP32: {deeds}; {_accuracy(side)}. Latency ratio {ratio}."


def _title(results: Sequence[Result], differs: Mapping[str, Sequence[str]]) -> str:
    """`3 runs · resnet20 · cifar10 (5000) · Orin Nano 8GB`; then what differs: `different data (cifar10; bccd)`."""
    models = {result.model.name if result.model else "" for result in results}
    data = {f"{r.dataset.name} ({r.dataset.evaluated})" if r.dataset and r.dataset.evaluated else "" for r in results}
    boards = {result.board.name or result.board.cpu for result in results}
    count = "1 run" if len(results) == 1 else f"{len(results)} runs"
    same = [next(iter(names)) for names in (models, data, boards) if len(names) == 1]
    return " · ".join(
        [count, *filter(None, same), *(f"different {word} ({'; '.join(each)})" for word, each in differs.items())]
    )


def choose(columns: Sequence[Side], goal: Goal) -> Side | None:
    """The column that serves the goal best within the accuracy it may cost; the baseline where no candidate is shown better.

    None: columns of several models, or a figure that nobody measured.
    """
    baselines = [side for side in columns if not side.candidate]
    if len(baselines) != 1:
        return None
    if all(_gain(side, goal.aim) is None for side in columns if side.candidate):
        return None
    able = [(gain, side) for side in columns if side.candidate and _fault(side, goal) == "" and (gain := _gain(side, goal.aim))]
    winners = [(gain, side) for gain, side in able if _better(side, goal.aim)]
    return min(winners, key=lambda pair: pair[0])[1] if winners else baselines[0]


def _gain(side: Side, aim: Aim) -> float | None:
    """Candidate over baseline in what the goal is about; below 1 is better."""
    difference = side.result.difference
    if side.result.state != "done":
        return None
    return {
        "fastest": difference.latency_ratio.value,
        "smallest": difference.size_ratio,
        "least-memory": difference.memory_ratio,
        "least-energy": difference.energy_ratio,
    }[aim]


def _better(side: Side, aim: Aim) -> bool:
    """Whether a candidate is shown to be better than its baseline."""
    if aim == "fastest":
        return side.verdict("latency") == "faster"
    if aim == "least-memory":
        return side.verdict("memory") == "smaller"
    gain = _gain(side, aim)
    return gain is not None and gain < 1


def _fault(side: Side, goal: Goal) -> str:
    """Why a candidate is out of the question; empty when it is not."""
    result = side.result
    if result.state != "done":
        return f"the run {result.state}" if result.state in ("failed", "crashed") else f"the run is {result.state}"
    top1, drop = side.metrics.accuracy.top1, result.difference.top1_points.value
    if goal.min_top1 is not None:
        if top1 is None:
            return "its top-1 is not known"
        return f"top-1 is {top1:.3f}" if top1 < goal.min_top1 else ""
    if drop is not None:
        return f"it loses {_points(drop)} of top-1" if -drop > goal.max_drop else ""
    if result.fidelity.ruined:
        return "its outputs are ruined"
    cosine, agreement = result.fidelity.cosine, result.fidelity.agreement
    if cosine is not None:
        return f"its outputs are far from FP32's (cosine {cosine:.3f})" if cosine < goal.min_cosine else ""
    far = agreement is not None and agreement < goal.min_agreement
    return f"its outputs are far from FP32's ({words.near_all(agreement)} of labels equal)" if far else ""


def _sentences(columns: Sequence[Side], best: Side | None, goal: Goal, differs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The goal, the choice with its reasons, then why not each of the others."""
    found = [f"Goal: {_goal_words(columns, goal)}."]
    if best is None:
        ended = any(side.result.state == "done" for side in columns)
        why = f"What decides it, {_WHAT[goal.aim]}, was not measured in these runs." if ended else _NO_CHOICE_ENDED
        what = _listed([f"{word} ({'; '.join(each)})" for word, each in differs.items()])
        several = f"These runs differ in {what}: {_NO_CHOICE_AMONG}"
        found.append(several if differs else why)
        return (*found, *(f"{side.label}: {_deeds(side)}." for side in columns if side.candidate and _deeds(side)))
    if best.candidate:
        found.append(f"Take {best.label}: {_deeds(best)}; {_accuracy(best)}.")
        inferences = pays_back(best.result)
        if inferences is not None:
            found.append(f"Compressing it has paid back after {words.thousands(inferences)} inferences.")
    else:
        found.append(f"Keep {best.label}: no candidate is {_SHOWN[goal.aim]} within what the goal allows.")
    found += [_why_not(side, best, goal) for side in columns if side.candidate and side is not best]
    return (*found, *_drift(columns))


def _listed(several: Sequence[str]) -> str:
    """`data, backend and board`."""
    return " and ".join(filter(None, [", ".join(several[:-1]), several[-1] if several else ""]))


def _drift(columns: Sequence[Side]) -> tuple[str, ...]:
    """A warning when the baselines of the runs differ by more than their intervals: the machine was not in the same state."""
    latencies = [side.result.baseline.latency_ms for side in columns if side.candidate]
    means = [each.mean for each in latencies if each.mean is not None]
    widths = sorted(each.half_width or 0.0 for each in latencies)
    if len(means) < 2 or max(means) - min(means) <= sum(widths[-2:]):
        return ()
    low, high = words.ms(min(means)), words.ms(max(means))
    return (f"FP32 itself took from {low} to {high} in these runs: the machine changed, so compare ratios, not milliseconds.",)


def _why_not(side: Side, best: Side, goal: Goal) -> str:
    """Why a candidate was not chosen."""
    fault = _fault(side, goal)
    if fault:
        return f"{side.label} is out: {fault}."
    if not _better(side, goal.aim):
        why = f": {_reasons(side)}" if goal.aim == "fastest" and _reasons(side) else ""
        verdict = side.verdict("latency") if goal.aim == "fastest" else ""
        shown = "slower than FP32" if verdict == "slower" else f"not {_SHOWN[goal.aim]}"
        return f"{side.label} is {shown}{why}."
    if goal.aim == "fastest" and _overlap(side, best):
        return f"{side.label} is not shown to differ from {best.label} in latency: {_deeds(side)}; {_accuracy(side)}."
    return f"Runner-up: {side.label}: {_deeds(side)}; {_accuracy(side)}."


def _reasons(side: Side) -> str:
    """Why such a recipe cannot be expected to be faster."""
    recipe, found = side.result.recipe.toml, []
    if "quantize.int8" in recipe:
        return ""
    if "prune.magnitude" in recipe:
        found.append("its zeros are scattered and the plan is dense")
    if "precision.fp16" in recipe and side.result.backend.name == "onnxruntime":
        found.append("ONNX Runtime computes half precision in FP32 on this CPU")
    if "quantize.weights" in recipe:
        found.append("its arithmetic stays in floating point")
    return "; ".join(found)


def _overlap(one: Side, other: Side) -> bool:
    """Whether the intervals of two latency ratios share a value."""
    a, b = one.result.difference.latency_ratio, other.result.difference.latency_ratio
    return None not in (a.low, a.high, b.low, b.high) and a.low <= b.high and b.low <= a.high  # type: ignore[operator]


def _goal_words(columns: Sequence[Side], goal: Goal) -> str:
    aim = goal.aim.replace("-", " ")
    if goal.min_top1 is not None:
        return f"{aim} with top-1 ≥ {goal.min_top1:g}"
    if any(side.metrics.accuracy.top1 is not None for side in columns):
        return f"{aim} with at most {_points(goal.max_drop)} of top-1 lost"
    if not any(side.result.fidelity.cosine is not None for side in columns) and _equal_told(columns):
        return f"{aim} with {words.percent(goal.min_agreement)} of its outputs' labels equal to FP32's; accuracy is not known"
    return f"{aim} with outputs near FP32's (cosine ≥ {goal.min_cosine:g}); without labels accuracy is not known"


def _equal_told(columns: Sequence[Side]) -> bool:
    return any(side.result.fidelity.agreement is not None for side in columns)


def _deeds(side: Side) -> str:
    """`2.2 times faster, 57 % less energy, 68 % smaller`."""
    difference, parts = side.result.difference, []
    latency = difference.latency_ratio.value
    verdict = side.verdict("latency")
    if latency and verdict == "faster":
        parts.append(f"{1 / latency:.1f} times faster" if latency < 0.8 else f"{_share(1 - latency)} faster")
    elif latency and verdict == "slower":
        parts.append(f"{latency:.1f} times slower" if latency > 1.25 else f"{_share(latency - 1)} slower")
    elif latency and verdict:
        parts.append("not shown to differ in latency")
    for value, less, more in (
        (difference.energy_ratio, "less energy an inference", "more energy an inference"),
        (difference.size_ratio, "smaller", "larger"),
    ):
        if value is not None and abs(value - 1) >= 0.005:
            parts.append(f"{abs(1 - value) * 100:.0f} % {less if value < 1 else more}")
    return ", ".join(parts)


def _share(value: float) -> str:
    """`12 %`; below one percent with a decimal, for `0 % faster` says nothing."""
    return words.percent(value) if value < 0.01 else f"{value * 100:.0f} %"


def _accuracy(side: Side) -> str:
    """What it costs in accuracy, or how near the outputs are."""
    difference, fidelity = side.result.difference, side.result.fidelity
    drop = difference.top1_points.value
    if drop is not None:
        if drop == 0:
            return "top-1 the same"
        p = difference.mcnemar_p
        doubt = f" (not shown to differ, {words.p_value(p)})" if p is not None and p >= 0.05 else ""
        return f"top-1 {_points(drop)} {'higher' if drop > 0 else 'lower'}{doubt}"
    if fidelity.ruined:
        return "its outputs are ruined"
    if fidelity.cosine is not None:
        return f"cosine of its outputs to FP32's {fidelity.cosine:.4f}"
    if fidelity.agreement is not None:
        return f"{words.near_all(fidelity.agreement)} of its outputs' labels equal FP32's"
    return "its accuracy is not known"


def _points(share: float) -> str:
    """A difference of shares in points: `0.1 points`."""
    value = abs(share) * 100
    return "1 point" if round(value, 2) == 1 else f"{words.digits(value, 2)} points"


_WHAT = {"fastest": "latency", "smallest": "size", "least-memory": "memory", "least-energy": "energy"}
_SHOWN = {
    "fastest": "shown to be faster",
    "smallest": "smaller",
    "least-memory": "lighter in memory",
    "least-energy": "thriftier in energy",
}
_NO_CHOICE_ENDED = "None of these runs has ended well, so there is nothing to choose from."
_NO_CHOICE_AMONG = "each is compared with its own FP32 alone, and no choice between them follows."
