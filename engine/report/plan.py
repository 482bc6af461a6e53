"""What `edgetui inspect PLAN` prints: who built a plan, and its layers, the slowest first. Apart because models have none."""

from __future__ import annotations

from ..result import LayerFacts, PlanFacts
from . import words
from .table import Paint, plain, table

SHOWN = 20


def plan_report(facts: PlanFacts, width: int, paint: Paint = plain) -> str:
    """The plan's origin, its inputs and outputs, counts of what costs time for nothing, and its slowest layers."""
    pairs = [("size", words.size(facts.size_bytes)), *facts.built.items()]
    if facts.device_bytes is not None:
        pairs.append(("device memory", words.size(facts.device_bytes)))
    pairs += [
        (role, f"{tensor.name}  {tensor.dtype} {'x'.join(str(size) for size in tensor.shape)}")
        for role, tensors in (("input", facts.inputs), ("output", facts.outputs))
        for tensor in tensors
    ]
    pairs += _counts(facts)
    if facts.reason:
        pairs.append(("layers", f"not known here: {facts.reason}"))
    parts = [paint(facts.name, "head"), table(pairs, width=width, tones=[("dim", "")] * len(pairs), paint=paint)]
    if facts.layers:
        slowest = sorted(facts.layers, key=lambda layer: -(layer.milliseconds or 0))[:SHOWN]
        rows = [("ms", "precision", "layer", "from"), *(_row(layer) for layer in slowest)]
        parts += ["", table(rows, width=width, paint=paint)]
    return "\n".join(parts)


def _counts(facts: PlanFacts) -> list[tuple[str, str]]:
    if not facts.layers:
        return []
    total = sum(layer.milliseconds or 0 for layer in facts.layers)
    kinds: dict[str, int] = {}
    for layer in facts.layers:
        kinds[layer.precision or "not told"] = kinds.get(layer.precision or "not told", 0) + 1
    reformats = [layer for layer in facts.layers if layer.reformat]
    lost = sum(layer.milliseconds or 0 for layer in reformats)
    share = f", {lost / total:.0%} of the time" if total else ""
    return [
        ("layers", f"{len(facts.layers)}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())),
        ("reformats", f"{len(reformats)}{share}"),
        ("FP32 islands", str(facts.islands)),
        ("sparse kernels", str(sum(layer.sparse for layer in facts.layers))),
    ]


def _row(layer: LayerFacts) -> tuple[str, str, str, str]:
    time = "–" if layer.milliseconds is None else f"{layer.milliseconds:.4f}"
    return time, layer.precision or "–", layer.name, ", ".join(layer.origin)
