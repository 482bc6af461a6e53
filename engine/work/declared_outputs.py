"""Whether labels fit a model by the shapes that its file declares, before anything is done: nothing is run.

Apart from `evaluate_outputs.refuse_labels`, which runs the model: this asks the same of outputs of zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..data.samples import Samples
from ..schema.model_facts import TensorFacts
from ..schema.spec import RunSpec
from ..tasks.decoder import Array
from .evaluate_outputs import refuse_outputs

_DTYPES = {"float": "float32", "double": "float64"}
_LARGEST = 256_000_000
"""Elements of an output that is looked at."""


def refuse_declared(
    spec: RunSpec,
    samples: Samples,
    inputs: Sequence[TensorFacts],
    shapes: Mapping[str, tuple[int, ...]],
    outputs: Sequence[TensorFacts],
) -> None:
    """Refuse labels that no declared output can be held against. What the file leaves open is for whoever runs the model.

    Raises:
        DataRefused: no output tells what the labels tell.
    """
    made = zeros(inputs, shapes, outputs)
    if made:
        batch = next(iter(shapes.values()), (1,))[0] if shapes else 1
        refuse_outputs(lambda _: made, samples, batch, spec)


def zeros(
    inputs: Sequence[TensorFacts], shapes: Mapping[str, tuple[int, ...]], outputs: Sequence[TensorFacts]
) -> dict[str, Array]:
    """Outputs of the declared shapes, without memory of their own; empty where one of them is open."""
    pairs = (pair for each in inputs for pair in zip(each.shape, shapes.get(each.name, ()), strict=False))
    sizes = {axis: size for axis, size in pairs if isinstance(axis, str)}
    found: dict[str, Array] = {}
    for each in outputs:
        axes = [sizes.get(axis) if isinstance(axis, str) else axis for axis in each.shape]
        known = [axis for axis in axes if axis is not None and axis > 0]
        if len(known) < len(axes) or not known or np.prod(known, dtype=np.float64) > _LARGEST:
            return {}
        try:
            zero = np.zeros((), _DTYPES.get(each.dtype, each.dtype))
        except TypeError:
            return {}
        found[each.name] = np.broadcast_to(zero, known)
    return found
