"""One step of the recipe."""

from __future__ import annotations

import shutil

from ...runs.folder import RunDir
from ...runs.outcome import Outcome
from ..apply_step import apply_step
from ..job import Job


def run(job: Job) -> Outcome:
    """Write `model.onnx`, changed by the step."""
    step = job.spec.recipe.active[job.stage.step]
    samples = job.samples("calibration") if step.need != "none" else None
    kept = RunDir(job.home / "runs" / job.asked.run).path / "unfinished" / job.stage.key
    text, stamp = apply_step(
        step, job.before(), job.out / "model.onnx", samples, job.batch_size(), job.say, kept, job.spec.seed
    )
    shutil.rmtree(kept, ignore_errors=True)
    return Outcome(summary=text, dataset=stamp)
