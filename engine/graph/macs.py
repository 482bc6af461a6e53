"""Multiply-accumulates of one inference, from the shapes of an inferred graph.

Each operator counts in its own way. A product of a Conv, Gemm, MatMul, recurrent or attention operator counts;
element-wise work does not. The larger branch of an If counts; a Loop's or Scan's body counts once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from onnx import GraphProto, NodeProto

from .walk import ONNX_DOMAINS, attribute, attribute_int

Table = Mapping[str, tuple[int, ...]]
Rule = Callable[[NodeProto, Table], int]


def macs(graph: GraphProto, table: Table) -> int | None:
    """Multiply-accumulates of a graph; None when a shape that is needed is not in `table` (tensor name to shape)."""
    total = 0
    for node in graph.node:
        inner = [macs(entry.g, table) for entry in node.attribute if entry.HasField("g")]
        if None in inner:
            return None
        total += max((count for count in inner if count is not None), default=0)
        rule = _RULES.get(("" if node.domain in ONNX_DOMAINS else node.domain, node.op_type))
        if rule is None:
            continue
        try:
            total += rule(node, table)
        except (KeyError, IndexError):
            return None
    return total


def macs_of(node: NodeProto, table: Table) -> int:
    """Multiply-accumulates of one node that has no body; 0 where it has no product, or a shape is not known."""
    rule = _RULES.get(("" if node.domain in ONNX_DOMAINS else node.domain, node.op_type))
    try:
        return 0 if rule is None else rule(node, table)
    except (KeyError, IndexError):
        return 0


def _convolution(weight: int) -> Rule:
    """Each output element is a sum over one filter; `weight` is the input that holds W, [outputs, inputs a group, ...]."""
    return lambda node, table: math.prod(table[node.output[0]]) * math.prod(table[node.input[weight]][1:])


def _transposed(node: NodeProto, table: Table) -> int:
    """Each input element is multiplied with one filter, W [inputs, outputs a group, ...]."""
    return math.prod(table[node.input[0]]) * math.prod(table[node.input[1]][1:])


def _gemm(node: NodeProto, table: Table) -> int:
    inner = table[node.input[0]][0 if attribute_int(node, "transA", 0) else 1]
    return math.prod(table[node.output[0]]) * inner


def _matmul(second: int) -> Rule:
    """Batch axes broadcast; `second` is the input that holds B, [..., inner, columns] or [inner]."""

    def count(node: NodeProto, table: Table) -> int:
        left, right = table[node.input[0]], table[node.input[second]]
        inner = right[-2] if len(right) > 1 else right[-1]
        rows = left[-2] if len(left) > 1 else 1
        columns = right[-1] if len(right) > 1 else 1
        batch = _broadcast(left[:-2], right[:-2])
        return batch * rows * inner * columns

    return count


def _broadcast(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    rank = max(len(left), len(right))
    pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
    return math.prod(max(a, b) for a, b in pairs)


def _fused_matmul(node: NodeProto, table: Table) -> int:
    left, right = list(table[node.input[0]]), list(table[node.input[1]])
    if attribute_int(node, "transA", 0):
        left[-2:] = left[:-3:-1]
    if attribute_int(node, "transB", 0):
        right[-2:] = right[:-3:-1]
    return _broadcast(tuple(left[:-2]), tuple(right[:-2])) * left[-2] * left[-1] * right[-1]


def _matmul_bits(node: NodeProto, table: Table) -> int:
    return math.prod(table[node.input[0]]) * attribute_int(node, "N", 0)


def _recurrent(node: NodeProto, table: Table) -> int:
    """X [sequence, batch, inputs]; W and R [directions, gates x hidden, ...] are used whole at every step."""
    steps, batch = table[node.input[0]][:2]
    return steps * batch * (math.prod(table[node.input[1]]) + math.prod(table[node.input[2]]))


def _attention(node: NodeProto, table: Table) -> int:
    """Scores and their product with V; [batch, heads, length, size], or [batch, length, heads x size]."""
    query, key, value = (table[node.input[index]] for index in range(3))
    heads = attribute_int(node, "kv_num_heads", 0) if len(key) == 3 else key[1]
    query_heads = attribute_int(node, "q_num_heads", 0) if len(query) == 3 else query[1]
    length = key[-2]
    value_size = value[-1] // heads if len(value) == 3 and heads else value[-1]
    return length * (math.prod(query) + query[0] * query_heads * query[-2] * value_size)


def _einsum(node: NodeProto, table: Table) -> int:
    """One product for every combination of labels, as the definition has it; an ellipsis is not followed."""
    equation = attribute(node, "equation")
    terms = equation.s.decode().replace(" ", "").partition("->")[0].split(",") if equation is not None else []
    if len(terms) < 2:
        return 0
    lengths: dict[str, int] = {}
    for term, name in zip(terms, node.input, strict=True):
        if "." in term:
            raise KeyError(name)
        for letter, length in zip(term, table[name], strict=True):
            lengths[letter] = max(length, lengths.get(letter, 1))
    return math.prod(lengths.values()) * (len(terms) - 1)


_CONTRIB = "com.microsoft"
_RULES: dict[tuple[str, str], Rule] = {
    ("", "Conv"): _convolution(1),
    ("", "ConvInteger"): _convolution(1),
    ("", "DeformConv"): _convolution(1),
    ("", "QLinearConv"): _convolution(3),
    ("", "ConvTranspose"): _transposed,
    ("", "Gemm"): _gemm,
    ("", "MatMul"): _matmul(1),
    ("", "MatMulInteger"): _matmul(1),
    ("", "QLinearMatMul"): _matmul(3),
    ("", "LSTM"): _recurrent,
    ("", "GRU"): _recurrent,
    ("", "RNN"): _recurrent,
    ("", "Attention"): _attention,
    ("", "Einsum"): _einsum,
    (_CONTRIB, "FusedConv"): _convolution(1),
    (_CONTRIB, "NhwcFusedConv"): _convolution(1),
    (_CONTRIB, "FusedGemm"): _gemm,
    (_CONTRIB, "FusedMatMul"): _fused_matmul,
    (_CONTRIB, "MatMulIntegerToFloat"): _matmul(1),
    (_CONTRIB, "DynamicQuantizeMatMul"): _matmul(1),
    (_CONTRIB, "MatMulNBits"): _matmul_bits,
}
