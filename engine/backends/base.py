"""The protocol of a backend: what builds a plan from a lowered ONNX file, loads it and executes it.

numpy types appear in annotations only; importing this file is light.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..result import BackendStamp, TensorFacts
from ..say import Say
from ..spec import BackendSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = Mapping[str, NDArray[np.generic]]


class Session(Protocol):
    """A loaded plan. Close it; where `callers` is 1, a session is good for one thread."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    callers: int
    """How many threads may `run` it at once and gain by it, every one with the outputs it would have had alone."""

    def run(self, feeds: Feeds) -> dict[str, NDArray[np.generic]]:
        """One inference; output name to a fresh array."""

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """A call that makes one whole inference on `feeds`, synchronised at its end, allocating nothing it can avoid.

        A session with something to say of how it is timed has it in `remark` from here on; empty or absent: nothing.
        """

    def plan_bytes(self) -> int | None:
        """Device memory the plan says it needs; None: the backend does not say."""

    def device_ms(self) -> float | None:
        """Milliseconds of an inference on the device without the copies; None: there is no such device.

        After `timed` or `run`.
        """

    def close(self) -> None:
        """Free everything."""


class Backend(Protocol):
    """What executes a model."""

    name: str
    suffix: str
    """What its plans' names end with, e.g. `.onnx`."""

    @property
    def outside(self) -> bool:
        """Every inference is a process of its own: only a few are asked for, and its memory is not looked at. Its sessions
        have `blocks(feeds)`, a call that infers for so many seconds and returns the nanoseconds of every inference.
        """

    def check(self, settings: BackendSettings, *, execute: bool) -> None:
        """Refuse early, before any work is done, what cannot be done here. `execute`: plans will be run, not only built.

        Raises:
            BackendRefused: it is not installed here, or the device is not there.
        """

    def stamp(self, settings: BackendSettings) -> BackendStamp:
        """Version, threads and options, for the result.

        Raises:
            BackendRefused: it is not installed here.
        """

    def target(self) -> str:
        """Which lowering its plans need on this machine, e.g. `onnxruntime-x86`."""

    def build(self, onnx: Path, out: Path, settings: BackendSettings, say: Say) -> str:
        """Make a plan from a lowered ONNX file; returns a line of what came out.

        Raises:
            BackendRefused: the model cannot be built here; the message names the node.
        """

    def load(self, plan: Path, settings: BackendSettings, *, in_turns: bool = False) -> Session:
        """Load a plan. `in_turns`: other sessions are run between its inferences, so nothing of it may stay busy after one;
        not for timing, which is done as a plan is deployed.

        Raises:
            PlanRefused: it does not fit this machine or is broken.
        """
