"""Whether samples can be trained on: labelled with what a loss is known for, of more than one class where they are classes, and
of the same classes as those for evaluation.

Apart from `open.py` because the pipeline asks before any work is done, and the step that trains asks again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused, Fix
from .samples import Samples


def refuse_unlabelled(samples: Samples) -> None:
    """Refuse to train on samples whose labels no loss is known for.

    Raises:
        DataRefused: there are no labels, all are of one class, or they are neither classes nor boxes.
    """
    if samples.truth in ("", "classes"):
        training_labels(samples)
    elif samples.truth != "boxes":
        raise DataRefused(
            f"the labels of {samples.source} are {samples.truth}, and no loss is known here for these",
            fix=("`train.distill` learns from a teacher's outputs, whatever they are", "leave the step out of the recipe"),
        )


def training_labels(samples: Samples) -> NDArray[np.int64]:
    """The class of each sample, shape (n,).

    Raises:
        DataRefused: there are no labels, or all are of one class.
    """
    labels = samples.known_labels()
    if not len(labels):
        raise DataRefused(
            f"training needs labelled samples, and {samples.source} has no labels",
            fix=Fix(
                "name a set with labels to {}: class folders of images, annotated images, texts with their classes, or an .npz "
                "with an array `labels`",
                "calibration",
            ),
        )
    if len(np.unique(labels)) < 2:
        raise DataRefused(
            f"{samples.source} is of one class, and training on it would unlearn the others",
            fix="add samples of the other classes",
        )
    return labels


def refuse_untrainable(training: Samples | None, evaluation: Samples | None) -> None:
    """Refuse before any work what the step that trains would refuse, and classes that evaluation numbers otherwise.

    Raises:
        DataRefused: as `refuse_unlabelled`, or classes other than those of `evaluation`.
    """
    if training is not None:
        refuse_unlabelled(training)
        if evaluation is not None:
            _refuse_other_classes(training, evaluation)


def _refuse_other_classes(training: Samples, evaluation: Samples) -> None:
    """Class 3 of one would be another thing in the other."""
    if not training.classes or not evaluation.classes or training.classes == evaluation.classes:
        return
    apart = sorted(set(training.classes) ^ set(evaluation.classes))
    raise DataRefused(
        f"{training.source} and {evaluation.source} have other classes ({', '.join(apart[:5])})",
        fix="give both the same classes: class folders, of which one may be empty, or `classes` in the dataset's TOML file",
    )
