"""What a step of a recipe does to a graph: which function of `compress` it is, and which samples that reads.

Apart from `pipeline.py` because every new method adds a case here and nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .result import DatasetStamp
from .say import Say
from .spec import AnyStep, PrecisionFp16, PruneMagnitude, QuantizeInt8, QuantizeWeights, TrainFinetune

if TYPE_CHECKING:
    from .compress.observe import Feeds
    from .data.samples import Samples

CHECKED_SAMPLES = 32
"""Samples that half precision is tried on."""


def do_step(
    step: AnyStep, source: Path, out: Path, samples: Samples | None, batch: int, say: Say
) -> tuple[str, DatasetStamp | None]:
    """Do `step` to the graph at `source` and write it to `out`; returns a line of what was done, and which samples it read.

    `samples` are those for calibration, for steps that `stages.needs_samples` names; the graph takes `batch` of them at once.

    Raises:
        EdgetuiError: as the function of `compress` does.
    """
    if samples is not None:
        samples = samples.take(_most(step, len(samples), batch))
    text = _done(step, source, out, samples, batch, say)
    if samples is None:
        return text, None
    return text, DatasetStamp(calibrated=samples.read, calibration=samples.source, skipped=len(samples.skipped))


def _most(step: AnyStep, there: int, batch: int) -> int:
    """How many of the samples that are there a step reads."""
    if isinstance(step, QuantizeInt8):
        most = min(there, step.samples)
        return most - most % batch or most  # what fills up a last batch would be counted as samples
    if isinstance(step, TrainFinetune):
        return min(there, step.samples or there)
    return min(there, CHECKED_SAMPLES)


def _done(step: AnyStep, source: Path, out: Path, samples: Samples | None, batch: int, say: Say) -> str:
    if isinstance(step, PruneMagnitude):
        from .compress.magnitude import prune

        return prune(step, source, out, say)
    if isinstance(step, QuantizeWeights):
        from .compress.weight_only import weights

        return weights(step, source, out, say)
    if isinstance(step, PrecisionFp16):
        from .compress.precision import fp16

        return fp16(step, source, out, _feeds(samples, batch) if samples else None, say)
    assert samples is not None
    if isinstance(step, QuantizeInt8):
        from .compress.quantize import int8

        return int8(step, source, out, _feeds(samples, batch), say)
    from .compress.train.finetune import finetune

    return finetune(step, source, out, samples, say)


def _feeds(samples: Samples, batch: int) -> Iterator[Feeds]:
    """Batches as the model is run with them."""
    return (one.feeds for one in samples.batches(batch, padded=True))
