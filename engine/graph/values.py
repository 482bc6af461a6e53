"""The values of stored tensors, whether a model has them in memory or refers to bytes of a file.

A loaded model refers to its large weights where they lie: whoever needs the values of one reads that one. A
tensor that refers is one of external data whose location is an absolute path; what a stranger's file may say of locations is
checked in `external.py` before that.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ..errors import ModelRefused, from_os_error

LEAST_FILE_BYTES = 1_000_000
"""Files with fewer bytes of tensors are read whole and written as one file."""
LEAST_BYTES = 1024
"""Tensors with fewer bytes always stay in the graph: shapes and axes must be readable without the data."""
_STAMP = f"edgetui.{secrets.token_hex(8)}"
"""Which state of the file is meant, so that other bytes are never taken for these; a key that no stranger's file can have."""

BITS: dict[int, int] = {
    TensorProto.FLOAT: 32, TensorProto.UINT8: 8, TensorProto.INT8: 8, TensorProto.UINT16: 16, TensorProto.INT16: 16,
    TensorProto.INT32: 32, TensorProto.INT64: 64, TensorProto.BOOL: 8, TensorProto.FLOAT16: 16, TensorProto.DOUBLE: 64,
    TensorProto.UINT32: 32, TensorProto.UINT64: 64, TensorProto.COMPLEX64: 64, TensorProto.COMPLEX128: 128,
    TensorProto.BFLOAT16: 16, TensorProto.FLOAT8E4M3FN: 8, TensorProto.FLOAT8E4M3FNUZ: 8, TensorProto.FLOAT8E5M2: 8,
    TensorProto.FLOAT8E5M2FNUZ: 8, TensorProto.UINT4: 4, TensorProto.INT4: 4, TensorProto.FLOAT4E2M1: 4,
}  # fmt: skip
"""Bits an element takes in `raw_data`."""


class Span(NamedTuple):
    """Where the bytes of a tensor lie."""

    path: Path
    offset: int
    length: int
    stamp: str


def span(tensor: TensorProto) -> Span | None:
    """The bytes that a tensor of a loaded model refers to; None: it has its values itself, or they are not located yet."""
    if tensor.data_location != TensorProto.EXTERNAL:
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if _STAMP not in entries:
        return None
    return Span(Path(entries["location"]), int(entries["offset"]), int(entries["length"]), entries[_STAMP])


def entries(path: Path, offset: int, length: int, state: os.stat_result) -> dict[str, str]:
    """What a tensor's `external_data` say when it refers to these bytes of a file in this state."""
    stamp = f"{state.st_ino}-{state.st_size}-{state.st_mtime_ns}"
    return {"location": str(path.absolute()), "offset": str(offset), "length": str(length), _STAMP: stamp}


def refer(tensor: TensorProto, path: Path, offset: int, length: int) -> None:
    """Let a tensor refer to bytes of a file, in place of whatever values it has."""
    del tensor.external_data[:]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries(path, offset, length, path.stat()).items():
        tensor.external_data.add(key=key, value=value)


def raw_bytes(tensor: TensorProto) -> int:
    """Bytes of a tensor's raw data, wherever they lie; 0 where it has its values in another form."""
    there = span(tensor)
    return len(tensor.raw_data) if there is None else there.length


def array_of(tensor: TensorProto) -> NDArray[np.generic]:
    """The values, in the tensor's shape and type; not to be written to.

    Raises:
        ModelRefused: the file that it refers to has changed.
    """
    there = span(tensor)
    if there is None:
        return numpy_helper.to_array(tensor)
    if BITS[tensor.data_type] < 8:
        return numpy_helper.to_array(filled(tensor))
    found = np.empty(tuple(tensor.dims), helper.tensor_dtype_to_np_dtype(tensor.data_type))
    _read_into(there, found.reshape(-1).view(np.uint8).data)
    found.flags.writeable = False
    return found


def filled(tensor: TensorProto) -> TensorProto:
    """The tensor with its values in memory; itself where it has them.

    Raises:
        ModelRefused: the file that it refers to has changed.
    """
    there = span(tensor)
    if there is None:
        return tensor
    data = bytearray(there.length)
    _read_into(there, memoryview(data))
    full = without_values(tensor)
    full.raw_data = bytes(data)
    return full


def without_values(tensor: TensorProto) -> TensorProto:
    """Name, shape, type and texts of a tensor that refers to a file or has raw data."""
    bare = TensorProto()
    for field, value in tensor.ListFields():
        if field.name in ("raw_data", "external_data", "data_location"):
            continue
        if field.is_repeated:
            getattr(bare, field.name).extend(value)
        else:
            setattr(bare, field.name, value)
    return bare


def stand_ins(model: ModelProto) -> ModelProto:
    """A copy with one byte for the values of each tensor that refers to a file: for what passes them on as they are, and
    serializes the model.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if span(tensor) is not None:
            bare = without_values(tensor)
            bare.raw_data = b"\0"
            tensor.CopyFrom(bare)
    return copy


def opened(there: Span) -> int:
    """A descriptor of the file that holds these bytes, for reading.

    Raises:
        ModelRefused: it has changed, or is gone.
    """
    try:
        descriptor = os.open(there.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise from_os_error(error, path=there.path) from error
    state = os.fstat(descriptor)
    if entries(there.path, 0, 0, state)[_STAMP] != there.stamp:
        os.close(descriptor)
        raise ModelRefused(
            f"{there.path.name} was changed while it was being read", fix="start again when nothing writes to it"
        )
    return descriptor


def _read_into(there: Span, buffer: memoryview) -> None:
    descriptor = opened(there)
    try:
        done = 0
        while done < there.length:
            count = os.preadv(descriptor, [buffer[done:]], there.offset + done)
            if count == 0:
                raise ModelRefused(f"{there.path.name} ends before its weights do", fix="copy or export the model again")
            done += count
    finally:
        os.close(descriptor)
