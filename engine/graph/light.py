"""A large ONNX file read without its weights: they are passed over, and the tensors refer to where they lie in the file.

It walks the file's own format: parsed whole, a file takes its size twice, and most who read it look at its graph.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from onnx import TensorProto

from ..system.protobuf_wire import SIZED, encoded, field_of, header
from . import values

_Change = Callable[[int, int], bytes]

# Numbers of fields in onnx.proto.
_MODEL_GRAPH, _GRAPH_INITIALIZER, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 7, 5, 9, 13, 14


def read(path: Path, file: BinaryIO) -> bytes:
    """A serialized model, whose main graph's initializers of `values.LEAST_BYTES` and more refer to bytes of the file.

    Raises:
        ValueError: the file is no protobuf message, or cut off.
    """
    state = os.fstat(file.fileno())

    def reference(offset: int, length: int) -> bytes:
        return _external(values.entries(path, offset, length, state))

    def tensor(start: int, end: int) -> bytes:
        return _tensor(file, start, end, reference)

    def graph(start: int, end: int) -> bytes:
        return b"".join(_changed(file, start, end, {_GRAPH_INITIALIZER: tensor}))

    file.seek(0)
    return b"".join(_changed(file, 0, state.st_size, {_MODEL_GRAPH: graph}))


def _changed(file: BinaryIO, start: int, end: int, changes: Mapping[int, _Change]) -> Iterator[bytes]:
    """The fields of the message between two places of a file, with some that are messages changed."""
    at = start
    while at < end:
        file.seek(at)
        number, wire, length = header(file, end)
        inside = file.tell()
        if wire == SIZED and number in changes:
            yield field_of(number, changes[number](inside, inside + length))
        else:
            file.seek(at)
            yield file.read(inside + length - at)
        at = inside + length


def _tensor(file: BinaryIO, start: int, end: int, reference: _Change) -> bytes:
    """A tensor, with a reference in place of its raw data where these are large."""
    if end - start < values.LEAST_BYTES:
        file.seek(start)
        return file.read(end - start)
    kept, large = [], None
    at = start
    while at < end:
        file.seek(at)
        number, wire, length = header(file, end)
        inside = file.tell()
        if number == _RAW_DATA and wire == SIZED and length >= values.LEAST_BYTES:
            large = inside, length  # of a field that comes twice, the last one counts
        else:
            file.seek(at)
            kept.append(file.read(inside + length - at))
        at = inside + length
    return b"".join(kept) + (reference(*large) if large is not None else b"")


def _external(entries: Mapping[str, str]) -> bytes:
    """The fields of a tensor that say where its values are."""
    fields = [
        field_of(_EXTERNAL_DATA, field_of(1, key.encode()) + field_of(2, value.encode("utf-8", "surrogateescape")))
        for key, value in entries.items()
    ]
    return b"".join(fields) + encoded(_DATA_LOCATION << 3) + encoded(TensorProto.EXTERNAL)
