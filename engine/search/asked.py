"""What the search asks of whoever runs models, and the answers as values. Nothing here knows how they come about.

What is expensive is asked one at a time, and counted: an accuracy check is a pass over thousands of samples, a measured mix
is a build and minutes on the board. The same answers bring the same questions in the same order, so who keeps answers takes a
search up again where it was killed, and sees all of its progress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from msgspec import Struct

from .mixes import FORMATS, CostTable, Floats, Format, Mix

Half = Literal["A", "B"]
"""Of the labelled samples: A chooses, B alone is claimed from. No sample is in both."""


class Bounds(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class CannotBeBuilt(Exception):
    """What was asked of cannot be built, and why."""


class Checked(Struct, frozen=True, kw_only=True):
    """What half of the data says of a mix."""

    difference: Bounds
    """Quality of the mix less that of the baseline on the same samples, more is better, as a share: of what labels say, or
    without labels of how often both say the same (never above 0). `measure.statistics.paired_difference` gives it.
    """
    qualities: dict[str, Bounds] = {}
    """Figures of the mix itself by the words of goals (`top1`, `f1`): those that a goal may limit."""


class CostFigures(Struct, frozen=True, kw_only=True):
    """What the board says of a mix that was built."""

    ratios: dict[str, Bounds]
    """By quantity, over all in FP32, measured in turns with it."""
    figures: dict[str, float] = {}
    """By the words of goals, in their units; also such as no table foretells (`p99_ms`, `power_w`)."""
    beside: dict[Mix, dict[str, Bounds]] = {}
    """By mix and quantity: what others cost over this one, measured in turns with it."""


class UnitEffects(Protocol):
    """Sensitivities."""

    def effect(self, unit: str, form: Format) -> float:
        """How far outputs move where this unit alone has this format: KL in nats or, of outputs that are no classes, the share
        of noise in their power. Not negative, 0 of FP32; of units together it adds up.
        """
        ...


class AccuracyChecks(Protocol):
    """Who runs labelled samples."""

    def check(self, mix: Mix, half: Half) -> Checked:
        """Accuracy beside the baseline's, sample by sample."""
        ...


class CostMeasurements(Protocol):
    """Who builds and measures on the board."""

    def measure(self, mix: Mix, beside: Sequence[Mix] = ()) -> CostFigures:
        """A new measurement each time it is asked, in turns with the baseline, and with other mixes that were built before."""
        ...


class Answerers(NamedTuple):
    """Those who answer."""

    effects: UnitEffects
    checks: AccuracyChecks
    costs: CostMeasurements


class EarlierSearch(NamedTuple):
    """What searches of models with the same layers leave to the next one."""

    anew: Callable[[], CostTable] | None = None
    """Where the table that is given was learnt: what makes one here. None: it was made here."""
    first: Mix | None = None
    """What they found, which half A is asked of before all others; None: nothing."""


def effects_of(table: CostTable, asked: UnitEffects) -> Floats:
    """Sensitivities of every unit in every format that it has, (units, formats)."""
    found = np.zeros((len(table.units), len(FORMATS)))
    for n, unit in enumerate(table.units):
        for form in unit.costs:
            if form != "fp32":
                found[n, FORMATS.index(form)] = asked.effect(unit.name, form)
    if not np.isfinite(found).all() or (found < 0).any():
        raise ValueError("a sensitivity is negative or no number")
    return found
