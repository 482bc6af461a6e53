"""External data: tensors that an ONNX file keeps in files beside it.

A model is a stranger's file: a location in it may name any path, and must never make us read outside its folder.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath, PureWindowsPath

from onnx import GraphProto, ModelProto, TensorProto, helper

from ..errors import ModelRefused
from . import values
from .walk import tensors

LARGEST_IN_MEMORY = 1_800_000_000
"""Bytes of tensors above which what serializes the whole model (checker, optimizer, sessions from bytes) cannot be used."""


def locate(model: ModelProto, folder: Path) -> None:
    """Check where every external tensor lies; large ones refer to the place, small ones are read into the model.

    Raises:
        ModelRefused: a file is missing or outside `folder`, or a tensor's span does not fit.
    """
    outside = [tensor for tensor in tensors(model) if _is_outside(tensor)]
    spans = [_span(tensor, folder) for tensor in outside]
    few = sum(length for _, _, length in spans) <= values.LEAST_FILE_BYTES
    own = {id(tensor) for tensor in model.graph.initializer}
    for tensor, (path, offset, length) in zip(outside, spans, strict=True):
        if not few and length >= values.LEAST_BYTES and id(tensor) in own:
            values.refer(tensor, path, offset, length)
            continue
        try:
            with path.open("rb") as stream:
                stream.seek(offset)
                tensor.raw_data = stream.read(length)
        except OSError as error:
            raise ModelRefused(
                f"cannot read {path.name}, the external data of tensor {tensor.name} ({error.strerror})",
                fix="check its owner and mode",
            ) from error
        del tensor.external_data[:]
        tensor.ClearField("data_location")


def _is_outside(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL and values.span(tensor) is None


def files(model: ModelProto, folder: Path) -> list[Path]:
    """The files that hold the model's external tensors, in the order of their names.

    Raises:
        ModelRefused: one is missing or outside `folder`.
    """
    return sorted({_span(tensor, folder)[0] for tensor in tensors(model) if _is_outside(tensor)})


def _span(tensor: TensorProto, folder: Path) -> tuple[Path, int, int]:
    """File, offset and length in bytes of an external tensor, all checked."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _inside(tensor.name, entries.get("location", ""), folder)
    size = path.stat().st_size
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or size - offset)
    except ValueError as error:
        raise _broken(tensor.name, "its offset or length is not a number") from error
    bits = values.BITS.get(tensor.data_type)
    needed = None if bits is None else (math.prod(tensor.dims) * bits + 7) // 8
    if offset < 0 or length < 0 or offset + length > size:
        raise _broken(tensor.name, f"bytes {offset} to {offset + length} lie past the end of {path.name} ({size} bytes)")
    if needed is None:
        raise _broken(tensor.name, f"nobody knows its type ({tensor.data_type})")
    if length != needed:
        raise _broken(tensor.name, f"it has {length} bytes in {path.name}, its shape needs {needed}")
    return path, offset, length


def _inside(name: str, location: str, folder: Path) -> Path:
    """The file a location names, if it lies in the model's folder."""
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    if not location or "\0" in location:
        raise _broken(name, "it says no file")
    root = folder.resolve()
    path = (folder / posix).resolve()
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts or not path.is_relative_to(root):
        raise ModelRefused(
            f"external data of tensor {name} lie outside the model's folder ({location})",
            fix="put the data file itself beside the model, and export with a plain file name",
        )
    if not path.is_file():
        raise ModelRefused(
            f"external data of tensor {name} are missing: {location}", fix=f"copy {location} into the folder of the model"
        )
    return path


def _broken(name: str, why: str) -> ModelRefused:
    return ModelRefused(f"external data of tensor {name} are broken: {why}", fix="copy or export the model again")


def size_of(model: ModelProto) -> int:
    """Bytes of all tensors kept as raw data; other forms cannot pass protobuf's limit."""
    return sum(map(values.raw_bytes, tensors(model)))


def skeleton(model: ModelProto, smallest: int = values.LEAST_BYTES) -> ModelProto:
    """A copy of the model whose main graph's initializers of `smallest` bytes and more have shape and type but no data.

    Shape inference needs no weights; copying and serializing them would double a large model's memory.
    """
    light = ModelProto()
    for field, value in model.ListFields():
        if field.name == "graph":
            _copy_graph(value, light.graph, smallest)
        elif field.is_repeated:
            getattr(light, field.name).MergeFrom(value)
        else:
            setattr(light, field.name, value)
    return light


def _copy_graph(graph: GraphProto, light: GraphProto, smallest: int) -> None:
    light.SetInParent()
    for field, value in graph.ListFields():
        if field.name == "initializer":
            for tensor in value:
                _copy_tensor(tensor, light.initializer.add(), smallest)
        elif field.is_repeated:
            getattr(light, field.name).MergeFrom(value)
        else:
            setattr(light, field.name, value)


def _copy_tensor(tensor: TensorProto, light: TensorProto, smallest: int) -> None:
    if values.raw_bytes(tensor) < smallest:
        light.CopyFrom(tensor)
        return
    light.name = tensor.name
    light.data_type = tensor.data_type
    light.dims.extend(tensor.dims)


def checkable(model: ModelProto) -> ModelProto:
    """For ONNX's checker, which serializes the model and counts the bytes of tensors: a copy of a large model, or of one
    that refers to a file, in which inputs stand for its large tensors; another model itself.
    """
    referring = any(values.span(tensor) is not None for tensor in model.graph.initializer)
    if not referring and size_of(model) <= values.LEAST_FILE_BYTES:
        return model
    light = skeleton(model)
    given = {value.name for value in light.graph.input}
    kept = []
    for full, bare in zip(model.graph.initializer, light.graph.initializer, strict=True):
        if values.raw_bytes(full) < values.LEAST_BYTES:
            kept.append(bare)
        elif bare.name not in given:
            light.graph.input.append(helper.make_tensor_value_info(bare.name, bare.data_type, bare.dims))
    del light.graph.initializer[:]
    light.graph.initializer.extend(kept)
    return light
