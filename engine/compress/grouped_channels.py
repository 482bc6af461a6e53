"""Which groups of channels `prune.channels` can take shares of, and which multiplications follow: what a search must know.

Apart from `channels.py`, which removes them: here the model stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from ..errors import ModelRefused
from ..graph.constants import drop_unread
from ..graph.load import load
from ..graph.macs import macs
from ..graph.select import select
from ..graph.shapes import inferred, shape_table
from ..graph.weights import weights
from ..schema.channel_table import ChannelGroup, ChannelProduct, ChannelTable, EvenShares, Shares
from ..schema.steps import PruneChannels
from ..system.reporter import NullReporter, Reporter
from .channel_errors import measure
from .channel_graph import ChannelGraph, apply
from .channel_shares import Cell, Costs, block_of, stays
from .channel_statistics import match_statistics
from .channel_walk import channel_graph
from .channels import cells_of, channels_left, keep_some
from .kept_samples import KeptSamples
from .layer_rows import linear_layers
from .repair import Layer, repair, settled

DEEPEST = 0.5
"""Share of a group that a search takes at most."""
AMOUNTS = tuple(place / 100 for place in range(1, 51))
"""One share for all: those that the table knows."""
_STEPS = 4
"""Shares up to `DEEPEST` that are told apart, at most."""


class GroupedChannels:
    """A model's groups, and the model with a share of one of them gone."""

    def __init__(self, step: PruneChannels, source: Path, samples: KeptSamples, say: Reporter) -> None:
        """samples: by which channels are ranked, one share for all is evened out, and layers are fitted.

        Raises:
            ModelRefused: no channel can go, or the model cannot be run on the samples.
            DataRefused: the samples do not fit.
        """
        self._step, self._source, self._samples = step, source, samples
        model, graph, cells = self._cells(say)
        together = _together(cells)
        groups = [_group([cells[place] for place in places], step.round_to) for places in together]
        self._names = {place: group.name for group, places in zip(groups, together, strict=True) for place in places}
        if not any(len(each.shares) > 1 for each in groups):
            raise ModelRefused(
                "no group of channels can go: each is an output, in a residual stream, or narrower than a block",
                fix="give a recipe whose prune.channels takes `streams` as well, or has a smaller `round_to`",
            )
        if step.repair and step.norm == "error":
            measure(graph, model, cells, [DEEPEST] * len(cells), samples, say)
        self._orders = [cell.order for cell in cells]
        products = tuple(
            ChannelProduct(macs=each.macs, weights=each.weights, axes=tuple(self._by_group(axis) for axis in each.axes))
            for each in Costs(graph, cells).products
        )
        whole = macs(model.graph, shape_table(inferred(model, {})))
        self.table = ChannelTable(
            groups=tuple(each for each in groups if len(each.shares) > 1),
            products=products,
            macs=whole or sum(each.macs for each in products),
            even=tuple(self._even(graph, cells, amount) for amount in AMOUNTS),
        )

    def with_share(self, group: str, share: float, out: Path) -> ModelProto:
        """The model without a share of one group; the layers that read it are fitted anew, as the step does it.

        Raises:
            ModelRefused, DataRefused: as the step does.
        """
        model, graph, cells = self._cells(NullReporter())
        before = {name: layer.inputs for name, layer in linear_layers(model, weights(model)).items()}
        removed: set[int] = set()
        for place, cell in enumerate(cells):
            if self._names[place] == group:
                removed.update(self._orders[place][: round(share * cell.width / cell.span)])
        keep_some(graph, removed)
        left = channels_left(graph, graph.classes.kept(removed))
        apply(graph, removed)
        drop_unread(model)
        model = settled(model, out)
        if self._step.statistics:
            everything = not self._step.repair
            match_statistics(model, self._source, left, self._samples, everything=everything, say=NullReporter())
        if not self._step.repair:
            return model
        readers = [
            Layer(name, channels=left.get(layer.node.output[0]))
            for name, layer in linear_layers(model, weights(model)).items()
            if layer.inputs != before.get(name)
        ]
        repair(model, self._source, readers, self._samples, out.with_suffix(".fit.onnx"), NullReporter())
        return load(out.with_suffix(".fit.onnx"))

    def _cells(self, say: Reporter) -> tuple[ModelProto, ChannelGraph, list[Cell]]:
        model = load(self._source)
        graph = channel_graph(model)
        return model, graph, cells_of(graph, self._step, select(model, self._step.keep, say), NullReporter())

    def _by_group(self, axis: Mapping[int, float]) -> Shares:
        found: defaultdict[str, float] = defaultdict(float)
        for cell, part in axis.items():
            found[self._names[cell]] += part
        return dict(found)

    def _even(self, graph: ChannelGraph, cells: Sequence[Cell], amount: float) -> EvenShares:
        left = stays(graph, cells, [amount] * len(cells), [False] * len(cells), self._step.round_to)
        gone = {self._names[place]: _gone(cell, count) for place, (cell, count) in enumerate(zip(cells, left, strict=True))}
        return EvenShares(amount=amount, shares={name: share for name, share in gone.items() if share})


def _together(cells: Sequence[Cell]) -> list[list[int]]:
    """Cells that a layer has in common, whose shares a recipe cannot tell apart."""
    found: list[list[int]] = []
    for place, cell in enumerate(cells):
        mine = [each for each in found if any(set(cells[other].nodes) & set(cell.nodes) for other in each)]
        found = [each for each in found if each not in mine] + [sorted([place, *(other for each in mine for other in each)])]
    return sorted(found)


def _group(cells: Sequence[Cell], round_to: int) -> ChannelGroup:
    widest = max(cells, key=lambda each: each.width)
    return ChannelGroup(
        name=cells[0].nodes[0],
        layers=tuple(dict.fromkeys(node for cell in cells for node in cell.nodes)),
        channels=sum(cell.width for cell in cells),
        shares=_shares(widest, round_to),
    )


def _shares(cell: Cell, round_to: int) -> tuple[float, ...]:
    """Those that leave whole blocks."""
    block = block_of(cell, round_to)
    left = [stay for stay in range(cell.width - 1, 0, -1) if stay % block == 0 and 1 - stay / cell.width <= DEEPEST]
    step = -(-len(left) // _STEPS) or 1
    return (0.0, *(round(1 - stay / cell.width, 6) for stay in left[step - 1 :: step]))


def _gone(cell: Cell, left: int) -> float:
    return round((len(cell.roots) - left) * cell.span / cell.width, 6)
