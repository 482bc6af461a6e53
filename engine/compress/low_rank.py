"""`lowrank.svd`: a layer becomes two, by the principal directions of what it gives.

The directions are those of the outputs' covariance over samples, which is the best of all factors of that rank for these
outputs (Zhang et al. 2016, Accelerating Very Deep Convolutional Networks, eqs. 5 to 7; without samples the covariance of the
weights' rows, a plain SVD). Ranks over all layers: as little as possible of the product of the retained shares is lost for
the multiplications that are to go (eq. 14), along each layer's lower convex hull.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from ..errors import ModelRefused
from ..graph.constants import drop_unread
from ..graph.load import load, save_apart
from ..graph.macs import macs
from ..graph.names import Names
from ..graph.select import select
from ..graph.shapes import inferred, shape_table
from ..graph.walk import opset
from ..graph.weights import weights
from ..schema.steps import LowrankSvd
from ..system.heap import give_back_large_blocks
from ..system.reporter import Reporter
from .kept_samples import KeptSamples, kept_samples
from .layer_rows import Floats, LinearLayer, linear_layers
from .observe import Feeds
from .onward_passes import OnwardPasses
from .repair import Layer, constant_bias, repair, settled

Doubles = NDArray[np.float64]

_VALUES = 4_500_000
"""Numbers in one pass, at most: a sample's outputs, and their products, in doubles (of 1024 channels 8 MB)."""
_LEAST = 1e-9
"""Of a share: a layer of which nothing is left is never as good as one of which little is."""


@dataclass(frozen=True)
class OutputSpread:
    """What the outputs of a layer vary in: directions as columns, the first one most, and how much in each; fewer than there
    are outputs where inputs are fewer.
    """

    directions: Floats
    """Shape (outputs, the largest rank that saves anything)."""
    variances: Doubles
    mean: Doubles

    def retained(self, rank: int) -> float:
        """Share of the whole that the first `rank` directions have."""
        total = float(self.variances.sum())
        return float(self.variances[:rank].sum()) / total if total > 0 else 1.0


@dataclass(frozen=True)
class _Choice:
    """A layer, and what each rank of it costs."""

    layer: LinearLayer
    spread: OutputSpread
    places: int
    """How often the layer's product is computed in an inference."""

    @property
    def whole(self) -> int:
        return self.places * self.layer.inputs * self.layer.outputs

    def macs(self, rank: int) -> int:
        return self.places * rank * (self.layer.inputs + self.layer.outputs)

    @property
    def largest(self) -> int:
        return largest_rank(self.layer)


def factor(step: LowrankSvd, source: Path, out: Path, samples: Iterable[Feeds] | None, say: Reporter) -> str:
    """Write the model at `source` with layers in two factors to `out`; returns how many, and the multiplications left.

    A layer of which no rank saves anything stays whole, and so do grouped convolutions and weights that nodes share.

    Raises:
        ModelRefused: no layer can be factored, a shape is not known, or the model cannot be run.
        RecipeRefused: a pattern of `exclude` matches no node.
        DataRefused: the samples do not fit.
        StorageRefused: `out` cannot be written.
    """
    if samples is None or step.need == "none":
        return _factored(step, source, out, None, say)
    with kept_samples(source, samples, step.samples, out.parent) as kept:
        return _factored(step, source, out, kept, say)


