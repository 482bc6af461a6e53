"""Which nodes are computed in integers, and which tensors carry a range for it: one answer for each family of targets.

Apart from the insertion because calibration asks the same question first: it observes only what somebody will quantize.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from onnx import NodeProto

from ..graph.walk import attribute_int, is_onnx, label
from .view import View, clip_limits, moves, operator, spatial_mean

JOINS = frozenset(("Add", "Mul", "Concat"))
SINGLES = frozenset(("AveragePool", "GlobalAveragePool", "ReduceMean", "Sigmoid", "LeakyRelu"))
"""With JOINS: what ONNX Runtime's CPU has integer kernels for, beside Conv, Gemm and MatMul."""

Known = Callable[[str], bool]


@dataclass
class Placement:
    """Nodes by the name of their first output."""

    integer: set[str] = field(default_factory=set)
    """Nodes computed in integers."""
    fused: dict[str, NodeProto] = field(default_factory=dict)
    """Node to the Relu or Clip behind it that its output range takes the place of."""
    carried: set[str] = field(default_factory=set)
    """Tensors that exist as integers because an integer node makes them (ONNX Runtime only)."""
    ranged: set[str] = field(default_factory=set)
    """Tensors that need a range."""
    residual: dict[str, str] = field(default_factory=dict)
    """Sum to the operand of it that gets a pair (TensorRT only)."""


def for_onnxruntime(view: View, excluded: set[str], known: Known) -> Placement:
    """Chains of integer nodes, as long as they get: every node in one reads and writes integers.

    Joins and pools follow only where all they read is integer already and an integer node reads what they write; so the
    residual sums of a CNN are integer, and those of a transformer, between float normalisations, stay float.
    """
    floats: set[str] = set()
    while True:
        placement = _chains(view, excluded, known, floats)
        wanted = _wanted(view, placement)
        fresh = {
            key
            for key in placement.integer
            if operator(view.producer[key]) in JOINS | SINGLES | {"Gemm", "MatMul"}
            and key not in floats
            and _result(placement, key) not in wanted
        }
        if not fresh:
            break
        floats |= fresh
    placement.ranged = _ranged(view, placement, floats)
    return placement


def _chains(view: View, excluded: set[str], known: Known, floats: set[str]) -> Placement:
    """One pass in the graph's order. `floats`: joins that stay float, and matrix products whose output does."""
    found = Placement()
    absorbed: set[str] = set()
    for node in view.graph.node:
        if not node.output or not is_onnx(node) or label(node) in excluded:
            continue
        key = node.output[0]
        if key in absorbed:
            continue
        if node.op_type in ("Relu", "Clip") and node.input[0] in found.carried and clip_limits(view, node):
            found.integer.add(key)
            found.carried.add(key)
        elif moves(view, node) and node.input[0] in found.carried:
            found.integer.add(key)
            found.carried.update(filter(None, node.output))
        elif _weighted(view, node, lambda name: name in found.carried or known(name)) or (
            key not in floats and _follows(view, node, found.carried)
        ):
            behind = view.only_user(key)
            folds = key not in floats and behind is not None and _foldable(view, behind, excluded)
            result = behind.output[0] if behind is not None and folds else key
            if key not in floats and known(result):
                found.integer.add(key)
                found.carried.add(result)
                if behind is not None and folds:
                    found.fused[key] = behind
                    absorbed.add(result)
            elif node.op_type in ("Gemm", "MatMul"):
                floats.add(key)
                found.integer.add(key)
    return found


def _weighted(view: View, node: NodeProto, known: Known) -> bool:
    """Conv, Gemm and MatMul that ONNX Runtime has an integer kernel for, their inputs' ranges known."""
    if node.op_type == "MatMul":
        return _product(view, node, known)
    if node.op_type not in ("Conv", "Gemm"):
        return False
    bias = node.input[2] if len(node.input) > 2 else ""
    if not view.is_float(node.input[1]) or view.is_constant(node.input[0]) or (bias and not view.is_float(bias)):
        return False
    if node.op_type == "Gemm" and (attribute_int(node, "transA", 0) or not _row(view, bias)):
        return False
    return known(node.input[0])


def _row(view: View, bias: str) -> bool:
    """True when Gemm adds nothing, or one number for each column and nothing for each row."""
    if not bias:
        return True
    shape = view.shape(bias)
    return len(shape) < 2 or shape[0] == 1


def _product(view: View, node: NodeProto, known: Known) -> bool:
    """MatMul of an activation with a weight, or of two activations of float32."""
    first, second = node.input
    if view.is_constant(first) or not known(first):
        return False
    if view.is_constant(second):
        return view.is_float(second) and len(view.shape(second)) >= 2
    return known(second) and view.holds_floats(first) and view.holds_floats(second)


