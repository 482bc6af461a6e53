"""Which samples serve which part of a run, and whether they can serve it.

Apart from `pipeline.py` because it is asked twice: before a run is submitted, and by its first stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from .data.open import Part, open_samples
from .data.samples import Samples
from .data.training import refuse_untrainable
from .errors import EdgetuiError, ModelRefused
from .forecast import refuse_without_pytorch, refuse_without_samples
from .measure.accuracy import refuse_classes, told_apart
from .result import TensorFacts
from .say import Say
from .spec import QuantizeInt8, RunSpec, TrainFinetune

_PARTS: tuple[Part, ...] = ("calibration", "evaluation")

Shapes = Mapping[str, tuple[int, ...]]


def open_part(spec: RunSpec, part: Part, inputs: Sequence[TensorFacts], shapes: Shapes, say: Say) -> Samples | None:
    """Samples for `calibration` or `evaluation`; None when no data were named. A dataset named for calibration is used whole
    for it, and the other whole for evaluation.

    Raises:
        DataRefused: they cannot be read, or do not fit the model.
    """
    dataset, calibration = spec.dataset, spec.calibration
    if part == "calibration" and calibration is not None:
        dataset, part = calibration, "calibration" if calibration.calibration else "all"
    elif dataset is None and calibration is not None:
        dataset, part = msgspec.structs.replace(calibration, task="none"), "all"
    elif calibration is not None:
        part = "all"
    return None if dataset is None else open_samples(dataset, inputs, shapes, part, spec.seed, say)


def refuse_unfit(
    spec: RunSpec, inputs: Sequence[TensorFacts], shapes: Shapes, say: Say, outputs: Sequence[TensorFacts] = ()
) -> None:
    """Refuse data that cannot serve before any work is done: one sample of each part is read. Labels are held against the
    `outputs` as far as their declared shapes tell; the rest is for `evaluate.refuse_labels`, which runs the model.

    Raises:
        DataRefused: there are none and a step needs some, or as `open_part`.
    """
    refuse_without_samples(spec)
    steps = spec.recipe.active
    calibrates = any(isinstance(step, QuantizeInt8 | TrainFinetune) for step in steps)
    opened = {part: open_part(spec, part, inputs, shapes, say) for part in _PARTS if calibrates or part == "evaluation"}
    if calibrates and fed_differently(spec):
        say.warn(
            "the calibration set and the dataset become the model's input in different ways (color, scale, mean, std): "
            "ranges would be chosen for other inputs than those evaluated"
        )
    for samples in opened.values():
        if samples is not None:
            next(samples.take(1).batches(1))
    shown, told = opened["evaluation"], told_apart(outputs)
    if shown is not None and shown.labels and told is not None and spec.measure and not spec.backend.target:
        refuse_classes(told, len(shown.classes) or None, shown.known_labels())
    if any(isinstance(step, TrainFinetune) for step in steps):
        refuse_untrainable(opened["calibration"], opened["evaluation"])


def fed_differently(spec: RunSpec) -> bool:
    """Whether images of the calibration set and of the dataset become the input in different ways."""
    ways = {
        (part.input.color, part.input.scale, part.input.mean, part.input.std)
        for part in (spec.dataset, spec.calibration)
        if part is not None and part.kind == "image-folder"
    }
    return len(ways) > 1


def narrowed(error: EdgetuiError, model: Path) -> None:
    """Leave only ways in an error that lead to backends which read the model; it may be the model that cannot be read."""
    from .graph.lint import lint
    from .graph.load import load

    if not error.ways:
        return
    try:
        known = load(model)
    except EdgetuiError:
        error.narrow(lambda _: False)
    else:
        error.narrow(lambda target: not lint(known, target))


def refuse_unread(refused: Sequence[str], backend: str, name: str) -> None:
    """Refuse a model that a backend cannot read, by what `graph.lint` says of it.

    Raises:
        ModelRefused: it says something.
    """
    if refused:
        what, _, fix = refused[0].partition("; ")
        raise ModelRefused(f"{backend} cannot read {name}: {what}", fix=fix or "export it again")


def check(spec: RunSpec, say: Say) -> None:
    """The same, from the model's file alone: its inputs and operators are read, its weights are not.

    Raises:
        ModelRefused: it cannot be read, an axis has no length, or ONNX Runtime shall execute it and does not know an operator.
        DataRefused: as `refuse_unfit`.
        RecipeRefused, BackendRefused: as `refuse_without_pytorch`.
    """
    from .graph.lint import lint
    from .graph.load import parse
    from .graph.shapes import facts, settle
    from .graph.walk import real_inputs

    refuse_without_pytorch(spec)
    model = parse(Path(spec.model))
    names = real_inputs(model.graph)
    # What other backends refuse depends on the values of constants, too: that is for the run's first stage.
    if spec.backend.name == "onnxruntime":
        refuse_unread(lint(model, "onnxruntime"), "onnxruntime", Path(spec.model).stem)
    inputs = [facts(value) for value in model.graph.input if value.name in names]
    refuse_unfit(spec, inputs, settle(model, spec.shapes), say, [facts(value) for value in model.graph.output])
