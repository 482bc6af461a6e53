"""Whether arrays fit the inputs of a plan: one answer, whichever backend executes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataRefused, few_of
from ..schema.model_facts import TensorFacts

if TYPE_CHECKING:
    from .base import Feeds

_DTYPES = {"float": "float32", "double": "float64"}


def dtype_of(tensor: TensorFacts) -> np.dtype[np.generic] | None:
    """The numpy type of a tensor; None: numpy has none of its own for it (onnx registers bfloat16 with it, and others)."""
    try:
        found = np.dtype(_DTYPES.get(tensor.dtype, tensor.dtype))
    except TypeError:
        return None
    return found if found.isbuiltin == 1 else None


def refuse_names(inputs: Sequence[TensorFacts], feeds: Feeds) -> None:
    """Refuse arrays that are not one for each input.

    Raises:
        DataRefused: one is missing, or is for no input.
    """
    names = [tensor.name for tensor in inputs]
    if len(feeds) == len(names) and all(name in feeds for name in names):
        return
    missing = next((name for name in names if name not in feeds), None)
    if missing is not None:
        raise DataRefused(f"no samples for input {missing}", fix="give one array for each input")
    unknown = next(name for name in feeds if name not in names)
    raise DataRefused(f"the model has no input {unknown}", fix=f"give one array for each of its inputs: {few_of(names)}")


def refuse_unfit(inputs: Sequence[TensorFacts], feeds: Feeds) -> None:
    """Refuse arrays that are not one for each input, of its shape and of a type that can become its own.

    Raises:
        DataRefused: one is missing, is for no input, or does not fit.
    """
    refuse_names(inputs, feeds)
    for tensor in inputs:
        given, kind = feeds[tensor.name], dtype_of(tensor)
        if kind is None or not np.can_cast(given.dtype, kind, "same_kind") or tuple(given.shape) != tensor.shape:
            raise DataRefused(
                f"input {tensor.name} is given as {given.dtype} {list(given.shape)} where the plan wants "
                f"{kind or tensor.dtype} {list(tensor.shape)}",
                fix="give samples of the model's own shape and type",
            )
