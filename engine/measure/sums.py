"""What is kept of the outputs that were compared, and how near they are in words.

Apart from `fidelity.py`, which fills it batch by batch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..advice import words
from ..schema.output_figures import Fidelity

MOST_CLASSES = 4096
"""Different labels that are counted; of more, agreement by chance is as good as none."""


@dataclass
class Sums:
    """Of one output, or of one part of it. The baseline's element is a, the candidate's b."""

    samples: int = 0
    cosines: float = 0.0
    signal: float = 0.0
    noise: float = 0.0
    max_abs: float = 0.0
    signed: float = 0.0
    absolute: float = 0.0
    compared: int = 0
    left_out: int = 0
    printed: float = 0.0
    """Of the elements that the paper's printed bounds let in, signed; and how many they are."""
    printed_many: int = 0

    def sqnr_db(self) -> float | None:
        """Signal over the noise of quantization: 10 log10(sum a^2 / sum (a - b)^2)."""
        return 10 * math.log10(self.signal / self.noise) if self.noise > 0 and self.signal > 0 else None

    def cosine(self) -> float:
        """The mean over samples."""
        return min(1.0, self.cosines / self.samples)


@dataclass
class Equal:
    """Of one output whose elements are whole numbers, truth values or texts."""

    elements: int = 0
    equal: int = 0
    seen: tuple[Counter[object], Counter[object]] = field(default_factory=lambda: (Counter(), Counter()))
    """How often each label occurs on either side; counted only where chance is asked about."""

    def share(self) -> float | None:
        """Of equal elements among all, 0 to 1."""
        return self.equal / self.elements if self.elements else None


def no_ratio(every: Sequence[Sums]) -> str:
    """Why none of them has an SQNR."""
    identical = not any(sums.noise for sums in every)
    return (
        "the outputs are identical: no noise to divide by"
        if identical
        else "the baseline's output is zero: no signal to divide"
    )


def fidelity_sentence(figures: Fidelity) -> str:
    """One line of how near outputs are: `cosine 0.99912, SQNR 27.5 dB, 98.2 % of the rows matched`."""
    said = [
        "" if figures.cosine is None else f"cosine {words.fixed(figures.cosine, 5)}",
        "" if figures.sqnr_db is None else f"SQNR {words.fixed(figures.sqnr_db, 1)} dB",
        "" if figures.agreement is None else f"{_share(figures.agreement)} of the elements equal",
        "" if figures.rows_matched is None else f"{_share(figures.rows_matched)} of the rows matched",
    ]
    return ", ".join(filter(None, said)) or "cosine –"


def _share(value: float) -> str:
    """Rounded down, so that `100.00 %` is all of them."""
    return f"{math.floor(value * 1e4) / 100:.2f} %"
