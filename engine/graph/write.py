"""Writing a model: as one file, or as its graph with its weights beside it in one other.

A message with all its weights is never made for it: tensors are copied one by one, by the kernel where they lie
in a file already.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeGuard

from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto

from ..system.protobuf_wire import field_of, field_start
from . import values
from .external import size_of

LARGEST_FILE = 1_500_000_000
"""Bytes of tensors above which they always go beside the file; protobuf cannot hold 2 GiB."""
ALIGNMENT = 4096
"""Where each tensor begins in the file beside: a page, so that runtimes may map it."""
_MAPPED = 64
"""What the place of a tensor in a file must be a multiple of, to be computed with where it lies: a cache line."""
FOLDER_OPTION = "session.model_external_initializers_file_folder_path"
"""ONNX Runtime's setting for the folder of a serialized model's external data."""
_BLOCK = 1 << 20
_SPARE = 0.1
"""Share of a file of weights that may be of others where it is given a second name instead of being copied."""
_CANNOT_COPY = frozenset((errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM))
"""What `copy_file_range` says of filesystems that it cannot copy between."""

Part = bytes | TensorProto
"""Of a message: its bytes, or a tensor whose raw data stand there."""


def beside(path: Path) -> Path:
    """Where the weights of a model at `path` lie when they are in another file."""
    return path.with_name(f"{path.name}.data")


def write(model: ModelProto, path: Path, *, apart: bool = False, shared: bool = False, largest: int = LARGEST_FILE) -> None:
    """Write the model; its weights beside it where they are past `largest` bytes, or `apart` is wanted and they are not few.

    shared: where the weights are those of another file as they are, that gets a second name.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    size = size_of(model)
    if size > largest or (apart and size > values.LEAST_FILE_BYTES):
        _write_apart(model, path, shared)
        return
    with _Output(path) as out:
        for part in parts(model):
            out.add(part)
    beside(path).unlink(missing_ok=True)


def blocks(model: ModelProto) -> Iterator[bytes]:
    """The bytes that the model has as one file, piece by piece."""
    for part in parts(model):
        if isinstance(part, bytes):
            yield part
        elif (there := values.span(part)) is None:
            yield part.raw_data
        else:
            descriptor = values.opened(there)
            try:
                for at in range(0, there.length, _BLOCK):
                    yield os.pread(descriptor, min(_BLOCK, there.length - at), there.offset + at)
            finally:
                os.close(descriptor)


def parts(model: ModelProto) -> Iterator[Part]:
    """The model as one file, in the order of protobuf's own writer; large tensors are left to whoever takes the parts."""
    graph = _joined(_parts(model.graph, {"initializer": _initializer}))
    yield from _parts(model, {"graph": lambda _: graph})


def _parts(message: Message, changed: dict[str, Callable[[Message], list[Part]]]) -> Iterator[Part]:
    """A message's fields in the order of their numbers, some of them made otherwise."""
    for field, value in message.ListFields():
        if field.name in changed:
            for one in value if field.is_repeated else [value]:
                inner = changed[field.name](one)
                yield field_start(field.number, sum(map(_length, inner)))
                yield from inner
        elif field.is_repeated and field.message_type is not None:
            for one in value:
                yield field_of(field.number, one.SerializeToString())
        else:
            alone = type(message)()
            if field.is_repeated:
                getattr(alone, field.name).extend(value)
            elif field.message_type is not None:
                getattr(alone, field.name).CopyFrom(value)
            else:
                setattr(alone, field.name, value)
            yield alone.SerializePartialToString()


def _initializer(tensor: Message) -> list[Part]:
    """A tensor's fields, its raw data where their number belongs."""
    assert isinstance(tensor, TensorProto)
    size = values.raw_bytes(tensor)
    if size < values.LEAST_BYTES:
        return [tensor.SerializeToString()]
    raw = TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
    before, behind = TensorProto(), TensorProto()
    for field, value in values.without_values(tensor).ListFields():
        side = before if field.number < raw else behind
        if field.is_repeated:
            getattr(side, field.name).extend(value)
        else:
            setattr(side, field.name, value)
    return [before.SerializeToString() + field_start(raw, size), tensor, behind.SerializeToString()]


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else values.raw_bytes(part)


def _joined(found: Iterator[Part]) -> list[Part]:
    """The same parts, bytes that follow each other as one."""
    joined: list[Part] = []
    for part in found:
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def for_session(model: ModelProto) -> tuple[bytes, Path | None]:
    """The model for a session of ONNX Runtime: serialized, its large weights in files of a folder, which the session is told of
    (`FOLDER_OPTION`); None: they are in it.
    """
    folder = next((there.path.parent for tensor in model.graph.initializer if _mapped(there := values.span(tensor))), None)

    def initializer(tensor: Message) -> list[Part]:
        assert isinstance(tensor, TensorProto)
        there = values.span(tensor)
        if there is None or not _mapped(there) or there.path.parent != folder:
            return [values.filled(tensor).SerializeToString()]
        return [_outside(tensor, there.path.name, there.offset).SerializeToString()]

    graph = [part for part in _parts(model.graph, {"initializer": initializer}) if isinstance(part, bytes)]
    whole = _parts(model, {"graph": lambda _: list(graph)})
    return b"".join(part for part in whole if isinstance(part, bytes)), folder


