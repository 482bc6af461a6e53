"""Whether the plans can be run and compute what their files say."""

from __future__ import annotations

from pathlib import Path

from ...measure.ruin import Ruin
from ...runs.outcome import Outcome
from ...tasks.exporter import export_notes
from ..evaluate_outputs import refuse_labels
from ..job import OUT_OF_PROCESS_SAMPLES, Job
from ..ruined_outputs import LOOKED_INTO, warned
from ..verify_outputs import outputs_of, verify

VERIFY_SAMPLES = 32


def run(job: Job) -> Outcome:
    """Outputs of both plans on some samples, beside each other and beside ONNX Runtime's."""
    shown = job.samples("evaluation")
    most = OUT_OF_PROCESS_SAMPLES if job.backend.out_of_process else VERIFY_SAMPLES
    if shown is not None:
        feeds, count = job.feeds(shown, most), min(len(shown), most)
    else:
        feeds, count = (job.random_inputs(seed) for seed in range(most)), most
    lowered = job.made("lower")[0] / "model.onnx" if job.card.least_cosine is not None else None
    with job.sessions() as sessions:
        if shown is not None and job.spec.measure and not job.backend.out_of_process:
            refuse_labels(sessions[0], shown, job.batch_size(), job.spec)
        original, normal = (job.made("normalise")[0] / name for name in ("baseline.onnx", "model.onnx"))
        said, limit = outputs_of(normal), job.spec.recipe.least_cosine  # the original's shapes may be computed inside
        ruin = Ruin(said, slices=shown is not None)
        made = verify(
            sessions,
            feeds,
            count,
            lowered,
            limit,
            job.say,
            job.card.least_cosine,
            original,
            ruin,
            said,
            export_notes(Path(job.spec.model)),
        )
    again = job.feeds(shown, LOOKED_INTO) if shown is not None else (job.random_inputs(seed) for seed in range(LOOKED_INTO))
    within = (normal, job.made("lower")[0] / "model.onnx")
    return warned(made, ruin, within, again, count, job.spec.recipe.active, job.say)
