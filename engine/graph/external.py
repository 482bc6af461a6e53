"""External data: tensors that an ONNX file keeps in files beside it.

Apart because a model is a stranger's file: a location in it may name any path, and must never make us read outside its folder.
"""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from onnx import GraphProto, ModelProto, TensorProto

from ..errors import ModelRefused
from .walk import tensors

LARGEST_FILE = 1_500_000_000
"""Bytes of tensors above which they go beside the file; protobuf cannot hold 2 GiB."""
LARGEST_IN_MEMORY = 1_800_000_000
"""Bytes of tensors above which what serializes the whole model (checker, optimizer, sessions from bytes) cannot be used."""
ALIGNMENT = 4096
"""Where each tensor begins in the file beside: a page, so that runtimes may map it."""
SMALLEST = 1024
"""Tensors smaller than this stay in the file: shapes and axes must be readable without the data."""

BITS: dict[int, int] = {
    TensorProto.FLOAT: 32, TensorProto.UINT8: 8, TensorProto.INT8: 8, TensorProto.UINT16: 16, TensorProto.INT16: 16,
    TensorProto.INT32: 32, TensorProto.INT64: 64, TensorProto.BOOL: 8, TensorProto.FLOAT16: 16, TensorProto.DOUBLE: 64,
    TensorProto.UINT32: 32, TensorProto.UINT64: 64, TensorProto.COMPLEX64: 64, TensorProto.COMPLEX128: 128,
    TensorProto.BFLOAT16: 16, TensorProto.FLOAT8E4M3FN: 8, TensorProto.FLOAT8E4M3FNUZ: 8, TensorProto.FLOAT8E5M2: 8,
    TensorProto.FLOAT8E5M2FNUZ: 8, TensorProto.UINT4: 4, TensorProto.INT4: 4, TensorProto.FLOAT4E2M1: 4,
}  # fmt: skip
"""Bits an element takes in `raw_data`."""


def bring_in(model: ModelProto, folder: Path) -> None:
    """Read every external tensor into the model.

    Raises:
        ModelRefused: a file is missing or outside `folder`, or a tensor's span does not fit.
    """
    for tensor in tensors(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        path, offset, length = _span(tensor, folder)
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


def files(model: ModelProto, folder: Path) -> list[Path]:
    """The files that hold the model's external tensors, in the order of their names.

    Raises:
        ModelRefused: one is missing or outside `folder`.
    """
    return sorted({_span(tensor, folder)[0] for tensor in tensors(model) if tensor.data_location == TensorProto.EXTERNAL})


def _span(tensor: TensorProto, folder: Path) -> tuple[Path, int, int]:
    """File, offset and length in bytes of an external tensor, all checked."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _inside(tensor.name, entries.get("location", ""), folder)
    size = path.stat().st_size
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or size - offset)
    except ValueError as error:
        raise _broken(tensor.name, "its offset or length is no number") from error
    bits = BITS.get(tensor.data_type)
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
    return sum(len(tensor.raw_data) for tensor in tensors(model))


def write(model: ModelProto, path: Path, largest: int = LARGEST_FILE) -> None:
    """Write the model; tensors go to `<name>.data` beside it when together they pass `largest` bytes.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    data = path.with_name(path.name + ".data")
    if size_of(model) <= largest:
        data.unlink(missing_ok=True)
        _write_bytes(path, model.SerializeToString())
        return
    light = skeleton(model, SMALLEST)
    with data.open("wb") as stream:
        for full, empty in zip(tensors(model), tensors(light), strict=True):
            if not full.HasField("raw_data") or empty.HasField("raw_data"):
                continue
            stream.write(b"\0" * (-stream.tell() % ALIGNMENT))
            empty.data_location = TensorProto.EXTERNAL
            span = {"location": data.name, "offset": stream.tell(), "length": len(full.raw_data)}
            for key, value in span.items():
                empty.external_data.add(key=key, value=str(value))
            stream.write(full.raw_data)
        stream.flush()
        os.fsync(stream.fileno())
    _write_bytes(path, light.SerializeToString())


def _write_bytes(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def skeleton(model: ModelProto, smallest: int = SMALLEST) -> ModelProto:
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
    if len(tensor.raw_data) < smallest:
        light.CopyFrom(tensor)
        return
    light.name = tensor.name
    light.data_type = tensor.data_type
    light.dims.extend(tensor.dims)
