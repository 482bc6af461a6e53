"""Operators of ONNX with weights or windows: convolutions, pooling, normalisations, Gemm, in PyTorch.

ONNX pads each end of an axis by itself, PyTorch both alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .call import Call, Operator, Table

if TYPE_CHECKING:
    from torch import Tensor


def _pads(call: Call, lengths: list[int], kernel: list[int], strides: list[int], dilations: list[int]) -> list[tuple[int, int]]:
    """Padding before and behind each spatial axis, by `pads` or `auto_pad`."""
    rank, mode = len(kernel), call.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = call.ints("pads", [0] * 2 * rank)
        return list(zip(pads[:rank], pads[rank:], strict=True))
    if mode == "VALID":
        return [(0, 0)] * rank
    found = []
    for length, size, stride, dilation in zip(lengths, kernel, strides, dilations, strict=True):
        total = max((math.ceil(length / stride) - 1) * stride + (size - 1) * dilation + 1 - length, 0)
        less, more = total // 2, total - total // 2
        found.append((less, more) if mode == "SAME_UPPER" else (more, less))
    return found


def _padded(call: Call, x: Tensor, pads: list[tuple[int, int]], value: float = 0.0) -> Tensor:
    """The spatial axes padded; PyTorch wants the last axis first."""
    if not any(any(pair) for pair in pads):
        return x
    flat = [amount for pair in reversed(pads) for amount in pair]
    padded: Tensor = call.functional.pad(x, flat, value=value)
    return padded


def _window(call: Call, rank: int) -> tuple[list[int], list[int]]:
    """Strides and dilations of a window over `rank` axes; 1 along each where they are left out."""
    return call.ints("strides", [1] * rank), call.ints("dilations", [1] * rank)


def _conv(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kernel = list(weight.shape[2:])
    strides, dilations = _window(call, len(kernel))
    pads = _pads(call, list(x.shape[2:]), kernel, strides, dilations)
    inside = [before for before, _ in pads]
    if any(before != behind for before, behind in pads):
        x, inside = _padded(call, x, pads), [0] * len(kernel)
    convolve = getattr(call.functional, f"conv{len(kernel)}d")
    made: Tensor = convolve(x, weight, bias, strides, inside, dilations, call.whole("group", 1))
    return made


def _conv_transpose(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kernel = list(weight.shape[2:])
    rank = len(kernel)
    strides, dilations = _window(call, rank)
    extra = call.ints("output_padding", [0] * rank)
    full = [
        (length - 1) * stride + (size - 1) * dilation + 1 + more
        for length, size, stride, dilation, more in zip(x.shape[2:], kernel, strides, dilations, extra, strict=True)
    ]
    mode = call.text("auto_pad", "NOTSET")
    wanted = call.ints("output_shape")[-rank:] if call.has("output_shape") else None
    if wanted is None and mode.startswith("SAME"):
        wanted = [length * stride for length, stride in zip(x.shape[2:], strides, strict=True)]
    if wanted is not None:
        totals = [max(whole - length, 0) for whole, length in zip(full, wanted, strict=True)]
        upper = mode == "SAME_UPPER"
        cut = [(t // 2, t - t // 2) if upper else (t - t // 2, t // 2) for t in totals]
    else:
        cut = _pads(call, [], kernel, strides, dilations)
    deconvolve = getattr(call.functional, f"conv_transpose{rank}d")
    made: Tensor = deconvolve(x, weight, bias, strides, [0] * rank, extra, call.whole("group", 1), dilations)
    return _padded(call, made, [(-before, -behind) for before, behind in cut])


def _ceiled(call: Call, length: int, pads: tuple[int, int], size: int, stride: int) -> int:
    """What is missing behind the padding for the last window, with `ceil_mode`; a window all in the padding is left out."""
    if not call.whole("ceil_mode", 0):
        return 0
    span = length + sum(pads) - size
    windows = math.ceil(span / stride) + 1
    if (windows - 1) * stride >= length + pads[0]:
        windows -= 1
    return max((windows - 1) * stride - span, 0)


def _max_pool(call: Call, x: Tensor) -> Tensor:
    if len(call.outputs) > 1 and call.outputs[1]:
        raise call.refuse("the places of the maxima are an output")
    kernel = call.ints("kernel_shape")
    strides, dilations = _window(call, len(kernel))
    pads = _pads(call, list(x.shape[2:]), kernel, strides, dilations)
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    pads = _with_ceiling(call, x, pads, reach, strides)
    pool = getattr(call.functional, f"max_pool{len(kernel)}d")
    real = x if x.is_floating_point() else x.float()  # of 8-bit integers PyTorch takes no maximum on every device
    made: Tensor = pool(_padded(call, real, pads, -math.inf), kernel, strides, 0, dilations).to(x.dtype)
    return made


def _with_ceiling(
    call: Call, x: Tensor, pads: list[tuple[int, int]], reach: list[int], strides: list[int]
) -> list[tuple[int, int]]:
    return [
        (pair[0], pair[1] + _ceiled(call, length, pair, size, stride))
        for length, pair, size, stride in zip(x.shape[2:], pads, reach, strides, strict=True)
    ]


def _average_pool(call: Call, x: Tensor) -> Tensor:
    kernel = call.ints("kernel_shape")
    strides, dilations = _window(call, len(kernel))
    if any(dilation != 1 for dilation in dilations):
        raise call.refuse("an average over spread places is asked for")
    pads = _pads(call, list(x.shape[2:]), kernel, strides, dilations)
    pool = getattr(call.functional, f"avg_pool{len(kernel)}d")
    if not any(any(pair) for pair in pads) and not call.whole("ceil_mode", 0):
        plain: Tensor = pool(x, kernel, strides)
        return plain
    ceiled = _with_ceiling(call, x, pads, kernel, strides)
    beyond = [(0, wide[1] - pair[1]) for wide, pair in zip(ceiled, pads, strict=True)]
    inside = call.torch.ones_like(x[:1, :1])
    counted = _padded(call, _padded(call, inside, pads, float(call.whole("count_include_pad", 0))), beyond)
    made: Tensor = pool(_padded(call, x, ceiled), kernel, strides) / pool(counted, kernel, strides)
    return made


def _global(name: str) -> Operator:
    def run(call: Call, x: Tensor) -> Tensor:
        made: Tensor = getattr(call.torch, name)(x, list(range(2, x.dim())), keepdim=True)
        return made

    return run


def _gemm(call: Call, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.t() if call.whole("transA", 0) else a
    b = b.t() if call.whole("transB", 0) else b
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    made = a @ b if alpha == 1 else alpha * (a @ b)
    if c is None:
        return made
    return made + c if beta == 1 else made + beta * c


def _batch_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """With the statistics that the file holds, while training as well: they stay."""
    if call.whole("training_mode", 0) or any(call.outputs[1:]):
        raise call.refuse("it was exported for training, with statistics as outputs")
    made: Tensor = call.functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, call.number("epsilon", 1e-5))
    return made


def _layer_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    if any(call.outputs[1:]):
        raise call.refuse("its mean is an output")
    shape = x.shape[call.whole("axis", -1) % x.dim() :]
    made: Tensor = call.functional.layer_norm(x, shape, None, None, call.number("epsilon", 1e-5)) * scale
    return made if bias is None else made + bias


def _instance_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    made: Tensor = call.functional.instance_norm(x, weight=scale, bias=bias, eps=call.number("epsilon", 1e-5))
    return made


def _local_response(call: Call, x: Tensor) -> Tensor:
    size = call.whole("size", 1)
    if size % 2 == 0:
        raise call.refuse("its window is of even size")
    made: Tensor = call.functional.local_response_norm(
        x, size, call.number("alpha", 1e-4), call.number("beta", 0.75), call.number("bias", 1.0)
    )
    return made


def _lp_norm(call: Call, x: Tensor) -> Tensor:
    axis, p = call.whole("axis", -1), call.whole("p", 2)
    length: Any = call.torch.linalg.vector_norm(x, p, axis, keepdim=True)
    return call.torch.where(length == 0, call.torch.zeros_like(x), x / length)


TABLE: Table = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("amax"),
    "InstanceNormalization": _instance_norm,
    "LRN": _local_response,
    "LayerNormalization": _layer_norm,
    "LpNormalization": _lp_norm,
    "MaxPool": _max_pool,
}
