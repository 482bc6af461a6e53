"""What operators that move values about do to labels of channels: cut them, turn them, lay them out anew.

Each also notes what it must be told when lengths change: sizes, ends, shapes that stand in the graph as numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import NodeProto

from ..graph.walk import attribute, attribute_int, label
from .channel_graph import ChannelGraph, Kept
from .channel_labels import Labels

Rule = Callable[[ChannelGraph, NodeProto], None]


def _why(node: NodeProto) -> str:
    return f"{node.op_type} {label(node)}"


def _stays(graph: ChannelGraph, node: NodeProto, why: str = "") -> None:
    """The node's inputs stay as they are."""
    for name in filter(None, node.input):
        graph.fix(name, why or _why(node))
    for name in filter(None, node.output):
        graph.axes[name] = (None,) * len(graph.shape(name) or ())


def _split(graph: ChannelGraph, node: NodeProto) -> None:
    source = graph.of(node.input[0])
    along = attribute_int(node, "axis", 0) % len(source)
    labels, start = source[along], 0
    parts: list[Labels | None] = []
    for name in node.output:
        length = (graph.shape(name) or ())[along]
        part = None if labels is None else labels[start : start + length]
        parts.append(part)
        graph.axes[name] = (*source[:along], part, *source[along + 1 :])
        start += length
    if labels is None:
        return

    def rewrite(kept: Kept) -> None:
        sizes = [graph.length(kept, part, 0) for part in parts]
        given = attribute(node, "split")
        if given is not None:
            given.ints[:] = sizes
            return
        others = [entry for entry in node.attribute if entry.name != "num_outputs"]
        del node.attribute[:]
        node.attribute.extend(others)
        graph.put_ints(node, 1, sizes)

    if attribute(node, "split") is None and graph.opset < 13:
        _stays(graph, node)  # equal parts, and no place to say others
    else:
        graph.fixups.append(rewrite)


def _sliced(graph: ChannelGraph, node: NodeProto) -> None:
    source, shape = graph.of(node.input[0]), graph.shape(node.input[0]) or ()
    given = [attribute(node, name) for name in ("starts", "ends", "axes")]
    if given[0] is not None and given[1] is not None:
        starts, ends = list(given[0].ints), list(given[1].ints)
        axes = list(given[2].ints) if given[2] is not None else list(range(len(starts)))
        steps: list[int] | None = [1] * len(starts)
    else:
        numbers = [graph.ints(name) for name in node.input[1:]]
        if len(numbers) < 2 or numbers[0] is None or numbers[1] is None:
            _stays(graph, node)
            return
        starts, ends = numbers[0], numbers[1]
        asked = numbers[2] if len(numbers) > 2 and node.input[3] else list(range(len(starts)))
        steps = numbers[3] if len(numbers) > 3 and node.input[4] else [1] * len(starts)
        if asked is None or steps is None:
            _stays(graph, node)
            return
        axes = asked
    found: list[Labels | None] = list(source)
    cut: dict[int, tuple[int, Labels, Labels]] = {}
    for place, (start, end, axis, step) in enumerate(zip(starts, ends, axes, steps or [], strict=True)):
        axis %= len(source)
        labels = source[axis]
        if labels is None:
            continue
        first, last, _ = slice(start, end, step).indices(shape[axis])
        found[axis] = labels[first:last] if step == 1 else None
        if step == 1:
            cut[place] = first, labels, labels[first:last]
        else:
            graph.classes.fix(labels, _why(node))
    graph.axes[node.output[0]] = tuple(found)

    def rewrite(kept: Kept) -> None:
        for place, (first, labels, inside) in cut.items():
            starts[place] = int(kept[labels[:first]].sum())
            ends[place] = starts[place] + int(kept[inside].sum())
        if given[0] is not None and given[1] is not None:
            given[0].ints[:], given[1].ints[:] = starts, ends
        else:
            graph.put_ints(node, 1, starts)
            graph.put_ints(node, 2, ends)

    if cut:
        graph.fixups.append(rewrite)


