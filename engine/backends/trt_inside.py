"""What is inside a plan: its layers with precision, origin and time, from TensorRT's inspector and profiler.

Apart because the inspector's JSON is a format of its own, which has changed its keys between versions.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..result import LayerFacts
from .trt_run import TrtSession

if TYPE_CHECKING:
    import tensorrt

    from .base import Session

_RUNS = 20
_KINDS = {"float": "FP32", "half": "FP16", "fp32": "FP32", "fp16": "FP16", "int8": "INT8", "bf16": "BF16", "fp8": "FP8"}
_KIND = re.compile(r"\b(FP32|FP16|BF16|FP8|FP4|INT8|INT4|INT32|INT64|BOOL|FLOAT|HALF)\b", re.IGNORECASE)
_ORIGIN = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_NO_ARITHMETIC = ("Constant", "Reformat", "NoOp", "Shuffle", "Signal", "Wait")


def look(api: ModuleType, session: Session) -> tuple[LayerFacts, ...]:
    """The layers of a loaded plan in the order they run, with the milliseconds of each: means over some inferences."""
    assert isinstance(session, TrtSession)
    inspector = session.engine.create_engine_inspector()
    text = inspector.get_engine_information(api.LayerInformationFormat.JSON)
    return layers(json.loads(text), _times_ms(api, session))


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


def _times_ms(api: ModuleType, session: TrtSession) -> dict[str, float]:
    base: Any = api.IProfiler
    heard: dict[str, list[float]] = defaultdict(list)

    class Listener(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            heard[layer_name].append(ms)

    listener: tensorrt.IProfiler = Listener()
    once = session.timed(session.zeros())
    session.context.profiler = listener
    for _ in range(_RUNS):
        once()
    return {name: float(np.mean(times)) for name, times in heard.items()}
