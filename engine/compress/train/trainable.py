"""Which stored tensors of a graph are trained, which of their zeros stay, and how they get back into the file.

Apart from training because it is about the file alone: no PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ...errors import RecipeRefused
from ...graph.values import array_of
from ...graph.walk import constants, is_onnx
from ...graph.weights import RECURRENT, weights

_TRAINED = (TensorProto.FLOAT, TensorProto.DOUBLE)
_BESIDE = {
    "Conv": (2,),
    "ConvTranspose": (2,),
    "Gemm": (2,),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "PRelu": (1,),
    **dict.fromkeys(RECURRENT, (3,)),
}
"""Inputs that are trained besides weights: biases, and scales and shifts of normalisations (never their statistics)."""
_SUMS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class Trainable:
    """What a training step may change."""

    names: tuple[str, ...]
    """Initializers, or outputs of Constant nodes, in the order of the file."""
    prunable: frozenset[str]
    """Those of them that pruning acts on: a zero in one of these was made by pruning."""


def trainable(model: ModelProto) -> Trainable:
    """Find what is trained: weights of Conv, ConvTranspose, Gemm, MatMul and recurrent nodes, biases, scales and shifts of
    normalisations, and tables from which ids choose rows.

    Raises:
        RecipeRefused: there are no weights, or they are not FP32.
    """
    found = trainable_floats(model)
    if not found.prunable:
        raise RecipeRefused(
            "the model has nothing to train: no constant weights of Conv, ConvTranspose, Gemm, MatMul or recurrent nodes",
            fix="train before quantizing, or leave the `train.` steps out of the recipe",
        )
    return found


def trainable_floats(model: ModelProto) -> Trainable:
    """The same, of a model whose weights may be stored as integers, so that there may be none.

    Raises:
        RecipeRefused: they are not FP32.
    """
    found = weights(model)
    for weight in found:
        if weight.tensor.data_type not in _TRAINED:
            kind = TensorProto.DataType.Name(weight.tensor.data_type)
            raise RecipeRefused(
                f"weight {weight.name} is {kind}, too coarse to be trained", fix="give the FP32 export of the model"
            )
    held = constants(model)
    prunable = frozenset(weight.name for weight in found)
    wanted = prunable | {name for name in _beside(model, held) if held[name].data_type in _TRAINED}
    return Trainable(tuple(name for name in held if name in wanted), prunable)


def _beside(model: ModelProto, held: dict[str, TensorProto]) -> set[str]:
    makers: dict[str, NodeProto] = {name: node for node in model.graph.node for name in node.output}
    found: set[str] = set()
    for node in model.graph.node:
        if not is_onnx(node):
            continue
        found.update(node.input[place] for place in _BESIDE.get(node.op_type, ()) if place < len(node.input))
        if node.op_type == "Gather" and node.input[1] not in held and _is_table(held.get(node.input[0])):
            found.add(node.input[0])
        if node.op_type == "Add":
            for name, other in (tuple(node.input), tuple(reversed(node.input))):
                maker = makers.get(other)
                if maker is not None and maker.op_type in _SUMS and _is_bias(held.get(name)):
                    found.add(name)
    return found & held.keys()


def _is_table(tensor: TensorProto | None) -> bool:
    """A row for each id."""
    return tensor is not None and len(tensor.dims) == 2 and min(tensor.dims) > 1


def _is_bias(tensor: TensorProto | None) -> bool:
    """One number a channel: at most one axis is longer than 1."""
    return tensor is not None and sum(length > 1 for length in tensor.dims) == 1


def nonzero(model: ModelProto, prunable: frozenset[str], *, every: bool = False) -> dict[str, NDArray[np.bool_]]:
    """Which places of each prunable tensor are not zero; tensors without a zero are left out, unless `every` is wanted."""
    found = {}
    for name, tensor in constants(model).items():
        if name in prunable:
            there = np.asarray(array_of(tensor) != 0)
            if every or not there.all():
                found[name] = there
    return found


def write(model: ModelProto, values: dict[str, NDArray[np.generic]]) -> None:
    """Put trained values where they are stored; names, types and all else stay."""
    held = constants(model)
    for name, array in values.items():
        tensor = held[name]
        stored = np.ascontiguousarray(array.astype(helper.tensor_dtype_to_np_dtype(tensor.data_type), copy=False))
        fresh = numpy_helper.from_array(stored, tensor.name)
        for given in ("data_location", "float_data", "double_data", "int32_data", "external_data"):
            tensor.ClearField(given)
        tensor.raw_data = fresh.raw_data
