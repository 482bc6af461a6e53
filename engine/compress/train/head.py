"""The output that tells classes apart, and how it is read while training: as logarithms of probabilities.

Apart from training because exported models end in many ways: raw scores, Softmax, LogSoftmax, and views of those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...errors import DataRefused
from ...network import ops_math
from ...network.call import Call
from ...network.module import Program
from .prepared import Prepared

if TYPE_CHECKING:
    from torch import Tensor

LogarithmReader = Callable[[Mapping[str, Any]], Any]
"""Feeds as tensors to logarithms of probabilities, (n, classes)."""
_VIEWS = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Cast")


def class_output(ready: Prepared) -> tuple[str, int]:
    """Name and number of classes of the output that accuracy is told by: the first in floating point of shape (rows, classes),
    axes of length 1 behind allowed. The first samples are run to find it.

    Raises:
        DataRefused: there is none.
    """
    outputs = first_outputs(ready)
    found = classes_among(outputs, ready.rows)
    if found is not None:
        return found
    shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
    raise DataRefused(
        f"no output of the model tells classes apart ({shapes}), and training needs one",
        fix="leave the `train.` steps out of the recipe",
    )


def classes_among(outputs: Mapping[str, Tensor], rows: int) -> tuple[str, int] | None:
    """The same of outputs for `rows` samples; None: there is none."""
    for name, value in outputs.items():
        if value.is_floating_point() and value.dim() >= 2 and value.shape[0] == rows:
            classes = int(value.shape[1])
            if classes > 1 and value[0].numel() == classes:
                return name, classes
    return None


def reader(ready: Prepared, output: str) -> LogarithmReader:
    """What makes logarithms of probabilities, (n, classes), of feeds. The module's Softmax may become a LogSoftmax."""
    import torch

    module = ready.module
    opened = open_softmax(module.program, output)
    shares = not opened and are_probabilities(first_outputs(ready)[output])

    def read(given: Mapping[str, Tensor]) -> Tensor:
        return log_probabilities(torch, module(given)[output], probabilities=shares)

    return read


def tells_classes(ready: Prepared, output: str) -> bool:
    """Whether an output is known to be of classes, though nobody says so: it ends in a Softmax, or is shares of one."""
    return _softmax(ready.module.program, output) is not None or are_probabilities(first_outputs(ready)[output])


def first_outputs(ready: Prepared) -> dict[str, Tensor]:
    """The module's outputs for its first samples, without gradients."""
    import torch

    with torch.no_grad():
        return ready.run({name: array[: ready.rows] for name, array in ready.feeds.items()})


def open_softmax(program: Program, output: str) -> bool:
    """Turn the Softmax that makes `output` into a LogSoftmax: exact where probabilities round to 0. False: there is none."""
    call = _softmax(program, output)
    if call is None:
        return False
    users = [other for other in program.calls if set(call.outputs) & set(other.inputs)]
    if any(other.kind not in _VIEWS for other in users):
        return False
    call.operator = ops_math.log_softmax
    return True


def _softmax(program: Program, output: str) -> Call | None:
    """The Softmax that makes `output`, behind views; None: there is none."""
    makers = {name: call for call in program.calls for name in call.outputs}
    call = makers.get(output)
    while call is not None and call.kind in _VIEWS:
        call = makers.get(call.inputs[0])
    return call if call is not None and call.kind == "Softmax" else None


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
