"""Made-up inputs, to time a model with where there are no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelRefused
from ..schema.model_facts import TensorFacts

DTYPES: dict[str, type[np.generic]] = {
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "uint16": np.uint16,
    "int32": np.int32,
    "uint32": np.uint32,
    "int64": np.int64,
    "uint64": np.uint64,
    "bool": np.bool_,
}


def random_inputs(
    inputs: Sequence[TensorFacts], shapes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, NDArray[np.generic]]:
    """Standard normal values for floating point inputs; ones for whole numbers, which every vocabulary and mask knows.

    Raises:
        ModelRefused: an input has a type that cannot be made up.
    """
    draw = np.random.default_rng(seed)
    feeds: dict[str, NDArray[np.generic]] = {}
    for tensor in inputs:
        kind = DTYPES.get(tensor.dtype)
        if kind is None:  # it may be no tensor either, and have no shape
            raise ModelRefused(f"input {tensor.name} is of type {tensor.dtype}", fix="export with numbers as inputs")
        shape = shapes[tensor.name]
        values = draw.standard_normal(shape) if issubclass(kind, np.floating) else np.ones(shape)
        feeds[tensor.name] = values.astype(kind)
    return feeds
