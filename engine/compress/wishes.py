"""What the steps leave in a model for `lower`: the values behind `edgetui.int8` and `edgetui.fp16`.

Apart because one module writes them and another, in another process, reads them.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct
from onnx import ModelProto

from ..graph import fused, metadata
from ..graph.opset import following, raise_opset


class Int8(Struct, frozen=True, kw_only=True):
    """A calibration: what to quantize and over which ranges."""

    ranges: dict[str, tuple[float, float]]
    """Tensor name to (lowest, highest) value that shall be kept."""
    scheme: Literal["symmetric", "affine"] = "symmetric"
    per_channel: bool = True
    exclude: tuple[str, ...] = ()
    """Labels (`graph.walk.label`) of nodes that stay in floating point."""
    calibrator: str = ""
    samples: int = 0
    """How many samples the ranges come from."""


class _Fp16(Struct, frozen=True, kw_only=True):
    keep: tuple[str, ...] = ()


def write_int8(model: ModelProto, wish: Int8) -> None:
    """Leave a calibration in the model, in place of an earlier one."""
    metadata.put(model, "int8", msgspec.to_builtins(wish))


def read_int8(model: ModelProto) -> Int8 | None:
    """The calibration in a model; None: there is none.

    Raises:
        ModelRefused: it is damaged.
    """
    return metadata.read(model, "int8", Int8)


def read_fp16(model: ModelProto) -> tuple[str, ...] | None:
    """The nodes that stay in FP32 when the rest is halved; None: nobody asked for half precision.

    Raises:
        ModelRefused: it is damaged.
    """
    found = metadata.read(model, "fp16", _Fp16)
    return None if found is None else found.keep


def raised(model: ModelProto, version: int, purpose: str) -> ModelProto:
    """`graph.opset.raise_opset`, after which the wishes mean the nodes that stand for those they meant before.

    Raises:
        ModelRefused: ONNX's converter cannot bring it there, or a wish is damaged.
    """
    after = raise_opset(model, version, purpose)
    int8, keep = read_int8(model), read_fp16(model)
    if after is not model and int8 is not None:
        exclude = tuple(sorted(following(model, after, int8.exclude)))
        write_int8(after, msgspec.structs.replace(int8, exclude=exclude))
    if after is not model and keep is not None:
        metadata.put(after, "fp16", {"keep": sorted(following(model, after, keep))})
    if after is not model:
        became = {name for origin in fused.origins(model).values() for name in origin.became}
        fused.follow(after, {name: following(model, after, (name,)) for name in became})
    return after
