"""What one step leaves in a model for a later one: JSON under `edgetui.*` keys of its metadata.

Apart because every family of compression writes such a key and `lower` reads them.
"""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec
from onnx import ModelProto

from ..errors import ModelRefused

_Kind = TypeVar("_Kind")


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
    name = f"edgetui.{key}"
    for entry in model.metadata_props:
        if entry.key == name:
            try:
                found: object = json.loads(entry.value)
            except ValueError as error:
                raise ModelRefused(
                    f"metadata `{name}` of the model is damaged ({error})", fix="make the model again with `edgetui run`"
                ) from error
            return found
    return None


def read(model: ModelProto, key: str, kind: type[_Kind]) -> _Kind | None:
    """What `edgetui.<key>` holds, as a value of `kind`; None when it is not there.

    Raises:
        ModelRefused: it holds something else.
    """
    found = get(model, key)
    if found is None:
        return None
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise ModelRefused(
            f"metadata `edgetui.{key}` is damaged ({error})", fix="make the model again with `edgetui run`"
        ) from error


def drop(model: ModelProto, key: str = "") -> bool:
    """Remove `edgetui.<key>`, or without a key all of ours; returns whether there was any."""
    name = f"edgetui.{key}"
    found = [entry.key == name or (not key and entry.key.startswith(name)) for entry in model.metadata_props]
    for index in reversed(range(len(found))):
        if found[index]:
            del model.metadata_props[index]
    return any(found)
