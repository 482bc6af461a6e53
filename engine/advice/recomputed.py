"""What the raw samples of a run say when its figures are computed from them again: values only, light.

`measure/recompute.py` computes them with numpy, in a process of its own. A report shows these figures, and says which of them
its `result.json` has otherwise.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..schema.ready import ready
from ..schema.result import Result


class RawSamples(Struct, frozen=True, kw_only=True):
    """A run and the files that its samples are in."""

    result: Result
    latencies: str = ""
    """`latencies.npz`; empty: it has none."""
    energy: str = ""
    """`energy.npz`."""
    workload: str = ""
    """`workload.npz`; empty: its workload tells latencies alone."""
    evaluation: str = ""
    """`evaluation.npz`: what labels and outputs were, as far as figures follow from it."""


class RawFigure(Struct, frozen=True, kw_only=True):
    """One figure of a result beside what its samples give."""

    path: str
    """In the result's document."""
    stored: float | None = None
    computed: float | None = None
    differs: bool = False


class BlockMeans(Struct, frozen=True, kw_only=True):
    """The mean of each block of one side, in the order of time."""

    side: str
    began_s: tuple[float, ...] = ()
    """Since the first block of all sides."""
    mean_ms: tuple[float, ...] = ()


class EnergyWindow(Struct, frozen=True, kw_only=True):
    """A stretch in which one plan alone was inferred."""

    side: str
    begin_s: float
    """Since the first sample."""
    end_s: float
    inferences: int
    joules: float


class PowerTrace(Struct, frozen=True, kw_only=True):
    """What the sensor said around the windows."""

    samples_s: tuple[float, ...] = ()
    """Since the first sample; of many, the least and largest of each stretch."""
    watts: tuple[float, ...] = ()
    idle_s: tuple[float, ...] = ()
    """Middles of the parts of both looks at the idle board."""
    idle_w: tuple[float, ...] = ()
    windows: tuple[EnergyWindow, ...] = ()


class Recomputed(Struct, frozen=True, kw_only=True):
    """One run."""

    run: str
    figures: tuple[RawFigure, ...] = ()
    blocks: tuple[BlockMeans, ...] = ()
    power: PowerTrace | None = None
    reasons: dict[str, str] = {}
    """Why nothing was computed from a file: `latencies`, `energy`, `workload`, `evaluation`."""

    @property
    def different(self) -> tuple[RawFigure, ...]:
        """Figures that are not what the document says."""
        return tuple(figure for figure in self.figures if figure.differs)


def with_computed(result: Result, found: Recomputed) -> Result:
    """The result with the figures that its samples give."""
    plain = msgspec.to_builtins(result)
    for figure in found.different:
        *above, last = figure.path.split(".")
        part = plain
        for name in above:
            part[name] = part.get(name) or {}
            part = part[name]
        part[last] = figure.computed
    return msgspec.convert(plain, ready(Result)) if found.different else result
