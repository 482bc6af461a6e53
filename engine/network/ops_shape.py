"""Operators of ONNX that move, pick and reshape, in PyTorch.

Here a graph written for one sample becomes one for many: wherever a shape names the batch it was exported with,
the batch that is there now is taken instead. Whether that was right is checked by results (the training's
`same_results.py`), not by trust.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from onnx import TensorProto

from ..graph.values import array_of
from .call import Call, Table

if TYPE_CHECKING:
    from torch import Tensor, dtype

_DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.INT16: "int16",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
    TensorProto.BOOL: "bool",
}


def _whole(call: Call, x: Tensor) -> list[int]:
    """The lengths that a shape tensor holds."""
    return [int(one) for one in call.read(x)]


def _for_rows(call: Call, target: list[int], elements: int, lead: int) -> list[int]:
    """A shape written for the declared batch, for the batch there is now."""
    declared, now = call.batch.declared, call.batch.now
    if declared == now or not target:
        return target
    if -1 not in target:
        return [target[0] // declared * now, *target[1:]] if math.prod(target) * now == elements * declared else target
    return [now, *target[1:]] if target[0] == declared and lead % now == 0 else target


def _reshape(call: Call, x: Tensor, shape: Tensor | None = None) -> Tensor:
    wanted = _whole(call, shape) if shape is not None else call.ints("shape")
    if not call.whole("allowzero", 0):
        wanted = [x.shape[place] if length == 0 else length for place, length in enumerate(wanted)]
    return x.reshape(_for_rows(call, wanted, x.numel(), x.shape[0] if x.dim() else 0))


def _flatten(call: Call, x: Tensor) -> Tensor:
    axis = call.whole("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _transpose(call: Call, x: Tensor) -> Tensor:
    return x.permute(call.ints("perm", list(range(x.dim()))[::-1]))


def _squeeze(call: Call, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = call.axes(given)
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(call: Call, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = call.axes(given) or []
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _concat(call: Call, *inputs: Tensor) -> Tensor:
    axis, batch = call.whole("axis", 0), call.batch
    parts = list(inputs)
    if batch.now != batch.declared == 1 and axis % max(parts[0].dim(), 1) != 0 and any(x.shape[0] == batch.now for x in parts):
        parts = [x.expand(batch.now, *x.shape[1:]) for x in parts]  # a constant beside samples, such as a class token
    return call.torch.cat(parts, dim=axis)


def _split(call: Call, x: Tensor, given: Tensor | None = None) -> tuple[Tensor, ...]:
    axis, count = call.whole("axis", 0), len(call.outputs)
    sizes = _whole(call, given) if given is not None else call.ints("split")
    if not sizes:
        each = math.ceil(x.shape[axis] / count)
        sizes = [min(each, x.shape[axis] - each * place) for place in range(count)]
    return tuple(x.split(sizes, dim=axis))


def _slice(call: Call, x: Tensor, *given: Tensor | None) -> Tensor:
    lists = [None if one is None else _whole(call, one) for one in given] if given else [call.ints("starts"), call.ints("ends")]
    starts, ends = lists[0] or [], lists[1] or []
    named = lists[2] if len(lists) > 2 else call.axes(None)
    axes = list(range(len(starts))) if named is None else named
    steps = (lists[3] if len(lists) > 3 else None) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = range(*slice(start, end, step).indices(x.shape[axis]))
        if step == 1:
            x = x.narrow(axis, places.start, len(places)) if len(places) else x.narrow(axis, 0, 0)
        else:
            x = x.index_select(axis, call.torch.tensor(list(places), dtype=call.torch.int64, device=x.device))
    return x


def _gather(call: Call, x: Tensor, indices: Tensor) -> Tensor:
    axis = call.whole("axis", 0) % x.dim()
    places = indices.to(x.device).long()  # stored ones lie on the CPU while a GPU trains
    places = call.torch.where(places < 0, places + x.shape[axis], places)
    picked = x.index_select(axis, places.reshape(-1))
    return picked.reshape([*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]])


def _gather_elements(call: Call, x: Tensor, indices: Tensor) -> Tensor:
    axis = call.whole("axis", 0)
    places = indices.long()
    return x.gather(axis, call.torch.where(places < 0, places + x.shape[axis], places))


def _shape(call: Call, x: Tensor) -> Tensor:
    lengths = list(x.shape)
    return call.torch.tensor(lengths[call.whole("start", 0) : call.whole("end", len(lengths))], dtype=call.torch.int64)


def _size(call: Call, x: Tensor) -> Tensor:
    return call.torch.tensor(x.numel(), dtype=call.torch.int64)


def _constant(call: Call) -> Tensor:
    torch = call.torch
    if call.has("value_int"):
        return torch.tensor(call.whole("value_int", 0), dtype=torch.int64)
    if call.has("value_ints"):
        return torch.tensor(call.ints("value_ints"), dtype=torch.int64)
    if call.has("value_float"):
        return torch.tensor(call.number("value_float", 0.0), dtype=torch.float32)
    if call.has("value_floats"):
        return torch.tensor(call.numbers("value_floats"), dtype=torch.float32)
    raise call.refuse("its value is not a number")


def _dtype(call: Call, kind: int) -> dtype:
    if kind not in _DTYPES:
        raise call.refuse(f"its type is {TensorProto.DataType.Name(kind)}")
    made: dtype = getattr(call.torch, _DTYPES[kind])
    return made


def _cast(call: Call, x: Tensor) -> Tensor:
    return x.to(_dtype(call, call.whole("to", 0)))


def _cast_like(_call: Call, x: Tensor, like: Tensor) -> Tensor:
    return x.to(like.dtype)


def _expand(call: Call, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(call.torch.broadcast_shapes(x.shape, _lead(call, _whole(call, shape), x)))


def _lead(call: Call, wanted: list[int], x: Tensor) -> list[int]:
    batch = call.batch
    same = batch.now != batch.declared and len(wanted) == x.dim() and x.shape[:1] == (batch.now,)
    return [batch.now, *wanted[1:]] if same and wanted[0] == batch.declared else wanted


def _constant_of_shape(call: Call, shape: Tensor) -> Tensor:
    stored = call.tensor("value")
    if stored is None:
        return call.torch.zeros(_whole(call, shape))
    array = array_of(stored)
    return call.torch.full(_whole(call, shape), array.reshape(-1)[0].item(), dtype=_dtype(call, stored.data_type))


def _range(call: Call, start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    first, last, by = (call.read(one)[0] for one in (start, end, step))
    return call.torch.arange(first, last, by, dtype=start.dtype, device=start.device)


def _where(call: Call, choice: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return call.torch.where(choice, a, b)


def _tile(call: Call, x: Tensor, repeats: Tensor) -> Tensor:
    return x.tile(_whole(call, repeats))


def _trilu(call: Call, x: Tensor, diagonal: Tensor | None = None) -> Tensor:
    k = 0 if diagonal is None else _whole(call, diagonal)[0]
    return call.torch.triu(x, k) if call.whole("upper", 1) else call.torch.tril(x, k)


def _identity(_call: Call, x: Tensor, *_unused: Tensor | None) -> Tensor:
    return x


def _dropout(call: Call, x: Tensor, *_unused: Tensor | None) -> tuple[Tensor, ...]:
    """As at inference: nothing is dropped."""
    return (x, call.torch.ones_like(x, dtype=call.torch.bool))[: len(call.outputs)]


def _depth_to_space(call: Call, x: Tensor) -> Tensor:
    size = call.whole("blocksize", 1)
    n, c, h, w = x.shape
    if call.text("mode", "DCR") == "CRD":
        return call.functional.pixel_shuffle(x, size)
    parts = x.reshape(n, size, size, c // size**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // size**2, h * size, w * size)


def _space_to_depth(call: Call, x: Tensor) -> Tensor:
    size = call.whole("blocksize", 1)
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // size, size, w // size, size).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * size**2, h // size, w // size)


def _pad(call: Call, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, given: Tensor | None = None) -> Tensor:
    amounts = _whole(call, pads) if pads is not None else call.ints("pads")
    axes = [axis % x.dim() for axis in _whole(call, given)] if given is not None else list(range(x.dim()))
    behind = amounts[len(axes) :]
    mode = call.text("mode", "constant")
    if mode == "constant":
        fill = float(call.read(value)[0]) if value is not None else call.number("value", 0.0)
        pairs = dict(zip(axes, zip(amounts, behind, strict=False), strict=True))
        flat = [amount for axis in reversed(range(x.dim())) for amount in pairs.get(axis, (0, 0))]
        return call.functional.pad(x, flat, value=fill)
    for axis, first, last in zip(axes, amounts, behind, strict=False):
        x = _extended(call, x, axis, first, last, mode) if first or last else x
    return x


def _extended(call: Call, x: Tensor, axis: int, first: int, last: int, mode: str) -> Tensor:
    """Padding with what is in the tensor: its edge, its mirror, or its other end."""
    length = x.shape[axis]
    places = call.torch.arange(-first, length + last, device=x.device)
    if mode == "edge":
        places = places.clamp(0, length - 1)
    elif mode == "reflect":
        period = max(2 * (length - 1), 1)
        places = places.remainder(period)
        places = call.torch.minimum(places, period - places)
    else:
        places = places.remainder(length)
    return x.index_select(axis, places)


TABLE: Table = {
    "Cast": _cast,
    "CastLike": _cast_like,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Identity": _identity,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