def _mapped(there: values.Span | None) -> TypeGuard[values.Span]:
    """Whether a runtime can compute with the bytes where they lie in the file."""
    return there is not None and there.offset % _MAPPED == 0


def _outside(tensor: TensorProto, location: str, offset: int) -> TensorProto:
    """The tensor with its raw data at a place of a file beside the model."""
    bare = values.without_values(tensor)
    bare.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": offset, "length": values.raw_bytes(tensor)}.items():
        bare.external_data.add(key=key, value=str(value))
    return bare


def _write_apart(model: ModelProto, path: Path, shared: bool) -> None:
    large = [tensor for tensor in model.graph.initializer if values.raw_bytes(tensor) >= values.LEAST_BYTES]
    places = (_linked(large, beside(path)) if shared else None) or _copied(large, beside(path))
    left = iter(places)

    def initializer(tensor: Message) -> list[Part]:
        assert isinstance(tensor, TensorProto)
        if values.raw_bytes(tensor) < values.LEAST_BYTES:
            return [tensor.SerializeToString()]
        return [_outside(tensor, beside(path).name, next(left)).SerializeToString()]

    graph = _joined(_parts(model.graph, {"initializer": initializer}))
    with _Output(path) as out:
        for part in _parts(model, {"graph": lambda _: graph}):
            out.add(part)


def _linked(large: list[TensorProto], target: Path) -> list[int] | None:
    """Offsets in a file of weights that has just these tensors and gets a second name; None: there is none, or it cannot."""
    spans = [there for tensor in large if (there := values.span(tensor)) is not None]
    sources = {there.path for there in spans}
    if len(spans) < len(large) or len(sources) != 1 or any(there.offset % ALIGNMENT for there in spans):
        return None
    source = sources.pop()
    used = sum(-(-there.length // ALIGNMENT) * ALIGNMENT for there in {(s.offset, s.length): s for s in spans}.values())
    if source.suffix != target.suffix or used < (1 - _SPARE) * source.stat().st_size:
        return None
    os.close(values.opened(spans[0]))  # it is still the one that was read
    offsets = [there.offset for there in spans]
    if target.exists() and source.samefile(target):
        return offsets
    fresh = target.with_name(f".{target.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        os.link(source, fresh)
    except OSError:
        return None
    fresh.replace(target)
    return offsets


def _copied(large: list[TensorProto], target: Path) -> list[int]:
    """Offsets in a new file of these tensors; what two of them share is stored once."""
    places: list[int] = []
    known: dict[values.Span, int] = {}
    with _Output(target) as out:
        for tensor in large:
            there = values.span(tensor)
            if there is None or there not in known:
                out.align()
                start = out.size
                out.add(tensor)
                if there is not None:
                    known[there] = start
            places.append(start if there is None else known[there])
    return places


class _Output:
    """A file that appears whole under its name, or not at all; a device is written to as it is."""

    def __init__(self, path: Path) -> None:
        plain = path.is_file() or not path.exists()
        self._path, self._fresh = path, path.with_name(f".{path.name}.new") if plain else path
        self._waiting = bytearray()
        self.size = 0

    def __enter__(self) -> _Output:
        self._file = self._fresh.open("wb", buffering=0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self._flush()
                os.fsync(self._file.fileno())
        except OSError:
            self._gone()
            raise
        if kind is None:
            self._file.close()
            self._fresh.replace(self._path)
        else:
            self._gone()

    def _gone(self) -> None:
        self._file.close()
        if self._fresh != self._path:
            self._fresh.unlink(missing_ok=True)

    def add(self, part: Part) -> None:
        """Bytes, or a tensor's raw data."""
        if isinstance(part, bytes):
            self._waiting += part
            self.size += len(part)
            if len(self._waiting) > _BLOCK:
                self._flush()
            return
        there = values.span(part)
        if there is None:
            self.add(part.raw_data)
            return
        self._flush()
        descriptor = values.opened(there)
        try:
            _copy(descriptor, there, self._file.fileno())
        finally:
            os.close(descriptor)
        self.size += there.length

    def align(self) -> None:
        """Zeros up to where a tensor may begin."""
        self.add(b"\0" * (-self.size % ALIGNMENT))

    def _flush(self) -> None:
        _write_all(self._file.fileno(), self._waiting)
        self._waiting.clear()


def _copy(source: int, there: values.Span, target: int) -> None:
    """Bytes from file to file, at the end of which the target stands; by the kernel, which may let both share them."""
    done = 0
    while done < there.length:
        try:
            count = os.copy_file_range(source, target, there.length - done, there.offset + done)
        except OSError as error:
            if error.errno not in _CANNOT_COPY:
                raise
            count = 0
        if count == 0:
            break
        done += count
    while done < there.length:
        block = os.pread(source, min(_BLOCK, there.length - done), there.offset + done)
        if not block:
            raise OSError(errno.EIO, "the weights end too early", str(there.path))
        _write_all(target, block)
        done += len(block)


def _write_all(target: int, data: bytes | bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
