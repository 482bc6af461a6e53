"""Image files, and plans whose inferences take what the test says by a clock that passes only where work is done."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from edgetui.engine.backends.base import Session
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.measure.issuer import Camera, Issuer, Means, issuer_of
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.schema.workloads import Workload
from edgetui.engine.system.reporter import NullReporter
from PIL import Image

INPUT = TensorFacts(name="image", dtype="float", shape=(1, 3, 8, 8))
MS = 1_000_000


class FrameClock:
    """Nanoseconds."""

    def __init__(self) -> None:
        self.now = 0

    def perf_counter_ns(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


class Costly(Session):
    """A plan that takes so many ms by the clock; its outputs are the mean of each channel."""

    inputs = (INPUT,)
    outputs = ()

    def __init__(self, clock: FrameClock, cost_ms: Callable[[], float]) -> None:
        self._clock, self._cost_ms = clock, cost_ms
        self.fed = []

    def run(self, feeds):
        self._clock.now += round(self._cost_ms() * MS)
        self.fed.append(feeds["image"].copy())
        return {"y": feeds["image"].mean(axis=(2, 3))}

    def timed(self, feeds):
        return lambda: None

    def close(self) -> None:
        pass


def pictures(folder: Path, count: int = 9) -> Samples:
    """PNGs of noise and a file that is none."""
    draw = np.random.default_rng(0)
    for n in range(count):
        held = io.BytesIO()
        Image.fromarray(draw.integers(0, 256, (12, 20, 3), np.uint8)).save(held, "PNG")
        (folder / f"{n}.png").write_bytes(held.getvalue())
    (folder / "none.png").write_bytes(b"no image")
    how = ImageInput(mean=(0.1, 0.2, 0.3), letterbox=True)
    dataset = Dataset(kind="image-folder", path=str(folder), task="none", input=how)
    return open_samples(dataset, (INPUT,), {}, "all", 0, NullReporter())


def issuing_frames(
    workload: Workload,
    samples: Samples,
    clock: FrameClock,
    cost_ms: Callable[[], float],
    finish_ms: Callable[[], float] = lambda: 0.5,
    seed: int = 0,
    errs=None,
) -> tuple[Issuer, Costly]:
    """A workload of whole frames: the model and postprocessing take time by the clock, decoding and resizing none."""

    def finish(outputs):
        clock.now += round(finish_ms() * MS)
        return outputs

    session = Costly(clock, cost_ms)
    camera = Camera(samples.frames(64), finish, "nothing", 1, errs=errs)
    return issuer_of(Means(session, {"image": np.zeros((1, 3, 8, 8), np.float32)}, workload, seed, camera)), session
