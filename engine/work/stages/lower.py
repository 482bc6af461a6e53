"""From what the recipe asked for to the file that the backend builds from."""

from __future__ import annotations

from pathlib import Path

import msgspec
from onnx import ModelProto

from ...backends.card import Card
from ...backends.cards import CARDS
from ...compress.lower import lowered
from ...compress.wide_twin import WIDE
from ...errors import BackendRefused, ModelRefused
from ...graph.fill_sizes import give_sizes
from ...graph.load import files_of, load, save
from ...inspection.inspect import counts, macs_at
from ...inspection.lint import lint
from ...measure.sizes import gz_bytes, size_bytes
from ...runs.outcome import Outcome
from ...schema.figures import Difference, Metrics
from ..job import Job
from ..ruined_outputs import judged

TRIED_SAMPLES = 8
"""Where the plan is for another machine: ONNX Runtime tries its graph."""


def run(job: Job) -> Outcome:
    """Write `model.onnx`, lowered; beside it the file for a backend that builds on the board itself, e.g. `tensorrt.onnx`.

    The model is read once, without its weights.
    """
    folder, normalised = job.made("normalise")
    original = folder / "baseline.onnx"
    model, source, out = job.model(), job.before(), job.out / "model.onnx"
    read = load(source)
    narrowed = any(step.narrows for step in job.spec.recipe.active)
    made, text = lowered(_copy(read), source, job.backend.target(), job.say, narrowed=narrowed)
    if job.card.sizes_in_file:
        give_sizes(made, model.shapes)
    files = {"onnx": out.name}
    reader = job.backend.reader(job.spec.backend)
    if reader and (refusals := lint(made, reader)):
        first = refusals[0]
        what = f"{job.card.title} would refuse the lowered model: {first.what}"
        raise BackendRefused(what, fix=first.fixes or "export it again", node=first.node)
    save(made, out)
    macs = macs_at(made, model.shapes)  # lowering adds some: a shortcut of copies becomes a convolution
    del made
    deployed = [out]
    if (twin := source.with_name(WIDE)).is_file() and job.spec.recipe.escalating is not None:
        deployed.append(_lower_twin(job, twin))
        files["onnx_wide"] = deployed[-1].name
    for other in CARDS.values():
        if other.lowered_beside and other is not job.card:
            _lower_beside(job, other, _copy(read), source, files)
    parameters, nonzero, asked = counts(read, model.shapes)
    baseline = Metrics(
        size_bytes=model.size_bytes,
        size_gz_bytes=normalised.original_gz_bytes or gz_bytes(files_of(Path(job.spec.model))),  # what an older version left
        parameters=model.parameters,
        nonzero=model.nonzero,
        macs=model.macs,
    )
    candidate = Metrics(
        size_bytes=size_bytes(deployed),
        size_gz_bytes=gz_bytes(deployed),
        parameters=parameters,
        nonzero=nonzero,
        macs=asked if macs is None else macs,
    )
    if job.card.plan_is_deployed and not job.spec.backend.target:  # the plans are what is deployed and compared
        baseline, candidate = (msgspec.structs.replace(m, size_bytes=None, size_gz_bytes=None) for m in (baseline, candidate))
    ratio = candidate.size_bytes / baseline.size_bytes if candidate.size_bytes and baseline.size_bytes else None
    found = Outcome(summary=text, files=files, baseline=baseline, candidate=candidate, difference=Difference(size_ratio=ratio))
    unseen = job.spec.backend.target and any(step.need != "none" for step in job.spec.recipe.active)
    return _tried(job, found, original, out) if unseen else found


def _lower_twin(job: Job, twin: Path) -> Path:
    """The file of the second plan, in higher precision."""
    made, text = lowered(load(twin), twin, job.backend.target(), job.say)
    if job.card.sizes_in_file:
        give_sizes(made, job.model().shapes)
    save(made, job.out / WIDE)
    job.say.note(f"for inputs that run again: {text}")
    return job.out / WIDE


def _copy(model: ModelProto) -> ModelProto:
    """A model to be changed; what weights refer to is not copied."""
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def _tried(job: Job, made: Outcome, original: Path, lowered: Path) -> Outcome:
    """The same, after ONNX Runtime has tried the graph on calibration samples: its plan will not run here."""
    shown = job.samples("calibration")
    feeds = [] if shown is None else list(job.feeds(shown, TRIED_SAMPLES))
    return judged(made, original, lowered, feeds, len(feeds) * job.batch_size(), job.spec.recipe.active, job.say)


def _lower_beside(job: Job, other: Card, model: ModelProto, source: Path, files: dict[str, str]) -> None:
    """The same for another backend, to be built elsewhere."""
    out = job.out / f"{other.name}.onnx"
    try:
        made, _ = lowered(model, source, other.lowered_beside, job.say)
        give_sizes(made, job.model().shapes)
        refusals = lint(made, other.name)
        save(made, out)
        files[f"onnx_{other.name}"] = out.name
        for refusal in refusals[:5]:
            job.say.note(f"{other.title} would refuse: {refusal}")
    except ModelRefused as error:
        job.say.note(f"no file for {other.title}: {error.what}")
