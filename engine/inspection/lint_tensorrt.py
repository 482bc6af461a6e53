"""What TensorRT's ONNX parser refuses, checked without TensorRT.

These are another project's rules: its operator table (onnx-tensorrt, docs/operators.md) and the answers of its
parser to Q/DQ graphs (zero points other than 0, unsigned and 32-bit integers are refused).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, inliner

from ..errors import ELSEWHERE, WITHOUT, Fix, Refusal
from ..graph.external import skeleton
from ..graph.plugins import may_be_plugin, of_onnx
from ..graph.values import array_of
from ..graph.walk import attribute_int, constants, graphs, label, nodes, opset, real_inputs
from . import lint_tensorrt_flow, lint_tensorrt_nodes

_FLOATING = (Fix("give the FP32 export: `quantize.int8` writes pairs that TensorRT reads"),)
_REFUSED: dict[str, tuple[Fix, ...]] = {
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"), _FLOATING),
    **dict.fromkeys(
        (
            "AffineGrid", "Bernoulli", "BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor",
            "CausalConvWithState", "CenterCropPad", "Col2Im", "Compress", "ConcatFromSequence", "CumProd", "DFT", "Det",
            "ImageDecoder", "LinearAttention", "MaxRoiPool", "MaxUnpool", "MelWeightMatrix", "Multinomial",
            "NegativeLogLikelihoodLoss", "Optional", "OptionalGetElement", "OptionalHasElement", "RegexFullMatch",
            "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength",
            "SequenceMap", "SoftmaxCrossEntropyLoss", "SplitToSequence", "StringConcat", "StringNormalizer", "StringSplit",
            "SwiGLU", "TfIdfVectorizer", "Unique",
        ),
        WITHOUT,
    ),
}  # fmt: skip
# 64-bit floats are none of them: every version casts them down to 32 bits (docs/operators.md).
_ODD_TYPES: dict[int, str] = {
    TensorProto.STRING: "strings",
    TensorProto.UINT16: "16-bit integers",
    TensorProto.INT16: "16-bit integers",
    TensorProto.UINT32: "unsigned integers",
    TensorProto.UINT64: "unsigned integers",
    **{
        getattr(TensorProto, name): "8-bit floats other than E4M3"
        for name in ("FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0")
        if hasattr(TensorProto, name)  # each came with a version of onnx
    },
    **{getattr(TensorProto, name): "integers of 2 bits" for name in ("INT2", "UINT2") if hasattr(TensorProto, name)},
    TensorProto.COMPLEX64: "complex numbers",
    TensorProto.COMPLEX128: "complex numbers",
}


def refusals(model: ModelProto, *, flags: bool = False, rtx: bool = False) -> list[Refusal]:
    """Each thing the parser would refuse. `flags`: a TensorRT before strong typing, 8.5 or 8.6; `rtx`:
    TensorRT-RTX.
    """
    if model.functions:
        model = inliner.inline_local_functions(skeleton(model))
    held, names = constants(model), set(real_inputs(model.graph))
    given = {value.name: _elements(value) for value in model.graph.input if value.name in names}
    values = lint_tensorrt_nodes.carried(nodes(model), given)
    found = [*_type_refusals(model, held), *lint_tensorrt_flow.refusals(model, held)]
    for node in lint_tensorrt_flow.live(model.graph, held):
        if not of_onnx(node):
            found.extend(_plugin_refusals(node, rtx=rtx))
        elif node.op_type in _REFUSED:
            found.append(Refusal.of(f"TensorRT has no {node.op_type}", *_REFUSED[node.op_type]).at(label(node)))
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            found.extend(_pair_refusals(node, held))
        elif node.op_type == "Cast" and attribute_int(node, "to", 0) in _ODD_TYPES:
            kind = _ODD_TYPES[attribute_int(node, "to", 0)]
            found.append(Refusal.of(f"TensorRT has no {kind} to cast to", *WITHOUT).at(label(node)))
        elif node.op_type == "Constant" and any(entry.name.startswith("value_string") for entry in node.attribute):
            found.append(Refusal.of("it holds strings, which TensorRT does not read", *WITHOUT).at(label(node)))
        elif node.op_type == "Dropout" and len(node.input) > 2 and _true(held.get(node.input[2])):
            found.append(Refusal.of("it was exported in training mode", "call model.eval() before the export").at(label(node)))
        else:
            if not (rtx and node.op_type == "Loop"):  # it takes trip counts that are given
                found.extend(why.at(label(node)) for why in lint_tensorrt_nodes.refusals(node, given, values))
            if rtx:
                found.extend(why.at(label(node)) for why in lint_tensorrt_nodes.refusals_of_rtx(node))
            if flags:
                found.extend(why.at(label(node)) for why in lint_tensorrt_nodes.refusals_before_nine(node))
    if has_half(model) and any(node.op_type == "QuantizeLinear" for node in nodes(model)) and opset(model) < 19:
        found.append(
            Refusal.of(
                f"half floats beside QuantizeLinear need opset 19, the model has {opset(model)}", "convert the opset up first"
            )
        )
    return found


def _true(tensor: TensorProto | None) -> bool:
    return tensor is not None and bool(np.any(array_of(tensor)))


def _plugin_refusals(node: NodeProto, *, rtx: bool) -> Iterator[Refusal]:
    """What is no operator of ONNX: TensorRT looks for a plugin of that name, whatever its domain; TensorRT-RTX has none."""
    where = f"operator {node.op_type}" + (f" of domain {node.domain}" if node.domain else "")
    if rtx:
        yield Refusal.of(f"{where} is none of TensorRT-RTX, which has no plugins", *WITHOUT).at(label(node))
    elif not may_be_plugin(node):
        yield Refusal.of(f"{where} is not TensorRT's", *WITHOUT, "in domain TRT if it is a plugin of yours").at(label(node))


def _type_refusals(model: ModelProto, held: dict[str, TensorProto]) -> Iterator[Refusal]:
    names = set(real_inputs(model.graph))
    values = [("input", value) for value in model.graph.input if value.name in names]
    values += [("output", value) for value in model.graph.output]
    for role, value in values:
        kind = _ODD_TYPES.get(_elements(value))
        if value.type.WhichOneof("value") != "tensor_type":
            yield Refusal.of(f"{role} {value.name} is not a tensor, and TensorRT has only tensors", *WITHOUT)
        elif kind:
            yield Refusal.of(f"{role} {value.name} holds {kind}, which TensorRT does not read", "export it in 32 bits")
    for tensor in held.values():
        if tensor.data_type == TensorProto.STRING:
            yield Refusal.of(f"tensor {tensor.name} holds strings, which TensorRT does not read", *WITHOUT)


def _elements(value: ValueInfoProto) -> int:
    return int(value.type.tensor_type.elem_type)


def _pair_refusals(node: NodeProto, held: dict[str, TensorProto]) -> Iterator[Refusal]:
    """Zero points must be 0, integers signed and of 8 or 4 bits."""
    fix = (*_FLOATING, ELSEWHERE)
    stored = held.get(node.input[0])
    point = held.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    kind = point.data_type if point is not None else None
    if node.op_type == "DequantizeLinear" and stored is not None:
        kind = stored.data_type
    if kind is None and node.op_type == "QuantizeLinear":
        kind = attribute_int(node, "output_dtype", 0) or TensorProto.UINT8
    if kind == TensorProto.INT32:
        yield Refusal.of("dequantizes a 32-bit bias, and TensorRT wants it in floating point", *fix).at(label(node))
    elif kind in (TensorProto.UINT8, TensorProto.UINT4):
        yield Refusal.of("unsigned integers, and TensorRT quantizes to signed ones only", *fix).at(label(node))
    elif kind in (TensorProto.INT16, TensorProto.UINT16):
        yield Refusal.of("16-bit integers, and TensorRT quantizes to 8 and 4 bits only", *fix).at(label(node))
    if stored is not None and attribute_int(node, "block_size", 0):
        rank = len(stored.dims)
        if attribute_int(node, "axis", 1) % rank < rank - 2:
            yield Refusal.of("scales in blocks along an axis before the last two, which TensorRT does not read", *fix).at(
                label(node)
            )
    if len(node.input) > 2 and node.input[2] and point is None:
        yield Refusal.of("its zero point is computed, and TensorRT needs a constant 0", *fix).at(label(node))
    elif point is not None and np.any(array_of(point).astype(np.float32)):
        yield Refusal.of("its zero point is not 0, and TensorRT reads symmetric quantization only", *fix).at(label(node))


def has_half(model: ModelProto) -> bool:
    """Whether half floats are stored or made anywhere in the model."""
    return any(tensor.data_type == TensorProto.FLOAT16 for graph in graphs(model.graph) for tensor in graph.initializer) or any(
        node.op_type == "Cast" and attribute_int(node, "to", 0) == TensorProto.FLOAT16 for node in nodes(model)
    )
