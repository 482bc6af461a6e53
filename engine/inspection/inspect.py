"""What is in an ONNX file: inputs, outputs, parameters, zeros, multiply-accumulates, operators, what backends refuse.

It must answer for every file that can be read at all, also one that nothing here could run.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto

from ..backends.cards import CARDS
from ..errors import Refusal
from ..graph.codebooks import shared_weights
from ..graph.constant_views import ConstantView, seen
from ..graph.constants import numbers, stand_in, write_out
from ..graph.dequantized import dequantized
from ..graph.external import LARGEST_IN_MEMORY, size_of
from ..graph.fold import FoldFailed, fold
from ..graph.inline import inlined
from ..graph.load import bytes_of, digest, load
from ..graph.macs import macs
from ..graph.plugins import foreign_plugins
from ..graph.shapes import Shapes, facts, fix_inputs, inferred, open_inputs, settled_part, shape_table
from ..graph.tables import stored_tables, tables
from ..graph.values import BITS, array_of
from ..graph.walk import ONNX_DOMAINS, attribute_int, constants, is_onnx, label, nodes, opset, real_inputs, tensors
from ..graph.weights import FLOATS, Weight, weights
from ..schema.model_facts import ModelFacts
from .activations import activation_range
from .lint import TARGETS, lint, narrower

BINS = 64
"""Bins of the weight histogram."""
_AT_ONCE = 1 << 20

_SMALL_INTEGERS = (TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4)
_FLOAT8 = (TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E4M3FNUZ, TensorProto.FLOAT8E5M2, TensorProto.FLOAT8E5M2FNUZ)
_SETTINGS: dict[str, tuple[int, ...]] = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "MatMulNBits": (2, 3),
    "Clip": (1, 2),
    "Dropout": (1,),
    "NonMaxSuppression": (3, 4),
    "OneHot": (2,),
    "Pad": (2,),
    "Range": (0, 1, 2),
    "Resize": (1, 2),
    "Upsample": (1,),
}
"""Inputs that are no weights: scales and zero points, which say how one is written; what is an attribute in older opsets."""


def inspect(path: Path, shapes: Shapes) -> ModelFacts:
    """Read a model and say what is in it; `shapes` settles dynamic axes by input name.

    Raises:
        ModelRefused: the file cannot be read, or `shapes` does not fit it.
    """
    model = load(path)
    sha256, size_bytes = digest(path)
    settled = settled_part(model, shapes)
    open_axes = open_inputs(model, shapes)
    activations = activation_range(model)
    operators = Counter(node.op_type for node in nodes(model))
    names = set(real_inputs(model.graph))
    inputs = tuple(facts(value) for value in model.graph.input if value.name in names)
    outputs = tuple(facts(value) for value in model.graph.output)
    refusals, plugins = _refusals(model, {} if open_axes else settled), tuple(foreign_plugins(model))
    stored, ir_version = _stored(model), model.ir_version
    write_out(model, filled=False)  # what is counted is what runs: weights that the file computes are weights
    found_macs = None if open_axes else count_macs(model, settled)
    stand_in(model)
    parameters, nonzero = _parameters(model)
    found, rows = weights(model), tables(model)
    bins, low, high = _histogram(model, found)
    return ModelFacts(
        name=path.stem,
        path=str(path),
        sha256=sha256,
        size_bytes=size_bytes,
        ir_version=ir_version,
        opset=opset(model),
        domains={entry.domain: entry.version for entry in model.opset_import if entry.domain not in ONNX_DOMAINS},
        producer=" ".join(part for part in (model.producer_name, model.producer_version) if part),
        inputs=inputs,
        outputs=outputs,
        parameters=parameters,
        nonzero=nonzero,
        macs=found_macs,
        operators=dict(operators.most_common()),
        prunable=sum(weight.size for weight in found),
        prunable_bytes=sum(_bytes(weight) for weight in found),
        prunable_in_floats=_in_floats(model, found),
        prunable_in_bodies=_in_bodies(model, found),
        prunable_deep=_deep(found),
        prunable_recurrent=sum(weight.size for weight in found if weight.recurrent),
        tables=sum(table.size for table in rows),
        table_rows=sum(table.shape[0] for table in rows),
        scales=sum(weight.shape[weight.output_axis] if weight.output_axis is not None else 1 for weight in found),
        plain_bytes=max(0, size_bytes + _stored(model) - stored),
        histogram=bins,
        histogram_low=low,
        histogram_high=high,
        activation_low=None if activations is None else activations[0],
        activation_high=None if activations is None else activations[1],
        shapes=settled,
        open_axes=open_axes,
        refusals=refusals,
        plugins=plugins,
        quantized=any(name.startswith(("QuantizeLinear", "QLinear")) for name in operators),
    )


def _refusals(model: ModelProto, settled: Shapes) -> dict[str, tuple[Refusal, ...]]:
    """What each backend refuses. ONNX Runtime takes open axes as they are; the others get the model with the settled shapes,
    and with these it is left; empty: some are open.
    """
    found = {target: tuple(lint(model, target)) for target in TARGETS if not CARDS[target].sizes_in_file}
    if settled:
        fix_inputs(model, settled)
    for target in (target for target in TARGETS if target not in found):
        found[target] = tuple(lint(model, target))
        for variant in narrower(target):
            refused = tuple(lint(model, variant))
            if refused != found[target]:
                found[variant] = refused
    return found


def counts(model: ModelProto, shapes: Shapes) -> tuple[int, int, int | None]:
    """Parameters, how many of them are not zero, and MACs, as in `inspect`, at these shapes of the inputs of a loaded model,
    which is used up.
    """
    found = macs_at(model, shapes)
    stand_in(model)
    return *_parameters(model), found


def macs_at(model: ModelProto, shapes: Shapes) -> int | None:
    """MACs at these shapes of the inputs, as in `inspect`; the model's computed constants are written out. None: not known."""
    write_out(model, filled=False)
    return count_macs(model, settled_part(model, shapes))


