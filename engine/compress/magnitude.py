"""`prune.magnitude`: zero the smallest weights by absolute value (Han et al. 2015, Learning both Weights and Connections).

Apart from the other families because it changes values only: the graph, its shapes and its speed on dense hardware stay.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
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
from ..graph.tables import tables
from ..graph.values import array_of
from ..graph.weights import Weight, weights
from ..schema.steps import PruneMagnitude
from ..system.heap import give_back_large_blocks
from ..system.reporter import Reporter
from .kept_samples import kept_samples
from .observe import Feeds
from .repair import Layer, repair, settled

Magnitudes = NDArray[np.float32 | np.float64]

_PIECE = 1 << 16
"""Weights that are looked at together: their magnitudes stay in the cache, and memory for all of them is not asked for."""
_SAMPLE = 1 << 17
"""Weights drawn to know about where the limit lies; as many or fewer are partitioned as they are."""
_DEVIATIONS = 6
"""Of the limit's place in the sample: it lies within so many, but for once in 500 million draws."""


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
            model = settled(model, kept.folder / "zeroed.onnx")  # each session would hold the weights once more
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
        before, after, had, left, at_limit = _zeroed(weight.name, array.reshape(-1), limit, at_limit)
        if step.scope == "global" and index + 1 < len(found):
            limits[index + 1] = limit, at_limit  # equal ones go in the order of the tensors
        weight.write(array)
        if had and not left:
            emptied.append(weight.name)
        total += array.size
        zero += array.size - left
        share = 100 * (1 - left / array.size) if array.size else 0.0
        say.note(f"{weight.name}: L1 norm {before:.6g} before, {after:.6g} after, {share:.1f} % zero")
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
            f"{name} has no floating-point weights of Conv, Gemm, MatMul or recurrent nodes to prune",
            fix="prune before quantizing, or leave the step out",
        )
    left_out = select(model, step.exclude, say)
    if step.only:
        named = select(model, step.only, say)
        _tell_tables(model, named, say)
        left_out |= {node for weight in found for node in weight.nodes} - named
    chosen = [weight for weight in found if not left_out.intersection(weight.nodes)]
    if not chosen:
        raise ModelRefused(
            "`only` and `exclude` leave no weights to prune", fix="name fewer nodes in `exclude`, or more in `only`"
        )
    return chosen, left_out


def _tell_tables(model: ModelProto, named: set[str], say: Reporter) -> None:
    """Say that tables stay: a row is one token's alone, and the rare ones, whose numbers are small, would lose theirs."""
    asked = [table.name for table in tables(model) if named.intersection(table.nodes)]
    if asked:
        say.warn(
            f"`only` names tables that ids choose rows of ({', '.join(asked)}): they are not pruned; quantizing reaches them"
        )


def _zeroed(name: str, flat: NDArray[np.generic], limit: float, at_limit: int) -> tuple[float, float, int, int, int]:
    """Zero what is below the limit and the first `at_limit` of those at it, in place; the L1 norm before and after, how many
    are not zero before and after, and how many at the limit are still to go.
    """
    before = after = 0.0
    had = left = 0
    for start, magnitudes in _pieces(name, flat):
        before += float(magnitudes.sum(dtype=np.float64))
        had += int(np.count_nonzero(magnitudes))
        exact = _exact(magnitudes, limit)
        gone = magnitudes < exact
        if at_limit:
            places = np.flatnonzero(magnitudes == exact)[:at_limit]
            gone[places] = True
            at_limit -= len(places)
        np.copyto(flat[start : start + len(gone)], 0, where=gone)
        np.copyto(magnitudes, 0, where=gone)
        after += float(magnitudes.sum(dtype=np.float64))
        left += int(np.count_nonzero(magnitudes))
    return before, after, had, left, at_limit


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
    """For each tensor the limit below which its weights go, and how many at the limit go; over all of them, the first one's."""
    if step.amount is None:
        return [(step.threshold or 0.0, 0)] * len(found)
    if step.scope == "layer":
        return [smallest_of_all([weight], share_of(step.amount, weight.size)) for weight in found]
    return [smallest_of_all(found, share_of(step.amount, sum(weight.size for weight in found)))] * len(found)


