"""How the inferences of one side are issued, and what a workload tells beside their latencies.

The base class is `flat-out`; each other workload is a class in a file of its own, which its row of `schema/workloads.py` names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.frames import Frames
from ..schema.figures import Ratio
from ..schema.workload_figures import WorkloadFigures
from ..schema.workloads import Workload
from ..tasks.decoder import Outputs
from .output_deviation import FrameDeviation, of_offsets
from .statistics import paired_ratio

Infer = Callable[[], None]
Array = NDArray[np.generic]
Floats = NDArray[np.float64]
_ENGINE = __name__.rpartition(".measure.")[0]


def timed_once(infer: Infer) -> int:
    """Nanoseconds of one inference. Its own cost: 0.2 µs (`make bench-statistics`)."""
    began = time.perf_counter_ns()
    infer()
    return time.perf_counter_ns() - began


@dataclass(frozen=True)
class Camera:
    """Where frames come from, and what is made of the outputs."""

    frames: Frames
    finish: Callable[[Outputs], object]
    """Outputs of a batch to what they mean."""
    finishing: str
    """The same in words, e.g. `boxes, suppressed`."""
    batch: int
    """Images in one inference."""
    deviates: Callable[[Outputs, Outputs], FrameDeviation | None] = of_offsets
    """How outputs of a frame lie beside the baseline's, which come first."""
    errs: Callable[[int, Outputs], FrameDeviation | None] | None = None
    """How the outputs of a frame, by its number, lie beside what is truly in it; None: nobody says what is."""
    felt: str = "the offset rate of each frame"
    """The same in words."""


class Mixture:
    """Samples in turn, where what a plan does depends on its input: all of them, then all again, in orders that are drawn."""

    def __init__(self, samples: Sequence[Mapping[str, Array]], seed: int) -> None:
        self.samples = samples
        self._draw = np.random.default_rng(seed)

    def numbers(self) -> Iterator[int]:
        """Endlessly; a session that is loaded anew does not begin with the same ones again."""
        while True:
            yield from self._draw.permutation(len(self.samples)).tolist()


@dataclass(frozen=True)
class Means:
    """What one side's inferences are issued with."""

    session: Session
    feeds: Mapping[str, Array]
    """One sample, in the model's batch."""
    workload: Workload
    seed: int = 0
    camera: Camera | None = None
    """Where whole frames come from; None: the workload takes none."""
    mixture: Mixture | None = None
    """Samples in turn; None: `feeds` each time."""

    def infer(self) -> Infer:
        """A call that makes one inference."""
        if self.mixture is None:
            return self.session.timed(self.feeds)
        call, numbers = self.session.over(self.mixture.samples), self.mixture.numbers()

        def once() -> None:
            call(next(numbers))

        once()
        return once

    def streams(self, most: int) -> list[Infer]:
        """So many of them, for a thread each."""
        return self.session.streams(self.feeds, most) if self.mixture is None else [self.infer() for _ in range(most)]


def by_blocks(baseline: Floats, other: Floats, confidence: float) -> tuple[Ratio, str]:
    """The other over the baseline by blocks that were taken in turns, one value each."""
    value, low, high = paired_ratio(baseline, other, confidence)
    return Ratio(value=value, low=low, high=high, interleaved=True), ""


@dataclass(frozen=True)
class Compared:
    """Values of one variant, and how two variants' make a ratio."""

    values: Floats
    """One a block, unless `ratio` says otherwise."""
    ratio: Callable[[Floats, Floats, float], tuple[Ratio, str]] = by_blocks
    """Of the baseline's values, another's, and the confidence: the ratio, and why it is not known where it is not."""


@dataclass
class Findings:
    """What a workload knows of one side at its end."""

    figures: WorkloadFigures
    reasons: dict[str, str] = field(default_factory=dict)
    """Why figures are missing, by their path below the workload's figures, e.g. `misses.after_miss`."""
    raw: dict[str, Array] = field(default_factory=dict)
    """Every single value, for the run's folder."""
    compared: dict[str, Compared] = field(default_factory=dict)
    """What variants are compared by beside latency, by its ratio's field of `Difference`."""


class Issuer:
    """Flat out, one stream: the next inference begins when the last has ended."""

    apart = False
    """Each block is a process of its own, which knows nothing of the one before."""
    loaded_anew = True
    """Whether its plan may be loaded again between its blocks; not where what is drawn goes on from block to block."""

    def __init__(self, means: Means) -> None:
        """The session is ready when this returns."""
        self.kind = means.workload.kind
        self.infer: Infer = means.infer()

    def step(self) -> None:
        """One unit of work, an inference or a frame, without a wait for its beat."""
        self.infer()

    def issue(self) -> Iterator[int]:
        """Work as the workload has it, a unit each time it is asked, waiting for beats where there are some: how many
        inferences or frames it was. Energy windows are made of it; nothing is kept.
        """
        while True:
            self.infer()
            yield 1

    def unit_s(self, usual_s: float) -> float:
        """How long a unit lasts, with what it waits, where the work takes `usual_s`."""
        return usual_s

    def times(self, units: int) -> list[int]:
        """Nanoseconds of every inference of a block of so many units."""
        return [timed_once(self.infer) for _ in range(units)]

    def forget(self, blocks: int) -> None:
        """So many of the last blocks do not count: whatever is kept of them goes."""
        del blocks

    def after(self, earlier: Issuer) -> None:
        """What an issuer of an earlier session of the same variant has taken counts too, before what this one has."""

    def deciding(self) -> list[Floats]:
        """What beside latency must be known before there are enough blocks, a value for each block."""
        return []

    def beside(self, baseline: Issuer) -> None:
        """When all blocks are taken, before anybody tells: look at the baseline's issuer, which may be this one."""

    def told(self) -> Findings:
        """What there is to say beside latencies, the baseline first."""
        return Findings(WorkloadFigures(kind=self.kind))


class ByItself(Issuer):
    """A session that executes in processes of its own (`base.Backend.out_of_process`) times itself, flat out."""

    apart = True
    _LONG_BLOCK_S = 1.0
    """A block is a process that takes seconds to start."""

    def __init__(self, kind: str, blocks: Callable[[float], NDArray[np.int64]], infer: Infer) -> None:
        self.kind, self.infer, self._blocks = kind, infer, blocks

    def times(self, units: int) -> list[int]:
        """Of as many as there are in a second."""
        del units
        return [int(time_ns) for time_ns in self._blocks(self._LONG_BLOCK_S)]


def issuer_of(means: Means) -> Issuer:
    """What issues the workload; it is imported here, with all that it needs."""
    module, _, name = means.workload.issuer.partition(":")
    kind: type[Issuer] = getattr(import_module(f"{_ENGINE}.{module}"), name)
    return kind(means)
