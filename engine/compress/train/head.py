"""The output that tells classes apart, and how it is read while training: as logarithms of probabilities.

Apart from training because exported models end in many ways: raw scores, Softmax, LogSoftmax, and views of those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataRefused
from ...network import ops_math
from ...network.module import Network, Program

if TYPE_CHECKING:
    from torch import Tensor

Feeds = Mapping[str, NDArray[np.generic]]
Reader = Callable[[Mapping[str, Any]], Any]
"""Feeds as tensors to logarithms of probabilities, (n, classes)."""
_VIEWS = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Cast")


def class_output(module: Network, feeds: Feeds, rows: int) -> tuple[str, int]:
    """Name and number of classes of the output that accuracy is told by: the first in floating point of shape (rows, classes),
    axes of length 1 behind allowed. The first `rows` of `feeds` are run to find it.

    Raises:
        DataRefused: there is none.
    """
    outputs = run(module, feeds, rows)
    for name, value in outputs.items():
        if value.is_floating_point() and value.dim() >= 2 and value.shape[0] == rows:
            classes = int(value.shape[1])
            if classes > 1 and value[0].numel() == classes:
                return name, classes
    shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
    raise DataRefused(
        f"no output of the model tells classes apart ({shapes}), and training needs one",
        fix="leave the `train.` steps out of the recipe",
    )


def reader(module: Network, output: str, feeds: Feeds, rows: int) -> Reader:
    """What makes logarithms of probabilities, (n, classes), of feeds. The module's Softmax may become a LogSoftmax."""
    import torch

    opened = open_softmax(module.program, output)
    shares = not opened and are_probabilities(run(module, feeds, rows)[output])

    def read(given: Mapping[str, Tensor]) -> Tensor:
        return log_probabilities(torch, module(given)[output], probabilities=shares)

    return read


def run(module: Network, feeds: Feeds, rows: int) -> dict[str, Tensor]:
    """The module's outputs for the first `rows` samples of `feeds`, without gradients."""
    import torch

    with torch.no_grad():
        return module({name: torch.from_numpy(np.array(array[:rows])) for name, array in feeds.items()})


def open_softmax(program: Program, output: str) -> bool:
    """Turn the Softmax that makes `output` into a LogSoftmax: exact where probabilities round to 0. False: there is none."""
    makers = {name: call for call in program.calls for name in call.outputs}
    call = makers.get(output)
    while call is not None and call.kind in _VIEWS:
        call = makers.get(call.inputs[0])
    if call is None or call.kind != "Softmax":
        return False
    users = [other for other in program.calls if set(call.outputs) & set(other.inputs)]
    if any(other.kind not in _VIEWS for other in users):
        return False
    call.operator = ops_math.log_softmax
    return True


def log_probabilities(torch: ModuleType, scores: Tensor, *, probabilities: bool) -> Tensor:
    """Scores of shape (n, classes, 1...) as logarithms of probabilities, (n, classes).

    A logarithm of probabilities is its own: LogSoftmax outputs need no case of theirs.
    """
    flat = scores.reshape(scores.shape[0], -1)
    made: Tensor = flat.clamp_min(1e-12).log() if probabilities else torch.log_softmax(flat, dim=1)
    return made


def are_probabilities(scores: Tensor) -> bool:
    """Whether every row is of shares that sum to 1: a Softmax written out in other operators."""
    flat = scores.detach().reshape(scores.shape[0], -1)
    return bool((flat >= 0).all()) and bool(((flat.sum(dim=1) - 1).abs() < 1e-4).all())
