"""What a workload, and a recipe with two plans, need of backend and data, and whether a run has it: refused before any work,
with the way out.
"""

from __future__ import annotations

from ..backends.cards import CARDS
from ..errors import BackendRefused, DataRefused, EdgetuiError, Fix, RecipeRefused
from ..schema.adaptive_steps import NOTHING_TO_ESCALATE_FROM
from ..schema.spec import CAPS_S, INPUT_CAP_S, RunSpec
from ..schema.workloads import FlatOut, Workload
from . import words


def refuse_workload(spec: RunSpec) -> None:
    """Refuse at once a workload that the run could not issue, and two plans that it could not run.

    Raises:
        BackendRefused: the backend issues inferences flat out only, or by one stream.
        DataRefused: it takes frames from image files, and there are none.
        RecipeRefused: `adaptive` is not where it can be.
    """
    error = unmet(spec)
    if error is not None:
        raise error


def lasts(spec: RunSpec) -> str:
    """How long the workload measures at most, for people; empty: as every run's flat out."""
    if not spec.measure or spec.backend.target:
        return ""
    found = []
    if spec.workload != FlatOut():
        found.append(f"{spec.workload.text}: {words.seconds(max(CAPS_S[spec.preset], 2 * spec.workload.least_s))}")
    if spec.per_input:
        found.append(f"{spec.per_input} samples one by one: {words.seconds(spec.per_input * INPUT_CAP_S)}")
    return f"at most, for two plans: {', '.join(found)}" if found else ""


def refuse_in_bench(workload: Workload, backend: str) -> None:
    """Refuse what `bench` cannot issue: it has no data.

    Raises:
        DataRefused: the workload takes frames from image files.
        BackendRefused: it has several streams, and the backend one.
    """
    if workload.needs_images:
        raise DataRefused(
            f"the workload {workload.kind} takes frames from image files, and bench has made-up inputs alone",
            fix=f"`edgetui run MODEL --workload {workload.typed} --dataset D`, or bench with --workload flat-out",
        )
    error = _one_stream(workload, backend)
    if error is not None:
        raise error


def _one_stream(workload: Workload, backend: str) -> BackendRefused | None:
    why = CARDS[backend].one_stream
    if not workload.needs_streams or not why:
        return None
    elsewhere = "build it with `edgetui build` and measure the plan with trtexec --streams"
    return BackendRefused(why, fix=(Fix("run with {}", "workload", "flat-out"), elsewhere))


def unmet(spec: RunSpec) -> EdgetuiError | None:
    """Why the workload cannot be issued; None: nothing known."""
    if (error := _two_plans(spec)) is not None:
        return error
    if not spec.measure or spec.backend.target:
        return None
    why = CARDS[spec.backend.name].flat_out_only()
    if why and spec.per_input:
        return BackendRefused(f"{why}, so samples cannot be timed one by one", fix=Fix("leave it out: {}", "per-input", "0"))
    if why and not spec.workload.by_backend:
        return BackendRefused(why, fix=Fix("run with {}", "workload", "flat-out"))
    if (error := _one_stream(spec.workload, spec.backend.name)) is not None:
        return error
    data = spec.dataset or spec.calibration
    if spec.per_input and data is None:
        return DataRefused(
            f"{spec.per_input} samples shall be timed one by one, and no data are given", fix=Fix("name some: {}", "dataset")
        )
    if spec.workload.needs_images and (data is None or not data.images):
        lacks = f"{data.name or data.path} has none" if data is not None else "no data are given"
        return DataRefused(
            f"the workload {spec.workload.kind} takes frames from image files, and {lacks}",
            fix=(Fix("name images with {}", "dataset"), Fix("measure without them: {}", "workload", "flat-out")),
        )
    return None


def _two_plans(spec: RunSpec) -> EdgetuiError | None:
    """Why two plans cannot be one in this run; None: they can, or it has one."""
    steps = spec.recipe.active
    place = next((place for place, step in enumerate(steps) if step.escalates), None)
    if place is None:
        return None
    if place != len(steps) - 1:
        return RecipeRefused(f"{steps[place].method} is followed by {steps[-1].method}", fix=f"put {steps[place].method} last")
    if not any(step.arithmetic == "int8" for step in steps):
        what, _, fix = NOTHING_TO_ESCALATE_FROM.partition(": ")
        return RecipeRefused(what, fix=fix)
    if spec.backend.target:
        return BackendRefused(
            "the threshold of adaptive is fitted by running both plans, and plans for a GPU elsewhere do not run here",
            fix="build it on the board itself, or take a recipe without adaptive",
        )
    if why := CARDS[spec.backend.name].flat_out_only():
        return BackendRefused(
            f"{why}, so two plans cannot be loaded together", fix=Fix("run with {}", "backend", "onnxruntime")
        )
    return None
