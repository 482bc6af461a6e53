"""`prune.channels`: whole channels go, wherever they are made, added, concatenated or read.

Correct by construction: which channels belong together follows from labels on every axis (`channel_labels.py`), so that a class
of channels is cut everywhere or stays. Those go whose readers lose least (`channel_errors.py`), or the smallest by norm (Li et
al. 2017, Pruning Filters for Efficient ConvNets, summed over the layers that make the channel).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from ..errors import ModelRefused, RecipeRefused
from ..graph.constants import drop_unread
from ..graph.external import checkable
from ..graph.load import load, save_apart
from ..graph.macs import macs
from ..graph.select import select
from ..graph.shapes import declared, inferred, shape_table
from ..graph.values import array_of
from ..graph.weights import weights
from ..schema.steps import PruneChannels
from ..system.heap import give_back_large_blocks
from ..system.reporter import Reporter
from .channel_errors import measure
from .channel_graph import ChannelGraph, apply
from .channel_groups import settle_groups
from .channel_shares import Cell, missed, stays
from .channel_statistics import match_statistics
from .channel_walk import channel_graph
from .kept_samples import KeptSamples, kept_samples
from .layer_rows import linear_layers
from .observe import Feeds
from .repair import Layer, repair, settled

_TOLD = 0.03
"""Of all multiplications: what is saved less than was asked for, and is rounding below."""


class NothingRemoved(ModelRefused):
    """No channel can go: each is needed, or what can go is less than a block."""


def prune(step: PruneChannels, source: Path, out: Path, samples: Iterable[Feeds] | None, say: Reporter) -> str:
    """Write the model at `source` with fewer channels to `out`; returns how many are left, and the multiplications.

    Outputs and inputs keep their shapes. A group that meets an operator without a rule, or an output, is left whole and named
    in the log.

    Raises:
        NothingRemoved: no channel can be removed.
        ModelRefused: the model cannot be run on the samples.
        RecipeRefused: a pattern of `keep` or `amounts` matches no layer.
        DataRefused: the samples do not fit.
        StorageRefused: `out` cannot be written.
    """
    if samples is None or step.need == "none":
        return _pruned(step, source, out, None, say)
    with kept_samples(source, samples, step.samples, out.parent) as shown:
        return _pruned(step, source, out, shown, say)


def _pruned(step: PruneChannels, source: Path, out: Path, shown: KeptSamples | None, say: Reporter) -> str:
    give_back_large_blocks()
    model = load(source)
    before = _macs(model)
    graph = channel_graph(model)
    cells = cells_of(graph, step, select(model, step.keep, say), say)
    removed = _chosen(step, graph, cells, shown, before, say)
    keep_some(graph, removed)
    if not removed:
        raise NothingRemoved(
            "no channel can be removed: each is an output, in a residual stream, or meets what cannot be followed",
            fix="take `streams` as well, or a smaller `round_to`; the log names what is left whole",
        )
    if graph.approximate:
        say.warn(f"{', '.join(sorted(graph.approximate))} mixes channels: values change a little beyond what is removed")
    kept = graph.classes.kept(removed)
    left = channels_left(graph, kept)
    apply(graph, removed)
    drop_unread(model)
    _check(model)
    after = _macs(model)
    total = sum(cell.width for cell in cells)
    gone = sum(cell.span for cell in cells for root in cell.roots if root in removed)
    share = f", {100 * after / before:.1f} % of multiplications left" if before and after else ""
    line = f"{gone} of {total} channels removed in {len(cells)} groups{share}"
    if shown is None:
        save_apart(model, out)
        return line
    del graph  # what it refers to of the model with all its channels
    model = settled(model, shown.folder / "cut.onnx")  # each session would hold the weights twice
    return f"{line}; {_mended(step, model, source, left, shown, out, say)}"


def _mended(
    step: PruneChannels,
    model: ModelProto,
    source: Path,
    left: dict[str, NDArray[np.intp]],
    shown: KeptSamples,
    out: Path,
    say: Reporter,
) -> str:
    done = []
    if step.statistics:
        done.append(match_statistics(model, source, left, shown, everything=not step.repair, say=say))
    if step.repair:
        there = linear_layers(model, weights(model))
        layers = [Layer(name, channels=left.get(layer.node.output[0])) for name, layer in there.items()]
        return "; ".join([*done, repair(model, source, layers, shown, out, say)])
    save_apart(model, out)
    return "; ".join(done)


def cells_of(graph: ChannelGraph, step: PruneChannels, kept: set[str], say: Reporter) -> list[Cell]:
    """Classes that may go, by the layers that make them; what is left whole goes to the log."""
    norms = [_norms(array_of(graph.held[producer.weight]), producer.axis, step.norm) for producer in graph.producers]
    over = settle_groups(graph, _scores(graph, norms))
    scores = _scores(graph, norms)
    fixed, streams = graph.classes.fixed(), graph.classes.streams()
    makers: dict[int, Counter[int]] = {}
    left: dict[str, str] = {}
    for place, producer in enumerate(graph.producers):
        for root in graph.classes.roots(producer.labels).tolist():
            makers.setdefault(root, Counter())[place] += 1
            why = fixed.get(root) or ("a residual stream" if root in streams and not step.streams else "")
            if (why and root not in over) or producer.node in kept:
                left.setdefault(producer.node, why or "kept")
                fixed.setdefault(root, left[producer.node])
    for node, why in left.items():
        say.note(f"{node} is left whole: {why}")
    found: dict[tuple[int, ...], Cell] = {}
    spare: Counter[tuple[int, ...]] = Counter()
    for root, counts in makers.items():
        key = tuple(sorted(counts))
        if root in fixed:
            spare[key] += max(counts.values()) if root in over else 0
            continue
        cell = found.setdefault(key, Cell(tuple(graph.producers[place].node for place in key)))
        cell.roots.append(root)
        cell.scores.append(scores[root])
        cell.span = max(cell.span, *counts.values())
    for key, cell in found.items():
        cell.spare = spare[key]
        cell.rank()
    cells = list(found.values())
    names = {node for cell in cells for node in cell.nodes}
    for pattern in step.amounts:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise RecipeRefused(f"`{pattern}` of `amounts` matches no layer whose channels can go", fix=_named(names))
    return cells


def _scores(graph: ChannelGraph, norms: list[NDArray[np.float64]]) -> dict[int, float]:
    """What each class is worth, by its root: the norms of its channels in all layers that make them."""
    found: dict[int, float] = {}
    for producer, own in zip(graph.producers, norms, strict=True):
        for root, norm in zip(graph.classes.roots(producer.labels).tolist(), own.tolist(), strict=True):
            found[root] = found.get(root, 0.0) + norm
    return found


def _named(names: set[str]) -> str:
    shown = sorted(names)[:5]
    return f"such layers are {', '.join(shown)}" if shown else "leave `amounts` out"


def _norms(array: NDArray[np.generic], axis: int, norm: str) -> NDArray[np.float64]:
    rows = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1).astype(np.float64)
    found: NDArray[np.float64] = (np.abs(rows) if norm != "l2" else np.square(rows)).sum(axis=1)
    return found


def _chosen(
    step: PruneChannels, graph: ChannelGraph, cells: list[Cell], shown: KeptSamples | None, whole: int | None, say: Reporter
) -> set[int]:
    """Roots of the classes that go: of each cell the first in its order, as many as the shares say."""
    own = [
        next((share for pattern, share in step.amounts.items() if any(fnmatchcase(name, pattern) for name in cell.nodes)), None)
        for cell in cells
    ]
    amounts = [step.amount if share is None else share for share in own]
    if shown is not None and step.repair and step.norm == "error":
        told = measure(graph, graph.model, cells, amounts, shown, say)
        say.note(f"{told} of {len(cells)} groups are ranked by what their readers lose, the others by norm")
    stay = stays(graph, cells, amounts, [share is not None for share in own], step.round_to)
    wanted, less = missed(graph, cells, amounts, stay)
    if whole and less > _TOLD * whole:
        asked, there = (f"{100 * (whole - wanted + more) / whole:.1f} %" for more in (0, less))
        units = f"blocks of {step.round_to} channels (`round_to`)" if step.round_to > 1 else "whole channels"
        say.warn(
            f"{there} of multiplications are left, where such shares of channels would leave {asked}: {units} go or stay, and "
            "each layer keeps some"
        )
    return {root for cell, count in zip(cells, stay, strict=True) for root in cell.order[: len(cell.roots) - count]}


def keep_some(graph: ChannelGraph, removed: set[int]) -> None:
    """Let no axis end up empty: where all channels of a slice or a part would go, its last one stays."""
    again = True
    while again:
        again = False
        kept = graph.classes.kept(removed)
        for axes in graph.axes.values():
            for labels in axes:
                if labels is not None and len(labels) and not kept[labels].any():
                    removed.discard(graph.classes.root(int(labels[-1])))
                    again = True


def channels_left(graph: ChannelGraph, kept: NDArray[np.bool_]) -> dict[str, NDArray[np.intp]]:
    """By tensor the channels that are left, of layers and batch norms some of whose have gone."""
    found = {}
    for node in graph.model.graph.node:
        axes = graph.of(node.output[0]) if node.op_type in ("Conv", "Gemm", "MatMul", "BatchNormalization") else ()
        labels = axes[1 if node.op_type in ("Conv", "BatchNormalization") else -1] if axes else None
        if labels is not None and not kept[labels].all():
            found[node.output[0]] = np.flatnonzero(kept[labels])
    return found


def _macs(model: ModelProto) -> int | None:
    return macs(model.graph, shape_table(inferred(model, {})))


def _check(model: ModelProto) -> None:
    """Hold the result against ONNX's own rules; a fault here is one of ours, and must not go further.

    Raises:
        ModelRefused: it is no valid graph, or an output has another shape.
    """
    try:
        onnx.checker.check_model(checkable(model))
        full = inferred(model, {})
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ModelRefused(f"removing channels gave an invalid graph ({error})", fix="leave `prune.channels` out") from error
    for said, found in zip(model.graph.output, full.graph.output, strict=True):
        before, after = declared(said), declared(found)
        if before is not None and after is not None and len(before) != len(after):
            raise ModelRefused(f"removing channels changed output {said.name}", fix="leave `prune.channels` out")
