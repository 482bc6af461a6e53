"""How far the candidate's outputs are from the baseline's on the same samples; no labels are needed.

Apart from `accuracy.py`, which needs them. Everything is a sum of float64 that grows by one batch at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import result
from ..errors import PlanRefused

Array = NDArray[np.generic]

NEAR_ZERO = 1e-3
"""An element is too near zero to divide by when it is below this share of the largest of its own sample in that output.

The paper leaves out what is near zero and prints bounds of float32's smallest numbers; with those, ten scores of 1e-9 outweigh
everything else. A share of the sample's own largest neither depends on the output's unit nor on how samples are batched."""


@dataclass
class _Sums:
    """Of one output. The baseline's element is a, the candidate's b."""

    samples: int = 0
    cosines: float = 0.0
    signal: float = 0.0
    noise: float = 0.0
    max_abs: float = 0.0


class Fidelity:
    """Add batches of both sides' outputs, then ask for `figures()`."""

    def __init__(self) -> None:
        self._outputs: dict[str, _Sums] = {}
        self._samples = 0
        self._signed = 0.0
        self._absolute = 0.0
        self._compared = 0
        self._left_out = 0
        self._broken = [0, 0]
        self._uneven: set[str] = set()

    def add(self, baseline: Mapping[str, Array], candidate: Mapping[str, Array], n: int = 1, of: int | None = None) -> None:
        """Outputs of one inference, by name. `n` samples lie along the first axis of length `of` (None: `n`; rows past `n` are
        padding); an output without such an axis, or of a batch of one, counts as one sample whatever its shape.

        Raises:
            PlanRefused: the candidate lacks an output.
        """
        self._samples += n
        batch = of or n
        for name, a in baseline.items():
            if name not in candidate:
                raise PlanRefused(f"the candidate has no output {name}", fix="this should not be; run the lint on its graph")
            b = candidate[name]
            if not all(isinstance(one, np.ndarray) and one.dtype.kind in "fiub" for one in (a, b)):
                continue  # texts and sequences
            if a.shape != b.shape:
                self._uneven.add(name)
                continue
            by_sample = batch > 1 and a.ndim > 0 and a.shape[0] == batch
            for row_a, row_b in zip(a[:n], b[:n], strict=True) if by_sample else [(a, b)]:
                self._add_sample(name, row_a.astype(np.float64).ravel(), row_b.astype(np.float64).ravel())

    def _add_sample(self, name: str, a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
        """One sample of one output. What is not finite on either side is counted and left out of every figure."""
        finite_a, finite_b = np.isfinite(a), np.isfinite(b)
        self._broken[0] += int((~finite_a).sum())
        self._broken[1] += int((~finite_b & finite_a).sum())
        kept = finite_a & finite_b
        if not kept.all():
            a, b = a[kept], b[kept]
        if a.size == 0:
            return
        difference, size = a - b, np.abs(a)
        sums = self._outputs.setdefault(name, _Sums())
        signal, other = float(a @ a), float(b @ b)
        if signal > 0 and other > 0:
            sums.cosines += float(a @ b) / math.sqrt(signal) / math.sqrt(other)
        elif signal == other:  # both all zero: the same direction as far as anyone can tell
            sums.cosines += 1.0
        sums.signal += signal
        sums.noise += float(difference @ difference)
        sums.max_abs = max(sums.max_abs, float(np.abs(difference).max()))
        sums.samples += 1
        far = size > NEAR_ZERO * size.max()
        rates = difference[far] / a[far]
        self._signed += float(rates.sum())
        self._absolute += float(np.abs(rates).sum())
        self._compared += rates.size
        self._left_out += a.size - rates.size

    def figures(self) -> result.Fidelity:
        """Offset rates over all elements of all outputs; cosine (mean over samples), SQNR and largest error of the output that
        fares worst.
        """
        every = [sums for sums in self._outputs.values() if sums.samples]
        noisy = [_sqnr_db(sums) for sums in every if sums.noise > 0 and sums.signal > 0]
        return result.Fidelity(
            offset_rate=self._signed / self._compared if self._compared else None,
            offset_rate_abs=self._absolute / self._compared if self._compared else None,
            left_out=self._left_out if every else None,
            cosine=min((min(1.0, sums.cosines / sums.samples) for sums in every), default=None),
            sqnr_db=min(noisy, default=None),
            max_abs=max((sums.max_abs for sums in every), default=None),
            samples=self._samples,
        )

    def reasons(self) -> dict[str, str]:
        """Why figures are missing, by field name."""
        if not any(sums.samples for sums in self._outputs.values()):
            why = "no output could be compared"
            return dict.fromkeys(("offset_rate", "offset_rate_abs", "left_out", "cosine", "sqnr_db", "max_abs"), why)
        reasons = {}
        if not self._compared:
            reasons.update(dict.fromkeys(("offset_rate", "offset_rate_abs"), "every element is zero"))
        if not any(sums.noise for sums in self._outputs.values()):
            reasons["sqnr_db"] = "the outputs are identical: no noise to divide by"
        elif not any(sums.noise and sums.signal for sums in self._outputs.values()):
            reasons["sqnr_db"] = "the baseline's output is zero: no signal to divide"
        return reasons

    def broken(self) -> str:
        """Why the candidate cannot be trusted at all; empty: it can."""
        if self._broken[1]:
            return f"{self._broken[1]} output elements are NaN or infinite in the candidate and finite in the baseline"
        return ""

    def warnings(self) -> list[str]:
        """What must be known before the figures are trusted, a sentence each."""
        said = [self.broken()] if self._broken[1] else []
        if self._broken[0]:
            said.append(f"{self._broken[0]} output elements are NaN or infinite in the baseline itself; they are left out")
        said.extend(f"output {name} differs in shape between the sides and is not compared" for name in sorted(self._uneven))
        return said


def _sqnr_db(sums: _Sums) -> float:
    """Signal over the noise of quantization: 10 log10(sum a^2 / sum (a - b)^2)."""
    return 10 * math.log10(sums.signal / sums.noise)
