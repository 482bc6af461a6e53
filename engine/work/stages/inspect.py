"""What is in the model, and whether backend, recipe and data fit it: all that can be refused before any work."""

from __future__ import annotations

from pathlib import Path

from ...errors import ModelRefused
from ...graph.load import load
from ...inspection.inspect import inspect
from ...inspection.lint import LOOKED_AT, lint
from ...library.models import open_axes
from ...runs.outcome import Outcome
from ...schema.model_facts import ModelFacts
from ..job import Job
from ..splits import refuse_unfit, refuse_unread


def run(job: Job) -> Outcome:
    """Facts of the model; what does not fit is refused, with what to do."""
    job.backend.check(job.spec.backend, execute=any(stage.kind == "verify" for stage in job.stages))
    facts = inspect(Path(job.spec.model), job.spec.shapes)
    if facts.open_axes:
        raise open_axes(facts)
    refuse_unread(facts.refusals.get(job.backend.name, ()), job.backend.name, facts.name)
    if reader := job.backend.reader(job.spec.backend):
        _say_of_reader(job, facts, reader)
    if any(step.quantized_before(facts) for step in job.spec.recipe.active):
        raise ModelRefused(f"{facts.name} is quantized already", fix="start from its FP32 export")
    refuse_unfit(job.spec, facts.inputs, facts.shapes, job.say)
    text = f"{facts.parameters:_} parameters, opset {facts.opset}".replace("_", " ")
    return Outcome(summary=text, model=facts, backend=job.backend.stamp(job.spec.backend))


def _say_of_reader(job: Job, facts: ModelFacts, reader: str) -> None:
    """What the backend as it is here refuses of a model that it reads elsewhere. No error yet: steps may mend it."""
    if reader == job.backend.name:
        return
    refusals = facts.refusals.get(reader, ()) if reader in LOOKED_AT else lint(load(Path(job.spec.model)), reader)
    for refusal in refusals[:3]:
        job.say.warn(f"{reader} cannot read {facts.name} as it is: {refusal}")
