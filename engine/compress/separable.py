"""Convolutions made depthwise separable: a filter for each channel, then 1x1 over channels (Howard et al. 2017, MobileNets,
section 3.1): compact filters, 1/outputs + 1/places of the multiplications.

The filters are the best that there are in the least-squares sense, one rank-one term for each input channel (Eckart and Young
1936), and still far from what they stand for: whoever calls this trains the model afterwards.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..graph.constant_views import FLOATS
from ..graph.constants import drop_unread
from ..graph.names import Names
from ..graph.values import array_of
from ..graph.walk import attribute_int, constants, is_onnx, label

_IMAGE = 4
"""Input channels up to which a layer reads an image: it stays whole, as in MobileNet, for three filters would be all it had."""


def separate(model: ModelProto) -> list[str]:
    """Make every convolution of one group and more than one place depthwise separable, where that saves weights; labels of
    those that were. Names and shapes of what they give stay.
    """
    held, names, done = constants(model), Names(model), []
    for node in list(model.graph.node):
        tensor = held.get(node.input[1]) if node.op_type == "Conv" and is_onnx(node) else None
        if tensor is not None and _saves(node, tensor):
            _split_one(model, node, np.asarray(array_of(tensor)), names)
            done.append(label(node))
    drop_unread(model)
    return done


def _saves(node: NodeProto, tensor: TensorProto) -> bool:
    outputs, inputs, places = tensor.dims[0], tensor.dims[1], math.prod(tensor.dims[2:])
    fewer = inputs * (places + outputs) < inputs * places * outputs
    return tensor.data_type in FLOATS and attribute_int(node, "group", 1) == 1 and places > 1 and inputs > _IMAGE and fewer


def factors(weight: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of weights (outputs, inputs, ...) the filter of each input channel, (inputs, places), and the share that each output
    takes of it, (outputs, inputs).
    """
    outputs, inputs = weight.shape[:2]
    matrices = weight.astype(np.float64).reshape(outputs, inputs, -1).transpose(1, 0, 2)
    left, sizes, right = np.linalg.svd(matrices, full_matrices=False)
    root = np.sqrt(sizes[:, :1])
    return right[:, 0] * root, (left[:, :, 0] * root).T


def _split_one(model: ModelProto, node: NodeProto, weight: NDArray[np.generic], names: Names) -> None:
    outputs, inputs, *kernel = weight.shape
    filters, shares = factors(weight)
    stem = node.name or node.output[0]
    stored = [names.free(f"{stem}_{part}") for part in ("filters", "shares")]
    shapes = (inputs, 1, *kernel), (outputs, inputs, *[1] * len(kernel))
    for name, array, shape in zip(stored, (filters, shares), shapes, strict=True):
        model.graph.initializer.append(numpy_helper.from_array(array.reshape(shape).astype(weight.dtype), name))
    middle = names.free(f"{stem}_depthwise")
    before = NodeProto()
    before.CopyFrom(node)
    before.name = names.free(f"{stem}_depthwise_conv")
    del before.input[:], before.output[:]
    before.input.extend([node.input[0], stored[0]])
    before.output.append(middle)
    attributes = [entry for entry in before.attribute if entry.name not in ("group", "kernel_shape")]
    del before.attribute[:], node.attribute[:]
    before.attribute.extend(attributes)
    before.attribute.extend([helper.make_attribute("group", inputs), helper.make_attribute("kernel_shape", kernel)])
    node.attribute.append(helper.make_attribute("kernel_shape", [1] * len(kernel)))
    node.input[0], node.input[1] = middle, stored[1]
    model.graph.node.insert(list(model.graph.node).index(node), before)
