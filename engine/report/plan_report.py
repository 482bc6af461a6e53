"""What `edgetui inspect PLAN` prints: who built a plan, and its layers, the slowest first."""

from __future__ import annotations

from ..advice import words
from ..backends.cards import card_of
from ..schema.plan import LayerFacts, PlanFacts
from . import layer_table as told
from .table import Paint, plain

SHOWN = 20


def plan_report(facts: PlanFacts, title: str, width: int, paint: Paint = plain) -> str:
    """The plan's origin, its inputs and outputs, counts of what costs time for nothing, and its slowest layers."""
    pairs = [("size", words.size(facts.size_bytes)), *((key, text) for key, text in facts.built.items() if text)]
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
    parts = [paint(title, "head"), paint.table(pairs, width=width, tones=[("dim", "")] * len(pairs))]
    return "\n".join([*parts, *_slowest(facts, width, paint)])


def _counts(facts: PlanFacts) -> list[tuple[str, str]]:
    if not facts.layers:
        return []
    sparse = card_of(facts.backend).sparse_kernels
    return [
        ("layers", f"{len(facts.layers)}: {told.precisions(facts.layers)}"),
        ("time", told.times(facts)),
        ("reformats", told.part(facts.layers, lambda layer: layer.reformat)),
        ("FP32 islands", told.part(facts.layers, lambda layer: layer.island)),
        *([("sparse kernels", told.part(facts.layers, lambda layer: layer.sparse))] if sparse else []),
    ]


def _slowest(facts: PlanFacts, width: int, paint: Paint) -> list[str]:
    if not facts.layers:
        return []
    total = told.total_ms(facts.layers)
    order = sorted(facts.layers, key=lambda layer: -(layer.milliseconds or 0))
    rows = [("ms", "share", "precision", "operator", "", "layer"), *(_row(layer, total) for layer in order[:SHOWN])]
    tones = [("dim",) * 6, *[("", "", "", "", "worse", "")] * (len(rows) - 1)]
    found = ["", paint.table(rows, width=width, right={0, 1}, tones=tones, heads=True)]
    if rest := order[SHOWN:]:
        found.append(paint(f"and {len(rest)} more, {words.ms(told.total_ms(rest))} together; --json has them all", "dim"))
    return found


def _row(layer: LayerFacts, total: float) -> tuple[str, ...]:
    return (
        told.milliseconds(layer.milliseconds),
        words.percent(told.share(layer, total)),
        layer.precision or words.DASH,
        layer.kind or words.DASH,
        told.note(layer),
        told.label(layer),
    )