def _factored(step: LowrankSvd, source: Path, out: Path, kept: KeptSamples | None, say: Reporter) -> str:
    give_back_large_blocks()
    model = load(source)
    excluded = select(model, step.exclude, say)
    table = shape_table(inferred(model, {}))
    total = macs(model.graph, table)
    layers = {
        name: layer
        for name, layer in linear_layers(model, weights(model)).items()
        if name not in excluded
        and layer.groups == 1
        and layer.node.output[0] in table
        and constant_bias(model, layer) is not None
    }
    spreads = _spreads(model, layers, kept if step.data_aware else None, table)
    choices = [
        _Choice(layer, spreads[name], math.prod(table[layer.node.output[0]]) // layer.outputs) for name, layer in layers.items()
    ]
    choices = [choice for choice in choices if choice.largest]
    if not choices or not total:
        raise ModelRefused(
            "no layer of this model gets smaller as two factors" if total else "shapes inside the model are not known",
            fix="leave `lowrank.svd` out, or exclude less",
        )
    if step.retained is not None:
        ranks = {place: _least_rank(choice, step.retained) for place, choice in enumerate(choices)}
    else:
        ranks = _ranks(choices, total * (1 - (step.macs or 0.0)))
    ranks = {place: rank for place, rank in ranks.items() if 0 < rank <= choices[place].largest}
    saved = sum(choices[place].whole - choices[place].macs(rank) for place, rank in ranks.items())
    if step.macs is not None and saved < total * (1 - step.macs) - 1:
        say.warn(f"no ranks leave so few multiplications: {100 * (1 - saved / total):.1f} % are left")
    fitted = _apply(model, [(choices[place], rank) for place, rank in ranks.items()], say)
    line = f"{len(ranks)} of {len(layers)} layers in two factors, {100 * (1 - saved / total):.1f} % of multiplications left"
    if not ranks:
        say.warn("no layer was factored: what was asked for saves nothing anywhere")
    if kept is not None and step.repair and ranks:
        whole = [Layer(name) for name in layers if name not in {layer.name for layer in fitted}]
        model = settled(model, kept.folder / "factors.onnx")
        return f"{line}; {repair(model, source, [*fitted, *whole], kept, out, say)}"
    save_apart(model, out)
    return line


def _spreads(
    model: ModelProto, layers: Mapping[str, LinearLayer], kept: KeptSamples | None, table: Mapping[str, tuple[int, ...]]
) -> dict[str, OutputSpread]:
    if kept is None:
        return {name: _of_weights(model, layer) for name, layer in layers.items()}
    found: dict[str, OutputSpread] = {}
    passes = OnwardPasses(model, kept)
    waiting: list[tuple[str, LinearLayer]] = []
    room = 0
    for name, layer in layers.items():
        size = math.prod(table[layer.node.output[0]]) + _dimensions(layer) ** 2
        if waiting and room + size > _VALUES:
            found |= _of_outputs(model, waiting, passes)
            waiting, room = [], 0
        waiting.append((name, layer))
        room += size
    return found | (_of_outputs(model, waiting, passes) if waiting else {})


def _of_weights(model: ModelProto, layer: LinearLayer) -> OutputSpread:
    matrix = layer.matrix(layer.weight.array())[0].astype(np.float64)
    bias = constant_bias(model, layer)
    return _spread(matrix @ matrix.T, np.zeros(layer.outputs) if bias is None else bias.astype(np.float64), layer)


class _OutputSums:
    """Of what a layer gives: in coordinates of the space that its weights span, where that has fewer dimensions."""

    def __init__(self, model: ModelProto, layer: LinearLayer) -> None:
        self._layer = layer
        bias = constant_bias(model, layer)
        self._bias = np.zeros(layer.outputs, np.float32) if bias is None else bias
        self._basis: Floats | None = None
        size = _dimensions(layer)
        if size < layer.outputs:
            matrix = layer.matrix(layer.weight.array())[0]
            self._basis = np.linalg.qr(matrix)[0].astype(np.float32)
        self._total, self._squares, self._count = np.zeros(size), np.zeros((size, size)), 0

    def add(self, leaving: Floats) -> None:
        given = self._layer.targets(leaving)
        if self._basis is not None:
            given = np.subtract(given, self._bias, dtype=np.float32) @ self._basis
        self._total += given.sum(axis=0, dtype=np.float64)
        self._squares += given.T @ given
        self._count += len(given)

    def spread(self) -> OutputSpread:
        # A MatMul cannot add what the directions leave of the mean: its directions are those of the values themselves.
        mean = self._total / self._count if self._layer.biased else np.zeros(len(self._total))
        found = _spread(self._squares / self._count - np.outer(mean, mean), mean, self._layer)
        if self._basis is None:
            return found
        return OutputSpread(self._basis @ found.directions, found.variances, self._basis @ found.mean + self._bias)


def _dimensions(layer: LinearLayer) -> int:
    return min(layer.inputs, layer.outputs)


def _of_outputs(model: ModelProto, layers: list[tuple[str, LinearLayer]], passes: OnwardPasses) -> dict[str, OutputSpread]:
    tensors = [layer.node.output[0] for _, layer in layers]
    sums = [_OutputSums(model, layer) for _, layer in layers]
    for arrays in passes.each(model, tensors, tensors[-1]):
        for one, array in zip(sums, arrays, strict=True):
            one.add(array.astype(np.float32, copy=False))
    return {name: one.spread() for (name, _), one in zip(layers, sums, strict=True)}


def _spread(covariance: Doubles, mean: Doubles, layer: LinearLayer) -> OutputSpread:
    if not np.isfinite(covariance).all():
        raise ModelRefused(
            "a layer's outputs become NaN or infinite on the calibration samples",
            fix="check the dataset's scale, mean and std, and run the model without compression first",
        )
    variances, directions = np.linalg.eigh(covariance)
    kept = directions[:, ::-1][:, : largest_rank(layer)].astype(np.float32)
    return OutputSpread(kept, np.maximum(variances[::-1], 0), mean)


def largest_rank(layer: LinearLayer) -> int:
    """The largest rank that saves anything."""
    return max(0, (layer.inputs * layer.outputs - 1) // (layer.inputs + layer.outputs))


def _least_rank(choice: _Choice, retained: float) -> int:
    """The smallest rank that retains so much; 0: it saves nothing."""
    shares = np.cumsum(choice.spread.variances) / max(float(choice.spread.variances.sum()), 1e-300)
    rank = int(np.searchsorted(shares, retained - 1e-12)) + 1
    return rank if rank <= choice.largest else 0


def _ranks(choices: list[_Choice], wanted: float) -> dict[int, int]:
    """Ranks that save `wanted` multiplications in all, or as many as can be; a layer without one stays whole."""
    steps = sorted(
        (slope, place, number, rank)
        for place, choice in enumerate(choices)
        for number, (slope, rank) in enumerate(_hull(choice))
    )
    ranks: dict[int, int] = {}
    saved = 0
    for _, place, _, rank in steps:
        if saved >= wanted:
            break
        choice = choices[place]
        before = choice.whole - choice.macs(ranks[place]) if place in ranks else 0
        ranks[place] = rank
        saved += choice.whole - choice.macs(rank) - before
        while saved - wanted >= choice.macs(1) and ranks[place] < choice.largest and saved - choice.macs(1) >= wanted:
            ranks[place] += 1  # the last step may have gone further than it had to
            saved -= choice.macs(1)
    return ranks


def _hull(choice: _Choice) -> list[tuple[float, int]]:
    """Ranks on the lower convex hull of loss over savings, the largest first, each with the loss for one multiplication."""
    points = [(0.0, 0.0, 0)]
    for rank in range(choice.largest, 0, -1):
        loss = -math.log(max(choice.spread.retained(rank), _LEAST))
        point = (float(choice.whole - choice.macs(rank)), loss, rank)
        while len(points) > 1 and _slope(points[-2], points[-1]) >= _slope(points[-2], point):
            points.pop()
        points.append(point)
    return [(_slope(one, other), other[2]) for one, other in pairwise(points)]


def _slope(one: tuple[float, float, int], other: tuple[float, float, int]) -> float:
    return (other[1] - one[1]) / (other[0] - one[0])


def _apply(model: ModelProto, chosen: list[tuple[_Choice, int]], say: Reporter) -> list[Layer]:
    """Put two nodes in the place of each; what is to be fitted afterwards."""
    names, fitted = Names(model), []
    for number, (choice, rank) in enumerate(chosen, 1):
        layer, spread = choice.layer, choice.spread
        bias = constant_bias(model, layer)
        assert bias is not None
        directions = np.ascontiguousarray(spread.directions[:, :rank])
        matrix = layer.matrix(layer.weight.array())[0]
        # y = U U'(Wx + b - mean) + mean
        second_bias = spread.mean + directions @ (directions.T @ (bias - spread.mean))
        fitted += _split(model, names, layer, directions.T @ matrix, directions, second_bias.astype(np.float32))
        say.note(f"{layer.node.name}: rank {rank} of {layer.outputs} retains {100 * spread.retained(rank):.2f} %")
        say.progress(number, len(chosen), "layers factored")
    drop_unread(model)
    return fitted


def _split(model: ModelProto, names: Names, layer: LinearLayer, first: Floats, second: Floats, bias: Floats) -> list[Layer]:
    node, stem, kind = layer.node, layer.weight.name, layer.weight.array().dtype
    middle, rank = names.free(f"{node.output[0]}_factor"), len(first)
    convolves = node.op_type == "Conv"
    by_columns = not convolves and layer.weight.shape[0] == layer.inputs and not _turned(node)
    shape = (rank, *layer.weight.shape[1:]) if convolves else first.shape
    held = {
        f"{stem}_first": first.reshape(shape) if not by_columns else first.T,
        f"{stem}_second": second.reshape(*second.shape, *[1] * (len(shape) - 2)) if not by_columns else second.T,
        f"{stem}_second_bias": bias,
    }
    stored = {wanted: names.free(wanted) for wanted in held}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(array).astype(kind), stored[wanted]) for wanted, array in held.items()
    )
    before = NodeProto()
    before.CopyFrom(node)
    before.name = names.free(f"{node.name or node.op_type}_first")
    del before.input[2:], before.output[:]
    before.input[1] = stored[f"{stem}_first"]
    if node.op_type == "Gemm" and opset(model) < 11:  # a Gemm had to add something then
        nothing = numpy_helper.from_array(np.zeros(rank, kind), names.free(f"{stem}_first_bias"))
        model.graph.initializer.append(nothing)
        before.input.append(nothing.name)
    before.output.append(middle)
    place = next(place for place, other in enumerate(model.graph.node) if other is node or other.output[0] == node.output[0])
    node.input[0], node.input[1] = middle, stored[f"{stem}_second"]
    if layer.biased:
        del node.input[2:]
        node.input.append(stored[f"{stem}_second_bias"])
    if convolves:
        del node.attribute[:]
        node.attribute.extend([helper.make_attribute("kernel_shape", [1] * (len(shape) - 2))])
    model.graph.node.insert(place, before)
    return [Layer(before.name, output=node.output[0], mix=second), Layer(node.name)]


def _turned(node: NodeProto) -> bool:
    return any(entry.name == "transB" and entry.i for entry in node.attribute)
