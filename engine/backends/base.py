"""The protocol of a backend: what builds a plan from a lowered ONNX file, loads it and executes it.

numpy types appear in annotations only; importing this file is light.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from ..schema.model_facts import TensorFacts
from ..schema.plan import LayerFacts, PlanFacts
from ..schema.settings import BackendSettings
from ..schema.stamps import BackendStamp
from ..system.reporter import Reporter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = Mapping[str, NDArray[np.generic]]
    MakeInputs = Callable[[Sequence[TensorFacts]], Feeds]

Alone = Callable[[], AbstractContextManager[None]]
"""A context in which nothing else measures on this board."""


class Session(Protocol):
    """A loaded plan. Close it; where `max_concurrency` is 1, a session is good for one thread."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    max_concurrency: int = 1
    """How many threads may `run` it at once and gain by it, every one with the outputs it would have had alone."""
    remark: str = ""
    """What whoever reads the figures must know of how this session is timed; known after `timed`. Empty: nothing."""

    def run(self, feeds: Feeds) -> dict[str, NDArray[np.generic]]:
        """One inference; output name to a fresh array.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
            BackendRefused: the inference failed, or the session is closed.
        """
        ...

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """A call that makes one whole inference on `feeds`, synchronised at its end, allocating nothing it can avoid.

        Raises:
            DataRefused, BackendRefused: as `run`.
        """
        ...

    def over(self, samples: Sequence[Feeds]) -> Callable[[int], dict[str, NDArray[np.generic]]]:
        """A call that makes one inference on the sample of that number, as `timed` on one, and gives its outputs, which the
        next call may write over. What a plan does may depend on its input; for a thread of its own.

        Raises:
            DataRefused, BackendRefused: as `run`.
        """
        return lambda number: self.run(samples[number])

    def streams(self, feeds: Feeds, most: int) -> list[Callable[[], None]]:
        """So many calls as `timed` gives, each for a thread of its own, all at once; where a card has a
        `one_stream`, its sessions cannot.

        Raises:
            DataRefused, BackendRefused: as `run`.
        """
        return [self.timed(feeds) for _ in range(most)]

    def blocks(self, feeds: Feeds) -> Callable[[float], NDArray[np.int64]] | None:
        """Where every inference is a process of its own: a call that infers for so many seconds and returns the nanoseconds of
        each inference. None: `timed` is timed from outside.
        """
        del feeds
        return None

    def plan_bytes(self) -> int | None:
        """Device memory the plan says it needs; None: the backend does not say."""
        return None

    def device_ms(self) -> float | None:
        """Milliseconds of an inference on the device without the copies; None: there is no such device.

        After `timed` or `run`.
        """
        return None

    def layers(self) -> tuple[LayerFacts, ...]:
        """What is inside the plan, in the order it runs, with the mean milliseconds of each; empty: the session cannot tell."""
        return ()

    def close(self) -> None:
        """Free everything; a second time does nothing."""
        ...


class Backend(Protocol):
    """What executes a model."""

    name: str
    suffix: str
    """What its plans' names end with, e.g. `.onnx`."""

    @property
    def out_of_process(self) -> bool:
        """Every inference is a process of its own: only a few are asked for, its memory is not looked at, and its sessions time
        themselves (`Session.blocks`).
        """
        return False

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

    def reader(self, settings: BackendSettings) -> str | None:
        """What `inspection.lint` calls the reader of its models here, where asking before a build of minutes is worth while;
        None: a build says soon enough what it refuses.

        Raises:
            BackendRefused: it is not installed here.
        """
        del settings
        return None

    def build(self, onnx: Path, out: Path, settings: BackendSettings, say: Reporter) -> str:
        """Make a plan from a lowered ONNX file; returns a line of what came out.

        Raises:
            BackendRefused: the model cannot be built here; the message names the node.
        """

    def describe(self, plan: Path) -> PlanFacts:
        """What stands in a plan or beside it; nothing is loaded.

        Raises:
            OSError: it cannot be read.
        """
        return PlanFacts(name=plan.name, path=str(plan), backend=self.name, size_bytes=plan.stat().st_size)

    def look_inside(self, plan: Path, settings: BackendSettings, inputs: MakeInputs, alone: Alone) -> PlanFacts:
        """`describe`, with the layers and their times; without them and with the reason where it cannot be loaded here.

        inputs: made-up arrays for its inputs. alone: entered while it is timed.

        Raises:
            PlanRefused, BackendRefused, StorageRefused: its layers cannot be told, and there is no more to say of it.
        """
        del inputs, alone
        session = self.load(plan, settings)
        try:
            return msgspec.structs.replace(self.describe(plan), inputs=session.inputs, outputs=session.outputs)
        finally:
            session.close()

    def refuse_plan(self, plan: Path, settings: BackendSettings) -> None:
        """Refuse a plan that this machine cannot execute, as far as that is known without loading it.

        Raises:
            PlanRefused: it was built for another machine or with another version, was changed, or is not there.
        """

    def load(self, plan: Path, settings: BackendSettings, *, cooperative: bool = False) -> Session:
        """Load a plan. `cooperative`: other sessions are run between its inferences, so nothing of it may stay busy after one;
        not for timing, which is done as a plan is deployed.

        Raises:
            PlanRefused: it does not fit this machine or is broken.
        """

    def load_resting(self, plan: Path, settings: BackendSettings) -> Session:
        """Load a plan that infers now and then beside another, for timing: none of its threads stays awake after an inference,
        where they would take the processor from the other.

        Raises:
            PlanRefused, BackendRefused: as `load`.
        """
        return self.load(plan, settings)
