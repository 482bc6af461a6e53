"""The JSON of TensorRT's engine inspector: a format of its own, which has changed its keys between versions.

`trtexec` exports the same document, so it is read without TensorRT.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...schema.plan import LayerFacts

_KINDS = {"float": "FP32", "half": "FP16", "fp32": "FP32", "fp16": "FP16", "int8": "INT8", "bf16": "BF16", "fp8": "FP8"}
_KIND = re.compile(r"\b(FP32|FP16|BF16|FP8|FP4|INT8|INT4|INT32|INT64|BOOL|FLOAT|HALF)\b", re.IGNORECASE)
_ORIGIN = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_NO_ARITHMETIC = ("Constant", "Reformat", "NoOp", "Shuffle", "Signal", "Wait")


def layers(document: Mapping[str, Any], times_ms: Mapping[str, float]) -> tuple[LayerFacts, ...]:
    """Read the inspector's document. A plan built without detailed verbosity has only names in it."""
    found = []
    for entry in document.get("Layers", []):
        layer = {"Name": entry} if isinstance(entry, str) else entry
        name = str(layer.get("Name", ""))
        kind = str(layer.get("LayerType", ""))
        makes, reads = (_kinds(layer.get(side, ())) for side in ("Outputs", "Inputs"))
        found.append(
            LayerFacts(
                name=name,
                kind=kind,
                precision=makes[0] if makes else "",
                inputs=tuple(dict.fromkeys(reads)),
                milliseconds=times_ms.get(name),
                origin=tuple(_ORIGIN.findall(str(layer.get("Metadata", "")))),
                reformat=kind == "Reformat" or "reformat" in name.lower(),
                sparse="sparse" in str(layer.get("TacticName", "")).lower(),
            )
        )
    return tuple(found)


def islands(found: tuple[LayerFacts, ...]) -> tuple[LayerFacts, ...]:
    """Layers that compute in FP32 in a plan that elsewhere computes in less."""
    if not any(layer.precision in ("FP16", "INT8", "BF16", "FP8") for layer in found):
        return ()
    return tuple(
        layer
        for layer in found
        if layer.precision == "FP32"
        and set(layer.inputs) <= {"FP32"}
        and not layer.reformat
        and layer.kind not in _NO_ARITHMETIC
    )


def _kinds(tensors: object) -> list[str]:
    """The element types of a layer's inputs or outputs, in words."""
    found = []
    for tensor in tensors if isinstance(tensors, list) else ():
        if isinstance(tensor, dict):
            text = " ".join(str(tensor.get(key, "")) for key in ("Format/Datatype", "Datatype", "Format"))
            if match := _KIND.search(text):
                found.append(_KINDS.get(match[1].lower(), match[1].upper()))
    return found
