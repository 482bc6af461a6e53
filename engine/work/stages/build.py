"""Plans of the baseline and of the candidate."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ...graph.fill_sizes import with_sizes
from ...runs.cache import place
from ...runs.outcome import Outcome
from ...runs.stages import baseline_key
from ...schema.figures import Difference, Metrics
from ...system.heap import give_back_large_blocks
from ...system.reporter import Stretch
from ..job import Job


def run(job: Job) -> Outcome:
    """Write both plans, or the candidate's alone where it is for a GPU elsewhere."""
    give_back_large_blocks()
    lowered = job.made("lower")[0] / "model.onnx"
    original = job.made("normalise")[0] / "baseline.onnx"
    settings = job.spec.backend
    baseline, plan = (job.out / f"{name}{job.backend.suffix}" for name in ("baseline", "plan"))
    files = {"plan": plan.name}
    if settings.target:  # nothing will be run here, so there is nothing to compare with
        text = job.backend.build(lowered, plan, settings, job.say)
    else:
        job.say.progress(0, 2, "baseline")
        if job.card.sizes_in_file:
            original = with_sizes(original, job.model().shapes, job.out / "settled.onnx")
        _baseline(job, original, baseline)
        files["baseline_plan"] = baseline.name
        job.say.progress(1, 2, "candidate")
        text = job.backend.build(lowered, plan, settings, Stretch(job.say, 0.5, 1))
    for word, file in (("manifest", plan), ("baseline_manifest", baseline)):
        if file.with_name(f"{file.name}.json").is_file():
            files[word] = f"{file.name}.json"
    made = Outcome(
        summary=text,
        files=files,
        backend=job.backend.stamp(settings),
        candidate=Metrics(plan_bytes=plan.stat().st_size),
    )
    if settings.target:
        return made
    before, after = baseline.stat().st_size, plan.stat().st_size
    if not job.card.plan_is_deployed:
        return msgspec.structs.replace(made, baseline=Metrics(plan_bytes=before))
    return msgspec.structs.replace(
        made,
        baseline=Metrics(plan_bytes=before, size_bytes=before),
        candidate=Metrics(plan_bytes=after, size_bytes=after),
        difference=Difference(size_ratio=after / before),
    )


def _baseline(job: Job, original: Path, out: Path) -> None:
    """Write the baseline's plan, or take it from the cache: it is the same for every recipe, and may take half an hour."""
    key, say = baseline_key(job.asked), Stretch(job.say, 0, 0.5)
    kept = job.cache.whole(key)
    if kept is None:
        made = job.cache.begin(key) / out.name
        try:
            job.backend.build(original, made, job.spec.backend, say)
            kept = job.cache.commit(key, Outcome())
        finally:
            job.cache.drop(key)
    for name in kept.sums:
        place(job.cache.path(key) / name, out.with_name(name))
