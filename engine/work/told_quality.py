"""Whether data can tell a search how good outputs are, asked before it begins: labels or classes, and samples enough.

Apart from `splits.py`, which asks what any run needs: a run may compare outputs alone, a search has to bear a loss out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..advice.goals import parse_goal
from ..data.samples import Samples
from ..errors import DataRefused, Fix
from ..schema.model_facts import TensorFacts
from ..schema.spec import RunSpec
from ..system.reporter import Reporter
from ..tasks.said_classes import said_classes
from .declared_outputs import zeros
from .seen_masks import SeenMasks

_ADDED_APART = 3
"""Where no sample changes, the worse end of the interval is that of resamples which draw one of the two added samples so many
times more often than the other (97.5 % of a Skellam distribution of 1 and 1; of agreement, of a Poisson distribution of 1)."""


def refuse_untold(
    spec: RunSpec,
    samples: Samples,
    inputs: Sequence[TensorFacts],
    shapes: Mapping[str, tuple[int, ...]],
    outputs: Sequence[TensorFacts],
) -> None:
    """Refuse samples without labels where, by the shapes that the model's file declares, outputs are neither classes nor masks
    of classes. What the file leaves open is for whoever runs the model.

    Raises:
        DataRefused: nothing tells how good a candidate is.
    """
    if samples.truth or not (made := zeros(inputs, shapes, outputs)):
        return
    one = next(samples.take(1).batches(next(iter(shapes.values()), (1,))[0] if shapes else 1, padded=True))
    try:
        said_classes(made, one.n)
    except DataRefused:
        if SeenMasks(spec.dataset, samples).look(one, made, made) is not None:
            return
        data = (spec.dataset.name or spec.dataset.path) if spec.dataset is not None else "the data"
        raise DataRefused(
            f"nothing tells how good a candidate is: {data} has no labels, and the model's outputs are no classes",
            fix=Fix("name samples with labels: {}", "dataset"),
        ) from None


def warn_of_few(samples: Samples, goal: str, say: Reporter) -> None:
    """Say that a half of the samples bears out no such loss, even where none of them changes.

    Of classes alone: what boxes, masks and numbers bear out depends on what is in each sample.
    """
    drop = parse_goal(goal).drop
    if drop is None or samples.truth not in ("", "classes"):
        return
    half = len(samples) // 2
    least = math.floor(1e4 * _ADDED_APART / (half + 2) + 1) / 1e4
    if drop * (half + 2) <= _ADDED_APART:
        needed = f"that needs {math.floor(_ADDED_APART / drop) - 1}" if drop > 0 else "no number does"
        say.warn(
            f"{half} samples a half do not bear out drop<={drop:g} even where none changes ({needed}); "
            f"drop<={least:g} is the least that they can"
        )
