"""Resize and Upsample in PyTorch, along one axis after another, by the formulas of the ONNX standard.

PyTorch's own interpolation knows few of the ways in which ONNX maps a place to where it came from.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .call import Call, Table

if TYPE_CHECKING:
    from torch import Tensor


def _resize(call: Call, x: Tensor, *given: Tensor | None) -> Tensor:
    """From opset 11 on the inputs are roi, scales, sizes; in 10 and in Upsample scales alone."""
    later = call.opset >= 11 and call.kind == "Resize"
    scales_in = (given[1] if len(given) > 1 else None) if later else (given[0] if given else None)
    sizes_in = given[2] if later and len(given) > 2 else None
    axes = call.ints("axes", list(range(x.dim())))
    mode = call.text("mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise call.refuse(f"its mode is {mode}")
    if call.whole("antialias", 0) or call.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise call.refuse("it smooths (antialias), or keeps the aspect ratio")
    sizes = call.read(sizes_in) if sizes_in is not None else []
    if sizes:
        plan = [(int(size), int(size) / x.shape[axis]) for axis, size in zip(axes, sizes, strict=True)]
    else:
        scales = call.read(scales_in) if scales_in is not None else call.numbers("scales")
        plan = [(math.floor(x.shape[axis] * scale), scale) for axis, scale in zip(axes, scales, strict=True)]
    for axis, (size, scale) in zip(axes, plan, strict=True):
        samples = axis == 0 and (size == call.batch.declared or scale == 1)
        if not samples and (size != x.shape[axis] or scale != 1):
            x = _along(call, x, axis % x.dim(), size, scale, mode)
    return x


def _along(call: Call, x: Tensor, axis: int, size: int, scale: float, mode: str) -> Tensor:
    torch, length = call.torch, x.shape[axis]
    came_from = _origin(call, x, size, length, scale)
    if mode == "nearest":
        return x.index_select(axis, _rounded(call, came_from).long().clamp(0, length - 1))
    came_from = came_from.clamp(0, length - 1)
    below = came_from.floor()
    share = (came_from - below).to(x.dtype).reshape([-1 if place == axis else 1 for place in range(x.dim())])
    first = x.index_select(axis, below.long())
    return first + (x.index_select(axis, torch.ceil(came_from).long()) - first) * share


def _origin(call: Call, x: Tensor, size: int, length: int, scale: float) -> Tensor:
    """Where each place of the result lies in the source, in float32 as ONNX Runtime has it, shape (size,)."""
    torch = call.torch
    places = torch.arange(size, dtype=torch.float32, device=x.device)
    mode = call.text("coordinate_transformation_mode", "half_pixel" if call.opset >= 11 else "asymmetric")
    mode = "asymmetric" if call.kind == "Upsample" else mode
    if mode == "asymmetric":
        return places / scale
    if mode == "align_corners":
        return places * ((length - 1) / (size - 1)) if size > 1 else places * 0
    if mode == "pytorch_half_pixel" and size == 1:
        return places * 0
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (places + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        adjustment = size / (scale * length)
        return length / 2 * (1 - adjustment) + (places + 0.5) / scale - 0.5
    raise call.refuse(f"its coordinates are {mode}")


def _rounded(call: Call, places: Tensor) -> Tensor:
    # Up to opset 10 there was no rule but "floor".
    rule = call.text("nearest_mode", "round_prefer_floor" if call.opset >= 11 else "floor")
    if call.kind == "Upsample" or rule == "floor":
        return places.floor()
    if rule == "ceil":
        return places.ceil()
    if rule == "round_prefer_ceil":
        return (places + 0.5).floor()
    return (places - 0.5).ceil()


TABLE: Table = {"Resize": _resize, "Upsample": _resize}
