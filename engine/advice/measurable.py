"""Whether what a goal limits or wants least can be measured here at all, so that a search of hours is not begun for nothing.

Apart from `goals.py`, which reads goals: a result that has no such figure is judged by its reasons instead.
"""

from __future__ import annotations

from ..backends.cards import CARDS
from ..errors import Fix, UsageError
from ..schema.spec import RunSpec
from .goals import Goal
from .metric import Metric
from .metrics import AIMS

_LESS = "leave it out"


def refuse_unmeasurable_goal(goal: Goal, spec: RunSpec, *, has_power: bool) -> None:
    """Refuse a goal of which a part stays unknown whatever is measured.

    has_power: a sensor tells watts.

    Raises:
        UsageError: the first such part, with its reason.
    """
    asked = [(goal.aim, AIMS[goal.aim]), *((limit.key, limit.metric) for limit in goal.limits)]
    for word, metric in asked:
        if error := _unmeasured(word, metric, spec, has_power=has_power):
            raise error


def _unmeasured(word: str, metric: Metric, spec: RunSpec, *, has_power: bool) -> UsageError | None:
    if metric.sensor == "power" and not has_power:
        other = "take another goal" if word in AIMS else _LESS
        return UsageError(
            f"no sensor here tells the power, so that {word} is not known",
            fix=f"`edgetui doctor` says what is missing; or {other}",
        )
    card = CARDS[spec.backend.name]
    if metric.of_device and card.on_cpu:
        return UsageError(f"{card.title} computes everything on the CPU here, so that {word} is not known", fix=_LESS)
    if metric.workloads and spec.workload.kind not in metric.workloads:
        return UsageError(
            f"{word} is of the workload {' or '.join(metric.workloads)}, and {spec.workload.kind} is measured",
            fix=Fix("measure it: {}", "workload", metric.workloads[0]),
        )
    if metric.key == "per_input" and not spec.per_input:
        return UsageError(f"{word} is of samples that are timed one by one, and none are", fix=_LESS)
    task = spec.dataset.task if spec.dataset is not None else "none"
    if metric.tasks and task not in metric.tasks:
        has = "without labels" if task == "none" else f"for {task}"
        data = (spec.dataset.name or spec.dataset.path) if spec.dataset is not None else "no dataset"
        return UsageError(
            f"{word} is of labels for {' or '.join(metric.tasks)}, and {data} is {has}",
            fix=Fix("name such data with {}, or limit `drop` instead", "dataset"),
        )
    return None
