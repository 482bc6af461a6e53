"""Layers made fragile in a model that computes the same: between two convolutions channels are drawn apart and back.

ReLU is positively homogeneous: what the first one gives is scaled channel by channel, what the second one takes by the inverse.
In floats nothing changes; one scale for a tensor, as INT8 has it, ruins the narrow channels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

Pair = tuple[onnx.NodeProto, onnx.NodeProto]
_PASSES = ("Relu", "LeakyRelu", "MaxPool", "AveragePool")
"""What may stand between: scaling before it is scaling behind it."""


def pairs_of(model: onnx.ModelProto) -> list[Pair]:
    """Convolutions of which the second alone reads what the first gives, with weights that nobody else reads."""
    held = {tensor.name for tensor in model.graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {value.name for value in model.graph.output}
    found = []
    for node in model.graph.node:
        if node.op_type != "Conv" or len(node.input) < 3:
            continue
        after = _only_reader(node, readers, outputs)
        while after is not None and after.op_type in _PASSES:
            after = _only_reader(after, readers, outputs)
        if after is None or after.op_type != "Conv":
            continue
        own = (*node.input[1:3], after.input[1])
        if all(name in held and len(readers[name]) == 1 for name in own):
            found.append((node, after))
    return found


def _only_reader(node: onnx.NodeProto, readers: dict[str, list[onnx.NodeProto]], outputs: set[str]) -> onnx.NodeProto | None:
    behind = readers.get(node.output[0], [])
    return behind[0] if len(behind) == 1 and node.output[0] not in outputs else None


def plant(source: Path, out: Path, blocks: int, seed: int, spread: float = 3.0) -> list[tuple[str, str]]:
    """Write the model with so many fragile pairs, none of which touches another; the names of their convolutions."""
    draw = np.random.default_rng(seed)
    model = onnx.load(source)
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    chosen: list[Pair] = []
    pairs = pairs_of(model)
    for place in draw.permutation(len(pairs)):
        one, other = pairs[place]
        taken = {node.name for pair in chosen for node in pair}
        if len(chosen) < blocks and not taken & {one.name, other.name}:
            chosen.append((one, other))
    assert len(chosen) == blocks, f"{source.name} has no {blocks} pairs that lie apart"
    for one, other in chosen:
        channels = held[one.input[2]].dims[0]
        apart = np.exp(draw.permutation(np.linspace(-spread, spread, channels))).astype(np.float32)
        _scale(held[one.input[1]], apart.reshape(-1, 1, 1, 1))
        _scale(held[one.input[2]], apart)
        groups = next((each.i for each in other.attribute if each.name == "group"), 1)
        own = held[other.input[1]]
        if groups == 1:
            _scale(own, (1 / apart).reshape(1, -1, 1, 1))
        else:  # each output channel reads the input channels of its group alone
            array = numpy_helper.to_array(own)
            per_group, outs = array.shape[1], array.shape[0] // groups
            by = np.repeat((1 / apart).reshape(groups, per_group), outs, axis=0)
            _scale(own, by[:, :, None, None])
    onnx.save(model, out)
    return [(one.name, other.name) for one, other in chosen]


def _scale(tensor: onnx.TensorProto, by: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(tensor) * by).astype(np.float32), tensor.name))
