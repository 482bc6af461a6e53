"""`quantize.weights`: weights stored as 8- or 4-bit integers with scales; activations stay in floating point.

Apart from the int8 pass because it needs no calibration and serves another goal: less storage, not less arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from ml_dtypes import int4
from numpy.typing import DTypeLike, NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..errors import ModelRefused
from ..graph import weights as stored
from ..graph.constant_views import MOVING
from ..graph.load import load, save_apart
from ..graph.names import Names
from ..graph.select import select
from ..graph.values import raw_bytes
from ..graph.walk import graphs, is_onnx, label
from ..schema.steps import QuantizeWeights
from ..system.reporter import Reporter
from .annotations import raised, read_int8
from .magnitude import counted, tell_computed
from .placement import for_onnxruntime, for_tensorrt
from .token_tables import IntegerRows, chosen_tables, packs, store, tell_odd
from .true_zeros import mask_of, write_zeros
from .view import View

SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6)
"""Shares of the largest magnitude tried as the end of a 4-bit range; the one with the least squared error is taken."""

_MOVING = (*MOVING, "Identity", "Gather", "Slice", "Expand", "Tile")

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Packed:
    """Integers and scales of a tensor: w is about q x scale, the scale repeated as the grouping says."""

    integers: NDArray[np.int8]
    """Shape of the tensor; -7 to 7 where 4 bits were asked for."""
    scales: Floats
    """No axes (tensor), one (channel), or those of the tensor with the input axis shortened (block)."""
    axis: int | None
    """Axis along which scales change; None: one scale."""
    block: int
    """Weights that share a scale along `axis`; 0: not in blocks."""


def store_all(model: ModelProto, excluded: set[str], step: QuantizeWeights, *, recurrent: bool = False) -> int:
    """Make integers of every weight in 32-bit floats that no excluded node reads, in place; how many they were.

    recurrent: those of recurrent nodes alone.
    """
    found = [weight for weight in stored.weights(model) if not excluded.intersection(weight.nodes)]
    found = [weight for weight in found if weight.recurrent or not recurrent]
    found = [weight for weight in found if weight.tensor.data_type == TensorProto.FLOAT]
    names = Names(model)
    for weight in found:
        _replace(model, names, weight, pack(weight, step), step.bits)
    return len(found)


def store_tables(model: ModelProto, excluded: set[str], step: QuantizeWeights, say: Reporter) -> tuple[int, int, int]:
    """Make integers of every table that no excluded node reads, in place; how many, and the bytes before and after.

    A row has a scale of its own where the step gives channels or blocks one.
    """
    found, names = chosen_tables(model, excluded), Names(model)
    tell_odd(found, step.bits, say)
    before = after = 0
    for table in found:
        small = packs(table, step.bits)
        by_row = "tensor" if step.grouping == "tensor" else "channel"
        packed = pack(table, msgspec.structs.replace(step, bits=4 if small else 8, grouping=by_row))
        before += 4 * table.size
        after += store(model, names, table, IntegerRows(packed.integers, packed.scales), small)
    return len(found), before, after


def weights(step: QuantizeWeights, source: Path, out: Path, say: Reporter) -> str:
    """Write the model at `source` with integer weights to `out`; returns what became how small, in a line.

    Each weight becomes an int8 or int4 tensor and a DequantizeLinear; a table, integers of which a Gather takes rows.
    4 bits and blocks need opset 21; the model is brought there. Where a tensor is shorter than a block along its input axis,
    its output channels share a scale each instead; where it is not a multiple, its last block is shorter.

    What an earlier `quantize.int8` has calibrated is not touched.

    Raises:
        ModelRefused: there is no weight to quantize, one is not finite, or the opset cannot be raised.
        RecipeRefused: a pattern of `exclude` matches no node.
        StorageRefused: `out` cannot be written.
    """
    model = load(source)
    model = raised(model, _least_opset(step, model), f"{step.bits}-bit weights by {step.grouping}")
    taken = taken_by_int8(model)
    excluded = select(model, step.exclude, say) | taken
    chosen = [weight for weight in stored.weights(model) if not excluded.intersection(weight.nodes)]
    doubles = [weight for weight in chosen if weight.tensor.data_type == TensorProto.DOUBLE]
    if doubles:
        say.warn(f"{len(doubles)} weights in 64-bit floats stay as they are: ONNX has no integers that become such")
        chosen = [weight for weight in chosen if weight.tensor.data_type != TensorProto.DOUBLE]
    told, before, after = store_tables(model, excluded, step, say) if read_int8(model) is None else (0, 0, 0)
    if not chosen and not told:
        kind = "32- or 16-bit" if doubles else "floating-point"
        raise ModelRefused(
            f"{source.name} has no {kind} weights of Conv, Gemm, MatMul or recurrent nodes to quantize"
            + (": quantize.int8 comes first and takes them" if taken else ""),
            fix="export it in 32-bit floats" if doubles else "exclude less, or leave the step out",
        )
    tell_computed(model, excluded, say)
    names, masks = Names(model), dict[str, str]()
    for index, weight in enumerate(chosen):
        packed, zeros = pack(weight, step), weight.array() == 0
        before += raw_bytes(weight.tensor) or 4 * weight.size
        stored_as = _replace(model, names, weight, packed, step.bits)
        after += stored_as.size_bytes
        masks[stored_as.integers] = (
            mask_of(packed.integers, zeros) if not stored_as.turned else mask_of(packed.integers.T, zeros.T)
        )
        say.progress(index + 1, len(chosen), "tensors")
    write_zeros(model, masks)
    save_apart(model, out)
    beside = f" and {counted(told, 'table')}" if told else ""
    return f"{counted(len(chosen))}{beside} to {step.bits} bits: {before / 1e6:.2f} MB became {after / 1e6:.2f} MB"


def taken_by_int8(model: ModelProto) -> set[str]:
    """Nodes that `quantize.int8` has calibrated before: their weights become integers when the model is lowered."""
    annotation = read_int8(model)
    if annotation is None:
        return set()
    view, excluded = View(model), set(annotation.exclude)
    taken = [place(view, excluded, annotation.ranges.__contains__).integer for place in (for_onnxruntime, for_tensorrt)]
    return {label(view.producer[name]) for name in set().union(*taken)}


def _least_opset(step: QuantizeWeights, model: ModelProto) -> int:
    if step.bits == 4 or step.grouping == "block":
        return 21
    if any(weight.tensor.data_type != TensorProto.FLOAT for weight in stored.weights(model)):
        return 19
    return 13 if step.grouping == "channel" else 10


def pack(weight: stored.Weight, step: QuantizeWeights) -> Packed:
    """Symmetric integers of a weight, so that zeros stay zeros.

    Raises:
        ModelRefused: a value is infinite or not a number.
    """
    array = weight.array().astype(np.float32)
    if not np.isfinite(array).all():
        raise ModelRefused(
            f"weight {weight.name} holds values that are infinite or not numbers",
            fix="exclude its node, or export the model again",
        )
    grouping, axis, block = step.grouping, weight.output_axis, 0
    fits = weight.input_axis is not None and array.ndim > 1 and array.shape[weight.input_axis] >= step.block
    if grouping == "block" and fits:
        axis, block = weight.input_axis, step.block
    elif grouping == "tensor":
        axis = None
    top = 127 if step.bits == 8 else 7
    scales = _scales(array, axis, block, top, _least_scale(weight))
    # The scale as it will be stored, or integers would be off by its rounding.
    kept = scales.astype(_stored_type(weight)).astype(np.float32)
    integers = np.clip(np.rint(array / _spread(kept, array.shape, axis, block)), -top, top).astype(np.int8)
    return Packed(integers, kept, axis, block)


def _least_scale(weight: stored.Weight) -> float:
    """The smallest number of the scale's type that has all its digits."""
    half = weight.tensor.data_type == TensorProto.FLOAT16
    return float(np.finfo(np.float16 if half else np.float32).tiny)


