"""Plans of the baseline and of the candidate."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from msgspec import UNSET

from ...compress.wide_twin import WIDE
from ...graph.fill_sizes import with_sizes
from ...runs.cache import place
from ...runs.outcome import Outcome
from ...runs.stages import baseline_key
from ...schema.adaptive_steps import Adaptive
from ...schema.escalation import RULE, EscalationRule
from ...schema.figures import Difference, Escalation, Metrics
from ...system.heap import give_back_large_blocks
from ...system.reporter import Stretch
from ..job import Job
from ..two_plans import TWO

SMALLER, UNLIKE = 0.9, 1.2
"""A file of this share is said to be smaller; and its plan to be another share, where it is so many times as much."""


def run(job: Job) -> Outcome:
    """Write both plans, or the candidate's alone where it is for a GPU elsewhere."""
    give_back_large_blocks()
    lowered = job.made("lower")[0] / "model.onnx"
    original = job.made("normalise")[0] / "baseline.onnx"
    settings = job.spec.candidate_backend
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
    step, deployed, escalation = job.spec.recipe.escalating, [plan], None
    if step is not None:
        wide = job.out / f"plan-wide{job.backend.suffix}"
        job.backend.build(lowered.with_name(WIDE), wide, settings, job.say)
        deployed.append(wide)
        escalation = _rule(job, step, plan, wide)
        files |= {"plan_wide": wide.name, TWO: RULE}
        if (manifest := wide.with_name(f"{wide.name}.json")).is_file():
            files["manifest_wide"] = manifest.name
        text = f"{text}, and one of {wide.stat().st_size / 1e6:.2f} MB; threshold {escalation.threshold:.3g}"
    for word, file in (("manifest", plan), ("baseline_manifest", baseline)):
        if file.with_name(f"{file.name}.json").is_file():
            files[word] = f"{file.name}.json"
    made = Outcome(
        summary=text,
        files=files,
        backend=job.backend.stamp(job.spec.backend),
        candidate_backend=None if job.spec.candidate is None else job.backend.stamp(settings),
        candidate=Metrics(plan_bytes=_size(deployed), escalation=UNSET if escalation is None else _figures(escalation)),
    )
    if settings.target:
        return made
    before, after = baseline.stat().st_size, _size(deployed)
    if not job.card.plan_is_deployed:
        share, of_files = after / before, lowered.stat().st_size / original.stat().st_size
        if of_files < SMALLER and share > of_files * UNLIKE:
            job.say.warn(
                f"it is the model's file that is smaller: the plan that is timed is {after / 1e6:.3g} MB, "
                f"{share:.2f} of the original's"
            )
        return msgspec.structs.replace(made, baseline=Metrics(plan_bytes=before))
    return msgspec.structs.replace(
        made,
        baseline=Metrics(plan_bytes=before, size_bytes=before),
        candidate=msgspec.structs.replace(made.candidate, size_bytes=after),
        difference=Difference(size_ratio=after / before),
    )


def _size(plans: Sequence[Path]) -> int:
    return sum(plan.stat().st_size for plan in plans)


def _rule(job: Job, step: Adaptive, narrow: Path, wide: Path) -> EscalationRule:
    """The rule beside both plans, its threshold fitted on calibration samples."""
    from ...tasks.exporter import export_notes
    from ..fit_rule import rule_of  # decoders and judges, which one plan does without

    samples, spec = job.samples("calibration"), job.spec
    assert samples is not None
    with ExitStack() as stack:
        loaded = [job.backend.load(plan, spec.candidate_backend, cooperative=True) for plan in (narrow, wide)]
        for session in loaded:
            stack.callback(session.close)
        names, dataset = (narrow.name, wide.name), spec.calibration or spec.dataset
        notes = export_notes(Path(spec.model))
        rule = rule_of(step, names, (loaded[0], loaded[1]), samples, job.batch_size(), dataset, notes, job.say)
    (job.out / RULE).write_bytes(msgspec.json.format(msgspec.json.encode(rule), indent=2) + b"\n")
    return rule


def _figures(rule: EscalationRule) -> Escalation:
    limits = {name: value for name, value in msgspec.structs.asdict(rule.limits).items() if value is not None}
    return Escalation(threshold=rule.threshold, sure_by=rule.sureness.by, precision=rule.precision, limits=limits)


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
