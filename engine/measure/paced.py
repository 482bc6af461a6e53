"""`paced`: an inference at each beat of a fixed clock, and the deadlines that are missed.

Apart from `latency.py` because a miss is a matter of beats, not of blocks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..schema.workload_figures import Misses, WorkloadFigures
from .issuer import Array, Findings, Issuer, Means, timed_once

_SPIN_S = 0.0002
"""A sleep ends up to this late here; the rest of a beat is waited for by looking at the clock."""


class PacedIssuer(Issuer):
    """One inference at each beat. Beats are counted from the start of a block, so that nothing drifts; those that go by during
    an inference are dropped, as a camera's frames are. The first one waits for its beat like all others: threads and caches
    have cooled down by then, which doubles the time of a small model.
    """

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        assert means.workload.beat_s is not None
        self._beat_ns = 1e9 * means.workload.beat_s
        self._missed: list[NDArray[np.bool_]] = []
        """Of each block, whether an inference ended after the next beat."""
        self._dropped: list[int] = []
        """Of each block, beats that went by."""
        self._woke_late: list[int] = []
        """Of each block, misses of inferences that took less than a beat."""

    def issue(self) -> Iterator[int]:
        """At each beat that is not yet over."""
        for _ in beats(self._beat_ns / 1e9):
            self.infer()
            yield 1

    def unit_s(self, usual_s: float) -> float:
        """From beat to beat."""
        return max(usual_s, self._beat_ns / 1e9)

    def times(self, units: int) -> list[int]:
        """One at each beat, and whether it missed its deadline, the next beat."""
        start = time.perf_counter_ns()
        times: list[int] = []
        missed: list[bool] = []
        beat, dropped, woke_late = 1, 0, 0
        while len(times) < units:
            due = start + round(beat * self._beat_ns)
            wait_until(due)
            times.append(timed_once(self.infer))
            ended = time.perf_counter_ns()
            missed.append(ended - due > self._beat_ns)
            woke_late += missed[-1] and times[-1] <= self._beat_ns
            following = max(beat + 1, math.ceil((ended - start) / self._beat_ns))
            if len(times) < units:  # behind the last one nobody waits for a frame
                dropped += following - beat - 1
            beat = following
        self._missed.append(np.array(missed, np.bool_))
        self._dropped.append(dropped)
        self._woke_late.append(woke_late)
        return times

    def forget(self, blocks: int) -> None:
        """Their misses and dropped frames."""
        for kept in (self._missed, self._dropped, self._woke_late):
            del kept[len(kept) - blocks :]

    def after(self, earlier: Issuer) -> None:
        """Its misses and dropped frames."""
        assert isinstance(earlier, PacedIssuer)
        self._missed, self._dropped = [*earlier._missed, *self._missed], [*earlier._dropped, *self._dropped]
        self._woke_late = [*earlier._woke_late, *self._woke_late]

    def told(self) -> Findings:
        """The misses."""
        misses, reasons = misses_of(self._missed, sum(self._dropped), sum(self._woke_late))
        raw: dict[str, Array] = {"missed": np.concatenate([np.zeros(0, np.bool_), *self._missed])}
        return Findings(WorkloadFigures(kind=self.kind, misses=misses), reasons, raw)


def misses_of(blocks: Sequence[NDArray[np.bool_]], dropped: int, woke_late: int = 0) -> tuple[Misses, dict[str, str]]:
    """Figures of deadlines that were missed, `blocks` saying it of each inference, and why those that are missing are.

    Runs and what follows a miss are counted within blocks: between two, the other side was measured.
    """
    n, count = sum(len(block) for block in blocks), sum(int(block.sum()) for block in blocks)
    followed = sum(int(block[:-1].sum()) for block in blocks)
    again = sum(int((block[:-1] & block[1:]).sum()) for block in blocks)
    reasons = {}
    if not followed:
        reasons["misses.after_miss"] = "the deadline was missed at ends of blocks only" if count else "no deadline was missed"
    misses = Misses(
        count=count,
        n=n,
        longest_run=max((_longest_run(block) for block in blocks), default=0),
        after_miss=again / followed if followed else None,
        dropped=dropped,
        woke_late=woke_late,
    )
    return misses, reasons


def _longest_run(missed: NDArray[np.bool_]) -> int:
    longest = now = 0
    for miss in missed.tolist():
        now = now + 1 if miss else 0
        longest = max(longest, now)
    return longest


def beats(beat_s: float) -> Iterator[None]:
    """Wait for the next beat that is not yet over, each time it is asked; asleep, for watts are measured meanwhile."""
    due_s = time.monotonic()
    while True:
        due_s += beat_s * max(1, math.ceil((time.monotonic() - due_s) / beat_s))
        time.sleep(max(0.0, due_s - time.monotonic()))
        yield


def wait_until(due_ns: int) -> None:
    """Until the monotonic clock (`time.perf_counter_ns`) says `due_ns`: asleep, and awake at the end."""
    left_s = (due_ns - time.perf_counter_ns()) / 1e9
    if left_s > _SPIN_S:
        time.sleep(left_s - _SPIN_S)
    while time.perf_counter_ns() < due_ns:
        pass
