"""Shortcuts that skip rows and columns and add empty channels, as one convolution of zeros and ones.

The shortcut of CIFAR's ResNets (He et al. 2016, option A: every second pixel, channels filled with zeros) is two slices and a
padding in ONNX, each a pass over memory in a layout of its own. As a 1x1 convolution it is one node, and exact: its weights are
0 and 1, its output has its input's grid. Measured on resnet20 in integers: 3 % of an inference. In floats what follows stays in
ONNX Runtime's layout of whole blocks as well: 6 % with one thread, 14 % with two. There it is for models that a recipe took
channels from: beside a recipe that leaves them, the original has the same graph, so that what is measured is the recipe's.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from ..graph.names import Names
from ..graph.walk import attribute, is_onnx
from .grid import Range
from .view import View, pads_with_zero

MOST_CHANNELS = 64
"""Above this the convolution multiplies longer than the copies take."""


def as_convolutions(model: ModelProto, ranges: dict[str, Range] | None = None) -> int:
    """Rewrite such shortcuts in place, and say how many; with `ranges` only where the tensor they start from has one, which
    their results get then.
    """
    view, names, found = View(model), Names(model), 0
    for pad in list(model.graph.node):
        added = _added_channels(view, pad)
        if added is None or pad.input[0] in view.held:
            continue
        strides, slices, source = _skipped(view, pad.input[0])
        shape = view.lengths(source)
        if not slices or shape is None or not 0 < shape[1] <= MOST_CHANNELS or (ranges is not None and source not in ranges):
            continue
        weights = np.zeros((sum(added) + shape[1], shape[1], 1, 1), np.float32)
        weights[added[0] : added[0] + shape[1], :, 0, 0] = np.eye(shape[1], dtype=np.float32)
        name = names.free(f"{pad.output[0]}_ones")
        model.graph.initializer.append(numpy_helper.from_array(weights, name))
        conv = helper.make_node("Conv", [source, name], [pad.output[0]], name=pad.name, kernel_shape=[1, 1], strides=strides)
        pad.CopyFrom(conv)
        for node in slices:
            model.graph.node.remove(node)
        found += 1
        if ranges is not None:
            ranges[pad.output[0]] = ranges[source]
    return found


def _added_channels(view: View, node: NodeProto) -> tuple[int, int] | None:
    """Channels of zeros that a Pad puts before and behind, if it pads nothing else."""
    if node.op_type != "Pad" or not is_onnx(node) or not pads_with_zero(view, node):
        return None
    mode = attribute(node, "mode")
    if (mode is not None and mode.s != b"constant") or len(node.input) not in (2, 3) or not view.is_constant(node.input[1]):
        return None
    pads = [int(length) for length in view.array(node.input[1])]
    if len(pads) != 8 or any(pads[axis] for axis in (0, 2, 3, 4, 6, 7)) or pads[1] < 0 or pads[5] < 0:
        return None
    return pads[1], pads[5]


def _skipped(view: View, name: str) -> tuple[list[int], list[NodeProto], str]:
    """Strides of the slices that lead to a tensor, those slices, and the tensor they begin with."""
    strides, found = [1, 1], []
    maker = view.producer.get(name)
    while maker is not None and (step := _step(view, maker)) is not None and view.only_user(name) is not None:
        axis, stride = step
        strides[axis - 2] *= stride
        found.append(maker)
        name = maker.input[0]
        maker = view.producer.get(name)
    return strides, found, name


def _step(view: View, node: NodeProto) -> tuple[int, int] | None:
    """Axis (2 or 3) and stride of a Slice that takes every so-manyth row or column, from the first to the end."""
    shape = view.lengths(node.input[0]) if node.op_type == "Slice" and is_onnx(node) and len(node.input) == 5 else None
    if shape is None or len(shape) != 4 or not all(map(view.is_constant, node.input[1:])):
        return None
    starts, ends, axes, steps = (view.array(name).reshape(-1).tolist() for name in node.input[1:])
    if len(axes) != 1 or starts != [0] or steps[0] < 1:
        return None
    axis = axes[0] % 4
    whole = ends[0] >= 2**31 - 1 or (shape[axis] > 0 and ends[0] >= shape[axis])
    return (axis, steps[0]) if axis in (2, 3) and whole else None
