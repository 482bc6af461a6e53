"""QuantizeLinear and DequantizeLinear in PyTorch: the arithmetic that the standard writes down, in floating point.

Here integers stand for reals: PyTorch's own quantized tensors know other forms and other kernels. Values are the
graph's to the last bit of rounding; nothing gets faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto

from .call import Call, Table

if TYPE_CHECKING:
    from torch import Tensor

RANGES: dict[int, tuple[int, int, str]] = {
    TensorProto.INT8: (-128, 127, "int8"),
    TensorProto.UINT8: (0, 255, "uint8"),
    TensorProto.INT16: (-32768, 32767, "int16"),
    TensorProto.UINT16: (0, 65535, "int32"),
    TensorProto.INT4: (-8, 7, "int8"),
    TensorProto.UINT4: (0, 15, "uint8"),
}
"""Least and largest integer, and the type it is held in."""
_BY_TYPE = {"torch.int8": TensorProto.INT8, "torch.uint8": TensorProto.UINT8, "torch.int16": TensorProto.INT16}


def spread(call: Call, x: Tensor, given: Tensor) -> Tensor:
    """A scale or zero-point over `x`: one for all, one for each place of `axis`, or one for each block along it."""
    if given.dim() == 0 or given.numel() == 1:
        return given.reshape(())
    axis = call.whole("axis", 1) % x.dim()
    if given.dim() == 1:
        return given.reshape([-1 if place == axis else 1 for place in range(x.dim())])
    block = call.whole("block_size", 0) or -(-x.shape[axis] // given.shape[axis])
    return given.repeat_interleave(block, dim=axis).narrow(axis, 0, x.shape[axis])


def _quantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    kind = call.kinds[2] if len(call.kinds) > 2 and call.kinds[2] else call.whole("output_dtype", 0)
    if not kind:
        kind = TensorProto.UINT8 if zero is None else _BY_TYPE.get(str(zero.dtype), 0)
    if kind not in RANGES:
        raise call.refuse(f"it quantizes to {TensorProto.DataType.Name(kind)}")
    low, high, held = RANGES[kind]
    # torch.round goes to the even neighbour, as the standard wants.
    steps = (x.float() / spread(call, x, scale).float()).round()
    if zero is not None:
        steps = steps + spread(call, x, zero)
    made: Tensor = steps.clamp(low, high).to(getattr(call.torch, held))
    return made


def _dequantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    if x.is_floating_point():
        raise call.refuse(f"it reads {x.dtype}")
    whole = x.to(call.torch.int32)
    steps = whole if zero is None else whole - spread(call, x, zero).to(call.torch.int32)
    made: Tensor = (steps.float() * spread(call, x, scale).float()).to(scale.dtype)
    return made


def _dynamic(call: Call, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """DynamicQuantizeLinear: unsigned 8 bits over what is there, zero always among it."""
    low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = (high - low) / 255
    scale = call.torch.where(scale == 0, call.torch.ones_like(scale), scale)
    zero = (-low / scale).round().clamp(0, 255)
    made = ((x / scale).round() + zero).clamp(0, 255)
    return made.to(call.torch.uint8), scale, zero.to(call.torch.uint8)


TABLE: Table = {"DequantizeLinear": _dequantize, "DynamicQuantizeLinear": _dynamic, "QuantizeLinear": _quantize}
