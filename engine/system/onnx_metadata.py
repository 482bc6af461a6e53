"""The metadata of an ONNX file, read and added without loading the model.

A plan is loaded in a process whose time and memory are being measured; parsing it a second time with the `onnx`
package would cost more than the load itself, so this walks the outermost protobuf fields and seeks over the rest.
Light: whoever must not import `onnx` may ask here whether a file is a plan.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .protobuf_wire import field_of, header, varint_in

BUILT_WITH, BUILT_FOR = "edgetui.plan.onnxruntime", "edgetui.plan.processor"
"""Metadata of a plan of ONNX Runtime: the version that made it, and the processor it is for."""
_METADATA_FIELD = 14  # ModelProto.metadata_props in onnx.proto
_LARGEST_ENTRY_BYTES = 1 << 20


def read_metadata(path: Path) -> dict[str, str]:
    """`metadata_props` of the file.

    Raises:
        ValueError: the file is no protobuf message, or ends within a field.
        OSError: it cannot be read.
    """
    found: dict[str, str] = {}
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        while file.tell() < end:
            field, _, length = header(file, end)
            if field == _METADATA_FIELD and 0 < length <= _LARGEST_ENTRY_BYTES:
                key, value = _entry(file.read(length))
                found[key] = value
            else:
                file.seek(length, os.SEEK_CUR)
    return found


def is_plan(path: Path) -> bool:
    """Whether this ONNX file is a plan of ONNX Runtime, not a model."""
    try:
        return BUILT_WITH in read_metadata(path)
    except (ValueError, OSError):
        return False


def add_metadata(path: Path, entries: Mapping[str, str]) -> None:
    """Append entries to `metadata_props`: protobuf reads messages written one behind the other as one, repeated fields joined.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("ab") as file:
        for key, value in entries.items():
            entry = field_of(1, key.encode()) + field_of(2, value.encode())
            file.write(field_of(_METADATA_FIELD, entry))
        file.flush()
        os.fsync(file.fileno())


def _entry(data: bytes) -> tuple[str, str]:
    """StringStringEntryProto: key is field 1, value field 2."""
    parts = {1: "", 2: ""}
    at = 0
    while at < len(data):
        tag, at = varint_in(data, at)
        length, at = varint_in(data, at)
        if tag & 7 != 2 or at + length > len(data):
            raise ValueError("no protobuf message")
        parts[tag >> 3] = data[at : at + length].decode("utf-8", "replace")
        at += length
    return parts[1], parts[2]
