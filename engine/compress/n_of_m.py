"""`prune.nm`: of every `m` weights along the input channels the `n` largest stay (Mishra et al. 2021, Accelerating Sparse Deep
Neural Networks).

Apart from `magnitude.py` because zeros are bound to places: 2 of 4 is what sparse tensor cores of Ampere and later skip.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ..errors import ModelRefused
from ..graph.load import load, save_apart
from ..graph.select import select
from ..graph.walk import is_onnx, label
from ..graph.weights import Weight, weights
from ..schema.steps import PruneNm
from ..system.heap import give_back_large_blocks
from ..system.reporter import Reporter
from .kept_samples import kept_samples
from .layer_rows import linear_layers
from .magnitude import counted, tell_computed
from .observe import Feeds
from .permutation import permute
from .repair import Layer, repair, settled

_ROWS = 1 << 16
"""Groups that are ordered at once: numpy's order takes 8 bytes a weight."""


def prune(step: PruneNm, source: Path, out: Path, samples: Iterable[Feeds] | None, say: Reporter) -> str:
    """Write the model at `source` with the pattern in its weights to `out`; returns in how many, and the magnitude kept.

    Weights whose input channels are no multiple of `m`, of grouped convolutions, of ConvTranspose, of recurrent nodes (nothing
    skips the pattern there), and those that nodes read in unlike ways stay as they are, and are named in the log. Of equal
    magnitudes the first ones stay.

    Raises:
        ModelRefused: no weight can have the pattern, or one is not a number.
        RecipeRefused: a pattern of `only` or `exclude` matches no node.
        DataRefused: `repair` has no samples, or they do not fit.
        StorageRefused: `out` cannot be written.
    """
    give_back_large_blocks()
    model = load(source)
    chosen = _chosen(step, model, say)
    names = {node for weight in chosen for node in weight.nodes}
    plain = sum(_sum(array[pattern(array, _axis(weight), step.n, step.m)]) for weight in chosen for array in [weight.array()])
    moved = permute(model, linear_layers(model, chosen).values(), step.n, step.m) if step.permute else 0
    del chosen
    if samples is None or not step.repair:
        line = _pruned(step, model, names, plain, moved, say)
        save_apart(model, out)
        return line
    with kept_samples(source, samples, step.samples, out.parent) as shown:
        ordered = shown.folder / "ordered.onnx"  # what layers gave, in the order that channels have now
        save_apart(model, ordered)
        line = _pruned(step, model, names, plain, moved, say)
        fitted = [Layer(name, zeros_stay=True) for name in sorted(names)]
        model = settled(model, shown.folder / "zeroed.onnx")  # each session would hold the weights once more
        return f"{line}; {repair(model, ordered, fitted, shown, out, say)}"


def _pruned(step: PruneNm, model: ModelProto, names: set[str], plain: float, moved: int, say: Reporter) -> str:
    """Zero what the pattern leaves out, in place; a line on it. plain: the magnitude kept in the order that channels had."""
    found = [weight for weight in weights(model) if names.issuperset(weight.nodes)]
    total = zero = 0
    whole = kept = 0.0
    for number, weight in enumerate(found, 1):
        array = weight.array()
        whole += _sum(array)
        array[~pattern(array, _axis(weight), step.n, step.m)] = 0
        kept += _sum(array)
        weight.write(array)
        total += array.size
        zero += array.size - int(np.count_nonzero(array))
        say.progress(number, len(found), "tensors")
    line = f"{step.n} of {step.m} in {counted(len(found))}, {100 * zero / total:.1f} % of their weights zero"
    if whole:
        line += f", {100 * kept / whole:.2f} % of the magnitude kept"
    if moved and whole:
        line += f" ({100 * plain / whole:.2f} % without another order of {moved} sets of channels)"
    return line


def _axis(weight: Weight) -> int:
    assert weight.input_axis is not None, weight.name
    return weight.input_axis


def _sum(array: NDArray[np.generic]) -> float:
    return float(np.abs(array.astype(np.float64)).sum())


def pattern(array: NDArray[np.generic], axis: int, n: int, m: int) -> NDArray[np.bool_]:
    """Which weights stay: the `n` largest of every `m` along an axis, the first ones of equal."""
    rows = np.moveaxis(array, axis, -1)
    grouped = rows.reshape(-1, m)
    stays = np.zeros(grouped.shape, np.bool_)
    for start in range(0, len(grouped), _ROWS):
        part = np.abs(grouped[start : start + _ROWS].astype(np.float64))
        order = np.argsort(-part, axis=1, kind="stable")[:, :n]
        np.put_along_axis(stays[start : start + _ROWS], order, values=True, axis=1)
    return np.moveaxis(stays.reshape(rows.shape), -1, axis)


def _chosen(step: PruneNm, model: ModelProto, say: Reporter) -> list[Weight]:
    excluded = select(model, step.exclude, say)
    only = select(model, step.only, say)
    tell_computed(model, excluded, say)
    groups = {label(node): node for node in model.graph.node if is_onnx(node)}
    found, left = [], []
    for weight in weights(model):
        if excluded.intersection(weight.nodes) or (only and not only.intersection(weight.nodes)):
            continue
        grouped = any(
            operator == "ConvTranspose" or any(entry.name == "group" and entry.i > 1 for entry in groups[node].attribute)
            for node, operator in zip(weight.nodes, weight.operators, strict=True)
            if node in groups
        )
        axis = weight.input_axis
        if axis is None or grouped or weight.recurrent or len(weight.shape) < 2 or weight.shape[axis] % step.m:
            left.append(weight.name)
        else:
            found.append(weight)
    if left:
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        say.note(
            f"{', '.join(left[:5])}{more} stay as they are: no multiple of {step.m} input channels, in groups, or recurrent"
        )
    if not found:
        raise ModelRefused(
            f"no weight that is chosen has a multiple of {step.m} input channels", fix="exclude less, or leave `prune.nm` out"
        )
    for weight in found:
        if np.isnan(weight.array().astype(np.float32, copy=False)).any():
            raise ModelRefused(
                f"weight {weight.name} holds values that are not numbers (NaN)", fix="train or export the model again"
            )
    return found
