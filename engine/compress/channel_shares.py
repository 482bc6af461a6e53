"""How many channels stay in each set that competes: even shares, or whole blocks with as few multiplications in all.

Kernels compute whole blocks of channels (16 with AVX-512, 8 or 32 on tensor cores): 12 of 16 cost what 16 do. Where even shares
end inside a block, blocks go instead where least is lost for the multiplications saved, until as many are saved as even shares
would have. What is lost is the norm that goes, or what readers lose (`channel_errors.py`), as -log of the share that is left,
summed over the sets.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto

from ..graph.macs import macs_of
from ..graph.walk import attribute_int, is_onnx
from .channel_graph import ChannelGraph
from .channel_labels import Labels

_LEAST = 1e-9
"""Of a share of norm: a set of which all is zero is as good as any."""
_ENOUGH = 0.8
"""Share of what is to be saved that whole blocks must reach; else narrow sets give channels too, in parts of blocks."""
_TOO_FAR = 1.25
"""Of what is to be saved: a block with which more would go stays."""


@dataclass
class Cell:
    """Classes of channels that the same layers make: they compete with each other."""

    nodes: tuple[str, ...]
    roots: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    """Of each class, how much norm it has."""
    order: list[int] = field(default_factory=list)
    """The classes again, in the order in which they go."""
    lost: list[float] = field(default_factory=list)
    """What is lost with so many of them: -log of the share of the whole that is left."""
    span: int = 1
    """Channels of a layer that go with one class, at most."""
    spare: int = 0
    """Channels of the layer that stay so that groups are equal, beside those of `roots`."""

    @property
    def width(self) -> int:
        """Channels of the layer, of those that compete."""
        return len(self.roots) * self.span + self.spare

    def rank(self) -> None:
        """Order by norm, the smallest first."""
        places = np.argsort(self.scores, kind="stable")
        self.order = [self.roots[place] for place in places]
        whole = max(float(np.sum(self.scores)), _LEAST)
        left = 1.0 - np.concatenate([[0.0], np.cumsum(np.array(self.scores)[places])]) / whole
        self.lost = (-np.log(np.maximum(left, _LEAST))).tolist()


def deepest(cell: Cell, amount: float) -> int:
    """How many classes go at most, of a cell that gives more than its amount in place of others: half, or not much more than
    its amount.
    """
    most = _rounded(len(cell.roots), cell.span, min(2 * amount, (1 + amount) / 2), 1, cell.spare)
    return len(cell.roots) - max(1, min(most, (len(cell.roots) + 1) // 2))


def left_of(count: int, span: int, amount: float, round_to: int, spare: int = 0) -> int:
    """How many of `count` classes stay, each of `span` channels, beside `spare` ones: at least one, and whole multiples of
    `round_to` channels; of half as many, a quarter and so on where four multiples are more than there are.
    """
    while round_to > 1 and 4 * round_to > count * span + spare:
        round_to //= 2
    return _rounded(count, span, amount, round_to, spare)


def _rounded(count: int, span: int, amount: float, round_to: int, spare: int = 0) -> int:
    unit = round_to // math.gcd(round_to, span)
    stay = math.ceil(round(count - (count * span + spare) * amount / span, 9) / unit) * unit
    return min(count, max(stay, 1))


@dataclass(frozen=True)
class CellProduct:
    """A node that multiplies, and what its cost is proportional to."""

    macs: int
    weights: int
    axes: tuple[dict[int, float], ...]
    """Of each axis whose channels may go: cell to its share of the axis."""

    def cost(self, left: Sequence[float]) -> float:
        """Multiplications, by the share of each cell that is left."""
        found = float(self.macs)
        for axis in self.axes:
            found *= 1.0 - sum(share * (1.0 - left[cell]) for cell, share in axis.items())
        return found


class Costs:
    """Multiplications of a graph, by the shares of its cells that are left."""

    def __init__(self, graph: ChannelGraph, cells: Sequence[Cell]) -> None:
        cell_of = {root: place for place, cell in enumerate(cells) for root in cell.roots}
        self.products: list[CellProduct] = []
        self._of: list[list[int]] = [[] for _ in cells]
        for node in graph.model.graph.node:
            axes = tuple(filter(None, (_shares(graph, labels, cell_of) for labels in _multiplied(graph, node))))
            if axes:
                for cell in {cell for axis in axes for cell in axis}:
                    self._of[cell].append(len(self.products))
                weights = math.prod(graph.shape(node.input[1]) or (0,))
                self.products.append(CellProduct(macs_of(node, graph.shapes), weights, axes))

    def saved(self, left: Sequence[float]) -> float:
        """Multiplications fewer than with all channels."""
        return sum(product.macs - product.cost(left) for product in self.products)

    def saved_by(self, cell: int, to: float, left: list[float]) -> float:
        """How many fewer when this cell goes to a share from what it has."""
        with_it = left.copy()
        with_it[cell] = to
        return sum(self.products[place].cost(left) - self.products[place].cost(with_it) for place in self._of[cell])


def _multiplied(graph: ChannelGraph, node: NodeProto) -> Iterator[Labels | None]:
    """Labels of the axes that a node's multiplications grow with."""
    if not is_onnx(node) or node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return
    first, out = graph.of(node.input[0]), graph.of(node.output[0])
    shape = graph.shape(node.input[1]) or ()
    yield from out
    if node.op_type in ("Gemm", "MatMul"):
        yield from first[:1] if attribute_int(node, "transA", 0) else first[-1:]
    elif shape[1:2] != (1,):  # one of each group, and it stays one
        yield from first[1:2]


