"""The model that a distillation trains: a file, or the teacher made smaller.

Apart from the distillation, which takes any model with its teacher's inputs and outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ...data.samples import Samples
from ...errors import ModelRefused, RecipeRefused
from ...graph.load import load
from ...graph.normalise import normalise
from ...graph.shapes import declared, facts
from ...graph.values import array_of
from ...graph.walk import constants, nodes, real_inputs
from ...graph.weights import weights
from ...network.to_onnx import to_onnx
from ...schema.module_sources import PROGRAM, factory
from ...schema.steps import PruneChannels, TrainDistill
from ...schema.training_steps import SEPARABLE
from ...system.reporter import Reporter
from ..channels import NothingRemoved, prune
from ..separable import separate
from .prepared import rows_of
from .trainable import trainable, write

_SCALING = ("BatchNormalization", "InstanceNormalization", "LayerNormalization", "PRelu")


def student_of(step: TrainDistill, source: Path, folder: Path, samples: Samples, say: Reporter) -> tuple[ModelProto, str]:
    """The student of the teacher at `source`, before it learns, and what it is in a clause. Files on the way go to `folder`.

    What is left of a narrowed one is fitted to what the teacher's layers gave, without labels: a ResNet-20 of half the
    width begins with a top-1 of 0.34 on CIFAR-10, where it had 0.11.

    Raises:
        ModelRefused: nothing of the teacher can be made smaller, or the student's file has other inputs or outputs.
        RecipeRefused: there is no such file.
    """
    teacher = load(source)
    if step.width is not None:
        narrowing = PruneChannels(amount=1 - step.width, streams=True, round_to=1)
        feeds = (batch.feeds for batch in samples.take(narrowing.samples).batches(rows_of(teacher), padded=True))
        try:
            prune(narrowing, source, folder / "student.onnx", feeds if step.start == "kept" else None, say)
        except NothingRemoved as error:
            raise ModelRefused(f"this model cannot be narrowed: {error.what}", fix="name a student's file or factory") from None
        student, what = load(folder / "student.onnx"), f"of {step.width:g} of its width"
    elif step.student == SEPARABLE:
        student = load(source)
        if not (layers := separate(student)):
            raise ModelRefused(
                "no convolution of this model gets smaller when it is made depthwise separable",
                fix="narrow it (width = 0.5), or name a student's file",
            )
        what = f"with {len(layers)} convolutions made depthwise separable"
    else:
        student, what = _of_file(step, teacher, folder, say), f"from {Path(step.student or '').name}"
    _refuse_other(teacher, student, what)
    if step.start == "drawn":
        draw_weights(student, step.seed)
    return student, f"a student {what}, {100 * _numbers(student) / _numbers(teacher):.1f} % of the weights"


def _of_file(step: TrainDistill, teacher: ModelProto, folder: Path, say: Reporter) -> ModelProto:
    name = step.student or ""
    path = Path(name).expanduser()
    made = factory(name)
    if made is None and not path.is_file():
        raise RecipeRefused(
            f"there is no student {path}", fix=f"name a file, `package.module:function` or `{SEPARABLE}`, or give a `width`"
        )
    if step.weights and made is None:
        raise RecipeRefused("`weights` are for a student that a function makes", fix="leave them out, or name the function")
    if made is not None or path.suffix == PROGRAM:
        known = set(real_inputs(teacher.graph))
        inputs = [facts(value) for value in teacher.graph.input if value.name in known]
        path = folder / "exported.onnx"
        to_onnx(name, step.weights or "", inputs, [value.name for value in teacher.graph.output], path, step.seed)
    shapes = {}
    wanted = set(real_inputs(teacher.graph))
    for value in teacher.graph.input:
        shape = declared(value)
        if value.name in wanted and shape is not None:
            shapes[value.name] = tuple(axis for axis in shape if isinstance(axis, int))
    there = load(path)
    known = set(real_inputs(there.graph))
    if known != wanted:
        raise ModelRefused(
            f"{path.name} has inputs {', '.join(sorted(known))}, its teacher {', '.join(sorted(wanted))}",
            fix="export the student with its teacher's inputs",
        )
    normalise(path, folder / "student.onnx", shapes, say)
    return load(folder / "student.onnx")


def _refuse_other(teacher: ModelProto, student: ModelProto, what: str) -> None:
    """Inputs and outputs have to be the teacher's."""
    for side in ("input", "output"):
        names = [set(real_inputs(model.graph)) if side == "input" else None for model in (teacher, student)]
        ours, theirs = (
            {value.name: facts(value) for value in getattr(model.graph, side) if kept is None or value.name in kept}
            for model, kept in zip((teacher, student), names, strict=True)
        )
        for name, fact in ours.items():
            other = theirs.get(name)
            if other is None or (other.dtype, other.shape) != (fact.dtype, fact.shape):
                found = "none" if other is None else f"{other.dtype} {list(other.shape or ())}"
                raise ModelRefused(
                    f"the student {what} has {found} as {side} {name}, and its teacher {fact.dtype} {list(fact.shape or ())}",
                    fix=f"give the student its teacher's {side}s",
                )


def draw_weights(model: ModelProto, seed: int) -> None:
    """New weights and tables in place of a model's own, each tensor's as spread as those that it had for their inputs (batch
    norms are folded into them, so that a rule that knows only their number would not fit), and biases of 0. What normalisations
    and slopes of PRelu have learnt stays: it scales what is there.
    """
    draw = np.random.default_rng(seed)
    found, held = trainable(model), constants(model)
    chosen = {weight.name: weight.array() for weight in weights(model)}
    readers = {name: node.op_type for node in nodes(model) for name in node.input}
    chosen |= {name: array_of(held[name]) for name in found.names if readers.get(name) == "Gather" and name not in chosen}
    fresh: dict[str, NDArray[np.generic]] = {
        name: draw.normal(0, max(float(array.astype(np.float64).std()), 1e-6), array.shape) for name, array in chosen.items()
    }
    fresh |= {
        name: np.zeros(tuple(held[name].dims))
        for name in found.names
        if name not in fresh and readers.get(name) not in _SCALING
    }
    write(model, fresh)


def _numbers(model: ModelProto) -> int:
    return max(sum(weight.size for weight in weights(model)), 1)
