"""`train.finetune`: train a model further on labelled samples, so that it wins back what pruning cost.

Prune, then retrain what is left: Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ...data.samples import Samples
from ...data.training import training_labels
from ...errors import DataRefused, RecipeRefused, RunFailed, first_line
from ...graph.load import load, save_apart
from ...graph.shapes import declared
from ...graph.walk import real_inputs
from ...network.call import Hints
from ...network.module import as_module
from ...schema.steps import TrainFinetune
from ...system.cpu import logical_cores
from ...system.reporter import Reporter
from . import head, same_results
from .loop import Losses, train
from .trainable import nonzero, trainable, write

HINTS = Hints(
    "leave the `train.` steps out of the recipe, or export the model without it",
    out_of_memory="give the step a smaller `batch`",
)
FEW_OF_A_CLASS = 50
"""Below this many samples a class the model rather learns them by heart; the result says so."""


def finetune(step: TrainFinetune, source: Path, out: Path, samples: Samples, say: Reporter) -> str:
    """Train the model at `source` on labelled `samples` and write it to `out`; returns a line of what was done.

    Names, shapes, metadata and everything but the trained values stay. Batch normalisations keep their statistics. With
    `keep_zeros`, weights that are zero stay zero. The same seed on the same machine gives the same file.

    Raises:
        RecipeRefused: PyTorch cannot be loaded, or there is nothing to train.
        DataRefused: there are no labels, or they do not fit the model.
        ModelRefused: the model cannot be executed in PyTorch (the node is named), or gives other results there.
        RunFailed: the loss or a weight became NaN, or memory ran out.
        StorageRefused: `out` cannot be written.
    """
    torch = _torch(step.seed)
    labels = training_labels(samples)
    model = load(source)
    found = trainable(model)
    rows = _rows(model)
    module = as_module(model, found.names, rows, HINTS)
    feeds = _some(samples, 2 * rows)
    free = same_results.batch_is_free(module, model, feeds, rows)
    output, classes = head.class_output(module, feeds, rows)
    _refuse_other_classes(samples, labels, classes)
    _warn_few(labels, classes, say)
    if not free and step.batch > rows:
        say.note(
            f"the graph is written for {rows} sample{'s' if rows > 1 else ''} at a time: gradients are summed over {step.batch}"
        )
    scores = head.reader(module, output, feeds, rows)
    kept = nonzero(model, found.prunable) if step.keep_zeros else {}
    gone = {name: torch.from_numpy(~there) for name, there in kept.items()}
    losses = train(step, module, scores, gone, samples, step.batch if free else rows, say)
    _write(model, {name: value.detach().numpy() for name, value in module.trained.items()}, step)
    save_apart(model, out)
    return _told(step, losses, len(samples), model, found.prunable)


def _torch(seed: int) -> ModuleType:
    """PyTorch, on as many threads as this process may use, its random numbers begun at `seed`.

    Raises:
        RecipeRefused: it is not here, or cannot be loaded.
    """
    # Threads that spin while they wait take the cores from all else: 1000 images took 15 s beside two busy processes, 13 s so.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        raise RecipeRefused(
            f"PyTorch cannot be loaded ({first_line(error)})",
            fix="pip install 'edgetui[train]'",
        ) from error
    torch.set_num_threads(logical_cores())
    torch.manual_seed(seed)
    return torch


def _rows(model: ModelProto) -> int:
    """Samples in one inference, as the graph is written: axis 0 of its first input."""
    first = real_inputs(model.graph)[0]
    shape = next(declared(value) for value in model.graph.input if value.name == first) or (1,)
    return shape[0] if shape and isinstance(shape[0], int) else 1


def _some(samples: Samples, count: int) -> dict[str, NDArray[np.generic]]:
    """Feeds of the first samples, `count` of them.

    Raises:
        DataRefused: there are fewer.
    """
    parts, found = [], 0
    for batch in samples.take(count).batches(count):
        parts.append(batch.feeds)
        found += batch.n
    if found < count:
        raise DataRefused(f"{samples.source} has {found} samples, too few to train with", fix="name a larger set")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _refuse_other_classes(samples: Samples, labels: NDArray[np.int64], classes: int) -> None:
    named, least = len(samples.classes), int(labels.max()) + 1
    if least > classes or (named and named != classes):
        raise DataRefused(
            f"the training samples have {named or least} classes and the model has {classes} output classes",
            fix="make a folder for each of the model's classes, in their order, or number the labels from 0 as the model does",
        )


def _warn_few(labels: NDArray[np.int64], classes: int, say: Reporter) -> None:
    if len(labels) < FEW_OF_A_CLASS * classes:
        say.warn(
            f"trained on {len(labels)} samples of {classes} classes only: name a larger `calibration` set, "
            "for few samples are learnt by heart"
        )


def _write(model: ModelProto, values: dict[str, NDArray[np.generic]], step: TrainFinetune) -> None:
    for name, array in values.items():
        if not np.isfinite(array).all():
            raise RunFailed(
                f"weight {name} became NaN or infinite in training",
                fix=f"lower the learning rate (learning_rate = {step.learning_rate / 10:g})",
            )
    write(model, values)


def _told(step: TrainFinetune, losses: Losses, count: int, model: ModelProto, prunable: frozenset[str]) -> str:
    epochs = f"{step.epochs} epoch{'s' if step.epochs > 1 else ''}"
    there = nonzero(model, prunable, every=True).values()
    total = sum(one.size for one in there)
    zero = total - sum(int(np.count_nonzero(one)) for one in there)
    loss = f"loss {losses.first:.3f} → {losses.last:.3f}"
    return f"{epochs} over {count} samples, {loss}, {100 * zero / total:.1f} % of weights are zero"
