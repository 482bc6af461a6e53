"""Groups of a convolution behind a shuffle whose places are not those of the groups: as many channels of each group stay.

Where a shuffle's parts and the next convolution's groups do not fall together (ShuffleNet: 17 channels in 4 groups), channels
at the same place of every group would all be one class. It is enough that every group loses equally many:
of each group one class goes, the smallest with the smallest, and the groups' weights are cut each at its own places.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
from onnx import NodeProto, numpy_helper

from ..graph.values import array_of
from .channel_graph import ChannelGraph, Kept
from .channel_labels import Classes, Labels


def aligned(classes: Classes, rows: Labels) -> bool:
    """Whether channels at the same place of every group, (groups, channels), may be one class without joining any other."""
    roots = classes.roots(rows.reshape(-1)).reshape(rows.shape)
    tried = Classes()
    place = {root: at for at, root in enumerate(dict.fromkeys(roots.reshape(-1).tolist()))}
    own = tried.fresh(len(place))
    numbers = own[[place[root] for root in roots.reshape(-1).tolist()]].reshape(rows.shape)
    tried.join_all(numbers)
    return len({tried.root(int(one)) for one in own}) * len(rows) >= len(place)


def cut_by_groups(graph: ChannelGraph, node: NodeProto, rows: Labels) -> bool:
    """Let equally many channels of every group stay, whichever they are; False: another node reads the weights too."""
    name = node.input[1]
    if sum(name in other.input for other in graph.model.graph.node) > 1:
        return False
    graph.even.append(rows)
    graph.axes[name] = (graph.of(name)[0], None, *graph.of(name)[2:])

    def rewrite(kept: Kept) -> None:
        if kept[rows].all():
            return
        tensor = graph.held[name]
        array = array_of(tensor)
        parts = array.reshape(len(rows), -1, *array.shape[1:])
        cut = np.concatenate([np.compress(kept[row], part, axis=1) for row, part in zip(rows, parts, strict=True)])
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(cut), tensor.name))

    graph.fixups.append(rewrite)
    return True


def settle_groups(graph: ChannelGraph, scores: Mapping[int, float]) -> set[int]:
    """Join, of each matrix in `graph.even`, one class of every group, in the order of their scores; roots that are left over.

    A class that has as many channels in each group is left as it is. One that reaches over a border stays, and so does what is
    over where groups have unlike many.
    """
    over: set[int] = set()
    sums: defaultdict[int, float] = defaultdict(float)
    for root, score in scores.items():
        sums[root] = score
    for rows in graph.even:
        fixed = graph.classes.fixed()
        inside: list[dict[int, list[int]]] = [{} for _ in rows]  # of each group, by their size, classes that lie in it
        roots = [graph.classes.roots(row).tolist() for row in rows]
        counts = [Counter(row) for row in roots]
        for root in dict.fromkeys(root for row in roots for root in row):
            each = [count[root] for count in counts]
            if root in fixed or len(set(each)) == 1:
                continue
            if sum(map(bool, each)) > 1:
                over.add(root)
            else:
                group = next(place for place, size in enumerate(each) if size)
                inside[group].setdefault(each[group], []).append(root)
        for size in {size for group in inside for size in group}:
            ordered = [sorted(group.get(size, ()), key=lambda root: sums[root]) for group in inside]
            pairs = list(zip(*ordered, strict=False))
            for together in pairs:
                total = sum(sums[root] for root in together)
                for root in together[1:]:
                    graph.classes.join(np.array([root]), np.array([together[0]]))
                sums[graph.classes.root(together[0])] = total
            over.update(root for group in ordered for root in group[len(pairs) :])
    left = {graph.classes.root(root) for root in over}
    for root in left:
        graph.classes.fix(np.array([root]), "its group would lose more than others")
    return left
