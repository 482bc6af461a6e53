"""A frame from the image file to what its outputs mean, each part timed by itself; and `pipeline`, which does nothing else.

Apart from the workloads because `pipeline`, `cycle` and `tracking` all take frames this way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..schema.workload_figures import FrameTimes, WorkloadFigures
from ..tasks.decoder import Outputs
from .issuer import Array, Camera, Compared, Findings, Floats, Issuer, Means
from .statistics import LEAST_SAMPLES, percentile, serial_half_width

PARTS = ("decode", "resize", "copy", "inference", "postprocess")
"""`resize`: and normalise. `copy`: into the host memory that the plan reads; a GPU's own transfers are in `inference`."""
INFERENCE = PARTS.index("inference")


class FrameWork:
    """One side's frames: every part of each, in nanoseconds."""

    def __init__(self, session: Session, feeds: dict[str, Array], camera: Camera) -> None:
        self._run, self._camera = session.run, camera
        self._staged = {name: np.array(array) for name, array in feeds.items()}
        self._next = 0
        self.finishing = camera.finishing

    def frame(self, instead: Outputs | None = None) -> list[int]:
        """The next frame; the time of each of `PARTS`, each beginning where the one before it ends.

        instead: stands in the place of the model's outputs; the model is then passed over, and nothing is copied for it.
        """
        camera, frames = self._camera, self._camera.frames
        numbers = [(self._next + n) % len(frames) for n in range(camera.batch)]
        self._next += camera.batch
        now = time.perf_counter_ns
        t0 = now()
        images = [frames.decoded(number) for number in numbers]
        t1 = now()
        feeds = frames.fed([frames.fitted(image) for image in images])
        t2 = now()
        if instead is None:
            for name, array in feeds.items():
                np.copyto(self._staged[name], array)
            t3 = now()
            outputs: Outputs = self._run(self._staged)
        else:
            t3 = t2
            outputs = instead
        t4 = t3 if instead is not None else now()
        camera.finish(outputs)
        t5 = now()
        return [t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4]

    def outputs(self, number: int) -> Outputs:
        """What the model says of one frame (of a batch that begins with it)."""
        frames = self._camera.frames
        numbers = [(number + n) % len(frames) for n in range(self._camera.batch)]
        return self._run(self._staged | frames.fed([frames.fitted(frames.decoded(each)) for each in numbers]))


def work_of(means: Means) -> FrameWork:
    """Of a side that has a camera."""
    assert means.camera is not None
    return FrameWork(means.session, dict(means.feeds), means.camera)


class PipelineIssuer(Issuer):
    """Whole frames, one after another, from the dataset's own files."""

    loaded_anew = False

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._work = work_of(means)
        self._blocks: list[NDArray[np.int64]] = []
        """Of each block, shape (frames, parts)."""

    def step(self) -> None:
        """One frame."""
        self._work.frame()

    def issue(self) -> Iterator[int]:
        """A frame each."""
        while True:
            self._work.frame()
            yield 1

    def times(self, units: int) -> list[int]:
        """So many frames; the inference alone is what counts as latency."""
        block = np.array([self._work.frame() for _ in range(units)], np.int64)
        self._blocks.append(block)
        times: list[int] = block[:, INFERENCE].tolist()
        return times

    def forget(self, blocks: int) -> None:
        """Their frames."""
        del self._blocks[len(self._blocks) - blocks :]

    def after(self, earlier: Issuer) -> None:
        """Its frames."""
        assert isinstance(earlier, PipelineIssuer)
        self._blocks = [*earlier._blocks, *self._blocks]

    def deciding(self) -> list[Floats]:
        """Whole frames."""
        return [block_means([block.sum(axis=1) for block in self._blocks])]

    def told(self) -> Findings:
        """Every part of a frame, and the whole."""
        whole = [block.sum(axis=1) for block in self._blocks]
        frame, reasons = frame_times(whole)
        parts = np.concatenate(self._blocks)
        means_ms = (parts.mean(axis=0) / 1e6).tolist()
        raw: dict[str, Array] = {
            "parts_ns": parts,
            "frame_block": np.repeat(np.arange(len(whole)), [len(block) for block in whole]),
        }
        figures = WorkloadFigures(
            kind=self.kind,
            frame_ms=frame,
            parts_ms=dict(zip(PARTS, means_ms, strict=True)),
            postprocess=self._work.finishing,
        )
        return Findings(figures, reasons, raw, compared={"frame_ratio": Compared(block_means(whole))})


def block_means(whole: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Mean of each block, in ms."""
    return np.array([block.mean() for block in whole]) / 1e6


def frame_times(whole: Sequence[NDArray[np.int64]]) -> tuple[FrameTimes, dict[str, str]]:
    """Figures of whole frames from nanoseconds a block, and why those that are missing are."""
    samples = np.concatenate(whole) / 1e6
    half = serial_half_width(block_means(whole))
    reasons = {
        f"frame_ms.p{q}": f"needs {least} samples, has {len(samples)}"
        for q, least in LEAST_SAMPLES.items()
        if q in (50, 90, 99) and len(samples) < least
    }
    if half is None:
        reasons["frame_ms.half_width"] = "needs two blocks, has one"
    figures = FrameTimes(
        mean=float(samples.mean()),
        half_width=half,
        p50=percentile(samples, 50),
        p90=percentile(samples, 90),
        p99=percentile(samples, 99),
        min=float(samples.min()),
        max=float(samples.max()),
        n=len(samples),
    )
    return figures, reasons
