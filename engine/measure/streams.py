"""`throughput:K`: several streams at once, each with the next inference as soon as its last has ended.

Apart from `latency.py`, whose loop has one stream: here threads infer at once, and images a second are what counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..schema.workload_figures import StreamFigures, Throughput, WorkloadFigures
from .issuer import Array, Compared, Findings, Floats, Infer, Issuer, Means, timed_once
from .statistics import LEAST_SAMPLES, percentile, serial_half_width

_MOMENT_NS = 100_000_000
"""Of an energy window: short beside it, and long beside what it takes to start the threads."""
_EVERY_LEVEL = 8
"""Up to so many streams each number is measured; above, those that double, and the most."""


@dataclass(frozen=True)
class Slice:
    """A stretch of time in which so many streams inferred."""

    rate_s: float
    """Inferences a second."""
    times_ns: NDArray[np.int64]


def levels_up_to(most: int) -> tuple[int, ...]:
    """How many streams are tried: 1 to `most`, or 1, 2, 4, ... and `most`."""
    if most <= _EVERY_LEVEL:
        return tuple(range(1, most + 1))
    doubled = [1]
    while doubled[-1] * 2 < most:
        doubled.append(doubled[-1] * 2)
    return (*doubled, most)


class StreamsIssuer(Issuer):
    """Each block is a slice for each number of streams, in an order that is drawn; that of one stream is the latency's."""

    loaded_anew = False

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        workload = means.workload
        most: int = getattr(workload, workload.number)
        self._levels = levels_up_to(most)
        self._infers = means.streams(most)
        self._batch = next((array.shape[0] for array in means.feeds.values() if array.ndim), 1)
        self._draw = np.random.default_rng(means.seed)
        self._slices: dict[int, list[Slice]] = {level: [] for level in self._levels}

    def unit_s(self, usual_s: float) -> float:
        """Of the slice with one stream."""
        return usual_s

    def issue(self) -> Iterator[int]:
        """All streams at once, for a moment."""
        while True:
            yield len(at_once(self._infers, _MOMENT_NS).times_ns)

    def times(self, units: int) -> list[int]:
        """So many inferences of one stream, and as long a slice with each other number of them."""
        began = time.perf_counter_ns()
        alone = [timed_once(self.infer) for _ in range(units)]
        took_ns = time.perf_counter_ns() - began
        self._slices[1].append(Slice(1e9 * units / took_ns, np.array(alone, np.int64)))
        for level in self._draw.permutation([level for level in self._levels if level > 1]).tolist():
            self._slices[level].append(at_once(self._infers[:level], took_ns))
        return alone

    def forget(self, blocks: int) -> None:
        """A slice of each number of streams."""
        for slices in self._slices.values():
            del slices[len(slices) - blocks :]

    def after(self, earlier: Issuer) -> None:
        """Its slices."""
        assert isinstance(earlier, StreamsIssuer)
        self._slices = {level: [*earlier._slices[level], *slices] for level, slices in self._slices.items()}

    def deciding(self) -> list[Floats]:
        """Rates with all streams."""
        return [np.array([each.rate_s for each in self._slices[self._levels[-1]]])]

    def told(self) -> Findings:
        """Images a second and latency at each number of streams, and the knee."""
        return findings(self.kind, self._slices, self._batch)


def at_once(infers: Sequence[Infer], for_ns: int) -> Slice:
    """A thread for each of `infers`, all for so long.

    The rate is the sum of each stream's own, over the time to the end of its last inference: streams that end first would
    otherwise be counted as idle while the others finish.

    Raises:
        Exception: what an inference raised.
    """
    gate, taken, failed = threading.Barrier(len(infers)), [[0, 0] for _ in infers], list[BaseException]()
    times: list[list[int]] = [[] for _ in infers]

    def stream(number: int, infer: Infer) -> None:
        try:
            gate.wait()
            began = now = time.perf_counter_ns()
            while now - began < for_ns:
                infer()
                ended = time.perf_counter_ns()
                times[number].append(ended - now)
                now = ended
            taken[number] = [began, now]
        except BaseException as error:
            gate.abort()
            failed.append(error)

    threads = [threading.Thread(target=stream, args=each, daemon=True) for each in enumerate(infers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in sorted(failed, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    rate = sum(1e9 * len(own) / (ended - began) for own, (began, ended) in zip(times, taken, strict=True))
    return Slice(rate, np.array([one for own in times for one in own], np.int64))


def findings(kind: str, slices: dict[int, list[Slice]], batch: int) -> Findings:
    """Figures of all levels."""
    levels = tuple(slices)
    reasons: dict[str, str] = {}
    figures, rates = [], {}
    for place, level in enumerate(levels):
        rates[level] = batch * np.array([each.rate_s for each in slices[level]])
        samples = np.concatenate([each.times_ns for each in slices[level]]) / 1e6
        half = serial_half_width(rates[level])
        each = StreamFigures(
            streams=level,
            batch=batch,
            images_per_s=float(rates[level].mean()),
            half_width=half,
            latency_ms=float(samples.mean()),
            p50_ms=percentile(samples, 50),
            p90_ms=percentile(samples, 90),
            p99_ms=percentile(samples, 99),
            n=len(samples),
        )
        figures.append(each)
        for q in (50, 90, 99):
            if getattr(each, f"p{q}_ms") is None:
                reasons[f"streams.{place}.p{q}_ms"] = f"needs {LEAST_SAMPLES[q]} samples, has {len(samples)}"
        if half is None:
            reasons[f"streams.{place}.half_width"] = reasons["throughput.half_width"] = "needs two blocks, has one"
    knee, why = knee_of(levels, [float(rates[level].mean()) for level in levels], [each.latency_ms or 0.0 for each in figures])
    if knee is None:
        reasons["throughput.knee"] = why
    last = figures[-1]
    throughput = Throughput(
        streams=levels[-1],
        images_per_s=last.images_per_s,
        half_width=last.half_width,
        latency_ms=last.latency_ms,
        knee=knee,
    )
    raw: dict[str, Array] = {f"images_per_s_{level}": rates[level] for level in levels}
    raw |= {f"streams_{level}_ns": np.concatenate([each.times_ns for each in slices[level]]) for level in levels}
    told = WorkloadFigures(kind=kind, throughput=throughput, streams=tuple(figures))
    return Findings(told, reasons, raw, compared={"throughput_ratio": Compared(rates[levels[-1]])})


def knee_of(levels: Sequence[int], rates: Sequence[float], latencies: Sequence[float]) -> tuple[int | None, str]:
    """The number of streams with most throughput for its latency, and why there is none.

    The knee is where throughput over response time is greatest (Kleinrock's power, 1979; Jain 1991, The Art of Computer Systems
    Performance Analysis, 3.3): before it streams add throughput, past it they wait for each other.
    """
    if len(levels) < 2:
        return None, "one stream has no knee"
    power = [rate / latency for rate, latency in zip(rates, latencies, strict=True)]
    best = max(range(len(levels)), key=lambda place: power[place])
    if best == len(levels) - 1:
        return None, f"throughput still grows faster than latency at {levels[-1]} streams, the most that were asked for"
    return levels[best], ""