def count_macs(model: ModelProto, settled: Shapes) -> int | None:
    """Multiply-accumulates of one inference at settled input shapes; None: a shape inside cannot be told."""
    found = _count(inferred(model, settled), settled)
    if found is not None or size_of(model) > LARGEST_IN_MEMORY:
        return found
    # ONNX's inference does not follow a Reshape whose target is computed before opset 14; folding constants does.
    fixed = ModelProto()
    fixed.CopyFrom(model)
    fix_inputs(fixed, settled)
    try:
        return _count(inferred(fold(fixed), settled), settled)
    except FoldFailed:
        return None


def _count(full: ModelProto, settled: Shapes) -> int | None:
    if full.functions:
        full = inferred(inlined(full)[0], settled)
    return macs(full.graph, shape_table(full))


def _parameters(model: ModelProto) -> tuple[int, int]:
    """How many numbers the model has learnt, and how many of them are not zero.

    Constants in floating point, in 8 and in 4 bits count, and 32-bit integers where they are dequantized biases; shapes, axes,
    scales, zero points and other settings do not.
    """
    settings: set[str] = set()
    dequantized: dict[str, NodeProto] = {}
    for node in nodes(model):
        settings.update(node.input[index] for index in _SETTINGS.get(node.op_type, ()) if index < len(node.input))
        if node.op_type == "DequantizeLinear":
            dequantized[node.input[0]] = node
        elif node.op_type == "QLinearConv" and len(node.input) > 8:
            dequantized[node.input[8]] = node
    held = constants(model)
    total = nonzero = 0
    for shared in shared_weights(model):
        total += math.prod(shared.places.dims)
        nonzero += int(np.count_nonzero(shared.array()))
        settings.update((shared.places.name, shared.values.name))
    for table in {one.integers.name: one for one in stored_tables(model)}.values():
        total += table.size
        nonzero += int(np.count_nonzero(table.array()))
        settings.update((table.integers.name, *(tensor.name for tensor in table.beside)))
        settings.update(name for node in table.nodes for name in node.input)
    for name, tensor in held.items():
        learnt = tensor.data_type in (*FLOATS, *_SMALL_INTEGERS, *_FLOAT8)
        if name in settings or not (learnt or (tensor.data_type == TensorProto.INT32 and name in dequantized)):
            continue
        total += math.prod(tensor.dims)
        array, times = _centred(tensor, dequantized.get(name), held)
        nonzero += int(np.count_nonzero(array)) * times
    return total, nonzero