def _follows(view: View, node: NodeProto, carried: set[str]) -> bool:
    """A join or pool all of whose activations are integer already."""
    if node.op_type in SINGLES:
        if node.op_type == "AveragePool" and attribute_int(node, "ceil_mode", 0):
            return False
        return node.input[0] in carried and (node.op_type != "ReduceMean" or spatial_mean(view, node))
    if operator(node) not in JOINS or (node.op_type != "Concat" and _adds_bias(view, node)):
        return False
    activations = [name for name in node.input if not view.is_constant(name)]
    constants = [name for name in node.input if view.is_constant(name)]
    return bool(activations) and all(name in carried for name in activations) and all(map(view.is_float, constants))


def _adds_bias(view: View, node: NodeProto) -> bool:
    """A constant added to a matrix product: better added in float than rounded twice."""
    first, second = node.input
    for name, other in ((first, second), (second, first)):
        maker = view.producer.get(name)
        if maker is not None and maker.op_type == "MatMul" and view.is_constant(other):
            return True
    return False


def _foldable(view: View, node: NodeProto, excluded: set[str]) -> bool:
    return (
        node.op_type in ("Relu", "Clip")
        and is_onnx(node)
        and label(node) not in excluded
        and clip_limits(view, node) is not None
    )


def _result(placement: Placement, key: str) -> str:
    behind = placement.fused.get(key)
    return key if behind is None else str(behind.output[0])


def _wanted(view: View, placement: Placement) -> set[str]:
    """Tensors that an integer node reads as integers, directly or moved."""
    wanted: set[str] = set()
    for node in reversed(view.graph.node):
        key = node.output[0] if node.output else ""
        if key not in placement.integer:
            continue
        passes_on = node.op_type in ("Relu", "Clip") or moves(view, node)
        if passes_on:
            if any(name in wanted for name in node.output):
                wanted.add(node.input[0])
        else:
            wanted.update(node.input)
    return wanted


def _ranged(view: View, placement: Placement, floats: set[str]) -> set[str]:
    ranged: set[str] = set()
    for node in view.graph.node:
        key = node.output[0] if node.output else ""
        if key not in placement.integer or moves(view, node) or node.op_type in ("Relu", "Clip"):
            continue
        ranged.update(name for name in activations(view, node) if name not in placement.carried)
        if key not in floats:
            ranged.add(_result(placement, key))
    return ranged


def activations(view: View, node: NodeProto) -> list[str]:
    """The inputs of an integer node that are neither constant nor settings."""
    take = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1}.get(node.op_type, 2)
    names = node.input if node.op_type == "Concat" else node.input[: 1 if node.op_type in SINGLES else take]
    return [name for name in names if name and not view.is_constant(name)]


def for_tensorrt(view: View, excluded: set[str], known: Known) -> Placement:
    """Pairs before weighted nodes and on the residual branch of a sum; TensorRT moves and fuses the rest itself.

    As NVIDIA's guide to explicit quantization advises: nothing between a convolution and its ReLU, nothing on the branch
    that comes straight from a convolution (it fuses with the sum), outputs left in float. Ranges are looked up at the root of
    what only moves values, so that one observed tensor serves both families of targets.
    """
    found = Placement()
    for node in view.graph.node:
        if not is_onnx(node) or label(node) in excluded or not node.output:
            continue
        if node.op_type == "MatMul":
            fits = _product(view, node, lambda name: known(root(view, name)))
        elif node.op_type in ("Conv", "ConvTranspose", "Gemm"):
            fits = view.is_float(node.input[1]) and not view.is_constant(node.input[0]) and known(root(view, node.input[0]))
        else:
            continue
        if fits:
            found.integer.add(node.output[0])
            found.ranged.update(activations(view, node))
    for node in view.graph.node:
        if operator(node) == "Add" and is_onnx(node) and label(node) not in excluded:
            other = _residual(view, node, found.integer)
            if other and known(root(view, other)):
                found.residual[node.output[0]] = other
    found.ranged = {root(view, name) for name in (*found.ranged, *found.residual.values())}
    return found


def _residual(view: View, node: NodeProto, integer: set[str]) -> str:
    """The operand of a sum that is not the fresh output of a quantized convolution, where the other one is; or empty."""
    first, second = node.input
    fresh = [name in integer and view.only_user(name) is node for name in (first, second)]
    other = second if fresh[0] else first if fresh[1] else ""
    return "" if not other or view.is_constant(other) else other


def root(view: View, name: str) -> str:
    """The tensor whose values `name` holds, before they were moved about."""
    maker = view.producer.get(name)
    while maker is not None and moves(view, maker):
        name = maker.input[0]
        maker = view.producer.get(name)
    return name
