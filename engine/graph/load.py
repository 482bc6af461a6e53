"""Reading and writing ONNX files, external data beside them included. Large weights stay where they are (`values.py`).

It is the border to files nobody here made: everything that can be wrong with one is refused here, in words.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto, defs, helper

from ..errors import ModelRefused, from_os_error
from ..schema.escalation import RULE
from ..system.hashing import sha256_of
from . import external, light, values, write
from .dense import write_out
from .inline import Calls, inlined
from .walk import ONNX_DOMAINS, bodies, nodes, opset, tensors
from .wellformed import refuse_malformed
from .wiring import sort

OLDEST_OPSET = 7
OLDEST_IR = 3

_OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"PK\x03\x04", "a zip archive"),
    *((bytes((0x80, protocol)), "a Python pickle") for protocol in range(2, 6)),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"ptrt", "a TensorRT engine"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it stands for"),
    (b"<", "a web page or XML"),
)
_EXPORT = "write its module as a .pt2 file with torch.export.save, or as ONNX with torch.onnx.export"
_OF_TORCH: tuple[tuple[bytes, str, str], ...] = (
    (b"/archive_format", "an exported program of PyTorch under another name", "end its name in .pt2"),
    (b"/code/__torch__", "a module of TorchScript", _EXPORT),
    (
        b"/data.pkl",
        "a pickle of PyTorch, with weights or a module in it; it is not run here",
        f"{_EXPORT}; for weights alone name the function that makes their module, under [factories] in edgetui.toml",
    ),
)
"""By names of members, which stand in a zip archive as they are; what it is, and what to do."""


def load(path: Path) -> ModelProto:
    """Read a model: nodes in an order that can be computed, constants in one form, what local functions do in place of their
    calls. Large initializers refer to where they lie; `values.array_of` reads them.

    Raises:
        ModelRefused: the file is missing, no ONNX, cut off, of a version nobody here reads, its weights are not in it, or its
            external data are missing, cut off or outside the model's folder.
    """
    return load_with_calls(path)[0]


def load_with_calls(path: Path) -> tuple[ModelProto, Calls]:
    """As `load`; and which nodes stand for a call of a local function."""
    model = parse(path)
    external.locate(model, path.parent)
    _check_tensors(model, path)
    _one_domain(model)
    model, calls = inlined(model)
    write_out(model)
    sort(model)
    return model, calls


def parse(path: Path) -> ModelProto:
    """Read the file alone; external tensors stay where they are, and so do the large ones of a large file.

    Raises:
        ModelRefused: as `load`, but for external data.
    """
    data = _read(path)
    try:
        model = ModelProto()
        model.ParseFromString(data)
    except DecodeError as error:
        raise _not_parsed(path, data) from error
    if not model.HasField("graph") or not model.opset_import or not model.ir_version:
        raise _not_parsed(path, data)
    if not model.graph.output:
        raise ModelRefused(f"{path.name} has no outputs", fix="export it again; nothing would come out of this graph")
    _check_versions(model, path)
    refuse_malformed(model, path.name)
    return model


def save(model: ModelProto, path: Path) -> None:
    """Write a model as one file, or with its tensors in `<name>.data` beside it when it is larger than 1.5 GB; the model stays
    as it was.

    Raises:
        StorageRefused: the disk is full or the folder cannot be written.
    """
    try:
        write.write(model, path)
    except OSError as error:
        raise from_os_error(error, path=path) from error


def save_apart(model: ModelProto, path: Path, *, shared: bool = True) -> None:
    """Write a model for the next stage: its weights in `<name>.data` beside the graph, where they are more than 1 MB.

    shared: unchanged weights may lie in the same file as those of the stage before; not where that is a user's file.

    Raises:
        StorageRefused: the disk is full or the folder cannot be written.
    """
    try:
        write.write(model, path, apart=True, shared=shared)
    except OSError as error:
        raise from_os_error(error, path=path) from error


def digest(path: Path) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size in bytes of the file and its external data.

    Raises:
        ModelRefused: the file or its external data cannot be read.
    """
    files = files_of(path)
    return sha256_of(files), sum(file.stat().st_size for file in files)


def files_of(path: Path) -> list[Path]:
    """The file and those of its external data.

    Raises:
        ModelRefused: one cannot be read.
    """
    return [path, *external.files(parse(path), path.parent)]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = _content(path, file)
    except IsADirectoryError as error:
        raise ModelRefused(f"{path} is a folder", fix="give the .onnx file in it") from error
    except FileNotFoundError as error:
        raise ModelRefused(f"there is no file {path}", fix="check the path") from error
    except OSError as error:
        raise ModelRefused(f"cannot read {path} ({error.strerror})", fix="check its owner and mode") from error
    if not data:
        raise ModelRefused(f"{path.name} is empty", fix="copy or export it again")
    return data


def _content(path: Path, file: BinaryIO) -> bytes:
    """The file's bytes; of a large one without the weights, where it is such that it can be walked."""
    if os.fstat(file.fileno()).st_size > values.LEAST_FILE_BYTES:
        with suppress(ValueError):
            return light.read(path, file)
        file.seek(0)
    return file.read()


