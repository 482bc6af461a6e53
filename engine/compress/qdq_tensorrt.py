"""Q/DQ pairs for TensorRT: symmetric int8, zero-point 0, weights in float through a pair of their own, biases in float.

TensorRT 8.x wants weights as Constant, QuantizeLinear, DequantizeLinear; later versions read that as well, so the file keeps
float weights and the engine has integers. Placement: `placement.for_tensorrt`.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto

from ..graph.walk import attribute_int
from .grid import Floats, Range, activation, weight
from .placement import Placement, activations, for_tensorrt, root
from .view import View
from .writer import Writer


def insert(
    model: ModelProto,
    ranges: dict[str, Range],
    excluded: set[str],
    per_channel: bool,
    scales: dict[str, str] | None = None,
) -> int:
    """Rewrite the model in place; returns how many nodes are computed in integers.

    `scales`: for training, filled with the name of each activation's scale and the tensor whose range it is of; then weights
    that are moved on their way are no copies.
    """
    view = View(model)
    placement = for_tensorrt(view, excluded, ranges.__contains__)
    if placement.integer:
        passing = _TensorRtPass(view, placement, ranges, per_channel, learnt=scales is not None)
        passing.run()
        if scales is not None:
            scales.update(passing.scales)
    return len(placement.integer)


class _TensorRtPass:
    def __init__(self, view: View, placement: Placement, ranges: dict[str, Range], per_channel: bool, *, learnt: bool) -> None:
        self.view = view
        self.learnt = learnt
        self.placement = placement
        self.ranges = ranges
        self.per_channel = per_channel
        self.writer = Writer(view.model)
        self.pairs: dict[str, str] = {}
        self.scales: dict[str, str] = {}
        """Scale of an activation to the tensor whose range it is of."""

    def run(self) -> None:
        for node in self.view.graph.node:
            fresh = NodeProto()
            fresh.CopyFrom(node)
            if node.output and node.output[0] in self.placement.integer:
                self._weighted(node, fresh)
            elif node.output and node.output[0] in self.placement.residual:
                self._residual(node, fresh)
            self.writer.nodes.append(fresh)
        self.writer.finish()

    def _weighted(self, node: NodeProto, fresh: NodeProto) -> None:
        names = activations(self.view, node)
        for index, name in enumerate(node.input):
            if name in names:
                fresh.input[index] = self._pair(name)
            elif index == 1:
                fresh.input[1] = self._weight(node)

    def _residual(self, node: NodeProto, fresh: NodeProto) -> None:
        name = self.placement.residual[node.output[0]]
        fresh.input[list(node.input).index(name)] = self._pair(name)

    def _pair(self, name: str) -> str:
        """An activation through Q and DQ, one pair for all that read it."""
        if name not in self.pairs:
            grid = activation(self.ranges[root(self.view, name)], "symmetric", affine=False)
            scale, zero = self.writer.grid(name, grid)
            self.scales[scale] = root(self.view, name)
            self.pairs[name] = self._both(name, name, [scale, zero])
        return self.pairs[name]

    def _weight(self, node: NodeProto) -> str:
        name = node.input[1]
        array = self.view.array(name).astype(np.float32)
        axis = self._axis(node, array) if self.per_channel else None
        key = f"{name}@{axis}"
        if key not in self.pairs:
            stored = weight(array, axis, affine=False)
            parameters = [
                self.writer.constant(f"{name}_scale", stored.scale),
                self.writer.constant(f"{name}_zero_point", stored.zero),
            ]
            # A copy of what another node reads as it is: TensorRT takes integers of what is stored, not of what is computed.
            copied = self.view.constants[name].moved and not self.learnt
            source = self.writer.constant(f"{name}_moved", array) if copied else name
            self.pairs[key] = self._both(source, name, parameters, **({} if axis is None else {"axis": axis}))
        return self.pairs[key]

    def _both(self, source: str, stem: str, parameters: list[str], **attributes: int) -> str:
        integers = self.writer.add("QuantizeLinear", [source, *parameters], self.writer.unique(f"{stem}_q"), **attributes)
        return self.writer.add("DequantizeLinear", [integers, *parameters], self.writer.unique(f"{stem}_dq"), **attributes)

    def _axis(self, node: NodeProto, array: Floats) -> int | None:
        """The axis of output channels; with groups, a transposed convolution has none."""
        if node.op_type == "Conv":
            return 0
        if node.op_type == "ConvTranspose":
            return 1 if attribute_int(node, "group", 1) == 1 else None
        if node.op_type == "Gemm":
            return 0 if attribute_int(node, "transB", 0) else 1
        return array.ndim - 1 if array.ndim == 2 else None
