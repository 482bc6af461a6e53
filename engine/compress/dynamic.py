"""`quantize.dynamic`: integer products whose activations get their ranges when the plan runs: no calibration.

Two halves: the step leaves the wish in the model, and `insert`, called by `lower`, writes the operators that ONNX Runtime has
for it (DynamicQuantizeLinear, MatMulInteger, ConvInteger; as onnxruntime.quantization.quantize_dynamic does).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..errors import ModelRefused
from ..graph.constant_views import ConstantView, seen
from ..graph.constants import drop_unread
from ..graph.load import load, save_apart
from ..graph.names import Names
from ..graph.select import select
from ..graph.walk import attribute, attribute_int, is_onnx, label
from ..graph.weights import weights
from ..schema.steps import QuantizeDynamic
from ..system.reporter import Reporter
from . import grid
from .annotations import Dynamic, write_dynamic
from .magnitude import tell_computed

_MIDDLE = 128
"""Of unsigned weights."""


def dynamic(step: QuantizeDynamic, source: Path, out: Path, say: Reporter) -> str:
    """Leave the wish in the model at `source`, written to `out`; returns how many products it is about.

    Raises:
        ModelRefused: no product of the model has a form for it, or a weight is not finite.
        RecipeRefused: a pattern of `exclude` matches no node.
        StorageRefused: `out` cannot be written.
    """
    model = load(source)
    excluded = select(model, step.exclude, say)
    known = seen(model.graph)
    found = [node for node in model.graph.node if label(node) not in excluded and _fits(node, known)]
    if not found:
        raise ModelRefused(
            "no Conv, Gemm or MatMul of this model has constant weights in 32-bit floats to quantize",
            fix="exclude less, or leave the step out",
        )
    tell_computed(model, excluded, say)
    for weight in weights(model):
        if excluded.issuperset(weight.nodes):
            continue
        if not np.isfinite(weight.array().astype(np.float64, copy=False)).all():
            raise ModelRefused(
                f"weight {weight.name} holds values that are infinite or not numbers",
                fix="exclude its node, or export the model again",
            )
    write_dynamic(model, Dynamic(exclude=tuple(sorted(excluded)), per_channel=step.per_channel))
    save_apart(model, out)
    left = f", {len(excluded)} nodes left out" if excluded else ""
    return f"{len(found)} products with ranges at run time{left}"


def insert(model: ModelProto, wish: Dynamic, bits: int) -> int:
    """Rewrite the products in place, weights with `bits` (7 where products of uint8 and int8 saturate); how many there were."""
    known, names, excluded = seen(model.graph), Names(model), set(wish.exclude)
    quantized: dict[str, tuple[str, str, str]] = {}
    fresh: list[NodeProto] = []
    count = 0
    for node in model.graph.node:
        if label(node) in excluded or not _fits(node, known):
            copy = NodeProto()
            copy.CopyFrom(node)
            fresh.append(copy)
            continue
        source = node.input[0]
        if source not in quantized:
            codes, scale, zero = (names.free(f"{source}_{part}") for part in ("codes", "scale", "zero"))
            quantized[source] = codes, scale, zero
            name = names.free(f"{source}_quantize")
            fresh.append(helper.make_node("DynamicQuantizeLinear", [source], [codes, scale, zero], name=name))
        fresh += _product(model, names, node, known, quantized[source], wish, bits)
        count += 1
    del model.graph.node[:]
    model.graph.node.extend(fresh)
    drop_unread(model)
    return count


def _fits(node: NodeProto, known: dict[str, ConstantView]) -> bool:
    """Whether a node multiplies something with a constant in a form that has an integer product."""
    if node.op_type not in ("Conv", "Gemm", "MatMul") or not is_onnx(node) or node.input[0] in known:
        return False
    weight = known.get(node.input[1])
    if weight is None or weight.kind != TensorProto.FLOAT or len(weight.shape) < 2:
        return False
    if node.op_type == "MatMul":
        return len(weight.shape) == 2
    return node.op_type == "Conv" or not attribute_int(node, "transA", 0)


def _product(
    model: ModelProto,
    names: Names,
    node: NodeProto,
    known: dict[str, ConstantView],
    source: tuple[str, str, str],
    wish: Dynamic,
    bits: int,
) -> list[NodeProto]:
    """Codes x integers, as floats, times both scales, plus the bias."""
    convolves, stem = node.op_type == "Conv", label(node)
    array = known[node.input[1]].array().astype(np.float32)
    if node.op_type == "Gemm" and attribute_int(node, "transB", 0):
        array = array.T
    outputs = 0 if convolves else 1
    packed = grid.weight(np.ascontiguousarray(array), outputs if wish.per_channel else None, affine=False, bits=bits)
    alpha, beta = (1.0 if (entry := attribute(node, name)) is None else entry.f for name in ("alpha", "beta"))
    scale = (packed.scale * np.float32(alpha)).astype(np.float32)
    if convolves and wish.per_channel:
        scale = scale.reshape(-1, *[1] * (array.ndim - 2))
    held = [names.free(f"{stem}_{part}") for part in ("weight_codes", "weight_scale")]
    values, middle = packed.values, []
    if convolves:  # ONNX Runtime before 1.24 has no kernel for signed weights
        values = (values.astype(np.int16) + _MIDDLE).astype(np.uint8)
        middle = [names.free(f"{stem}_middle")]
        model.graph.initializer.append(numpy_helper.from_array(np.uint8(_MIDDLE), middle[0]))
    model.graph.initializer.extend(
        numpy_helper.from_array(held_values, name) for held_values, name in zip((values, scale), held, strict=True)
    )
    codes, scales, zero = source
    sums, floats, factor = (names.free(f"{stem}_{part}") for part in ("sums", "floats", "factor"))
    integer = helper.make_node(
        "ConvInteger" if convolves else "MatMulInteger",
        [codes, held[0], zero, *middle],
        [sums],
        name=names.free(f"{stem}_integer"),
    )
    if convolves:
        integer.attribute.extend(node.attribute)
    biased = len(node.input) > 2 and bool(node.input[2])
    result = names.free(f"{stem}_scaled") if biased else node.output[0]
    made = [
        integer,
        helper.make_node("Cast", [sums], [floats], name=names.free(f"{stem}_cast"), to=TensorProto.FLOAT),
        helper.make_node("Mul", [scales, held[1]], [factor], name=names.free(f"{stem}_scales")),
        helper.make_node("Mul", [floats, factor], [result], name=node.name if not biased else names.free(f"{stem}_scale")),
    ]
    if not biased:
        return made
    bias = node.input[2]
    if convolves:
        shape = names.free(f"{stem}_bias_shape")
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1, *[1] * (array.ndim - 2)]), shape))
        made.append(
            helper.make_node("Reshape", [bias, shape], [names.free(f"{stem}_bias")], name=names.free(f"{stem}_reshape"))
        )
        bias = made[-1].output[0]
    elif beta != 1:
        factor = names.free(f"{stem}_beta")
        model.graph.initializer.append(numpy_helper.from_array(np.float32(beta), factor))
        made.append(
            helper.make_node("Mul", [bias, factor], [names.free(f"{stem}_bias")], name=names.free(f"{stem}_times_beta"))
        )
        bias = made[-1].output[0]
    made.append(helper.make_node("Add", [result, bias], [node.output[0]], name=node.name or names.free(f"{stem}_add")))
    return made
