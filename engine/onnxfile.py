"""The metadata of an ONNX file, read and added without loading the model.

A plan is loaded in a process whose time and memory are being measured; parsing it a second time with the `onnx`
package would cost more than the load itself, so this walks the outermost protobuf fields and seeks over the rest.
Light: whoever must not import `onnx` may ask here whether a file is a plan.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

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
            tag = _varint(file)
            field, wire = tag >> 3, tag & 7
            if field == 0:
                raise ValueError("no protobuf message")
            if wire == 2:
                length = _varint(file)
                if file.tell() + length > end:
                    raise ValueError("ends within a field")
                if field == _METADATA_FIELD and length <= _LARGEST_ENTRY_BYTES:
                    key, value = _entry(file.read(length))
                    found[key] = value
                else:
                    file.seek(length, os.SEEK_CUR)
            elif wire == 0:
                _varint(file)
            elif wire in (1, 5):
                file.seek(8 if wire == 1 else 4, os.SEEK_CUR)
            else:
                raise ValueError("no protobuf message")
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
            entry = _field(1, key.encode()) + _field(2, value.encode())
            file.write(_field(_METADATA_FIELD, entry))
        file.flush()
        os.fsync(file.fileno())


def _varint(file: BinaryIO) -> int:
    value = shift = 0
    while shift < 70:
        byte = file.read(1)
        if not byte:
            raise ValueError("ends within a field")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    raise ValueError("no protobuf message")


def _entry(data: bytes) -> tuple[str, str]:
    """StringStringEntryProto: key is field 1, value field 2."""
    parts = {1: "", 2: ""}
    at = 0
    while at < len(data):
        tag, at = _varint_in(data, at)
        length, at = _varint_in(data, at)
        if tag & 7 != 2 or at + length > len(data):
            raise ValueError("no protobuf message")
        parts[tag >> 3] = data[at : at + length].decode("utf-8", "replace")
        at += length
    return parts[1], parts[2]


def _varint_in(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("ends within a field")


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _encoded(len(payload)) + payload


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
