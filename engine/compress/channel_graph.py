"""The channels of a whole graph: labels of every tensor, and what must be rewritten when some go.

Apart from `channel_walk.py`, which fills it, because the rules of operators write into it as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from ..graph.constant_views import FLOATS
from ..graph.names import Names
from ..graph.shapes import inferred, shape_table
from ..graph.values import array_of
from ..graph.walk import constants, label, opset
from .channel_labels import Axes, Classes, Labels

Kept = NDArray[np.bool_]


@dataclass(frozen=True)
class Producer:
    """A layer whose weights make channels."""

    node: str
    weight: str
    axis: int
    """Axis of the weight that counts them."""
    labels: Labels


@dataclass
class ChannelGraph:
    """Labels of a model's main graph."""

    model: ModelProto
    classes: Classes = field(default_factory=Classes)
    axes: dict[str, Axes] = field(default_factory=dict)
    """Labels of every tensor that has some; others stay as they are."""
    producers: list[Producer] = field(default_factory=list)
    fixups: list[Callable[[Kept], None]] = field(default_factory=list)
    """What has to be rewritten, given which labels stay."""
    even: list[Labels] = field(default_factory=list)
    """Matrices of labels, each row the channels of a group: as many of every row stay (`channel_groups.py`)."""
    padding: list[Labels] = field(default_factory=list)
    """Channels of zeros that a node puts before or behind others: they cannot change places with what is computed."""
    approximate: set[str] = field(default_factory=set)
    """Operators met whose values change when channels beside them go, even such as are zero."""

    def __post_init__(self) -> None:
        self.shapes = shape_table(inferred(self.model, {}))
        self.held = constants(self.model)
        self.names = Names(self.model)
        self.opset = opset(self.model)

    def of(self, name: str) -> Axes:
        """Labels of a tensor's axes."""
        if name not in self.axes:
            tensor = self.held.get(name)
            shape = self.shapes.get(name, ())
            if tensor is not None and tensor.data_type in FLOATS:
                self.axes[name] = tuple(self.classes.fresh(length) if length > 1 else None for length in tensor.dims)
            else:
                self.axes[name] = (None,) * len(shape)
        return self.axes[name]

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Its shape before anything is removed; None: nobody knows."""
        tensor = self.held.get(name)
        return tuple(tensor.dims) if tensor is not None else self.shapes.get(name)

    def ints(self, name: str) -> list[int] | None:
        """A constant's numbers; None: it is none."""
        tensor = self.held.get(name) if name else None
        return None if tensor is None else [int(value) for value in array_of(tensor).reshape(-1)]

    def fix(self, name: str, why: str, axis: int | None = None) -> None:
        """Let a tensor's axis, or all of them, stay as they are."""
        for place, labels in enumerate(self.of(name)):
            if axis is None or place == axis:
                self.classes.fix(labels, why)

    def join(self, one: Labels | None, other: Labels | None, why: str) -> None:
        """One axis of two tensors; where one of them stays, so does the other."""
        if one is not None and other is not None and len(one) == len(other):
            self.classes.join(one, other)
        else:
            self.classes.fix(one, f"{why} keeps it")
            self.classes.fix(other, f"{why} keeps it")

    def length(self, kept: Kept, labels: Labels | None, before: int) -> int:
        """How long an axis is when some labels have gone."""
        return before if labels is None else int(kept[labels].sum())

    def put_ints(self, node: NodeProto, place: int, values: list[int]) -> None:
        """Give a node numbers of its own as an input: constants may be shared."""
        name = self.names.free(f"{label(node)}_sizes")
        tensor = numpy_helper.from_array(np.array(values, np.int64), name)
        self.model.graph.initializer.append(tensor)
        while len(node.input) <= place:
            node.input.append("")
        node.input[place] = name


def apply(graph: ChannelGraph, removed: set[int]) -> None:
    """Remove the classes of these roots: cut every constant, rewrite what names lengths."""
    kept = graph.classes.kept(removed)
    for rewrite in graph.fixups:
        rewrite(kept)
    for name, tensor in graph.held.items():
        axes = graph.axes.get(name, ())
        if any(labels is not None and not kept[labels].all() for labels in axes):
            _cut(tensor, axes, kept)
    del graph.model.graph.value_info[:]


def _cut(tensor: TensorProto, axes: Axes, kept: Kept) -> None:
    array = array_of(tensor)
    for axis, labels in enumerate(axes):
        if labels is not None and not kept[labels].all():
            array = np.take(array, np.flatnonzero(kept[labels]), axis=axis)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))


def reorder(graph: ChannelGraph, orders: dict[str, dict[int, NDArray[np.intp]]]) -> None:
    """Put elements of constants' axes in another order: constant name to axis to places."""
    for name, axes in orders.items():
        array = array_of(graph.held[name])
        for axis, order in axes.items():
            array = np.take(array, order, axis=axis)
        graph.held[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))
