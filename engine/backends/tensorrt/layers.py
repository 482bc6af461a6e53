"""What is inside a loaded plan: its layers with precision, origin and time, from TensorRT's inspector and profiler."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from ...schema.plan import LayerFacts
from .inspector_json import layers

if TYPE_CHECKING:
    import tensorrt

_RUNS = 20


def look(
    api: ModuleType, engine: tensorrt.ICudaEngine, context: tensorrt.IExecutionContext, infer: Callable[[], None]
) -> tuple[LayerFacts, ...]:
    """The layers of a loaded plan in the order they run, with the milliseconds of each: means over some calls of `infer`."""
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(api.LayerInformationFormat.JSON)
    return layers(json.loads(text), _times_ms(api, context, infer))


def _times_ms(api: ModuleType, context: tensorrt.IExecutionContext, infer: Callable[[], None]) -> dict[str, float]:
    base: Any = api.IProfiler
    heard: dict[str, list[float]] = defaultdict(list)

    class LayerProfiler(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            heard[layer_name].append(ms)

    listener: tensorrt.IProfiler = LayerProfiler()
    context.profiler = listener
    for _ in range(_RUNS):
        infer()
    return {name: float(np.mean(times)) for name, times in heard.items()}
