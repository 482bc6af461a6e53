"""`train.distill`: a smaller model, the student, learns to answer as this one, its teacher, does.

Hinton et al. 2015, Distilling the Knowledge in a Neural Network. With labels where there are some, and without them for any
model. What comes out of the step is the student; a run's baseline is its teacher.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...data.samples import Batch, Samples
from ...data.training import training_labels
from ...errors import DataRefused, ModelRefused
from ...graph.load import load
from ...schema.steps import TrainDistill
from ...system.reporter import Reporter
from . import head
from .answers import NearOutputs, SoftClasses
from .attention import WithFeatures
from .box_marks import BoxMarks, WithBoxes
from .class_marks import refuse_other_classes
from .learner import Learner, Marks
from .loop import train
from .prepared import Prepared, begin_torch, prepared, save_trained
from .student import student_of

_SHOWN = 64
"""Samples that say what the teacher's outputs vary."""


def distill(step: TrainDistill, source: Path, out: Path, samples: Samples, say: Reporter, kept: Path | None = None) -> str:
    """Train a student of the model at `source` on `samples` and write it to `out`; returns a line of what was done.

    The student has its teacher's inputs and outputs. What goes on after a kill is in the folder `kept`.

    Raises:
        RecipeRefused: PyTorch cannot be loaded, or there is no such student.
        DataRefused: there are too few samples, or labels of other classes.
        ModelRefused: a model cannot be executed in PyTorch, or cannot be a student.
        RunFailed: the loss or a weight became NaN, or memory ran out.
        StorageRefused: `out` cannot be written.
    """
    begin_torch(step.seed)
    with TemporaryDirectory(dir=out.parent) as folder:
        model, what = student_of(step, source, Path(folder), samples, say)
        teacher = prepared(load(source), step, samples, say)
        student = prepared(model, step, samples, say)
        learnt = train(step, _learner(step, student, teacher, samples, say), samples, say, kept)
        save_trained(student, out, step)
    return f"{what}; {learnt.told()}"


def _learner(step: TrainDistill, student: Prepared, teacher: Prepared, samples: Samples, say: Reporter) -> Learner:
    for parameter in teacher.module.trained.values():
        parameter.requires_grad_(False)
    outputs = head.first_outputs(teacher)
    found = head.classes_among(outputs, teacher.rows)
    labelled = samples.labels and step.alpha > 0
    size = min(student.size, teacher.size)
    any_size = student.any_size and teacher.any_size
    # What a teacher has inside is there only while it answers; and what is moved another way each time does not come again.
    remember = not step.features and bool(step.views or not step.shift)
    if found is not None and (samples.labels or head.tells_classes(teacher, found[0])):
        output, classes = found
        if labelled:
            refuse_other_classes(samples, training_labels(samples), classes)
        elif step.alpha:
            say.note("there are no labels: all is learnt from the teacher")
        mark: Callable[[Batch], Marks] = SoftClasses(
            student, teacher, output, step.temperature, step.alpha if labelled else 0.0, remember=remember
        )
    else:
        say.note("no output is known to be of classes: the teacher's outputs are learnt as they are")
        near = NearOutputs(student, teacher, _outputs(teacher, samples), remember=remember)
        mark = _with_boxes(step, near, student, samples, say)
    if step.features:
        mark = WithFeatures(mark, student, teacher, step.features)
    return Learner(student.module.trained, mark, size, any_size)


def _with_boxes(
    step: TrainDistill, mark: Callable[[Batch], Marks], student: Prepared, samples: Samples, say: Reporter
) -> Callable[[Batch], Marks]:
    """The same with a share of the boxes' marks, where samples have boxes and the student a head that a loss is known for."""
    if samples.truth != "boxes" or not step.alpha:
        return mark
    try:
        return WithBoxes(mark, BoxMarks(student, samples, say), step.alpha)
    except (ModelRefused, DataRefused) as error:
        say.note(f"{error.what}: all is learnt from the teacher")
        return mark


def _outputs(teacher: Prepared, samples: Samples) -> dict[str, np.ndarray]:
    """The teacher's outputs for some samples."""
    import torch

    with torch.no_grad():
        parts = [
            {name: value.cpu().numpy() for name, value in teacher.run(batch.feeds).items()}
            for batch in samples.take(_SHOWN).batches(teacher.size)
            if teacher.any_size or batch.n == teacher.size
        ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if parts[0][name].ndim}