def _centred(tensor: TensorProto, reader: NodeProto | None, held: dict[str, TensorProto]) -> tuple[NDArray[np.generic], int]:
    """The stored numbers with a single zero point subtracted, so that what stands for 0 is 0; and how often each is there."""
    array, times = numbers(tensor)
    if tensor.data_type in (TensorProto.INT4, TensorProto.UINT4):
        array = array.astype(np.int8)
    if reader is None or reader.op_type != "DequantizeLinear" or len(reader.input) < 3:
        return array, times
    point = held.get(reader.input[2])
    if point is None or math.prod(point.dims) != 1:
        return array, times
    zero = int(array_of(point).astype(np.int32).reshape(()))
    return (array if zero == 0 else array.astype(np.int32) - zero), times


def _stored(model: ModelProto) -> int:
    """Bytes of everything that the model stores."""
    return sum(bytes_of(tensor) for tensor in tensors(model))


def _in_floats(model: ModelProto, found: list[Weight]) -> int:
    """How many weights no node reads that ONNX Runtime computes in integers, as `compress.placement` has it; those of recurrent
    nodes become integers alone.
    """
    constant = seen(model.graph)
    integer = {label(node) for node in model.graph.node if is_onnx(node) and _has_kernel(node, constant)}
    return sum(weight.size for weight in found if integer.isdisjoint(weight.nodes) and not weight.recurrent)


def _has_kernel(node: NodeProto, constant: dict[str, ConstantView]) -> bool:
    """Whether ONNX Runtime has integers for a Conv, Gemm or MatMul in this form."""
    if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[0] in constant or node.input[1] not in constant:
        return False
    if node.op_type != "Gemm":
        return True
    bias = constant.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    row = bias is not None and (len(bias.shape) < 2 or bias.shape[0] == 1)
    return not attribute_int(node, "transA", 0) and (row or len(node.input) < 3 or not node.input[2])


def _in_bodies(model: ModelProto, found: list[Weight]) -> int:
    """How many weights are read in bodies only."""
    outside = {label(node) for node in model.graph.node}
    return sum(weight.size for weight in found if outside.isdisjoint(weight.nodes))


def _deep(found: list[Weight]) -> dict[int, int]:
    """Weights by the length of the axis that is summed over, where it is none of the last two."""
    deep: Counter[int] = Counter()
    for weight in found:
        if weight.input_axis is not None and weight.input_axis < len(weight.shape) - 2:
            deep[weight.shape[weight.input_axis]] += weight.size
    return dict(deep)


def _bytes(weight: Weight) -> int:
    """Bytes that a weight takes in the file."""
    return weight.size * BITS[weight.tensor.data_type] // 8


def _histogram(model: ModelProto, found: list[Weight]) -> tuple[tuple[int, ...], float, float]:
    """Counts in equal bins from the smallest weight to the largest, of floats and integers; one tensor in memory at a time."""
    low, high = math.inf, -math.inf
    for array, _ in _arrays(model, found):
        if array.size:
            low, high = min(low, float(array.min())), max(high, float(array.max()))
    if low > high:
        return (), 0.0, 0.0
    counts = np.zeros(BINS, dtype=np.int64)
    for array, times in _arrays(model, found):
        flat = array.reshape(-1)
        for start in range(0, flat.size, _AT_ONCE):  # in 64 bits: 32 cannot part what is very near or very far from each other
            part = flat[start : start + _AT_ONCE].astype(np.float64)
            counts += np.histogram(part, bins=BINS, range=(low, high))[0] * times
    return tuple(int(count) for count in counts), low, high


def _arrays(model: ModelProto, found: list[Weight]) -> Iterator[tuple[NDArray[np.float32], int]]:
    """All weights that are finite, and how often each number stands there."""
    floats = ((array.astype(np.float32, copy=False), times) for array, times in (numbers(weight.tensor) for weight in found))
    for array, times in itertools.chain(floats, ((array, 1) for array in dequantized(model))):
        finite = np.isfinite(array)
        yield (array if finite.all() else array[finite]), times
