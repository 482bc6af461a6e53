"""How many cores others kept busy meanwhile: what the kernel counts as busy, less what this process and its children used.

A load average says how many wait as well, of the minute before, and counts a run's own threads.
"""

from __future__ import annotations

import resource
import time

from .cpu import online_cores
from .psutil_below import psutil_below, unreadable
from .root_files import Files

_MUCH, _MUCH_OF_MANY = 0.25, 0.125
"""Shares of all cores that are much: of few, and of many, where one whole core is."""


class OthersBusy:
    """Counts from its making on."""

    def __init__(self, files: Files | None = None) -> None:
        self._files = files or Files()
        self._began_s, self._others_s = time.monotonic(), _others_s(self._files)

    def cores(self) -> float | None:
        """So many on average until now; None: it cannot be told."""
        span_s, others_s = time.monotonic() - self._began_s, _others_s(self._files)
        if self._others_s is None or others_s is None or span_s <= 0:
            return None
        return max(0.0, others_s - self._others_s) / span_s

    def much(self) -> str:
        """`1.7 of 2 cores`, where that is so much that measured times are of both; empty: it is not, or cannot be told."""
        cores, known = len(online_cores(self._files)), self.cores()
        least = min(_MUCH * cores, max(1.0, _MUCH_OF_MANY * cores))
        return f"{min(known, float(cores)):.1f} of {cores} cores" if cores and known is not None and known >= least else ""


def _others_s(files: Files) -> float | None:
    """Seconds of cores that were not idle so far, less our own; those of children that have ended."""
    psutil = psutil_below(files)
    no_answer: tuple[type[Exception], ...] = (*unreadable(), TypeError)  # the last of a line that lacks columns
    try:
        told = files.ask("/proc/stat", psutil.cpu_times)
    except no_answer:
        return None
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    busy_s = sum(getattr(told, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
    return float(busy_s) - sum(each.ru_utime + each.ru_stime for each in own)