def _scales(array: Floats, axis: int | None, block: int, top: int, least: float) -> Floats:
    """A scale for each group: the largest magnitude over `top`, or for 4 bits the best of `SHRINKS` of it; `least` or more."""
    largest = _grouped(np.abs(array), axis, block, np.maximum)
    full = np.where(largest > 0, np.maximum(largest / top, least), 1).astype(np.float32)
    if top > 7:
        return full
    best, error = full, np.full(full.shape, np.inf, dtype=np.float32)
    for shrink in SHRINKS:
        scales = (full * np.float32(shrink)).astype(np.float32)
        spread = _spread(scales, array.shape, axis, block)
        found = _grouped((np.clip(np.rint(array / spread), -top, top) * spread - array) ** 2, axis, block, np.add)
        best, error = np.where(found < error, scales, best), np.minimum(found, error)
    return best


def _grouped(array: Floats, axis: int | None, block: int, how: np.ufunc) -> Floats:
    """`how` (add or maximum) over each group."""
    if axis is None:
        whole: Floats = np.asarray(how.reduce(array, axis=None), dtype=np.float32)
        return whole
    if block:
        starts = np.arange(0, array.shape[axis], block)
        blocks: Floats = how.reduceat(array, starts, axis=axis).astype(np.float32)
        return blocks
    others = tuple(index for index in range(array.ndim) if index != axis)
    channels: Floats = how.reduce(array, axis=others).astype(np.float32)
    return channels


def _spread(scales: Floats, shape: tuple[int, ...], axis: int | None, block: int) -> Floats:
    """The scales, so that they broadcast over the tensor."""
    if axis is None:
        return scales
    if block:
        return np.repeat(scales, block, axis=axis).take(range(shape[axis]), axis=axis)
    return scales.reshape([-1 if index == axis else 1 for index in range(len(shape))])


