"""Whether the plans can be run and compute what their files say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ...compress.wide_twin import WIDE
from ...measure.ruin import Ruin
from ...runs.outcome import Outcome
from ...tasks.exporter import export_notes
from ..evaluate_outputs import refuse_labels
from ..job import OUT_OF_PROCESS_SAMPLES, Job
from ..ruined_outputs import LOOKED_INTO, warned
from ..two_plans import files_of
from ..verify_outputs import outputs_of, verify

if TYPE_CHECKING:
    from ...data.samples import Samples
    from ..job import Feeds

VERIFY_SAMPLES = 32


def run(job: Job) -> Outcome:
    """Outputs of both plans on some samples, beside each other and beside ONNX Runtime's."""
    shown = job.samples("evaluation")
    most = OUT_OF_PROCESS_SAMPLES if job.backend.out_of_process else VERIFY_SAMPLES
    feeds, count = _feeds(job, shown, most), most if shown is None else min(len(shown), most)
    lowered = job.made("lower")[0] / "model.onnx" if job.card.least_cosine is not None else None
    if lowered is not None and job.spec.recipe.escalating is not None:
        _each_as_its_file(job, lambda: _feeds(job, shown, most), count)
        lowered = None  # the two together are in neither file
    with job.sessions() as sessions:
        if shown is not None and (job.spec.measure or job.spec.half) and not job.backend.out_of_process:
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
    again = _feeds(job, shown, LOOKED_INTO)
    within = (normal, job.made("lower")[0] / "model.onnx")
    labelled = shown is not None and bool(shown.truth)
    return warned(made, ruin, within, again, count, job.spec.recipe.active, job.say, labelled=labelled)


def _feeds(job: Job, shown: Samples | None, most: int) -> Iterator[Feeds]:
    """So many samples, made up where there are no data."""
    return job.feeds(shown, most) if shown is not None else (job.random_inputs(seed) for seed in range(most))


def _each_as_its_file(job: Job, feeds_of: Callable[[], Iterator[Feeds]], count: int) -> None:
    """Hold each of two plans against ONNX Runtime on the file that it was built from.

    Raises:
        PlanRefused: one computes something else.
    """
    baseline, rule = job.plans()
    files = (job.made("lower")[0] / name for name in ("model.onnx", WIDE))
    for plan, file in zip(files_of(rule), files, strict=True):
        with ExitStack() as stack:
            asked = ((baseline, job.spec.backend), (plan, job.spec.candidate_backend))
            loaded = [job.backend.load(each, settings, cooperative=True) for each, settings in asked]
            for session in loaded:
                stack.callback(session.close)
            verify((loaded[0], loaded[1]), feeds_of(), count, file, None, job.say, job.card.least_cosine)
