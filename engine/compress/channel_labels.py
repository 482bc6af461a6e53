"""Which channels of a graph belong together: labels on axes of tensors, and a union of those that come and go as one.

Every element of an axis that may get shorter has a label, a number. What adds two tensors joins their labels place by place,
what concatenates them lines their labels up. In the end a class of joined labels is removed everywhere at once, or nowhere,
so that shapes fit whatever the graph looks like (Fang et al. 2023, DepGraph, for each channel alone instead of layers).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Axes = tuple[Labels | None, ...]
"""Labels of each axis of a tensor; None: the axis stays as long as it is."""


class Classes:
    """Labels, joined into classes (Tarjan's union by path halving)."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._fixed: dict[int, str] = {}
        self._streams: set[int] = set()

    def fresh(self, count: int) -> Labels:
        """So many new labels."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return np.arange(first, first + count)

    def root(self, label: int) -> int:
        """What stands for the label's class."""
        parent = self._parent
        while parent[label] != label:
            parent[label] = label = parent[parent[label]]
        return label

    def roots(self, labels: Labels) -> Labels:
        """The same of several."""
        return np.fromiter((self.root(int(label)) for label in labels), np.int64, len(labels))

    def join(self, one: Labels, other: Labels) -> None:
        """Let labels at the same places come and go as one."""
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            self._parent[self.root(a)] = self.root(b)

    def join_all(self, rows: Labels) -> None:
        """Let the labels of every column of a matrix come and go as one."""
        for row in rows[1:]:
            self.join(row, rows[0])

    def fix(self, labels: Labels | None, why: str) -> None:
        """These stay; `why` in a clause."""
        for label in [] if labels is None else labels.tolist():
            self._fixed.setdefault(label, why)

    def mark_stream(self, labels: Labels) -> None:
        """These are added to others: a residual stream."""
        self._streams.update(labels.tolist())

    def fixed(self) -> dict[int, str]:
        """Root to reason of the classes that stay."""
        found: dict[int, str] = {}
        for label, why in self._fixed.items():
            found.setdefault(self.root(label), why)
        return found

    def streams(self) -> set[int]:
        """Roots of the classes in residual streams."""
        return {self.root(label) for label in self._streams}

    def kept(self, removed: Iterable[int]) -> NDArray[np.bool_]:
        """For every label whether it stays, when the classes of these roots go."""
        gone = set(removed)
        return np.array([self.root(label) not in gone for label in range(len(self._parent))], np.bool_)
