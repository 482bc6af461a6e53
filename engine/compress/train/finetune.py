"""`train.finetune`: train a model further on labelled samples, so that it wins back what pruning cost.

Prune, then retrain what is left: Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto

from ...data.samples import Samples
from ...data.training import refuse_unlabelled
from ...graph.load import load
from ...schema.steps import TrainFinetune
from ...system.reporter import Reporter
from .label_marks import label_marks
from .loop import train
from .prepared import begin_torch, prepared, save_trained, zeros_kept
from .trainable import nonzero


def finetune(step: TrainFinetune, source: Path, out: Path, samples: Samples, say: Reporter, kept: Path | None = None) -> str:
    """Train the model at `source` on labelled `samples` and write it to `out`; returns a line of what was done.

    Names, shapes, metadata and everything but the trained values stay. Batch normalisations keep their statistics. With
    `keep_zeros`, weights that are zero stay zero. The same seed on the same machine gives the same file. What goes on after a
    kill is in the folder `kept`.

    Raises:
        RecipeRefused: PyTorch cannot be loaded, or there is nothing to train.
        DataRefused: there are no labels, or they do not fit the model.
        ModelRefused: the model cannot be executed in PyTorch (the node is named), gives other results there, or is a detector
            for whose head no loss is known.
        RunFailed: the loss or a weight became NaN, or memory ran out.
        StorageRefused: `out` cannot be written.
    """
    begin_torch(step.seed)
    refuse_unlabelled(samples)
    ready = prepared(load(source), step, samples, say)
    mark = label_marks(ready, samples, say)
    learner = ready.learner(mark, zeros_kept(ready)) if step.keep_zeros else ready.learner(mark)
    learnt = train(step, learner, samples, say, kept)
    save_trained(ready, out, step)
    return f"{learnt.told()}, {_zeros_told(ready.model, ready.trainable.prunable)}"


def _zeros_told(model: ModelProto, prunable: frozenset[str]) -> str:
    there = nonzero(model, prunable, every=True).values()
    total = sum(one.size for one in there)
    zero = total - sum(int(np.count_nonzero(one)) for one in there)
    return f"{100 * zero / total:.1f} % of weights are zero"
