"""What the layers that read channels lose with each of them, over samples, when their other weights take over what they can.

Channels go one after another, each time the one that costs least: the error of a reader's outputs after its weights have been
fitted anew, from the inverse of its inputs' second moments (Hassibi and Stork 1993, Optimal Brain Surgeon, eq. 5, for the
columns of a channel together). It is what `repair` will do, foreseen without doing it for each choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ..graph.weights import weights
from ..system.reporter import Reporter
from .channel_graph import ChannelGraph
from .channel_shares import Cell, deepest
from .kept_samples import KeptSamples
from .layer_rows import Floats, LinearLayer, linear_layers
from .onward_passes import OnwardPasses

Doubles = NDArray[np.float64]

_READERS = 3
"""Readers of a cell that are asked, at most, the first ones: what a dense block gives is read by fifty."""
_WHOLE = 1152
"""Inputs of a reader up to which every place of its kernel counts; of more, the middle of it stands for a channel."""
_VALUES = 4_500_000
"""Numbers of second moments that are gathered in one pass over the samples."""
_ROWS_EACH = 24
"""Rows for each input, as in `repair.py`."""
_RIDGE = 1e-3
"""Added to the diagonal, as a share of its mean: directions that samples do not have must not look dear."""
_BLOCK = 256
"""Rows of an inverse that are changed at once."""
_WORST = 1 - 1e-6
"""Error, as a share of the whole, from which on nothing is left."""


@dataclass(frozen=True)
class _Reader:
    layer: LinearLayer
    roots: tuple[int, ...]
    """Of each input channel, its class."""

    @property
    def kernel(self) -> int:
        return self.layer.inputs // len(self.roots)

    @property
    def whole(self) -> bool:
        return self.layer.inputs <= _WHOLE

    @property
    def size(self) -> int:
        """Rows of its second moments."""
        return (self.layer.inputs if self.whole else len(self.roots)) + self.layer.biased

    def columns(self, rows: Floats) -> Floats:
        """Of rows of inputs, shape (n, inputs), those that count, and ones where the layer has a bias."""
        taken = rows if self.whole else rows.reshape(len(rows), len(self.roots), self.kernel)[:, :, self.kernel // 2]
        ones = np.ones((len(rows), 1), np.float32)
        return np.concatenate([taken, ones], axis=1) if self.layer.biased else taken

    def matrix(self) -> Doubles:
        """Weights (outputs, columns); where the middle of a kernel stands for a channel, an output of its own for each."""
        found = self.layer.matrix(self.layer.weight.array())[0].astype(np.float64)
        if not self.whole:
            found = np.diag(np.linalg.norm(found.reshape(len(found), len(self.roots), self.kernel), axis=(0, 2)))
        return np.concatenate([found, np.zeros((len(found), 1))], axis=1) if self.layer.biased else found


class _Fit:
    """A reader's weights while channels go."""

    def __init__(self, reader: _Reader, sums: Floats) -> None:
        """`sums`: second moments of its inputs, shape (columns, columns)."""
        moments = sums.astype(np.float64)
        self._kernel = reader.kernel if reader.whole else 1
        self._weights = reader.matrix()
        self._places: dict[int, list[int]] = {}
        for place, root in enumerate(reader.roots):
            self._places.setdefault(root, []).append(place)
        self._columns = np.arange(len(reader.roots) * self._kernel).reshape(-1, self._kernel)
        total = np.vdot(self._weights @ moments, self._weights)
        if reader.layer.biased:
            total -= float(np.square(self._weights @ moments[:, -1]).sum()) / max(float(moments[-1, -1]), 1e-30)
        self._total = max(float(total), 1e-30)
        if len(self._weights) > len(moments):  # sums of squares are all that is asked of outputs
            self._weights = np.asarray(np.linalg.qr(self._weights, mode="r"), np.float64)
        diagonal = np.einsum("ii->i", moments)
        diagonal += _RIDGE * max(float(diagonal.mean()), 1e-30)
        self._inverse = np.asarray(np.linalg.inv(moments), np.float64)

    def losses(self, roots: Sequence[int]) -> Doubles:
        """For each class what goes with it, as a share of what the outputs vary in."""
        each = [self._places.get(root, []) for root in roots]
        flat = np.array([place for places in each for place in places], np.intp)
        if not len(flat):
            return np.zeros(len(roots))
        lost = self._lost(flat) / self._total
        owner = np.repeat(np.arange(len(roots)), [len(places) for places in each])
        return np.bincount(owner, lost, len(roots)).astype(np.float64)

    def _lost(self, places: NDArray[np.intp]) -> Doubles:
        at = self._columns[places]
        if self._kernel == 1:
            alone: Doubles = np.square(self._weights).sum(axis=0)[at[:, 0]] / self._inverse[at[:, 0], at[:, 0]]
            return alone
        parts = self._weights[:, at].transpose(1, 2, 0)
        blocks = self._inverse[at[:, :, None], at[:, None, :]]
        found: Doubles = np.einsum("cko,cko->c", parts, np.linalg.solve(blocks, parts))
        return found

    def remove(self, root: int) -> None:
        """Let the others take over what this class did."""
        for place in self._places.get(root, []):
            at = self._columns[place]
            step = np.linalg.solve(self._inverse[np.ix_(at, at)], self._inverse[at])
            self._weights -= self._weights[:, at] @ step
            columns = self._inverse[:, at]
            for begin in range(0, len(columns), _BLOCK):  # the product of all rows would be as large as the inverse
                self._inverse[begin : begin + _BLOCK] -= columns[begin : begin + _BLOCK] @ step
            self._weights[:, at], self._inverse[at], self._inverse[:, at] = 0, 0, 0
            self._inverse[at, at] = 1


