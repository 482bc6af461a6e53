"""Why a figure of a result is not known: for each that is missing, a sentence where no stage has left one.

Apart because a stage that was never reached, and a sensor that nobody has, say nothing themselves; a null without its reason
cannot be told from a defect.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import fields

from .result import Result
from .spec import RunSpec

_PARTS = ("board", "backend", "baseline", "candidate", "difference", "fidelity")
_MEASURED = ("load_ms", "first_ms", "latency_ms", "device_ms", "fps", "memory_mb", "latency_ratio", "memory_ratio")
_POWER = ("power_w", "energy_j_per_inference", "energy_ratio", "energy_j")
_LABELLED = ("accuracy", "top1_points", "mcnemar_p")

_SINCE = ("prunable_bytes", "plain_bytes")


def why_unknown(result: Result, spec: RunSpec) -> dict[str, str]:
    """Path of each missing figure to its reason; a stage's own reasons come first."""
    return {path: result.reasons.get(path) or _why(path, result, spec) for path in _missing(result)} | result.reasons


def _missing(result: Result) -> Iterator[str]:
    for name in _PARTS:
        yield from _empty(getattr(result, name), name)
    for name in ("model", "dataset"):
        if getattr(result, name) is None:
            yield name
    for name in ("macs", *_SINCE):
        if result.model is not None and getattr(result.model, name) is None:
            yield f"model.{name}"
    for place, stage in enumerate(result.stages):
        yield from _empty(stage, f"stages.{place}")


def _empty(value: Struct, path: str) -> Iterator[str]:
    for field in fields(type(value)):
        inner, below = getattr(value, field.name), f"{path}.{field.name}"
        if isinstance(inner, Struct):
            yield from _empty(inner, below)
        elif isinstance(inner, dict):
            yield from (f"{below}.{name}" for name, figure in inner.items() if figure is None)
        elif inner is None:
            yield below


def _why(path: str, result: Result, spec: RunSpec) -> str:
    words = path.split(".")
    reached = {stage.name for stage in result.stages}
    if path == "dataset" and spec.dataset is None and spec.calibration is None:
        return "no data were given"
    if words[-1] == "macs" and result.model is not None:
        return "the shape of a tensor inside the model cannot be told"
    if words[-1] in _SINCE:
        return "the run is of a version that did not say it"
    if any(word in _POWER for word in words):
        return "no power was measured"
    if path.startswith("board.temps_c."):
        return "the sensor is off, or gives no answer"
    if words[0] in ("board", "backend") and "measure" in reached:
        return "this machine does not say"
    if any(word in _MEASURED for word in words) and "measure" in reached:
        return _why_not_measured(words, result)
    if any(word in _LABELLED for word in words) and "evaluate" in reached:
        return "there are no labels"
    if result.state != "done":
        return "not yet known" if result.state in ("running", "queued") else f"the run ended before that ({result.state})"
    return "no stage says it" if spec.measure else "the run was asked to build only"


def _why_not_measured(words: list[str], result: Result) -> str:
    if words[-1] == "missed_deadlines":
        return "only a paced workload has deadlines"
    if words[-1] in ("device_ms", "plan"):
        on_cpu = result.backend.name == "onnxruntime"
        return "everything is computed on the CPU" if on_cpu else f"{result.backend.name} does not say"
    return "it cannot be seen where every inference is a process of its own"
