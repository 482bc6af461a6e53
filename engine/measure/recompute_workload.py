"""What workloads tell beside latencies once more, from what they kept (`workload.npz`): by the code that told it.

Apart from `recompute.py`, whose samples every measured run has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..schema.workload_figures import WorkloadFigures
from .cycle import Cycle, rate_figures
from .paced import misses_of
from .raw_arrays import Arrays
from .statistics import serial_half_width
from .whole_frames import PARTS, frame_times

Fields = dict[str, float | None]
_LONG = ("frames.fps", "frames.real", "roc.points")
"""Lists, of which documents hold the beginning."""


def _missed(own: Arrays, blocks: NDArray[np.float64]) -> Fields:
    found, _ = misses_of([block.astype(np.bool_) for block in _blocks(own["missed"], blocks)], 0)
    return {f"misses.{field}": getattr(found, field) for field in ("count", "n", "longest_run", "after_miss")}


def _parts(own: Arrays, blocks: NDArray[np.float64]) -> Fields:
    del blocks
    parts = own["parts_ns"].reshape(-1, len(PARTS))
    frame, _ = frame_times([block.astype(np.int64) for block in _blocks(parts.sum(axis=1), own["frame_block"])])
    means = dict(zip(PARTS, (parts.mean(axis=0) / 1e6).tolist(), strict=True))
    return _flat(WorkloadFigures(frame_ms=frame, parts_ms=means))


def _cycles(own: Arrays, blocks: NDArray[np.float64]) -> Fields:
    del blocks
    took, real = (_blocks(own[name], own["cycle"]) for name in ("frame_ns", "real"))
    cycles = [Cycle(a.astype(np.int64), b.astype(np.bool_), 0) for a, b in zip(took, real, strict=True)]
    return _flat(rate_figures(cycles)[0])


def _streams(own: Arrays, blocks: NDArray[np.float64]) -> Fields:
    del blocks
    most = max(int(name.rpartition("_")[2]) for name in own if name.startswith("images_per_s_"))
    rates, times = own[f"images_per_s_{most}"], own[f"streams_{most}_ns"]
    told = {
        "images_per_s": float(rates.mean()),
        "half_width": serial_half_width(rates),
        "latency_ms": float(times.mean() / 1e6),
    }
    return {f"throughput.{field}": value for field, value in told.items()}


OF: dict[str, Callable[[Arrays, NDArray[np.float64]], Fields]] = {
    "missed": _missed,
    "parts_ns": _parts,
    "frame_ns": _cycles,
    "images_per_s_1": _streams,
}
"""By an array that this kind of workload keeps."""


def of_workload(raw: Arrays, latencies: Arrays) -> Iterator[tuple[str, float | None]]:
    """(path in the document, figure) of every side. latencies: the arrays of `latencies.npz`, for blocks.

    Raises:
        ValueError, KeyError: the arrays are not what a workload keeps.
    """
    for side in (key.removesuffix("_block") for key in latencies if key.endswith("_block")):
        own = {name.removeprefix(f"{side}_"): array for name, array in raw.items() if name.startswith(f"{side}_")}
        for kind, figures in OF.items():
            if kind in own:
                found = figures(own, latencies[f"{side}_block"])
                yield from ((f"{side}.workload.{path}", value) for path, value in found.items())


def _blocks(values: NDArray[np.float64], number: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Values by the number of their block."""
    if len(values) != len(number):
        raise ValueError(f"{len(values)} values in blocks of {len(number)}")
    return np.split(values, np.flatnonzero(np.diff(number)) + 1)


def _flat(figures: WorkloadFigures) -> Fields:
    def below(value: object, path: str) -> Iterator[tuple[str, float | None]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from below(inner, f"{path}.{key}" if path else str(key))
        elif path not in _LONG and (value is None or isinstance(value, int | float)):
            yield path, value

    return dict(below(msgspec.to_builtins(figures), ""))
