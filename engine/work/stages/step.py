"""One step of the recipe."""

from __future__ import annotations

from ...runs.outcome import Outcome
from ..apply_step import apply_step
from ..job import Job


def run(job: Job) -> Outcome:
    """Write `model.onnx`, changed by the step."""
    step = job.spec.recipe.active[job.stage.step]
    samples = job.samples("calibration") if step.need != "none" else None
    text, stamp = apply_step(step, job.before(), job.out / "model.onnx", samples, job.batch_size(), job.say)
    return Outcome(summary=text, dataset=stamp)
