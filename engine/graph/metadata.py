"""What one step leaves in a model for a later one: JSON under `edgetui.*` keys of its metadata.

Every family of compression writes such a key and `lower` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from ..errors import ModelRefused
from ..schema.ready import ready
from ..schema.validation import explain

if TYPE_CHECKING:
    from onnx import ModelProto

_Kind = TypeVar("_Kind")
HALF = "fp16"
"""The key of `Halved`."""


class Halved(Struct, frozen=True, kw_only=True):
    """All but some nodes shall be half precision: `lower` does it, or a builder that has a flag for it."""

    keep: tuple[str, ...] = ()
    """Labels (`graph.walk.label`) of nodes that stay in FP32."""


def put(model: ModelProto, key: str, value: object) -> None:
    """Write `value` as JSON under `edgetui.<key>`, in place of what was there."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    name = f"edgetui.{key}"
    for entry in model.metadata_props:
        if entry.key == name:
            entry.value = text
            return
    model.metadata_props.add(key=name, value=text)


def get(model: ModelProto, key: str) -> object | None:
    """What `edgetui.<key>` holds; None when it is not there.

    Raises:
        ModelRefused: it holds no JSON.
    """
    return _parsed({entry.key: entry.value for entry in model.metadata_props}, key)


def _parsed(entries: Mapping[str, str], key: str) -> object | None:
    name = f"edgetui.{key}"
    if name not in entries:
        return None
    try:
        found: object = json.loads(entries[name])
    except ValueError as error:
        raise ModelRefused(
            f"metadata `{name}` of the model is damaged ({error})",
            fix="make the model again with `edgetui run`",
        ) from error
    return found


def read(model: ModelProto, key: str, kind: type[_Kind]) -> _Kind | None:
    """What `edgetui.<key>` holds, as a value of `kind`; None when it is not there.

    Raises:
        ModelRefused: it holds something else.
    """
    return read_entries({entry.key: entry.value for entry in model.metadata_props}, key, kind)


def read_entries(entries: Mapping[str, str], key: str, kind: type[_Kind]) -> _Kind | None:
    """The same of metadata that were read without the model (`system.onnx_metadata`).

    Raises:
        ModelRefused: it holds something else.
    """
    found = _parsed(entries, key)
    if found is None:
        return None
    try:
        return msgspec.convert(found, ready(kind))
    except msgspec.ValidationError as error:
        raise ModelRefused(
            f"metadata `edgetui.{key}` is damaged ({explain(found, kind, error).what})",
            fix="make the model again with `edgetui run`",
        ) from error


def drop(model: ModelProto, key: str = "") -> bool:
    """Remove `edgetui.<key>`, or without a key all of ours; returns whether there was any."""
    name = f"edgetui.{key}"
    found = [entry.key == name or (not key and entry.key.startswith(name)) for entry in model.metadata_props]
    for index in reversed(range(len(found))):
        if found[index]:
            del model.metadata_props[index]
    return any(found)
