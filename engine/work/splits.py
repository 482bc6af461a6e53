"""Which samples serve which part of a run, and whether they can serve it.

Apart from `job.py` because it is asked twice: before a run is submitted, and by its first stage.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from ..advice.forecast import refuse_without_packages, refuse_without_samples
from ..advice.workload_needs import refuse_workload
from ..backends.cards import CARDS
from ..data.open import Part, open_samples
from ..data.samples import Samples
from ..data.training import refuse_untrainable
from ..errors import EdgetuiError, ModelRefused, Refusal
from ..graph.vocabulary import vocabularies_of
from ..measure.accuracy import output_class_count, refuse_classes
from ..schema.model_facts import TensorFacts
from ..schema.spec import Dataset, RunSpec
from ..schema.step import SampleNeed
from ..system.reporter import Reporter
from ..tasks.exporter import export_notes

_PARTS: tuple[Part, ...] = ("calibration", "evaluation")

Shapes = Mapping[str, tuple[int, ...]]


def open_part(spec: RunSpec, part: Part, inputs: Sequence[TensorFacts], shapes: Shapes, say: Reporter) -> Samples | None:
    """Samples for `calibration` or `evaluation`; None when no data were named. A dataset named for calibration is used whole
    for it, and the other whole for evaluation.

    Raises:
        DataRefused: they cannot be read, or do not fit the model.
    """
    dataset, calibration = spec.dataset, spec.calibration
    judged = part == "evaluation"
    needs = {step.need for step in spec.recipe.active}
    if part == "calibration" and calibration is not None:
        classes = calibration.task in ("classification", "text-classification")  # calibration needs no others
        dataset = calibration if classes or _learns(needs, calibration) else msgspec.structs.replace(calibration, task="none")
        part = "calibration" if calibration.calibration else "all"
    elif dataset is None and calibration is not None:
        dataset, part = msgspec.structs.replace(calibration, task="none"), "all"
    elif calibration is not None:
        part = "all"
    if dataset is None:
        return None
    model, trains = Path(spec.model), _learns(needs, dataset)
    known_ids = vocabularies_of(model) if any(each.dtype.startswith("int") for each in inputs) else {}
    found = open_samples(dataset, inputs, shapes, part, spec.seed, say, export_notes(model), known_ids, trains=trains)
    return found.half("AB".index(spec.half)) if spec.half and judged else found


def _learns(needs: Collection[SampleNeed], dataset: Dataset) -> bool:
    """Whether a step learns from what is annotated: all labels where it cannot do without, else boxes, which help."""
    return "labelled" in needs or ("training" in needs and dataset.task == "detection")


def refuse_unfit(
    spec: RunSpec,
    inputs: Sequence[TensorFacts],
    shapes: Shapes,
    say: Reporter,
    outputs: Sequence[TensorFacts] = (),
    goal: str | None = None,
) -> None:
    """Refuse data that cannot serve before any work is done: one sample of each part is read. Labels are held against the
    `outputs` as far as their declared shapes tell; the rest is for `evaluate_outputs.refuse_labels`, which runs the model.
    `goal`: of a search, which needs to be told how good outputs are.

    Raises:
        DataRefused: there are none and a step needs some, or as `open_part`.
    """
    refuse_without_samples(spec)
    refuse_workload(spec)
    steps = spec.recipe.active
    calibrates = any(step.need not in ("none", "optional") for step in steps)
    opened = {part: open_part(spec, part, inputs, shapes, say) for part in _PARTS if calibrates or part == "evaluation"}
    if calibrates and fed_differently(spec):
        say.warn(
            "the calibration set and the dataset become the model's input in different ways (color, scale, mean, std, "
            "letterbox): ranges would be chosen for other inputs than those evaluated"
        )
    for samples in opened.values():
        if samples is not None:
            next(samples.take(1).batches(1))
    shown, told = opened["evaluation"], output_class_count(outputs)
    if shown is not None and shown.labels and told is not None and spec.measure and not spec.backend.target:
        refuse_classes(told, len(shown.classes) or None, shown.known_labels())
    if shown is not None and shown.truth and outputs and spec.measure and not spec.backend.target:
        from .declared_outputs import refuse_declared  # decoders and judges, which data without labels do without

        refuse_declared(spec, shown, inputs, shapes, outputs)
    if shown is not None and goal is not None:
        from .told_quality import refuse_untold, warn_of_few

        refuse_untold(spec, shown, inputs, shapes, outputs)
        warn_of_few(shown, goal, say)
    if any(step.need == "labelled" for step in steps):
        refuse_untrainable(opened["calibration"], opened["evaluation"])


def fed_differently(spec: RunSpec) -> bool:
    """Whether images of the calibration set and of the dataset become the input in different ways."""
    ways = {
        (part.input.color, part.input.scale, part.input.mean, part.input.std, part.input.letterbox)
        for part in (spec.dataset, spec.calibration)
        if part is not None and part.images
    }
    return len(ways) > 1


def narrowed(error: EdgetuiError, model: Path) -> None:
    """Leave only ways in an error that lead to backends which read the model; it may be the model that cannot be read."""
    from ..graph.load import load
    from ..inspection.lint import lint

    if not any(fix.reads for fix in error.fixes):
        return
    try:
        known = load(model)
    except EdgetuiError:
        error.narrow(lambda _: False)
    else:
        error.narrow(lambda target: not lint(known, target))


def refuse_unread(refusals: Sequence[Refusal], backend: str, name: str) -> None:
    """Refuse a model that a backend cannot read, by what `inspection.lint` says of it.

    Raises:
        ModelRefused: it says something.
    """
    if refusals:
        first = refusals[0]
        raise ModelRefused(f"{backend} cannot read {name}: {first.what}", fix=first.fixes or "export it again", node=first.node)


def check(spec: RunSpec, say: Reporter, *, elsewhere: bool = False, goal: str | None = None) -> None:
    """The same, from the model's file alone: its inputs and operators are read, its weights are not. `elsewhere`: packages that
    it needs need not be here. `goal`: as `refuse_unfit`.

    Raises:
        ModelRefused: it cannot be read, an axis has no length, or ONNX Runtime shall execute it and does not know an operator.
        DataRefused: as `refuse_unfit`.
        RecipeRefused, BackendRefused: as `refuse_without_packages`.
    """
    from ..graph.load import parse
    from ..graph.shapes import facts, input_shapes
    from ..graph.walk import real_inputs
    from ..inspection.lint import lint

    if not elsewhere:
        refuse_without_packages(spec)
    model = parse(Path(spec.model))
    names = real_inputs(model.graph)
    # What other backends refuse depends on the values of constants, too: that is for the run's first stage.
    if CARDS[spec.backend.name].checked_early:
        refuse_unread(lint(model, spec.backend.name), spec.backend.name, Path(spec.model).stem)
    inputs = [facts(value) for value in model.graph.input if value.name in names]
    refuse_unfit(spec, inputs, input_shapes(model, spec.shapes), say, [facts(value) for value in model.graph.output], goal)
