"""`prune.magnitude`: zero the smallest weights by absolute value (Han et al. 2015, Learning both Weights and Connections).

Apart from the other families because it changes values only: the graph, its shapes and its speed on dense hardware stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ..errors import ModelRefused
from ..graph.constants import computing
from ..graph.load import load, save_apart
from ..graph.select import select
from ..graph.weights import Weight, weights
from ..schema.steps import PruneMagnitude
from ..system.heap import give_back_large_blocks
from ..system.reporter import Reporter
from .kept_samples import kept_samples
from .observe import Feeds
from .repair import Layer, repair

Magnitudes = NDArray[np.float32 | np.float64]

_CHUNK = 1 << 20
"""Weights counted at once: numpy widens what it counts to 8 bytes each."""


def prune(step: PruneMagnitude, source: Path, out: Path, samples: Iterable[Feeds] | None, say: Reporter) -> str:
    """Write the model at `source` with its smallest weights zero to `out`; returns how many are zero now, in a line.

    With `amount`, exactly floor(amount x n) weights are zeroed: of each tensor, or of all of them together. Weights of equal
    magnitude go in the order of their position. With `threshold`, all with |w| below it. Biases stay, but where `repair` fits
    them with the weights that are left (`repair.repair`). The L1 norm of each tensor before and after goes to the log
    (Filippou et al. list it).

    Raises:
        ModelRefused: the model has no weights to prune, or one is not a number; with `repair`, it cannot be run.
        RecipeRefused: a pattern of `only` or `exclude` matches no node.
        DataRefused: `repair` has no samples, or they do not fit.
        StorageRefused: `out` cannot be written.
    """
    give_back_large_blocks()
    model = load(source)
    zeroed = zero_smallest(step, model, source.name, say)
    if samples is not None and step.repair:
        layers = [Layer(name, zeros_stay=True) for name in zeroed.nodes]
        with kept_samples(source, samples, step.samples, out.parent) as kept:
            return f"{zeroed.line}; {repair(model, source, layers, kept, out, say)}"
    save_apart(model, out)
    return zeroed.line


class Zeroed(NamedTuple):
    """What was done to a model."""

    line: str
    """How many weights are zero now, for people."""
    nodes: list[str]
    """Labels of the nodes whose weights were ranked."""


def zero_smallest(step: PruneMagnitude, model: ModelProto, name: str, say: Reporter) -> Zeroed:
    """Zero the smallest weights of a model in place, as `prune` says. `name`: of its file, for people.

    Raises:
        ModelRefused: it has no weights to prune, or one is not a number.
        RecipeRefused: a pattern of `only` or `exclude` matches no node.
    """
    found, left_out = _chosen(step, model, name, say)
    tell_computed(model, left_out, say)
    limits = _limits(step, found)
    total = zero = 0
    emptied: list[str] = []
    for index, (weight, (limit, at_limit)) in enumerate(zip(found, limits, strict=True)):
        array = weight.array()
        flat = array.reshape(-1)
        magnitudes = _magnitudes(weight)
        had = int(np.count_nonzero(flat))
        norm = _norm(magnitudes)
        exact = np.float64(limit)  # a plain float would be rounded to the tensor's type: the limit may come from another
        flat[magnitudes < exact] = 0
        flat[np.flatnonzero(magnitudes == exact)[:at_limit]] = 0
        weight.write(array)
        left = int(np.count_nonzero(flat))
        if had and not left:
            emptied.append(weight.name)
        total += flat.size
        zero += flat.size - left
        share = 100 * (1 - left / flat.size) if flat.size else 0.0
        say.note(f"{weight.name}: L1 norm {norm:.6g} before, {_norm(_magnitudes(weight)):.6g} after, {share:.1f} % zero")
        say.progress(index + 1, len(found), "tensors")
    if emptied:
        more = "" if len(emptied) <= 3 else f" and {len(emptied) - 3} more"
        say.warn(f"nothing is left of {', '.join(emptied[:3])}{more}: their layers give a constant now")
    line = f"{100 * zero / total:.1f} % of {_spaced(total)} weights are zero now ({counted(len(found))})"
    return Zeroed(line, [node for weight in found for node in weight.nodes])


def _chosen(step: PruneMagnitude, model: ModelProto, name: str, say: Reporter) -> tuple[list[Weight], set[str]]:
    """The weights that are pruned, and the labels of the nodes whose weights are not."""
    found = weights(model)
    if not found:
        raise ModelRefused(
            f"{name} has no floating-point weights of Conv, Gemm or MatMul to prune",
            fix="prune before quantizing, or leave the step out",
        )
    left_out = select(model, step.exclude, say)
    if step.only:
        left_out |= {node for weight in found for node in weight.nodes} - select(model, step.only, say)
    chosen = [weight for weight in found if not left_out.intersection(weight.nodes)]
    if not chosen:
        raise ModelRefused(
            "`only` and `exclude` leave no weights to prune", fix="name fewer nodes in `exclude`, or more in `only`"
        )
    return chosen, left_out


def _norm(magnitudes: Magnitudes) -> float:
    return float(magnitudes.sum(dtype=np.float64))


def smallest(magnitudes: Magnitudes, count: int) -> tuple[float, int]:
    """The limit below which all go, and how many of those exactly at it go too, so that `count` go in all.

    Linear time: a partition, no sort.
    """
    if count == 0:
        return 0.0, 0
    limit = np.partition(magnitudes, count - 1)[count - 1]
    return float(limit), count - int(np.count_nonzero(magnitudes < limit))


def share_of(amount: float, size: int) -> int:
    """floor(amount x size) with `amount` read as the decimal it was written as: 0.29 of 100 is 29, not 28."""
    return int(Fraction(repr(amount)) * size)


def _limits(step: PruneMagnitude, found: list[Weight]) -> list[tuple[float, int]]:
    """For each tensor the limit below which its weights go, and how many at the limit go."""
    if step.amount is None:
        for weight in found:
            _magnitudes(weight)
        return [(step.threshold or 0.0, 0)] * len(found)
    if step.scope == "layer":
        return [smallest(_magnitudes(weight), share_of(step.amount, weight.size)) for weight in found]
    limit, at_limit = smallest_of_all(found, share_of(step.amount, sum(weight.size for weight in found)))
    limits: list[tuple[float, int]] = []
    for weight in found:
        here = int(np.count_nonzero(_magnitudes(weight) == np.float64(limit)))
        limits.append((limit, min(here, at_limit)))
        at_limit -= min(here, at_limit)
    return limits


def smallest_of_all(found: list[Weight], count: int) -> tuple[float, int]:
    """As `smallest`, over all tensors together, with one tensor in memory at a time.

    Magnitudes are counted by the upper half of their float32 bits, which grow with the value; only those in the bin where the
    limit lies are gathered and partitioned.
    """
    if count == 0:
        return 0.0, 0
    counts = np.zeros(1 << 16, dtype=np.int64)
    for weight in found:
        keys = _keys(_magnitudes(weight))
        for start in range(0, keys.size, _CHUNK):
            counts += np.bincount(keys[start : start + _CHUNK], minlength=1 << 16)
    sums = np.cumsum(counts)
    place = int(np.searchsorted(sums, count))
    inside: list[Magnitudes] = []
    for weight in found:
        magnitudes = _magnitudes(weight)
        inside.append(magnitudes[_keys(magnitudes) == place])
    joined: Magnitudes = np.concatenate(inside)
    return smallest(joined, count - int(sums[place] - counts[place]))


def _keys(magnitudes: Magnitudes) -> NDArray[np.uint16]:
    with np.errstate(over="ignore"):  # doubles past float32 share the bin of infinity
        narrow = magnitudes.astype(np.float32, copy=False)
    return (narrow.view(np.uint32) >> 16).astype(np.uint16)


def _magnitudes(weight: Weight) -> Magnitudes:
    """|w|, flat, in float64 for doubles and float32 for the rest.

    Raises:
        ModelRefused: one is not a number.
    """
    array = weight.array().reshape(-1)
    wide: Magnitudes = array.astype(np.float64) if array.dtype == np.float64 else array.astype(np.float32)
    if np.isnan(wide).any():
        raise ModelRefused(
            f"weight {weight.name} holds values that are not numbers (NaN)", fix="train or export the model again"
        )
    np.abs(wide, out=wide)
    return wide


def tell_computed(model: ModelProto, excluded: Collection[str], say: Reporter) -> None:
    """Say which nodes have weights that no step acts on because the model computes them."""
    left = [name for name in computing(model) if name not in excluded]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        say.warn(
            f"the weights of {', '.join(left[:3])}{more} stay as they are: the model computes them from less than they are; "
            "export it with such constants folded if they matter"
        )


def counted(tensors: int) -> str:
    """`1 tensor`, `20 tensors`."""
    return f"{tensors} tensor" + ("" if tensors == 1 else "s")


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")
