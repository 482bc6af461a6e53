"""What the steps leave in a model for `lower`: the values behind `edgetui.int8`, `edgetui.dynamic` and `edgetui.fp16`.

One module writes them and another, in another process, reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct
from onnx import ModelProto

from ..graph import fused_names, metadata
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


def write_int8(model: ModelProto, annotation: Int8) -> None:
    """Leave a calibration in the model, in place of an earlier one."""
    metadata.put(model, "int8", msgspec.to_builtins(annotation))


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
    found = metadata.read(model, metadata.HALF, metadata.Halved)
    return None if found is None else found.keep


def write_fp16(model: ModelProto, keep: Iterable[str]) -> None:
    """Ask that all but the nodes `keep` be halved."""
    metadata.put(model, metadata.HALF, msgspec.to_builtins(metadata.Halved(keep=tuple(sorted(keep)))))


class Dynamic(Struct, frozen=True, kw_only=True):
    """Products whose activations get their ranges at run time."""

    exclude: tuple[str, ...] = ()
    """Labels of nodes that stay in floating point."""
    per_channel: bool = True


def read_dynamic(model: ModelProto) -> Dynamic | None:
    """The wish in a model; None: there is none.

    Raises:
        ModelRefused: it is damaged.
    """
    return metadata.read(model, "dynamic", Dynamic)


def write_dynamic(model: ModelProto, wish: Dynamic) -> None:
    """Leave the wish in the model, in place of an earlier one."""
    metadata.put(model, "dynamic", msgspec.to_builtins(wish))


def raised(model: ModelProto, version: int, purpose: str) -> ModelProto:
    """`graph.opset.raise_opset`, after which the annotations mean the nodes that stand for those they meant before.

    Raises:
        ModelRefused: ONNX's converter cannot bring it there, or an annotation is damaged.
    """
    after = raise_opset(model, version, purpose)
    int8, keep, wish = read_int8(model), read_fp16(model), read_dynamic(model)
    if after is not model and int8 is not None:
        exclude = tuple(sorted(following(model, after, int8.exclude)))
        write_int8(after, msgspec.structs.replace(int8, exclude=exclude))
    if after is not model and wish is not None:
        exclude = tuple(sorted(following(model, after, wish.exclude)))
        write_dynamic(after, msgspec.structs.replace(wish, exclude=exclude))
    if after is not model and keep is not None:
        write_fp16(after, following(model, after, keep))
    if after is not model:
        became = {name for origin in fused_names.origins(model).values() for name in origin.became}
        fused_names.follow(after, {name: following(model, after, (name,)) for name in became})
    return after