def measure(
    graph: ChannelGraph, model: ModelProto, cells: Sequence[Cell], amounts: Sequence[float], samples: KeptSamples, say: Reporter
) -> int:
    """Put the classes of each cell in the order in which they go best, and say what goes with them; of how many cells that
    could be told. Those that no plain layer reads stay as their norms say.

    Raises:
        DataRefused: the samples do not fit.
        ModelRefused: ONNX Runtime cannot run the model.
    """
    readers = _readers(graph, model, cells)
    passes, done, told = OnwardPasses(model, samples), 0, 0
    for batch in _batches(cells, readers):
        moments = _moments(graph, {id(one): one for place in batch for one in readers[place]}, passes, len(samples))
        for place in batch:
            fits = [_Fit(one, moments[id(one)]) for one in readers[place] if np.isfinite(moments[id(one)]).all()]
            if fits:
                _order(cells[place], fits, deepest(cells[place], amounts[place]))
                told += 1
        done += len(batch)
        say.progress(done, sum(map(bool, readers)), "groups of channels weighed")
    return told


def _readers(graph: ChannelGraph, model: ModelProto, cells: Sequence[Cell]) -> list[list[_Reader]]:
    cell_of = {root: place for place, cell in enumerate(cells) for root in cell.roots}
    found: list[list[_Reader]] = [[] for _ in cells]
    for layer in linear_layers(model, weights(model)).values():
        axes = graph.of(layer.node.input[0])
        labels = axes[1 if layer.node.op_type == "Conv" else -1] if len(axes) > 1 else None
        if labels is None or layer.groups != 1 or layer.inputs % len(labels):
            continue
        reader = _Reader(layer, tuple(graph.classes.roots(labels).tolist()))
        for place in sorted({cell_of[root] for root in reader.roots if root in cell_of}):
            if len(found[place]) < _READERS:
                found[place].append(reader)
    return found


def _batches(cells: Sequence[Cell], readers: list[list[_Reader]]) -> Iterator[list[int]]:
    waiting: list[int] = []
    there: set[int] = set()
    room = 0
    for place in range(len(cells)):
        fresh = {id(one): one.size**2 for one in readers[place] if id(one) not in there}
        if waiting and room + sum(fresh.values()) > _VALUES:
            yield waiting
            waiting, there, room = [], set(), 0
            fresh = {id(one): one.size**2 for one in readers[place]}
        if readers[place]:
            waiting.append(place)
            there |= fresh.keys()
            room += sum(fresh.values())
    if waiting:
        yield waiting


def _moments(graph: ChannelGraph, readers: Mapping[int, _Reader], passes: OnwardPasses, batches: int) -> dict[int, Floats]:
    sums = {key: np.zeros((reader.size, reader.size), np.float32) for key, reader in readers.items()}
    tensors = list(dict.fromkeys(reader.layer.node.input[0] for reader in readers.values()))
    made = {node.output[0]: number for number, node in enumerate(graph.model.graph.node)}
    last = max((reader.layer.node.output[0] for reader in readers.values()), key=made.__getitem__)
    for number, found in enumerate(passes.each(graph.model, tensors, last)):
        given = dict(zip(tensors, found, strict=True))
        for key, reader in readers.items():
            entering = given[reader.layer.node.input[0]].astype(np.float32, copy=False)
            shape = graph.shape(reader.layer.node.output[0]) or ()
            convolves = reader.layer.node.op_type == "Conv"
            rows = len(entering) * math.prod(shape[2:]) if convolves else entering.size // reader.layer.inputs
            quota = max(1, _ROWS_EACH * reader.size // batches)
            places = np.sort(np.random.default_rng(number).permutation(rows)[:quota])
            columns = reader.columns(reader.layer.rows(entering, places)[0])
            with np.errstate(invalid="ignore", over="ignore"):
                sums[key] += columns.T @ columns
    return sums


def _order(cell: Cell, fits: list[_Fit], most: int) -> None:
    """The cheapest class first, `most` of them; the others follow in the order that they had."""
    left, gone, lost = list(cell.order), [], [0.0]
    error = 0.0
    for _ in range(min(most, len(left) - 1)):
        costs = sum((fit.losses(left) for fit in fits), np.zeros(len(left))) / len(fits)
        best = int(np.argmin(costs))
        error += max(float(costs[best]), 0.0)
        root = left.pop(best)
        for fit in fits:
            fit.remove(root)
        gone.append(root)
        lost.append(-math.log1p(-min(error, _WORST)))
    cell.order = [*gone, *left]
    cell.lost = [*lost, *[max(lost[-1], -math.log1p(-_WORST))] * (len(cell.order) + 1 - len(lost))]
