"""Whether one side follows the other from sample to sample: what a plan must do that computes the same.

Apart from `sums.py`, whose figures are over all elements: where most of an output is the same for every sample (places of a
grid, a grey that all images share), cosine and SQNR are high whatever a plan computes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..advice import words

Array = NDArray[np.generic]
Floats = NDArray[np.float64]

MOST_ELEMENTS = 2**20
"""Of an output, evenly spread over it, that are looked at."""
LEAST_FOLLOWED = 0.5
"""Of what changes from sample to sample (as variance), this share at least. Rounding of INT8 leaves 0.9 and more."""
FAR_DB = 20.0
"""Nearer than that, what is lost may be rounding of an output that hardly changes, as with made-up samples."""


@dataclass
class Following:
    """Of one quantity, which may be one part of an output. The file's element is a, the plan's b."""

    samples: int = 0
    total: Floats | None = None
    """Of a, each element by itself."""
    signal: float = 0.0
    noise: float = 0.0
    cosines: float = 0.0
    fits: bool = True
    """All samples have one size."""

    def add(self, first: Array, second: Array) -> None:
        """One sample; what is not finite on either side counts as equal."""
        step = -(-first.size // MOST_ELEMENTS) or 1
        a, b = (side.reshape(-1)[::step].astype(np.float64) for side in (first, second))
        finite = np.isfinite(a) & np.isfinite(b)
        a, b = np.where(finite, a, 0.0), np.where(finite, b, 0.0)
        if self.total is not None and self.total.size != a.size:
            self.fits = False
            return
        self.total = a.copy() if self.total is None else self.total + a
        self.samples += 1
        ours, theirs, difference = float(a @ a), float(b @ b), a - b
        self.cosines += float(a @ b) / math.sqrt(ours * theirs) if ours > 0 and theirs > 0 else float(ours == theirs)
        self.signal += ours
        self.noise += float(difference @ difference)

    def doubt(self, least_cosine: float) -> str:
        """What is wrong with the plan; empty: nothing."""
        if not self.samples or not self.noise or not self.signal or self.total is None:
            return ""
        db = 10 * math.log10(self.signal / self.noise)
        cosine = self.cosines / self.samples
        if cosine < least_cosine:
            return f"cosine {words.fixed(cosine, 5)}, SQNR {words.fixed(db, 1)} dB"
        changing = self.signal - float(self.total @ self.total) / self.samples
        followed = 1 - self.noise / changing if changing > 0 else 1.0
        if self.fits and db < FAR_DB and followed < LEAST_FOLLOWED:
            return f"SQNR {db:.1f} dB, as if the plan hardly saw its inputs,"
        return ""