def _shares(graph: ChannelGraph, labels: Labels | None, cell_of: Mapping[int, int]) -> dict[int, float]:
    if labels is None:
        return {}
    found = Counter(cell_of[root] for root in graph.classes.roots(labels).tolist() if root in cell_of)
    return {cell: count / len(labels) for cell, count in found.items()}


def stays(
    graph: ChannelGraph, cells: Sequence[Cell], amounts: Sequence[float], even: Sequence[bool], round_to: int
) -> list[int]:
    """How many classes of each cell stay.

    amounts: each cell's share that goes; even: it gets just that, rounded. With `round_to` 1 all do.
    """
    left = [
        left_of(len(cell.roots), cell.span, amount, round_to, cell.spare) for cell, amount in zip(cells, amounts, strict=True)
    ]
    free = [place for place, alone in enumerate(even) if not alone]
    if round_to == 1 or not free:
        return left
    costs = Costs(graph, cells)
    wanted = costs.saved([1.0 - amount for amount in amounts])
    for place in free:
        left[place] = len(cells[place].roots)
    wide = [place for place in free if cells[place].width >= 2 * round_to]
    found = _saving(costs, cells, left, [(place, round_to) for place in wide], amounts, wanted)
    if costs.saved(_as_shares(cells, found)) >= _ENOUGH * wanted:
        return found
    narrow = [(place, block_of(cells[place], round_to)) for place in free]
    return _saving(costs, cells, found, narrow, amounts, wanted)


def missed(graph: ChannelGraph, cells: Sequence[Cell], amounts: Sequence[float], stay: Sequence[int]) -> tuple[int, int]:
    """Multiplications that even shares would save, and how many fewer are saved by what `stays` said."""
    costs = Costs(graph, cells)
    wanted = costs.saved([1.0 - amount for amount in amounts])
    return round(wanted), round(max(0.0, wanted - costs.saved(_as_shares(cells, stay))))


def block_of(cell: Cell, round_to: int) -> int:
    """Channels of a narrow cell that stay or go together."""
    while round_to > 1 and 4 * round_to > cell.width:
        round_to //= 2
    return round_to


def _as_shares(cells: Sequence[Cell], stay: Sequence[int]) -> list[float]:
    return [(count * cell.span + cell.spare) / cell.width for cell, count in zip(cells, stay, strict=True)]


def _saving(
    costs: Costs,
    cells: Sequence[Cell],
    stay: Sequence[int],
    units: list[tuple[int, int]],
    amounts: Sequence[float],
    wanted: float,
) -> list[int]:
    """Take a unit of channels after another from the cells, what is lost for a multiplication least first, until so many are
    saved; no cell loses more than half, or much more than its amount.
    """
    found, left = list(stay), _as_shares(cells, stay)
    saved = costs.saved(left)

    def step(place: int, unit: int) -> tuple[float, int, int, int, float] | None:
        """Loss for a multiplication, the place, the unit, what stays then, what it saves."""
        cell = cells[place]
        size = unit // math.gcd(unit, cell.span)
        to = (found[place] - 1) // size * size
        if to < len(cell.roots) - deepest(cell, amounts[place]):
            return None
        gain = costs.saved_by(place, (to * cell.span + cell.spare) / cell.width, left)
        if gain <= 0:
            return None
        lost = cell.lost[len(cell.roots) - to] - cell.lost[len(cell.roots) - found[place]]
        return lost / gain, place, unit, to, gain

    heap = [made for place, unit in units if (made := step(place, unit))]
    heapq.heapify(heap)
    while heap and saved < wanted * (1 - 1e-9):
        _, place, unit, *_ = heapq.heappop(heap)
        now = step(place, unit)  # what others have lost since makes it save less
        if now is None:
            continue
        if heap and now[0] > heap[0][0]:
            heapq.heappush(heap, now)
            continue
        *_, to, gain = now
        if saved + gain > _TOO_FAR * wanted:
            continue
        found[place], left[place], saved = to, (to * cells[place].span + cells[place].spare) / cells[place].width, saved + gain
        if following := step(place, unit):
            heapq.heappush(heap, following)
    return found
