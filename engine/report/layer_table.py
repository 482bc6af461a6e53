"""The layers of a plan in words and figures, the same on the screen Layers and in what `edgetui inspect PLAN` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..advice import words
from ..schema.plan import LayerFacts, PlanFacts

NOT_TOLD = "not told"
REFORMAT, ISLAND, SPARSE = "reformat", "FP32 island", "2:4 sparse"


def total_ms(layers: Sequence[LayerFacts]) -> float:
    """What the layers take together; 0: their times are not known."""
    return sum(layer.milliseconds or 0 for layer in layers)


def share(layer: LayerFacts, total: float) -> float | None:
    """A layer's part of all layers' time, 0..1; None: not known."""
    return layer.milliseconds / total if layer.milliseconds is not None and total else None


def note(layer: LayerFacts) -> str:
    """What is to be known of a layer, in one or two words; empty: nothing."""
    return REFORMAT if layer.reformat else ISLAND if layer.island else SPARSE if layer.sparse else ""


def label(layer: LayerFacts) -> str:
    """The nodes it computes by the names that the model has; its own name where they are not known."""
    return " + ".join(layer.origin) or layer.name


def milliseconds(value: float | None) -> str:
    """`0.1352`: as many decimals for all layers, so that they stand below each other."""
    return words.DASH if value is None else f"{value:.4f}"


def precisions(layers: Sequence[LayerFacts]) -> str:
    """`31 INT8, 4 FP32`: how many layers compute in what, the most first."""
    kinds = [layer.precision or NOT_TOLD for layer in layers]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds), key=lambda kind: (-kinds.count(kind), kind)))


def part(layers: Sequence[LayerFacts], which: Callable[[LayerFacts], bool], of: str = " of the time") -> str:
    """`12, 8.1 % of the time`: how many layers are such, and what they take."""
    such = [layer for layer in layers if which(layer)]
    total = total_ms(layers)
    return f"{len(such)}, {words.percent(total_ms(such) / total)}{of}" if such and total else str(len(such))


def times(facts: PlanFacts) -> str:
    """What the layers take together, over how many inferences, and an inference without the profiler."""
    total = total_ms(facts.layers)
    if not total:
        return words.dash("the plan's profiler said no times")
    over = f", means over {facts.inferences} inferences" if facts.inferences else ""
    plain = f"; without the profiler an inference takes {words.ms(facts.inference_ms)}" if facts.inference_ms else ""
    return f"{words.ms(total)}{over}{plain}"
