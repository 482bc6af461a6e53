"""A layer as a linear map: rows of what enters it, rows of what leaves it, and its weights as a matrix between them.

Apart from `repair.py` because factors of a layer (`lowrank.svd`) need the same rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from ..graph.walk import attribute, attribute_int, is_onnx, label
from ..graph.weights import Weight

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LinearLayer:
    """A Conv, Gemm or MatMul whose weight is stored as it is read, and read by this node alone."""

    node: NodeProto
    weight: Weight

    @property
    def groups(self) -> int:
        """Of a convolution; 1 for the others."""
        return attribute_int(self.node, "group", 1) if self.node.op_type == "Conv" else 1

    @property
    def outputs(self) -> int:
        """Output channels of a group."""
        shape = self.weight.shape
        return shape[0] // self.groups if self._by_rows else shape[1]

    @property
    def inputs(self) -> int:
        """Weights of an output channel."""
        return math.prod(self.weight.shape[1:]) if self._by_rows else self.weight.shape[0]

    @property
    def biased(self) -> bool:
        """Whether the node itself can add a bias."""
        return self.node.op_type != "MatMul"

    @property
    def _by_rows(self) -> bool:
        return self.node.op_type == "Conv" or bool(attribute_int(self.node, "transB", 0))

    def matrix(self, array: NDArray[np.generic]) -> Floats:
        """The weights as (groups, outputs, inputs)."""
        wide = array.astype(np.float32)
        return (wide if self._by_rows else wide.T).reshape(self.groups, self.outputs, self.inputs)

    def stored(self, matrix: Floats) -> Floats:
        """The matrix in the shape in which the weights are stored."""
        flat = matrix.reshape(self.groups * self.outputs, self.inputs)
        return (flat if self._by_rows else np.ascontiguousarray(flat.T)).reshape(self.weight.shape)

    def rows(self, entering: Floats, places: NDArray[np.intp]) -> Floats:
        """What makes the outputs at some `places` of `targets`, as (groups, places, inputs)."""
        if self.node.op_type != "Conv":
            return entering.reshape(-1, self.inputs)[None, places]
        windows = self._windows(entering)
        spatial = windows.shape[2 : 2 + entering.ndim - 2]
        at = np.unravel_index(places, (windows.shape[0], *spatial))
        taken = np.moveaxis(windows, 1, windows.ndim - entering.ndim + 1)[tuple(at)]  # (places, channels, *kernel)
        return np.ascontiguousarray(taken.reshape(len(places), self.groups, self.inputs).transpose(1, 0, 2))

    def _windows(self, entering: Floats) -> Floats:
        """Every patch, as (samples, channels, *places, *kernel)."""
        kernel = self.weight.shape[2:]
        rank = len(kernel)
        strides, dilations = (_ints(self.node, name) or [1] * rank for name in ("strides", "dilations"))
        spans = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
        pads = self._pads(entering.shape[2:], spans, strides)
        padded = np.pad(entering, [(0, 0), (0, 0), *pads])
        windows = sliding_window_view(padded, spans, axis=tuple(range(2, 2 + rank)))
        every = [slice(None), slice(None), *(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilations)]
        found: Floats = windows[tuple(every)]
        return found

    def _pads(self, lengths: tuple[int, ...], spans: list[int], strides: list[int]) -> list[tuple[int, int]]:
        entry = attribute(self.node, "auto_pad")
        mode = b"NOTSET" if entry is None else entry.s
        if mode.startswith(b"SAME"):
            found = []
            for length, span, stride in zip(lengths, spans, strides, strict=True):
                total = max((math.ceil(length / stride) - 1) * stride + span - length, 0)
                small = total // 2
                found.append((small, total - small) if mode == b"SAME_UPPER" else (total - small, small))
            return found
        given = (_ints(self.node, "pads") or []) if mode == b"NOTSET" else []
        return list(zip(given[: len(spans)], given[len(spans) :], strict=True)) or [(0, 0)] * len(spans)

    def targets(
        self, leaving: Floats, channels: NDArray[np.intp] | None = None, places: NDArray[np.intp] | None = None
    ) -> Floats:
        """What left a layer with the same places, as (places, channels); `channels`, `places`: these alone, in order."""
        rows = np.moveaxis(leaving, 1, -1) if self.node.op_type == "Conv" else leaving
        rows = rows.reshape(-1, rows.shape[-1]) if places is None else rows[np.unravel_index(places, rows.shape[:-1])]
        return rows if channels is None else rows[:, channels]

    def places(self, leaving: Floats) -> int:
        """How many there are of `targets`."""
        return int(leaving.size) // int(leaving.shape[1 if self.node.op_type == "Conv" else -1])


def linear_layers(model: ModelProto, found: list[Weight]) -> dict[str, LinearLayer]:
    """Label to layer, in the graph's order, of the nodes of the main graph that are such, of the weights `found`."""
    alone = {weight.nodes[0]: weight for weight in found if len(weight.nodes) == 1}
    layers = {}
    for node in model.graph.node:
        weight = alone.get(label(node))
        if weight is not None and is_onnx(node) and _plain(node, weight):
            layers[label(node)] = LinearLayer(node, weight)
    return layers


def _plain(node: NodeProto, weight: Weight) -> bool:
    """Whether a node is a linear map of its first input, with its weight as it is stored."""
    if len(node.input) < 2 or node.input[1] != weight.name or list(node.input).count(weight.name) > 1:
        return False
    if node.op_type == "Gemm":
        factors = [attribute(node, name) for name in ("alpha", "beta")]
        return all(entry is None or entry.f == 1.0 for entry in factors) and not attribute_int(node, "transA", 0)
    return node.op_type == "Conv" or (node.op_type == "MatMul" and len(weight.shape) == 2)


def _ints(node: NodeProto, name: str) -> list[int] | None:
    entry = attribute(node, name)
    return None if entry is None else list(entry.ints)
