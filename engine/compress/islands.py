"""Recurrent nodes in half precision: which stay in FP32, and what must stay with them.

These are TensorRT's limits and not ONNX's, each seen with TensorRT-RTX 1.7: its parser masks what is past
`sequence_lens` with FP32 zeros, its compiler mixes types where there are peepholes, and fails where one in FP32 reads a Cast.
"""

from __future__ import annotations

from collections.abc import Collection

from onnx import ModelProto, NodeProto

from ..graph.walk import is_onnx, label
from ..graph.weights import RECURRENT

_LENGTHS, _BEGIN, _PEEPHOLES = 4, (5, 6), 7
_MOVES = (
    "Concat", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Transpose",
    "Unsqueeze",
)  # fmt: skip
"""They compute nothing, so TensorRT draws a Cast before them through to the recurrent node."""


def widened(model: ModelProto, keep: Collection[str]) -> set[str]:
    """Labels of the nodes that stay in FP32: those of `keep`, recurrent ones that cannot be halved, and up to the first node
    that computes, whatever a recurrent one among them reads.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    stay = set(keep)
    stay.update(label(node) for node in model.graph.node if _cannot(node))
    for node in model.graph.node:
        if node.op_type not in RECURRENT or label(node) not in stay:
            continue
        ahead = [name for place in (0, *_BEGIN) for name in node.input[place : place + 1]]
        while ahead:
            before = made.pop(ahead.pop(), None)
            if before is not None:
                stay.add(label(before))
                ahead += before.input if before.op_type in (*_MOVES, *RECURRENT) else []
    return stay


def _cannot(node: NodeProto) -> bool:
    return (
        node.op_type in RECURRENT
        and is_onnx(node)
        and bool(any(node.input[_LENGTHS : _LENGTHS + 1]) or any(node.input[_PEEPHOLES:]))
    )
