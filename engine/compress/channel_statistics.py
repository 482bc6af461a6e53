"""Means and deviations of channels, brought back to those of the original after channels have gone.

What re-estimating the running figures of batch norms does (Li et al. 2020, EagleEye), also for layers that have taken their
batch norm in: what such a layer gives is scaled and shifted, channel by channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from ..graph.load import load
from ..graph.values import array_of
from ..graph.walk import is_onnx, label
from ..graph.weights import weights
from ..system.reporter import Reporter
from .kept_samples import KeptSamples
from .layer_rows import Floats, linear_layers
from .onward_passes import OnwardPasses
from .repair import constant_bias, put_bias

Left = Mapping[str, NDArray[np.intp]]

_LEAST = 1e-6
"""Of a deviation, as a share of the original's: a channel that has died is not blown up."""
_MOST = 4.0
"""Of a gain: what changed more than this is no matter of scale."""


def match_statistics(
    model: ModelProto, original: Path, left: Left, samples: KeptSamples, *, everything: bool, say: Reporter
) -> str:
    """Scale and shift, first to last, each batch norm's channels, and `everything`: those of Conv and Gemm too, in place.

    left: by tensor, the channels of the original that are left of it; a tensor that it does not have has all of them.

    Raises:
        ModelRefused: ONNX Runtime cannot run the model.
        DataRefused: the samples do not fit.
    """
    linear = {name for name, layer in linear_layers(model, weights(model)).items() if layer.biased} if everything else set()
    chosen = [node for node in model.graph.node if _normal(node) or label(node) in linear]
    first = load(original)
    before, after = OnwardPasses(first, samples), OnwardPasses(model, samples)
    for number, node in enumerate(chosen, 1):
        axis = 1 if _normal(node) or node.op_type == "Conv" else -1
        mean, deviation = _moments(before, first, node.output[0], axis)
        now, spread = _moments(after, model, node.output[0], axis)
        stays = left.get(node.output[0], slice(None))
        mean, deviation = mean[stays], deviation[stays]
        gain = np.where(spread > _LEAST * np.maximum(deviation, 1e-12), deviation / np.maximum(spread, 1e-30), 1.0)
        gain = np.clip(gain, 1 / _MOST, _MOST)
        _scale(model, node, gain.astype(np.float32), (mean - gain * now).astype(np.float32), linear=label(node) in linear)
        say.progress(number, len(chosen), "statistics re-estimated")
    return f"statistics of {len(chosen)} layers re-estimated"


def _normal(node: NodeProto) -> bool:
    return node.op_type == "BatchNormalization" and is_onnx(node)


Moments = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Mean and deviation of each channel."""


def _moments(passes: OnwardPasses, model: ModelProto, tensor: str, axis: int) -> Moments:
    total = squares = np.zeros(0)
    count = 0
    for (given,) in passes.each(model, [tensor], tensor):
        array = np.moveaxis(given.astype(np.float64), axis, -1)
        rows = array.reshape(-1, array.shape[-1])
        if not count:
            total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
        total = total + rows.sum(axis=0)
        squares = squares + np.square(rows).sum(axis=0)
        count += len(rows)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))


def _scale(model: ModelProto, node: NodeProto, gain: Floats, shift: Floats, *, linear: bool) -> None:
    """Let a node give gain x what it gave + shift."""
    if not linear:
        held = {tensor.name: tensor for tensor in model.graph.initializer}
        scale, bias = held[node.input[1]], held[node.input[2]]
        for tensor, more in ((scale, np.float32(0)), (bias, shift)):
            array = array_of(tensor)
            values = array.astype(np.float32) * gain + more
            tensor.CopyFrom(numpy_helper.from_array(values.astype(array.dtype), tensor.name))
        return
    layer = linear_layers(model, weights(model))[label(node)]
    bias_before = constant_bias(model, layer)
    if bias_before is None:
        return
    matrix = layer.matrix(layer.weight.array())
    layer.weight.write(layer.stored(np.ascontiguousarray(matrix * gain.reshape(layer.groups, layer.outputs, 1))))
    put_bias(model, layer, bias_before * gain + shift)
