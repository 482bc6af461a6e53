"""The constant weights of Conv, ConvTranspose, Gemm, MatMul and of recurrent nodes (W and R of LSTM, GRU and RNN): what pruning
and quantization act on.

Finding them is the hard part: exporters hide them behind Constant, Identity, Transpose and Cast nodes, share them
between nodes, and store them as float, half, bfloat16 or double.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from .constant_views import FLOATS, scoped
from .values import array_of
from .walk import attribute_int, is_onnx, label

__all__ = ["FLOATS", "RECURRENT", "Weight", "weights"]

RECURRENT = ("GRU", "LSTM", "RNN")
"""Operators that go over time: W, for what comes in, and R, for their own state, are (directions, gates x hidden, inputs)."""
_POSITIONS = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (0, 1), "MatMul": (0, 1), **dict.fromkeys(RECURRENT, (1, 2))}
_LEAST_AXES = {"MatMul": 1, **dict.fromkeys(RECURRENT, 3)}
"""Fewer, or than 2 of the others, shape inference refuses."""


@dataclass(eq=False)
class Weight:
    """A stored tensor that at least one Conv, ConvTranspose, Gemm, MatMul or recurrent node multiplies with."""

    tensor: TensorProto
    """Where it is stored: an initializer, or the value of a Constant node."""
    name: str
    """What the graph calls it: the initializer's name, or the Constant's output."""
    shape: tuple[int, ...]
    output_axis: int | None
    """Axis of the stored tensor that counts output channels; None: its users do not agree."""
    input_axis: int | None
    """Axis that is summed over, first of them for convolutions; None: its users do not agree."""
    nodes: list[str] = field(default_factory=list)
    """Labels of the nodes that multiply with it."""
    operators: list[str] = field(default_factory=list)
    """Their operators, in the same order."""

    @property
    def recurrent(self) -> bool:
        """True where recurrent nodes alone read it."""
        return all(operator in RECURRENT for operator in self.operators)

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    def array(self) -> NDArray[np.generic]:
        """A copy in the stored type (float32, float64, float16 or bfloat16 of ml_dtypes), of shape `shape`."""
        return np.array(array_of(self.tensor))

    def write(self, array: NDArray[np.generic]) -> None:
        """Put `array` in its place, cast to the stored type.

        Raises:
            ValueError: it has another shape.
        """
        if array.shape != self.shape:
            raise ValueError(f"{self.name}: shape {array.shape} instead of {self.shape}")
        stored = array.astype(helper.tensor_dtype_to_np_dtype(self.tensor.data_type), copy=False)
        kept = self.tensor
        kept.CopyFrom(TensorProto(name=kept.name, data_type=kept.data_type, dims=self.shape, doc_string=kept.doc_string))
        kept.raw_data = stored.tobytes()  # numpy_helper.from_array makes two copies more


def weights(model: ModelProto) -> list[Weight]:
    """Constant weights in the order of their first use; one that is shared comes once.

    Integer tensors, biases (input C of Gemm, B of Conv and of recurrent nodes), peepholes and what passes through
    DequantizeLinear are no weights here.
    """
    found: dict[int, Weight] = {}
    for node, scope in scoped(model.graph, {}):
        for position in _POSITIONS.get(node.op_type, ()) if is_onnx(node) else ():
            seen = scope.get(node.input[position]) if position < len(node.input) else None
            if seen is None or seen.tensor.data_type not in FLOATS or seen.kind not in FLOATS:
                continue
            if len(seen.axes) < _LEAST_AXES.get(node.op_type, 2):
                continue
            output_axis, input_axis = _axes(node, position, len(seen.axes))
            stored_output = None if output_axis is None else seen.axes[output_axis]
            stored_input = None if input_axis is None else seen.axes[input_axis]
            key = id(seen.tensor)
            if key not in found:
                shape = tuple(seen.tensor.dims)
                found[key] = Weight(seen.tensor, seen.name, shape, stored_output, stored_input)
            weight = found[key]
            weight.output_axis = stored_output if weight.output_axis == stored_output else None
            weight.input_axis = stored_input if weight.input_axis == stored_input else None
            weight.nodes.append(label(node))
            weight.operators.append(node.op_type)
    return list(found.values())


def _axes(node: NodeProto, position: int, rank: int) -> tuple[int | None, int | None]:
    """Axes of outputs and of summation of the tensor at an input of a node, as the node sees it."""
    if node.op_type == "Conv":
        return 0, 1
    if node.op_type == "ConvTranspose":
        # With groups, axis 1 holds the channels of one group only: still right for a scale each, for they share it.
        return 1, 0
    if node.op_type == "Gemm":
        flipped = bool(attribute_int(node, "transA" if position == 0 else "transB", 0))
        inputs = position ^ 1 ^ flipped
        return 1 - inputs, inputs
    if node.op_type in RECURRENT:
        return 1, 2
    if rank == 1:
        return None, 0
    return (rank - 1, rank - 2) if position == 1 else (rank - 2, rank - 1)
