"""The mean of a few values with Student's interval, without arrays: repeats of a study, rounds of a sweep."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

_T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's t of 97.5 % for 1 to 15 degrees of freedom; the last is taken for more, which errs on the wide side."""


def mean_and_half(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and the half width of its 95 % interval; None: there is one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None
    return mean, _T_975[min(len(values) - 2, len(_T_975) - 1)] * statistics.stdev(values) / math.sqrt(len(values))
