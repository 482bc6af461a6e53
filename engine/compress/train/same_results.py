"""Is the model in PyTorch the model? A few samples through both, and through PyTorch several at once.

Apart from training because a graph is written for one batch and trained with another: only results can tell whether a shape
in it meant the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ...errors import DataRefused, ModelRefused, first_line
from ...graph.write import FOLDER_OPTION, for_session
from ...network.module import Network
from ...system.cpu import logical_cores

Array = NDArray[np.generic]
Feeds = Mapping[str, Array]

TOLERANCE = 1e-3
"""Largest difference, as a share of the largest value: far above rounding, far below any mistake."""


def batch_is_free(module: Network, model: ModelProto, feeds: Feeds, rows: int) -> bool:
    """Whether the module takes any number of samples at once. `feeds` hold 2 * `rows` samples or more, the model takes `rows`.

    Raises:
        ModelRefused: even as it is written, PyTorch's results are not those of ONNX Runtime.
        DataRefused: ONNX Runtime cannot run a sample.
    """
    parts = list(_parts(feeds, rows))
    expected = _reference(model, parts)
    singly = [_run(module, part) for part in parts]
    for ours, theirs in zip(singly, expected, strict=True):
        _refuse_other(ours, theirs)
    together = {name: np.concatenate([part[name] for part in parts]) for name in feeds}
    try:
        found = _run(module, together)
    except ModelRefused:
        return False
    whole = {name: np.concatenate([one[name] for one in singly]) if singly[0][name].ndim else singly[0][name] for name in found}
    return all(found[name].shape == whole[name].shape and near(found[name], whole[name]) for name in found)


def _parts(feeds: Feeds, rows: int) -> Iterator[dict[str, Array]]:
    count = len(next(iter(feeds.values())))
    for start in range(0, count - rows + 1, rows):
        yield {name: array[start : start + rows] for name, array in feeds.items()}


def _reference(model: ModelProto, parts: list[dict[str, Array]]) -> list[dict[str, Array]]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = logical_cores()
    options.log_severity_level = 4
    try:
        content, folder = for_session(model)
        if folder is not None:
            options.add_session_config_entry(FOLDER_OPTION, str(folder))
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's exceptions share no base class of its own.
        raise ModelRefused(
            f"ONNX Runtime cannot load the model ({first_line(error)})", fix="leave the `train.` steps out of the recipe"
        ) from error
    names = [output.name for output in session.get_outputs()]
    try:
        return [dict(zip(names, session.run(None, part), strict=True)) for part in parts]
    except Exception as error:
        raise DataRefused(
            f"ONNX Runtime cannot run the model on a training sample ({first_line(error)})",
            fix="make the dataset's input settings fit the model's inputs, which `edgetui inspect` shows",
        ) from error


def _run(module: Network, feeds: Mapping[str, Array]) -> dict[str, Array]:
    import torch

    with torch.no_grad():
        found = module({name: torch.from_numpy(np.array(array)) for name, array in feeds.items()})
    return {name: value.detach().numpy() for name, value in found.items()}


def _refuse_other(ours: dict[str, Array], theirs: dict[str, Array]) -> None:
    for name, expected in theirs.items():
        if expected.dtype.kind == "f" and not np.isfinite(expected).all():
            raise ModelRefused(
                f"output {name} is NaN or infinite on a training sample",
                fix="check the dataset's input settings, then the model",
            )
        if ours[name].shape != expected.shape or not near(ours[name], expected):
            raise ModelRefused(
                f"output {name} of the model is another in PyTorch than in ONNX Runtime",
                fix="leave the `train.` steps out of the recipe, and report the model",
            )


def near(a: Array, b: Array) -> bool:
    """Whether the largest difference is within `TOLERANCE` of `b`'s largest value; integers are equal or they are not."""
    if b.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    wide, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return bool(np.abs(wide - other).max(initial=0) <= TOLERANCE * max(float(np.abs(other).max(initial=0)), 1e-6))