def _gathered(graph: ChannelGraph, node: NodeProto) -> None:
    """Rows or columns picked by number: the axis that is picked from stays."""
    source = graph.of(node.input[0])
    along = attribute_int(node, "axis", 0) % len(source)
    graph.fix(node.input[0], f"{_why(node)} picks from it by number", along)
    graph.fix(node.input[1], _why(node))
    picked = len(graph.shape(node.input[1]) or ())
    graph.axes[node.output[0]] = (*source[:along], *[None] * picked, *source[along + 1 :])


def _transposed(graph: ChannelGraph, node: NodeProto) -> None:
    source, given = graph.of(node.input[0]), attribute(node, "perm")
    order = list(given.ints) if given is not None else list(reversed(range(len(source))))
    graph.axes[node.output[0]] = tuple(source[place] for place in order)


def _laid_out(graph: ChannelGraph, node: NodeProto) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze: axes are matched where products of lengths are equal.

    An axis that becomes several keeps its labels on one of them. On the last axis of tokens that is the first, so that whole
    heads go; on channels it is the last one, so that groups stay equally large.
    """
    before, after = graph.shape(node.input[0]) or (), graph.shape(node.output[0]) or ()
    source = graph.of(node.input[0])
    numbers = graph.ints(node.input[1]) if node.op_type == "Reshape" else []
    if numbers is None or 0 in before:
        _stays(graph, node)
        return
    found: list[Labels | None] = [None] * len(after)
    for old, new in _segments(before, after):
        labelled = [place for place in old if source[place] is not None]
        if not labelled:
            continue
        wide = [place for place in new if after[place] > 1]
        olds = [place for place in old if before[place] > 1]
        if len(olds) == len(wide) == 1:
            found[wide[0]] = source[olds[0]]
        elif len(wide) == 1 and len(labelled) == 1:
            found[wide[0]] = _merged(source[labelled[0]], [before[place] for place in old], old.index(labelled[0]))
        elif len(olds) == 1 and wide:
            place = wide[0] if old[0] == len(before) - 1 else wide[-1]
            found[place] = _divided(graph, source[olds[0]], [after[one] for one in wide], wide.index(place))
        else:
            for place in labelled:
                graph.classes.fix(source[place], f"{_why(node)} mixes it with others")
    graph.axes[node.output[0]] = tuple(found)
    named = [place for place, labels in enumerate(found) if labels is not None]
    if node.op_type == "Reshape" and numbers and named:

        def rewrite(kept: Kept) -> None:
            sizes = list(numbers)
            for place in named:
                if sizes[place] not in (-1, 0):
                    sizes[place] = graph.length(kept, found[place], 0)
            graph.put_ints(node, 1, sizes)

        graph.fixups.append(rewrite)


def _segments(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The shortest runs of axes that have the same number of elements, in order."""
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        old, new = [], []
        one = other = 1
        if i < len(before):
            old, one, i = [i], before[i], i + 1
        if j < len(after):
            new, other, j = [j], after[j], j + 1
        while one != other and (i < len(before) or j < len(after)):
            if (one < other and i < len(before)) or j >= len(after):
                old.append(i)
                one, i = one * before[i], i + 1
            else:
                new.append(j)
                other, j = other * after[j], j + 1
        found.append((old, new))
    return found


def _merged(labels: Labels | None, lengths: list[int], at: int) -> Labels | None:
    """Labels of several axes as one, of which one axis has labels."""
    if labels is None:
        return None
    shape = [-1 if place == at else 1 for place in range(len(lengths))]
    found: Labels = np.broadcast_to(labels.reshape(shape), lengths).reshape(-1).copy()
    return found


def _divided(graph: ChannelGraph, labels: Labels | None, lengths: list[int], at: int) -> Labels | None:
    """Labels of an axis that becomes several: those at the same place of one of them come and go as one."""
    if labels is None:
        return None
    rows: Labels = np.moveaxis(labels.reshape(lengths), at, -1).reshape(-1, lengths[at])
    graph.classes.join_all(rows)
    first: Labels = rows[0]
    return first