def smallest_of_all(found: list[Weight], count: int) -> tuple[float, int]:
    """As `smallest`, over all tensors together, with one tensor in memory at a time.

    Two magnitudes between which the limit lies are taken from a sample (Floyd and Rivest 1975, SELECT); what lies below them is
    counted, and only what lies between them is gathered and partitioned.
    """
    if count == 0:
        return 0.0, 0
    low, high = _bracket(found, count)
    return _between(found, count, low, high) or _between(found, count, -1.0, np.inf) or (np.inf, 0)


def _between(found: list[Weight], count: int, low: float, high: float) -> tuple[float, int] | None:
    """What `smallest` says if the limit lies from `low` to `high`; None: it does not."""
    less = at_low = at_high = 0
    inside: list[Magnitudes] = []
    for weight in found:
        for _, magnitudes in _pieces(weight.name, array_of(weight.tensor).reshape(-1)):
            first, last = _exact(magnitudes, low), _exact(magnitudes, high)
            less += int(np.count_nonzero(magnitudes < first))
            at_low += int(np.count_nonzero(magnitudes == first))
            at_high += int(np.count_nonzero(magnitudes == last)) if high > low else 0
            inside.append(magnitudes[(magnitudes > first) & (magnitudes < last)])
    wanted = count - less
    gathered: Magnitudes = np.concatenate(inside)
    if not 0 < wanted <= at_low + len(gathered) + at_high:
        return None
    if wanted <= at_low:
        return low, wanted
    if wanted <= at_low + len(gathered):
        return smallest(gathered, wanted - at_low)
    return high, wanted - at_low - len(gathered)


def _bracket(found: list[Weight], count: int) -> tuple[float, float]:
    """Two magnitudes between which, very likely, that of rank `count` lies."""
    total = sum(weight.size for weight in found)
    if total <= _SAMPLE:
        return -1.0, np.inf
    draw = np.random.default_rng(0)
    drawn = []
    for weight in filter(lambda weight: weight.size, found):
        array = array_of(weight.tensor).reshape(-1)
        drawn.append(array[draw.integers(array.size, size=-(-_SAMPLE * array.size // total))].astype(np.float64))
    sample = np.sort(np.abs(np.concatenate(drawn)))
    share = count / total
    middle = share * len(sample)
    spread = _DEVIATIONS * math.sqrt(middle * (1 - share)) + 3
    low, high = math.floor(middle - spread), math.ceil(middle + spread)
    return float(sample[low]) if low >= 0 else -1.0, float(sample[high]) if high < len(sample) else np.inf


def _exact(magnitudes: Magnitudes, limit: float) -> np.float32 | np.float64:
    """The limit to hold magnitudes against: in their type where that has it, for else all of them would be widened."""
    with np.errstate(over="ignore"):
        narrow: np.float32 = np.float32(limit)
    wide: np.float64 = np.float64(limit)
    return narrow if magnitudes.dtype == np.float32 and float(narrow) == limit else wide


def _pieces(name: str, flat: NDArray[np.generic]) -> Iterator[tuple[int, Magnitudes]]:
    """Where each piece of a tensor begins, and |w| of it, in float64 for doubles and float32 for the rest; the next piece takes
    its place.

    Raises:
        ModelRefused: one is not a number.
    """
    held: Magnitudes = np.empty(min(flat.size, _PIECE), np.float64 if flat.dtype == np.float64 else np.float32)
    for start in range(0, flat.size, _PIECE):
        part = flat[start : start + _PIECE]
        magnitudes = held[: part.size]
        magnitudes[...] = part
        np.abs(magnitudes, out=magnitudes)
        if np.isnan(magnitudes.max()):  # the largest of some is NaN where one is
            raise ModelRefused(f"weight {name} holds values that are not numbers (NaN)", fix="train or export the model again")
        yield start, magnitudes


def tell_computed(model: ModelProto, excluded: Collection[str], say: Reporter) -> None:
    """Say which nodes have weights that no step acts on because the model computes them."""
    left = [name for name in computing(model) if name not in excluded]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        say.warn(
            f"the weights of {', '.join(left[:3])}{more} stay as they are: the model computes them from less than they are; "
            "export it with such constants folded if they matter"
        )


def counted(many: int, what: str = "tensor") -> str:
    """`1 tensor`, `20 tensors`."""
    return f"{many} {what}" + ("" if many == 1 else "s")


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")