def _not_parsed(path: Path, data: bytes) -> ModelRefused:
    if path.name == RULE:
        return ModelRefused(
            f"{path.name} is the rule of two plans, and no model: which of them runs depends on the input",
            fix="name one of the two, `narrow` or `wide` in it; both together are measured by"
            " `edgetui run MODEL --recipe adaptive --dataset D`",
        )
    kind = next((name for start, name in _OTHER_FILES if data.startswith(start)), "")
    for member, what, fix in _OF_TORCH if data.startswith(b"PK") else ():
        if member in data:
            return ModelRefused(f"{path.name} is {what}", fix=fix)
    if kind:
        return ModelRefused(f"{path.name} is {kind}, not an ONNX file", fix="give an .onnx file")
    if data[0] == 0x08:
        return ModelRefused(
            f"{path.name} begins like an ONNX file but is cut off or damaged ({path.stat().st_size} bytes)",
            fix="copy or export it again",
        )
    return ModelRefused(f"{path.name} is not an ONNX file", fix="give an .onnx file")


def _check_versions(model: ModelProto, path: Path) -> None:
    version = opset(model)
    newest = defs.onnx_opset_version()
    if model.ir_version < OLDEST_IR:
        raise ModelRefused(
            f"{path.name} has IR version {model.ir_version}; {OLDEST_IR} is the oldest read here", fix="export it again"
        )
    if version and version < OLDEST_OPSET:
        raise ModelRefused(
            f"{path.name} has opset {version}; {OLDEST_OPSET} is the oldest read here",
            fix="export it again, or convert it with onnx.version_converter",
        )
    if version > newest:
        raise ModelRefused(
            f"{path.name} has opset {version}; the onnx package here knows up to {newest}",
            fix=f"export it with opset {newest} or lower, or `pip install -U onnx onnxruntime`",
        )


def _one_domain(model: ModelProto) -> None:
    """Call ONNX's own domain "" where a file says `ai.onnx`: ONNX's checker and optimizer do not know the long name."""
    for imports in (model.opset_import, *(function.opset_import for function in model.functions)):
        highest = max((entry.version for entry in imports if entry.domain in ONNX_DOMAINS), default=0)
        if any(entry.domain == "ai.onnx" for entry in imports):
            others = [(entry.domain, entry.version) for entry in imports if entry.domain not in ONNX_DOMAINS]
            del imports[:]
            imports.extend(helper.make_opsetid(*entry) for entry in (("", highest), *others))
    inner = [node for function in model.functions for node in function.node]
    within = [node for outer in inner for body in bodies(outer) for node in body.node]
    for node in [*nodes(model), *inner, *within]:
        if node.domain == "ai.onnx":
            node.ClearField("domain")


def _check_tensors(model: ModelProto, path: Path) -> None:
    """Refuse stored tensors whose values do not fill their shape: what a damaged file that still parses looks like, or one that
    was saved without its weights.
    """
    empty = []
    for tensor in tensors(model):
        needed = bytes_of(tensor)
        held, wanted, unit = _held(tensor), needed, "bytes"
        if not _raw(tensor):
            wanted, unit = _numbers(tensor), "numbers"
        if not held and wanted:
            empty.append(tensor.name or "of an attribute")
        elif held != wanted:
            raise ModelRefused(
                f"tensor {tensor.name} of {path.name} holds {held} {unit}, its shape needs {wanted}",
                fix="copy or export the model again",
            )
    if empty:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise ModelRefused(
            f"the weights are not in {path.name}: tensor {empty[0]}{more} has a shape and no values",
            fix="export the model with its weights, or give the file that it was before they were taken out",
        )


def _raw(tensor: TensorProto) -> bool:
    return bool(tensor.HasField("raw_data")) or values.span(tensor) is not None


def _held(tensor: TensorProto) -> int:
    """Bytes of raw data, or where there are none, entries of the field that has the values instead."""
    if _raw(tensor):
        return values.raw_bytes(tensor)
    return len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type)))


def _numbers(tensor: TensorProto) -> int:
    """Entries that a tensor's field needs: two for a complex number, one for two or more of the smallest types."""
    count = int(math.prod(tensor.dims))
    if tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
        return 2 * count
    bits = values.BITS.get(tensor.data_type, 8)
    return -(-count * bits // 8) if bits < 8 else count


def bytes_of(tensor: TensorProto) -> int:
    """Bytes that a tensor's shape and type need.

    Raises:
        ModelRefused: its type is none that ONNX knows, or a dimension is negative.
    """
    count = math.prod(tensor.dims)
    bits = 0 if tensor.data_type == TensorProto.STRING else values.BITS.get(tensor.data_type)
    if any(length < 0 for length in tensor.dims) or bits is None:
        known = TensorProto.DataType.DESCRIPTOR.values_by_number.get(tensor.data_type)
        kind = known.name if known is not None and tensor.data_type else f"{tensor.data_type}, which is none"
        raise ModelRefused(
            f"tensor {tensor.name} has shape {list(tensor.dims)} and type {kind}: it cannot be read",
            fix="export the model again",
        )
    return int(count * bits + 7) // 8
