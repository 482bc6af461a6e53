"""Advice in sentences: the goal, the choice with its reasons, and why not each of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..backends.cards import card_of
from ..errors import RecipeRefused
from ..library.recipes import recipe_of
from ..schema.figures import Correction, Difference
from ..schema.result import Result
from . import words
from .choose import (
    Fault,
    alike,
    beside,
    decided,
    fault,
    first_plan_serves,
    is_better,
    least,
    nearest,
    nearest_known,
    points_lost,
    quality,
)
from .columns import Column, against_guard, columns
from .escalated import escalation_sentences
from .goals import Goal, Limit
from .metric import Change, Metric
from .metrics import AIMS, LATENCY, changes
from .pairs_told import pairs_told
from .payback import payback

_NO_CHOICE_ENDED = "None of these runs has ended well, so there is nothing to choose from."
_NO_CHOICE_AMONG = "each is compared with its own FP32 alone, and no choice between them follows."


def verdict_sentence(result: Result, called: str = "") -> str:
    """The verdict of one finished run in a sentence; empty when it measured nothing. `called`: as its column is, where others
    stand beside it.
    """
    column = columns([result])[1]
    if result.difference.latency_ratio.value is None:
        return ""
    ratio = words.ratio(result.difference.latency_ratio)
    found = f"{called or column.label} against FP32: {deeds(column)}; {price(column)}. Latency ratio {ratio}."
    return " ".join(filter(None, [found, guard_sentence(result), *escalation_sentences(result)]))


def guard_sentence(result: Result) -> str:
    """`Not shown faster than FP16 (ratio 0.99 [0.97, 1.02]): deploy FP16.`; empty where there is no guard."""
    if result.guard is None:
        return ""
    against, change = against_guard(result).latency_ratio, LATENCY.change
    if change is None or against.value is None:
        return "It was not timed beside FP16: deploy FP16 unless that is measured."
    if change.verdict(against_guard(result)) == LATENCY.best():
        return f"Faster than FP16 as well (ratio {words.ratio(against)})."
    slower = change.verdict(result.guard_difference or Difference()) == LATENCY.worst()
    return f"Not shown faster than FP16 (ratio {words.ratio(against)}): deploy {'FP32, which is faster' if slower else 'FP16'}."


def title(results: Sequence[Result], differs: Mapping[str, Sequence[str]]) -> str:
    """`3 runs · resnet20 · cifar10 (5000) · Orin Nano 8GB`; then what differs: `different data (cifar10; bccd)`."""
    models = {result.model.name if result.model else "" for result in results}
    data = {f"{r.dataset.name} ({r.dataset.evaluated})" if r.dataset and r.dataset.evaluated else "" for r in results}
    boards = {result.board.name or result.board.cpu for result in results}
    count = "1 run" if len(results) == 1 else f"{len(results)} runs"
    same = [next(iter(names)) for names in (models, data, boards) if len(names) == 1]
    return " · ".join(
        [count, *filter(None, same), *(f"different {word} ({'; '.join(each)})" for word, each in differs.items())]
    )


def advice(shown: Sequence[Column], best: Column | None, goal: Goal, differs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """All sentences; `best` is what `choose` found, `differs` what the runs do not have in common."""
    found = [f"Goal: {_goal_words(shown, goal)}."]
    candidates = [column for column in shown if column.candidate]
    if best is None:
        found.append(_no_choice(shown, goal, differs))
        if decided(shown, goal):
            return (*found, *(_out(column, out) for column in shown if (out := fault(column, goal)) is not None))
        return (*found, *(f"{column.label}: {deeds(column)}." for column in candidates if deeds(column)))
    if best.candidate:
        shows = "" if is_better(best, goal) else f", though it is not {_shown(goal)}: FP32 does not keep the limits"
        found.append(f"Take {best.label}{shows}: {'; '.join(filter(None, [deeds(best), price(best)]))}.")
        if (over := first_plan_serves(best, goal)) is not None:
            found.append(
                f"INT8 alone, the first of its two plans, keeps what the goal asks and is shown to take less: both together "
                f"have {words.ratio(over)} of its {_what(goal)}. Its recipe without adaptive serves this goal better."
            )
        found += _payback(best.result)
    else:
        found.append(f"Keep FP32: no candidate is {_shown(goal)} within what the goal allows.")
    found += _barely(best, goal)
    others = [column for column in shown if column is not best and (column.candidate or fault(column, goal) is not None)]
    each_other = beside_words(candidates)
    twice = [f"{column.label}: {text}" for column in candidates for text in escalation_sentences(column.result)]
    return (
        *found,
        *(_why_not(column, best, goal) for column in others),
        *twice,
        *_drift(candidates),
        *each_other,
        *intervals_beside(candidates),
    )


def beside_words(shown: Sequence[Column]) -> list[str]:
    """`Candidates over each other, latency: fp16/int8 1.33 [1.20, 1.50].`; none where they were not measured together."""
    found = []
    for metric, change in changes():
        known = [f"{names} {words.ratio(figure)}" for names, figure in pairs_told(shown, metric, change)]
        if known and metric.axis:
            found.append(f"Candidates over each other, {metric.axis.name}: {'; '.join(known)}.")
    return found


def intervals_words(result: Result, whose: str = "") -> str:
    """How the intervals of ratios allow for each other; empty where there is one ratio. `whose`: names of columns, where others
    stand beside them that were measured apart.
    """
    told = result.correction
    if told.comparisons < 2:
        return ""
    each = f"{100 * told.confidence:.1f} %"
    of = f"of the ratios of {whose}" if whose else "of ratios"
    return (
        f"Intervals {of} hold together with 95 %: {told.comparisons} ratios of {told.variants} variants, each at {each} "
        f"({told.method})."
    )


def intervals_beside(candidates: Sequence[Column]) -> list[str]:
    """The same for each group that was measured together, with the names of its columns where there are several; none where all
    intervals are plain ones.
    """
    groups: dict[tuple[str, Correction], list[Column]] = {}
    for column in candidates:
        if any(change.neutral == 1 and change.figure(column.result.difference).low is not None for _, change in changes()):
            groups.setdefault((column.result.group or column.result.run, column.result.correction), []).append(column)
    if not any(told.comparisons > 1 for _, told in groups):
        return []
    if len(groups) == 1:
        return [intervals_words(next(iter(groups.values()))[0].result)]
    found = [intervals_words(each[0].result, words.listed([column.label for column in each])) for each in groups.values()]
    plain = [column.label for (_, told), each in groups.items() if told.comparisons < 2 for column in each]
    return [*filter(None, found), *([f"Intervals of the ratios of {words.listed(plain)} have 95 % each."] if plain else [])]


def _no_choice(shown: Sequence[Column], goal: Goal, differs: Mapping[str, Sequence[str]]) -> str:
    if differs:
        several = [f"{word} ({'; '.join(each)})" for word, each in differs.items()]
        return f"These runs differ in {words.listed(several)}: {_NO_CHOICE_AMONG}"
    if not any(column.result.state == "done" for column in shown):
        return _NO_CHOICE_ENDED
    if decided(shown, goal):
        return f"No column keeps the limits{_nearest_words(shown, goal)}."
    change = AIMS[goal.aim].change
    why = {column.result.reasons.get(f"difference.{change.field}", "") for column in shown} if change else set()
    return f"What decides it, {_what(goal)}, was not measured in these runs{_bracketed('; '.join(sorted(filter(None, why))))}."


def _nearest_words(shown: Sequence[Column], goal: Goal) -> str:
    near = nearest(shown, goal)
    out = fault(near, goal) if near else None
    return f"; nearest is {near.label}: {_fault_words(near, out)}" if near and out else ""


def _barely(best: Column, goal: Goal) -> list[str]:
    """Limits that a figure keeps and its interval does not."""
    found = []
    for limit in goal.limits:
        metric, interval = limit.metric, best.interval(limit.metric.path)
        if interval is not None and not all(map(limit.keeps, interval)):
            within = " to ".join(metric.text(end) if limit.keeps(end) else _missing(limit, end) for end in interval)
            found.append(
                f"Its {metric.name} keeps the limit of {limit_text(limit)} by its figure alone: 95 % interval {within}."
            )
    return found


def limit_words(limit: Limit) -> str:
    """`top-1 ≥ 0.8`, `latency ≤ 33.0 ms`."""
    return f"{limit.metric.name} {'≥' if limit.metric.better == 'more' else '≤'} {limit_text(limit)}"


def limit_text(limit: Limit) -> str:
    """The value with its unit."""
    return f"{limit.value:.12g}" if limit.metric.quality else words.in_full(limit.metric.text, limit.figure)


def _missing(limit: Limit, value: float) -> str:
    """A figure that does not keep it."""
    return words.told_apart(limit.metric.text, value, limit.figure)


def _payback(result: Result) -> list[str]:
    paid = payback(result).figures
    known = [(paid.by_time, "time"), (paid.by_energy, "energy")]
    parts = [f"{words.thousands(value)} inferences in {what}" for value, what in known if value is not None]
    return [f"Compressing it has paid back after {' and after '.join(parts)}."] if parts else []


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def _what(goal: Goal) -> str:
    aim = AIMS[goal.aim].aim
    return aim.what if aim else ""


def _shown(goal: Goal) -> str:
    aim = AIMS[goal.aim].aim
    return aim.shown if aim else ""


def _goal_words(shown: Sequence[Column], goal: Goal) -> str:
    aim = goal.aim.replace("-", " ")
    parts = [limit_words(limit) for limit in goal.limits]
    decides = quality(shown)
    if goal.drop is not None and decides.nearness is None:
        parts.append(f"at most {_points(goal.drop)} of {_word(decides)} lost")
    elif goal.drop is not None and decides.nearness is not None:
        parts.append(decides.nearness.wished(least(decides, goal)))
    return f"{aim} with {' and '.join(parts)}"


def _why_not(column: Column, best: Column, goal: Goal) -> str:
    """Why a candidate was not chosen."""
    out = fault(column, goal)
    if out is not None:
        return _out(column, out)
    metric = AIMS[goal.aim]
    if not is_better(column, goal):
        reasons = _cannot_win(column.result) if metric.aim and metric.aim.steps_say else ()
        worse = metric.change and metric.change.margin is None and column.verdict(metric.key) == metric.worst()
        how = f"{metric.worst()} than FP32" if worse else f"not {_shown(goal)}"
        return f"{column.label} is {how}{': ' if reasons else ''}{'; '.join(reasons)}."
    ratio = beside(metric, column, best)
    own = f"; {words.ratio(ratio)} of {best.label}'s {_what(goal)}" if ratio is not None else ""
    if alike(metric, column, best):
        return (
            f"{column.label} is not shown to differ from {best.label} in {_what(goal)}: {deeds(column)}; {price(column)}{own}."
        )
    return f"Runner-up: {column.label}: {deeds(column)}; {price(column)}{own}."


def _cannot_win(result: Result) -> tuple[str, ...]:
    """Why a recipe with such steps cannot be expected to be faster."""
    stamp, kernels = result.recipe, card_of(result.backend.name).kernels
    try:
        steps = recipe_of(stamp.toml, stamp.name).active
    except RecipeRefused:  # steps of another version
        return ()
    if any(step.arithmetic == "int8" for step in steps):
        return ()
    return tuple(dict.fromkeys(filter(None, (step.not_faster(kernels) for step in steps))))


def _out(column: Column, out: Fault) -> str:
    return f"{column.label} is out: {_fault_words(column, out)}."


def _fault_words(column: Column, out: Fault) -> str:
    state = column.result.state
    near = out.metric.nearness if out.metric else None
    told = words.told_apart(out.metric.text, out.value, out.bound) if out.metric and near else ""
    return {
        "not done": f"the run {state}" if state in ("failed", "crashed") else f"the run is {state}",
        "limits": " and ".join(
            f"its {limit.metric.name} is not known" if value is None else f"{limit.metric.name} is {_missing(limit, value)}"
            for limit, value in out.unkept
        ),
        "lost": f"it loses {words.told_apart(_points, abs(out.value), out.bound)} of {_word(out.metric)}",
        "ruined": "its outputs are ruined",
        "far": f"its outputs are far from FP32's ({near.far(told) if near else ''})",
        "guard": f"it is not {_than_guard(column, out.metric)}",
        "alone": "one of its two plans alone is as good and takes no more",
    }[out.kind]


def _than_guard(column: Column, metric: Metric | None) -> str:
    """`shown to be faster than FP16 (0.99 [0.97, 1.02])`."""
    if metric is None or metric.change is None or metric.aim is None:
        return "shown to be better than FP16"
    figure = metric.change.figure(against_guard(column.result))
    return f"{metric.aim.shown} than FP16 ({words.ratio(figure) if figure.value is not None else 'not measured'})"


def deeds(column: Column) -> str:
    """`2.2 times faster, 57 % less energy an inference, 68 % smaller`."""
    return ", ".join(filter(None, (_deed(column, metric, change) for metric, change in changes())))


def _deed(column: Column, metric: Metric, change: Change) -> str:
    """What a candidate did to one metric; empty: nothing, or nothing to boast of."""
    value = change.figure(column.result.difference).value
    less, more = change.deed
    if value is None or not less:
        return ""
    verdict, shown = column.verdict(metric.key), change.margin is not None  # a single figure is what it is
    if not shown and verdict not in (change.below, change.above):
        return f"not shown to differ in {metric.name}" if verdict else ""
    if not change.times:
        return f"{abs(1 - value) * 100:.0f} % {less if value < 1 else more}" if abs(value - 1) >= 0.005 else ""
    if verdict == change.below:
        return f"{1 / value:.1f} times {less}" if value < 0.8 else f"{_share(1 - value)} {less}"
    return f"{value:.1f} times {more}" if value > 1.25 else f"{_share(value - 1)} {more}"


def price(column: Column) -> str:
    """What it costs in accuracy, or how near the outputs are."""
    difference = column.result.difference
    lost = points_lost(difference)
    if lost is not None:
        metric, points = lost
        if points == 0:
            return f"{_word(metric)} the same"
        doubt = metric.labelled.doubt(difference) if metric.labelled else ""
        return f"{_word(metric)} {_points(points)} {'higher' if points > 0 else 'lower'}{f' ({doubt})' if doubt else ''}"
    if column.result.fidelity.ruined:
        return "its outputs are ruined"
    near = nearest_known(column)
    if near is not None and near[0].nearness is not None:
        return near[0].nearness.said(near[1])
    return "its accuracy is not known"


def _drift(candidates: Sequence[Column]) -> tuple[str, ...]:
    """A warning when the baselines of the runs differ by more than their intervals: the machine was not in the same state."""
    latencies = [column.result.baseline.latency_ms for column in candidates]
    means = [each.mean for each in latencies if each.mean is not None]
    widths = sorted(each.half_width or 0.0 for each in latencies)
    if len(means) < 2 or max(means) - min(means) <= sum(widths[-2:]):
        return ()
    low, high = words.ms(min(means)), words.ms(max(means))
    return (f"FP32 itself took from {low} to {high} in these runs: the machine changed, so compare ratios, not milliseconds.",)


def _word(metric: Metric | None) -> str:
    """What a metric of labels is called."""
    return metric.labelled.word if metric is not None and metric.labelled else "accuracy"


def _share(value: float) -> str:
    """`12 %`; below one percent with a decimal, for `0 % faster` says nothing."""
    return words.percent(value) if value < 0.01 else f"{value * 100:.0f} %"


def _points(share: float, *, more: int = 0) -> str:
    """A difference of shares in points: `0.1 points`."""
    text = words.digits(abs(share) * 100, 2, more=more)
    return "1 point" if text == "1.0" else f"{text} points"