def _stored_type(weight: stored.Weight) -> DTypeLike:
    return helper.tensor_dtype_to_np_dtype(weight.tensor.data_type)


def _scale_type(weight: stored.Weight, model: ModelProto) -> DTypeLike:
    """The type of the scale is the type that comes out of DequantizeLinear: the weight's own.

    But for bfloat16 that is cast before it is used: ONNX Runtime's CPU casts that, and has no DequantizeLinear of it.
    """
    cast = weight.tensor.data_type == TensorProto.BFLOAT16 and _only_cast(model, weight.name)
    return np.float32 if cast else _stored_type(weight)


def _only_cast(model: ModelProto, name: str) -> bool:
    """Whether all that reads a tensor casts it, or moves it about first: then it may have another type."""
    if any(value.name == name for graph in graphs(model.graph) for value in graph.output):
        return False
    readers = [node for graph in graphs(model.graph) for node in graph.node if name in node.input]
    return all(is_onnx(node) and (node.op_type == "Cast" or _moved_only_cast(model, node, name)) for node in readers)


def _moved_only_cast(model: ModelProto, node: NodeProto, name: str) -> bool:
    return node.op_type in _MOVING and node.input[0] == name and _only_cast(model, node.output[0])


class _StoredIntegers(NamedTuple):
    """What stands in a weight's place."""

    integers: str
    """Name of their tensor."""
    turned: bool
    """They are stored by columns."""
    size_bytes: int
    """With their scales."""


def _replace(model: ModelProto, names: Names, weight: stored.Weight, packed: Packed, bits: int) -> _StoredIntegers:
    """Put integers, scales and a DequantizeLinear in a weight's place.

    A matrix that several nodes read, with a scale for each column, is stored by columns and transposed behind: ONNX Runtime has
    MatMulNBits for a weight of its own only, and its DequantizeLinear is slow along the last axis (12 layers that share one of
    192 x 192: 915 us by rows, 277 by columns, 183 in floats).
    """
    columns = len(weight.nodes) > 1 and len(weight.shape) == 2 and packed.axis == 1 and not packed.block
    if columns:
        packed = replace(packed, integers=np.ascontiguousarray(packed.integers.T), axis=0)
    integers, scales = names.free(f"{weight.name}_q{bits}"), names.free(f"{weight.name}_scale")
    attributes: dict[str, int] = {} if packed.axis is None else {"axis": packed.axis}
    if packed.block:
        attributes["block_size"] = packed.block
    floats = names.free(f"{weight.name}_columns") if columns else weight.name
    inputs = [integers, scales]
    held = packed.integers.astype(int4) if bits == 4 else packed.integers
    tensors = [
        numpy_helper.from_array(held, integers),
        numpy_helper.from_array(packed.scales.astype(_scale_type(weight, model)), scales),
    ]
    if columns or _transposed(model, weight.name):
        # ONNX Runtime 1.23 puts pairs of its own around a Transpose, and takes them for unsigned without a zero point.
        inputs.append(names.free(f"{weight.name}_zero"))
        tensors.append(numpy_helper.from_array(np.zeros(packed.scales.shape, held.dtype), inputs[-1]))
    node = helper.make_node("DequantizeLinear", inputs, [floats], name=names.free(f"{weight.name}_dequantize"))
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    turned = helper.make_node("Transpose", [floats], [weight.name], name=names.free(f"{weight.name}_rows"), perm=[1, 0])
    put_in(model, weight, [node, turned] if columns else [node], tensors)
    return _StoredIntegers(integers, columns, math.ceil(weight.size * bits / 8) + len(tensors[1].raw_data))


def _transposed(model: ModelProto, name: str) -> bool:
    return any(name in node.input and node.op_type == "Transpose" for graph in graphs(model.graph) for node in graph.node)


def put_in(model: ModelProto, weight: stored.Weight, fresh: list[NodeProto], tensors: list[TensorProto]) -> None:
    """Let nodes that make a weight stand in its place, over these tensors."""
    for graph in graphs(model.graph):
        place = _taken_out(graph, weight.name)
        if place is not None:
            for node in reversed(fresh):
                graph.node.insert(place, node)
            graph.initializer.extend(tensors)
            return
    raise KeyError(weight.name)


def _taken_out(graph: GraphProto, name: str) -> int | None:
    """Remove a weight from the graph that holds it; where its DequantizeLinear belongs, or None: it is not in this graph."""
    for index, tensor in enumerate(graph.initializer):
        if tensor.name == name:
            del graph.initializer[index]
            return 0
    for index, other in enumerate(graph.node):
        if other.op_type == "Constant" and other.output[0] == name:
            del graph.node[index]
            return index
    return None
