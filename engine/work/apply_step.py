"""Do a step of a recipe to a graph: call the function that the step names, with the samples that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..advice.words import grouped
from ..schema.stamps import DatasetStamp
from ..schema.step import Step
from ..system.reporter import Reporter

if TYPE_CHECKING:
    from ..compress.observe import Feeds
    from ..data.samples import Samples

ENGINE = __name__.rpartition(".work.")[0]


def apply_step(
    step: Step,
    source: Path,
    out: Path,
    samples: Samples | None,
    batch: int,
    say: Reporter,
    kept: Path | None = None,
    seed: int = 0,
) -> tuple[str, DatasetStamp | None]:
    """Do `step` to the graph at `source` and write it to `out`; returns a line of what was done, and which samples it read.

    `samples` are those for calibration, for steps that need some; the graph takes `batch` of them at once. A step that resumes
    does so from the folder `kept`; None: it keeps nothing. `seed` drew the order of the samples.

    Raises:
        EdgetuiError: as the function of `compress` does.
    """
    if step.need == "none" or (samples is None and step.need == "optional"):
        return call_step(step, source, out, None, say), None
    assert samples is not None, step.method
    taken = samples.take(_most(step, len(samples), batch))
    given = taken if step.need in ("training", "labelled") else _feeds(taken, batch)
    text = call_step(step, source, out, given, say, kept)
    used = _used(taken, len(samples), seed)
    return text, DatasetStamp(calibrated=taken.read, calibration=used, skipped=len(taken.skipped))


def _used(taken: Samples, there: int, seed: int) -> str:
    """`500 of 10 000 of train.zip, seed 0`, or `all 500 of train.zip`: what was read, not what could have been."""
    source, count = taken.source.removeprefix("all of "), grouped(taken.read)
    if taken.read >= there:
        return f"all {count} of {source}"
    return f"{count} of {grouped(there)} of {source}" + ("" if f"seed {seed}" in source else f", seed {seed}")


def call_step(
    step: Step, source: Path, out: Path, samples: Samples | Iterable[Feeds] | None, say: Reporter, kept: Path | None = None
) -> str:
    """The same with the very samples that the step's function takes; None: it needs none, or there are none. `kept` is for
    steps that resume.

    Raises:
        EdgetuiError: as the function of `compress` does.
    """
    given = [] if step.needs == "none" else [samples]
    return _function(step)(step, source, out, *given, say, **({"kept": kept} if step.resumes else {}))


def _function(step: Step) -> Callable[..., str]:
    """What does the step; it is imported here, with all that it needs."""
    module, _, name = step.function.partition(":")
    function: Callable[..., str] = getattr(import_module(f"{ENGINE}.{module}"), name)
    return function


def _most(step: Step, there: int, batch: int) -> int:
    """How many of the samples that are there a step reads."""
    most = there if step.most_samples is None else min(there, step.most_samples)
    if step.need != "calibration":
        return most
    return most - most % batch or most  # what fills up a last batch would be counted as samples


def _feeds(samples: Samples, batch: int) -> Iterator[Feeds]:
    """Batches as the model is run with them."""
    return (one.feeds for one in samples.batches(batch, padded=True))
