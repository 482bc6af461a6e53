"""Operators of ONNX that work element by element or sum over axes, in PyTorch.

Apart from layers and shapes because nearly all are one line: the standard's names beside PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from types import ModuleType
from typing import TYPE_CHECKING

from .call import Call, Operator, Table

if TYPE_CHECKING:
    from torch import Tensor


def _one(name: str) -> Operator:
    """An operator of one input that PyTorch has under `name`."""

    def run(call: Call, x: Tensor) -> Tensor:
        made: Tensor = getattr(call.torch, name)(x)
        return made

    return run


def _fold(name: str) -> Operator:
    """An operator of any number of inputs, taken two at a time."""

    def run(call: Call, *inputs: Tensor) -> Tensor:
        return reduce(getattr(call.torch, name), inputs)

    return run


def _div(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else call.torch.div(a, b, rounding_mode="trunc")


def _mod(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return call.torch.fmod(a, b) if call.whole("fmod", 0) else call.torch.remainder(a, b)


def _bit_shift(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return a >> b if call.text("direction", "LEFT") == "RIGHT" else a << b


def _mean(call: Call, *inputs: Tensor) -> Tensor:
    return reduce(call.torch.add, inputs) / len(inputs)


def _leaky(call: Call, x: Tensor) -> Tensor:
    return call.functional.leaky_relu(x, call.number("alpha", 0.01))


def _prelu(call: Call, x: Tensor, slope: Tensor) -> Tensor:
    return call.torch.where(x < 0, slope * x, x)


def _elu(call: Call, x: Tensor) -> Tensor:
    return call.functional.elu(x, call.number("alpha", 1.0))


def _celu(call: Call, x: Tensor) -> Tensor:
    return call.functional.celu(x, call.number("alpha", 1.0))


def _selu(call: Call, x: Tensor) -> Tensor:
    alpha, gamma = call.number("alpha", 1.67326319217681884765625), call.number("gamma", 1.05070102214813232421875)
    return gamma * call.functional.elu(x, alpha)


def _softplus(call: Call, x: Tensor) -> Tensor:
    return call.functional.softplus(x)


def _softsign(call: Call, x: Tensor) -> Tensor:
    return call.functional.softsign(x)


def _hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    return (call.number("alpha", 0.2) * x + call.number("beta", 0.5)).clamp(0, 1)


def _hard_swish(call: Call, x: Tensor) -> Tensor:
    return call.functional.hardswish(x)


def _mish(call: Call, x: Tensor) -> Tensor:
    return call.functional.mish(x)


def _gelu(call: Call, x: Tensor) -> Tensor:
    return call.functional.gelu(x, approximate=call.text("approximate", "none"))


def _clip(call: Call, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    if call.has("min") or call.has("max"):
        return x.clamp(call.number("min", -math.inf), call.number("max", math.inf))
    if low is None and high is None:
        return x
    return call.torch.clamp(x, low, high)


def _softmax(call: Call, x: Tensor) -> Tensor:
    return _over(call, x, call.torch.softmax)


def log_softmax(call: Call, x: Tensor) -> Tensor:
    """LogSoftmax; also what a Softmax before a class output becomes while training."""
    return _over(call, x, call.torch.log_softmax)


def _over(call: Call, x: Tensor, function: Callable[..., Tensor]) -> Tensor:
    """Before opset 13 all axes from `axis` on are one."""
    if call.opset >= 13:
        return function(x, dim=call.whole("axis", -1))
    axis = call.whole("axis", 1) % max(x.dim(), 1)
    lead = 1
    for length in x.shape[:axis]:
        lead *= length
    return function(x.reshape(lead, -1), dim=1).reshape(x.shape)


def _reducing(name: str) -> Operator:
    """A Reduce operator; its axes are an attribute or, in newer opsets, an input."""

    def run(call: Call, x: Tensor, given: Tensor | None = None) -> Tensor:
        axes = call.axes(given)
        if not axes:
            if call.whole("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.dim()))
        return _REDUCED[name](call.torch, x, axes, bool(call.whole("keepdims", 1)))

    return run


def _product(torch: ModuleType, x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, dim=axis, keepdim=keep)
    return x


_REDUCED: dict[str, Callable[..., Tensor]] = {
    "ReduceMean": lambda torch, x, axes, keep: torch.mean(x, axes, keepdim=keep),
    "ReduceSum": lambda torch, x, axes, keep: torch.sum(x, axes, keepdim=keep),
    "ReduceMax": lambda torch, x, axes, keep: torch.amax(x, axes, keepdim=keep),
    "ReduceMin": lambda torch, x, axes, keep: torch.amin(x, axes, keepdim=keep),
    "ReduceProd": _product,
    "ReduceL1": lambda torch, x, axes, keep: torch.sum(x.abs(), axes, keepdim=keep),
    "ReduceL2": lambda torch, x, axes, keep: torch.sqrt(torch.sum(x * x, axes, keepdim=keep)),
    "ReduceSumSquare": lambda torch, x, axes, keep: torch.sum(x * x, axes, keepdim=keep),
    "ReduceLogSumExp": lambda torch, x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
}


def _arg(name: str) -> Operator:
    def run(call: Call, x: Tensor) -> Tensor:
        if call.whole("select_last_index", 0):
            raise call.refuse("the last index of equal ones is asked for")
        made: Tensor = getattr(call.torch, name)(x, dim=call.whole("axis", 0), keepdim=bool(call.whole("keepdims", 1)))
        return made

    return run


def _einsum(call: Call, *inputs: Tensor) -> Tensor:
    return call.torch.einsum(call.text("equation", ""), *inputs)


_SAME_NAME = {
    "Sqrt": "sqrt",
    "Erf": "erf",
    "Neg": "neg",
    "Exp": "exp",
    "Log": "log",
    "Abs": "abs",
    "Sign": "sign",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Reciprocal": "reciprocal",
    "Sin": "sin",
    "Cos": "cos",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "Not": "logical_not",
}
_TWO_AND_MORE = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Pow": "pow",
    "MatMul": "matmul",
    "Min": "minimum",
    "Max": "maximum",
    "Sum": "add",
    "Equal": "eq",
    "Greater": "gt",
    "GreaterOrEqual": "ge",
    "Less": "lt",
    "LessOrEqual": "le",
    "And": "logical_and",
    "BitwiseAnd": "bitwise_and",
    "Or": "logical_or",
    "Xor": "logical_xor",
}

TABLE: Table = {
    **{name: _one(torch_name) for name, torch_name in _SAME_NAME.items()},
    **{name: _fold(torch_name) for name, torch_name in _TWO_AND_MORE.items()},
    **{name: _reducing(name) for name in _REDUCED},
    "ArgMax": _arg("argmax"),
    "ArgMin": _arg("argmin"),
    "BitShift": _bit_shift,
    "Celu": _celu,
    "Clip": _clip,
    "Div": _div,
    "Einsum": _einsum,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky,
    "LogSoftmax": log_softmax,
    "Mean": _mean,
    "Mish": _mish,
    "Mod": _mod,
    "PRelu": _prelu,
    "Selu": _selu,
    "Softmax": _softmax,
    "Softplus": _softplus,
    "Softsign": _softsign,
}