def _resized(graph: ChannelGraph, node: NodeProto) -> None:
    source, before, after = graph.of(node.input[0]), graph.shape(node.input[0]), graph.shape(node.output[0])
    assert before is not None
    assert after is not None
    found = []
    for labels, old, new in zip(source, before, after, strict=True):
        if old != new:
            graph.classes.fix(labels, _why(node))
        found.append(labels if old == new else None)
    graph.axes[node.output[0]] = tuple(found)
    sizes = graph.ints(node.input[3]) if len(node.input) > 3 else None
    if sizes is None and len(node.input) > 3 and node.input[3]:
        _stays(graph, node)
    elif sizes is not None and len(sizes) == len(found) and any(labels is not None for labels in found):
        graph.fixups.append(
            lambda kept: graph.put_ints(
                node, 3, [graph.length(kept, labels, size) for labels, size in zip(found, sizes, strict=True)]
            )
        )


def _padded(graph: ChannelGraph, node: NodeProto) -> None:
    """Channels of zeros before or behind: places of their own, joined with what they are added to."""
    source, given, mode = graph.of(node.input[0]), attribute(node, "pads"), attribute(node, "mode")
    pads = list(given.ints) if given is not None else graph.ints(node.input[1]) if len(node.input) > 1 else None
    if pads is None or len(pads) != 2 * len(source) or (len(node.input) > 3 and node.input[3]):
        _stays(graph, node)
        return
    constant = mode is None or mode.s == b"constant"
    found: list[Labels | None] = []
    added: dict[int, tuple[Labels, Labels]] = {}
    for axis, labels in enumerate(source):
        before, behind = pads[axis], pads[axis + len(source)]
        if labels is None or (before == 0 and behind == 0):
            found.append(labels)
        elif before < 0 or behind < 0 or not constant:
            graph.classes.fix(labels, _why(node))
            found.append(None)
        else:
            added[axis] = graph.classes.fresh(before), graph.classes.fresh(behind)
            graph.padding += added[axis]
            found.append(np.concatenate([added[axis][0], labels, added[axis][1]]))
    graph.axes[node.output[0]] = tuple(found)

    def rewrite(kept: Kept) -> None:
        sizes = list(pads)
        for axis, (before, behind) in added.items():
            sizes[axis], sizes[axis + len(source)] = int(kept[before].sum()), int(kept[behind].sum())
        if given is not None:
            given.ints[:] = sizes
        else:
            graph.put_ints(node, 1, sizes)

    if added:
        graph.fixups.append(rewrite)


def _expanded(graph: ChannelGraph, node: NodeProto) -> None:
    source, out, sizes = graph.of(node.input[0]), graph.shape(node.output[0]) or (), graph.ints(node.input[1])
    before = graph.shape(node.input[0]) or ()
    if sizes is None or node.op_type == "Tile":
        _stays(graph, node)
        return
    found: list[Labels | None] = [None] * (len(out) - len(source))
    for labels, old, new in zip(source, before, out[len(out) - len(source) :], strict=True):
        if old != new:
            graph.classes.fix(labels, _why(node))
        found.append(labels if old == new else None)
    graph.axes[node.output[0]] = tuple(found)
    places = [place - len(out) + len(sizes) for place, labels in enumerate(found) if labels is not None]
    if places:

        def rewrite(kept: Kept) -> None:
            fresh = list(sizes)
            for place in places:
                if place >= 0 and fresh[place] != 1:
                    fresh[place] = graph.length(kept, found[place + len(out) - len(sizes)], 0)
            graph.put_ints(node, 1, fresh)

        graph.fixups.append(rewrite)


MOVES: dict[str, Rule] = {
    "Split": _split,
    "Slice": _sliced,
    "Gather": _gathered,
    "Transpose": _transposed,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _laid_out),
    **dict.fromkeys(("Resize", "Upsample"), _resized),
    "Pad": _padded,
    **dict.fromkeys(("Expand", "Tile"), _expanded),
}
"""Operator to rule."""
