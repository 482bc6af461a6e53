"""How long a study takes, said before it starts: stage by stage, one that several runs share counted once.

Apart from `study_plan.py`, which says what is done. Seconds are of 2 quiet cores and models such as those of profiles/zoo; what
took its time here before is believed instead.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..schema.settings import Preset
from ..schema.spec import CAPS_S, RunRequest, RunSpec
from ..schema.study import StudyGroup
from ..schema.study_table import StudyTime
from .asking import guards
from .stages import GUARD, SHARED, Stage, plan_stages, versions
from .study_plan import trains

BEGIN_S = 2.0
"""From a group's submission to its first stage, whose process imports what others find there."""
STAGES_S = {"inspect": 0.5, "normalise": 0.3, "lower": 0.2, "build": 0.2, "verify": 0.5}
STEP_S, SAMPLED_S, FITTED_S = 0.3, 1.0, 4.5
"""Of a step: of one that reads calibration samples, of one that fits layers on them."""
LOAD_S = 1.2
"""Of a plan: a process of its own that tells its memory, and loading it beside the others."""
WARM_UP_S = 2.1
LOOP = {"quick": 0.75, "normal": 0.3, "precise": 0.8}
"""Share of the longest time that the timed loop takes where nothing else works: it ends when the intervals are narrow."""
FOLLOWED_S = 8.0
"""Of a plan: the simulated runs of `tracking`."""
EVALUATED_S = {"npz": 0.7, "text": 0.5}
"""Of a plan; of images in files `IMAGES_S`."""
IMAGES_S = 3.0
ENERGY_S = 1.0
"""Where no sensor tells watts."""
POWER_S: dict[Preset, float] = {"quick": 90.0, "normal": 300.0, "precise": 900.0}
"""Seconds that energy takes at most, where there is a sensor of power."""


def study_time(
    groups: Sequence[StudyGroup], before: Callable[[RunSpec], Sequence[float]], *, has_power: bool = False
) -> StudyTime:
    """How long groups will take, and at most.

    Args:
        groups: those that are left to do.
        before: seconds that finished runs like one took on this board.
        has_power: whether a sensor tells watts, so that energy is measured.
    """
    about_s, most_s, known, training = 0.0, 0.0, 0, 0
    seen: set[str] = set()
    packages = versions()
    for group in groups:
        took = [before(spec) for spec in group.specs]
        stages = list(_stages(group, packages))
        if all(took):
            seconds = max(statistics.median(each) for each in took)
            about_s, most_s, known = about_s + seconds, most_s + seconds, known + 1
        else:
            usual, most = _group_s(group, stages, seen, has_power=has_power)
            about_s, most_s = about_s + usual, most_s + most
            training += sum(trains(spec.recipe) for spec in group.specs)
        seen |= {each.stage.key for each in stages}
    return StudyTime(
        groups=len(groups),
        runs=sum(len(group.specs) for group in groups),
        about_s=round(about_s, 1),
        most_s=round(most_s, 1),
        like_before=known,
        training=training,
    )


class _Planned(NamedTuple):
    """A stage of one of a group's runs."""

    stage: Stage
    spec: RunSpec


def _stages(group: StudyGroup, packages: dict[str, str]) -> Iterator[_Planned]:
    """Of all its runs; keys tell those that are one."""
    names = [f"{group.experiment} {group.model} {group.repeat} {variant}" for variant in group.variants]
    for name, guard, spec in zip(names, guards(group.specs, names), group.specs, strict=True):
        asked = RunRequest(
            run=name,
            ticket=0,
            guard=guard,
            wall="",
            edgetui="",
            python="",
            versions=packages,
            model_sha256=group.model_sha256,
            spec=spec,
        )
        yield from (_Planned(stage, spec) for stage in plan_stages(asked))


def _group_s(group: StudyGroup, stages: Sequence[_Planned], seen: set[str], *, has_power: bool) -> tuple[float, float]:
    """Seconds that a group takes, and at most; `seen`: keys of what groups before it have done."""
    first = group.specs[0]
    new = {each.stage.key: each for each in stages if each.stage.key not in seen}
    making = BEGIN_S + sum(_own_s(each) for each in new.values() if each.stage.kind not in SHARED)
    plans = 1 + len(group.specs) + any(each.stage.guard for each in stages)
    if any(each.stage.kind == "evaluate" for each in new.values()):
        kind = first.dataset.kind if first.dataset is not None else ""
        making += plans * EVALUATED_S.get(kind, IMAGES_S)
    making += POWER_S[first.preset] if has_power else ENERGY_S
    making += plans * (LOAD_S + WARM_UP_S + (FOLLOWED_S if first.workload.kind == "tracking" else 0.0))
    cap_s = CAPS_S[first.preset] * plans / 2
    beats_s = first.workload.least_s * plans
    return making + max(LOOP[first.preset] * cap_s, beats_s), making + max(cap_s, beats_s)


def _own_s(each: _Planned) -> float:
    """Of a stage that a run goes through alone; training is not foretold."""
    if each.stage.kind != "step":
        return STAGES_S[each.stage.kind]
    step = (GUARD if each.stage.guard else each.spec.recipe).active[each.stage.step]
    if "torch" in step.packages:
        return 0.0
    if step.need == "none":
        return STEP_S
    return FITTED_S if getattr(step, "repair", False) else SAMPLED_S
