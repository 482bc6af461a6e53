"""Why a figure of a result is not known: for each that is missing, a sentence where no stage has left one.

A stage that was never reached, and a sensor that nobody has, say nothing themselves; a null without its reason cannot be told
from a defect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct
from msgspec.structs import fields

from ..advice.metrics import metric_of
from ..backends.cards import CARDS
from ..schema.result import Result
from ..schema.spec import RunSpec

_PARTS = ("board", "backend", "baseline", "candidate", "difference", "fidelity", "payback")
_SINCE = ("prunable_bytes", "plain_bytes")
_OF_QUANTIZED = ("activation_low", "activation_high")


def why_unknown(result: Result, spec: RunSpec, recorded: Collection[str] = ()) -> dict[str, str]:
    """Path of each missing figure to its reason; a stage's own reasons come first, then those of the metric.

    `recorded`: what sensors told while the run worked (`power`), though no stage made a figure of it.
    """
    own = result.reasons
    missing = {path: _told(path, own) or _why(path, result, spec, recorded) for path in _missing(result)}
    parts = {path for path in own if any(inner.startswith(f"{path}.") for inner in missing)}
    return missing | {path: why for path, why in own.items() if path not in parts}


def _told(path: str, own: dict[str, str]) -> str:
    """What a stage said of a figure, or of all that it is a part of."""
    words = path.split(".")
    return next((own[above] for n in range(len(words), 1, -1) if (above := ".".join(words[:n])) in own), "")


def _missing(result: Result) -> Iterator[str]:
    for name in _PARTS:
        yield from _empty(getattr(result, name), name)
    for name in ("guard", "guard_difference", "guard_fidelity"):
        if isinstance(part := getattr(result, name), Struct):
            yield from _empty(part, name)
    for name in ("model", "dataset", "group", "guard", "guard_run"):
        if getattr(result, name) is None:
            yield name
    for name in ("macs", *_SINCE, *_OF_QUANTIZED):
        if result.model is not None and getattr(result.model, name) is None:
            yield f"model.{name}"
    for place, pair in enumerate(result.pairs):
        yield from _empty(pair, f"pairs.{place}")
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


def _why(path: str, result: Result, spec: RunSpec, recorded: Collection[str]) -> str:
    words, metric = path.split("."), metric_of(path)
    reached = {stage.name for stage in result.stages}
    if path == "group":
        return "its recipe was given alone"
    if path in ("guard", "guard_run") and (why := _unguarded(result, spec)):
        return why
    if words[0] in ("guard_difference", "guard_fidelity"):
        told = ".".join([words[0].removeprefix("guard_"), *words[1:]])
        return _why(told, result, spec, recorded)
    if words[0] == "pairs":
        told = f"difference.{'.'.join(words[2:])}"
        return _told(told, result.reasons) or _why(told, result, spec, recorded)
    if words[0] == "difference" and words[-1] in ("low", "high") and _known(result, words[1]):
        return "it was measured in too few rounds for an interval that says anything"
    if path == "dataset" and spec.dataset is None and spec.calibration is None:
        return "no data were given"
    if words[-1] == "macs" and result.model is not None:
        return "the shape of a tensor inside the model cannot be told"
    if words[-1] in _OF_QUANTIZED:
        return "the model has no quantized activations"
    if words[-1] in _SINCE:
        return "the run is of a version that did not say it"
    if metric is not None and metric.sensor and (result.state == "done" or metric.sensor not in recorded):
        return _recorded(metric.sensor) if metric.sensor in recorded else f"no {metric.sensor} was measured"
    if path.startswith("board.temps_c."):
        return "the sensor is off, or gives no answer"
    if words[0] in ("board", "backend") and "measure" in reached:
        return "this machine does not say"
    if metric is not None and metric.stage in reached:
        return metric.why_missing(result)
    if result.state != "done":
        return "not yet known" if result.state in ("running", "queued") else f"the run ended before that ({result.state})"
    return "no stage says it" if spec.measure else "the run was asked to build only"


def _known(result: Result, field: str) -> bool:
    """Whether a ratio itself was measured."""
    return getattr(getattr(result.difference, field, None), "value", None) is not None


def _unguarded(result: Result, spec: RunSpec) -> str:
    """Why there is no guard, or no run that it is of; empty: the run has not got so far."""
    card = CARDS[spec.backend.name]
    if result.guard is not None:
        return "the plan was built for this run"
    if not any(step.arithmetic == "int8" for step in spec.recipe.active):
        return "nothing is computed in INT8, which FP16 is measured beside"
    if not spec.guard:
        return "it was left out (--no-guard)"
    return "" if card.has_half(spec.backend) else f"{card.title} has no FP16 arithmetic to use here"


def _recorded(sensor: str) -> str:
    return f"{sensor} was recorded while the run worked (telemetry.jsonl), but the run has no energy stage"
