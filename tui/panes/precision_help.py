"""What a precision can hold, beside what this model holds: for the help of steps that change precision.

Range and least value above zero of each as in table 2 of Zhang et al. 2023: of floats those of IEEE 754 (the least is
subnormal), of integers those of two's complement, in steps of a scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.advice.words import DASH
from ..widgets.lines import Line, wrap

if TYPE_CHECKING:
    from ...engine.schema.model_facts import ModelFacts

FORMATS = (
    ("FP32", "-3.4e+38 to 3.4e+38", "1.4e-45"),
    ("FP16", "-65504 to 65504", "5.96e-08"),
    ("INT8", "-128 to 127", "1"),
)
"""Name, range, least value above zero."""
HEADS = ("", "range", "least above 0")
WIDTHS = (22, 24, 16)
STEPS_OF_INT8 = 255
"""Between the ends of a range in 8 bits."""
MOST_FP16 = 65504.0


def changes_precision(method: str) -> bool:
    """Whether a step's help has the table."""
    return method.startswith(("precision.", "quantize."))


def precision_lines(facts: ModelFacts | None, activations: tuple[float, float] | None, width: int) -> list[Line]:
    """The table, then the model's own weights and activations: their range, and one step of eight bits over it."""
    rows: list[Line] = [_row(HEADS, "dim"), *(_row(row, "value") for row in FORMATS), ()]
    weights = (facts.histogram_low, facts.histogram_high) if facts is not None and facts.histogram else None
    for name, ends in (("this model's weights", weights), ("its activations", activations)):
        rows.append(_row((name, *_told(ends)), "value"))
    told = "what they can be in INT8, with one scale over all of it; a scale a layer or a channel has smaller steps"
    rows += [((f"  {row}", "dim"),) for row in wrap(told, width - 2)]
    if activations is None:
        why = "activations: a run with quantize.int8 sees them, on calibration samples; of this model there is none yet"
        rows += [((f"  {row}", "dim"),) for row in wrap(why, width - 2)]
    elif max(map(abs, activations)) > MOST_FP16:
        rows += [((f"  {row}", "warn"),) for row in wrap("! activations go past what FP16 holds", width - 2)]
    return rows


def _told(ends: tuple[float, float] | None) -> tuple[str, str]:
    if ends is None:
        return DASH, DASH
    low, high = ends
    return f"{low:.3g} to {high:.3g}", f"{(high - low) / STEPS_OF_INT8:.2g}"


def _row(cells: tuple[str, ...], tone: str) -> Line:
    first, *others = (f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
    return ((f"  {first}", "dim"), *((cell, tone) for cell in others))
