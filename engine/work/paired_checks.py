"""Two candidates that were checked on the same half of the samples, beside each other sample by sample.

Apart from `run_answers.py`, which holds each beside the baseline.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..measure.accuracy import AccuracyMeter
from ..measure.raw_arrays import read_arrays
from ..measure.statistics import paired_difference
from ..runs.folder import RunDir
from ..schema.figures import Ratio
from ..schema.search import CandidateChecked

_SIDE = "classes candidate "
"""What names of arrays begin with (`measure.recompute_outputs`)."""


def paired(home: Path, one: CandidateChecked, other: CandidateChecked, seed: int) -> Ratio:
    """Quality of `one` less that of `other`, with its 95 % interval; of what is no class a sample, without one."""
    rights = _right(home, one), _right(home, other)
    if rights[0] is None or rights[1] is None or len(rights[0]) != len(rights[1]):
        apart = (one.difference.value or 0.0) - (other.difference.value or 0.0)
        return Ratio(value=apart)
    value, low, high = paired_difference(rights[1], rights[0], seed)
    return Ratio(value=value, low=low, high=high, interleaved=True)


def _right(home: Path, checked: CandidateChecked) -> NDArray[np.float64] | None:
    """Whether each sample's class is right, as 0 and 1; None: the run does not say."""
    if not checked.run:
        return None
    folder = RunDir(home / "runs" / checked.run)
    arrays = read_arrays(str(folder.artifacts / "evaluation.npz"))
    if isinstance(arrays, str) or f"{_SIDE}predicted" not in arrays:
        return None
    kept = {name.removeprefix(_SIDE): array for name, array in arrays.items() if name.startswith(_SIDE)}
    return AccuracyMeter.again(kept).right().astype(np.float64)
