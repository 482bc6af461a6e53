"""`adaptive`: the step after which two plans are deployed, and inputs choose between them.

Apart from `steps.py` because it changes no weight: it says what is kept beside the quantized graph, and by which rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .model_facts import ModelFacts
from .numbers import Count, Positive, Share
from .step import Kernels, Step


class Adaptive(Step, frozen=True, kw_only=True, tag="adaptive"):
    """Inputs that INT8 is unsure of run again in a higher precision, both plans loaded. The last step, after one that quantizes
    activations (dynamic precision: Filippou et al. 2024, future work).
    """

    function = "compress.wide_twin:adaptive"
    needs = "calibration"
    escalates = True
    copies = 6.0
    only_with = (("agreement", "threshold", None), ("fit", "threshold", None))

    precision: Literal["float32", "float16"] = "float32"
    """Of the second plan. `float16`: where the hardware multiplies in it."""
    agreement: Share = 0.995
    """How much of the higher precision is kept on calibration samples: the share of outputs that agree with it; with `fit`
    `labels` the share of its right answers."""
    fit: Literal["outputs", "labels"] = "outputs"
    """What the threshold is fitted by: both plans' `outputs`, which needs no labels, or the calibration set's `labels`."""
    threshold: Share | None = None
    """An input runs again where the margin between the two likeliest classes, or the best box's score, is below this: 0 never,
    1 always. None: fitted on calibration samples, the smallest that keeps `agreement`."""
    deadline_ms: Positive | None = None
    """Milliseconds that an inference may take on average: above it the threshold falls, below it rises again. None: any."""
    power_w: Positive | None = None
    """Watts that the board may draw, likewise; where no sensor tells them nothing moves, which is said. None: any."""
    temperature_c: Positive | None = None
    """°C of the warmest zone, likewise. None: any."""
    samples: Count = 500
    """Calibration samples that the threshold is fitted on, at most."""

    @property
    def most_samples(self) -> int:
        return self.samples

    @property
    def fits(self) -> bool:
        """Whether both plans run on calibration samples to find the threshold."""
        return self.threshold is None

    def left_wide(self, facts: ModelFacts, kernels: Kernels) -> int:
        return 0

    def spoils(self, before: Sequence[Step]) -> list[str]:
        return [] if any(step.arithmetic == "int8" for step in before) else [NOTHING_TO_ESCALATE_FROM]

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        emulated = kernels.emulated.get("float16", "") if self.precision == "float16" else ""
        beside = f"; {emulated}" if emulated else ""
        return (
            f"two plans are loaded, so memory and file hold both; an input that runs twice takes longer than in either{beside}"
        )

    def not_faster(self, kernels: Kernels) -> str:
        return "inputs that INT8 is unsure of run twice"


NOTHING_TO_ESCALATE_FROM = "adaptive has no INT8 plan to begin with: put quantize.int8 before it"
