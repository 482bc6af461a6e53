"""Load time, first inference and memory of one plan, in a process that has nothing else to do.

Apart from the measured loop because these figures are wrong as soon as a second plan, or data, lie in the same process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend, Session
from ..schema.figures import MemoryMb
from ..schema.settings import BackendSettings
from ..system.memory import MemoryReader
from ..system.own_memory import forget_peak, peak_rss_mb

_LOOK_S = 0.02
_LEAST_RUNS, _LEAST_S, _LONGEST_S = 3, 0.1, 10.0


@dataclass(frozen=True)
class Probe:
    """What one plan costs before it is of use, and while it is."""

    load_ms: float
    first_ms: float
    """The first inference, which sets up what later ones keep."""
    memory: MemoryMb
    plan_bytes: int | None


def probe(
    backend: Backend,
    plan: Path,
    settings: BackendSettings,
    feeds: Mapping[str, NDArray[np.generic]],
    load: Callable[[], Session] | None = None,
) -> Probe:
    """Load `plan`, infer a few times on `feeds`, and say what that took. Call it in a process of its own.

    load: what loads it where that is not the backend alone.

    The backend's library is imported before the clock starts; its memory counts, because whoever deploys pays for it too.

    Raises:
        PlanRefused, BackendRefused: the plan cannot be loaded.
        DataRefused: `feeds` do not fit.
    """
    forget_peak()
    with _SystemMemory() as system:
        backend.stamp(settings)
        began = time.perf_counter()
        session = backend.load(plan, settings) if load is None else load()
        loaded = time.perf_counter()
        session.run(feeds)
        first = time.perf_counter()
        runs = 0
        while time.perf_counter() - first < _LEAST_S or runs < _LEAST_RUNS:
            session.run(feeds)
            runs += 1
            if time.perf_counter() - first > _LONGEST_S:
                break
        system.look()
        peak_mb = peak_rss_mb()
    plan_bytes = session.plan_bytes()
    session.close()
    memory = MemoryMb(plan=None if plan_bytes is None else plan_bytes / 1e6, process_peak=peak_mb, system_drop=system.drop_mb)
    return Probe((loaded - began) * 1e3, (first - loaded) * 1e3, memory, plan_bytes)


class _SystemMemory:
    """By how much the system's available memory falls, and swap rises, at worst: looked at 50 times a second in a thread."""

    def __enter__(self) -> _SystemMemory:
        self._start = self._least = _available_mb()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_LOOK_S):
            self.look()

    def look(self) -> None:
        """Compare with the least so far; called once more at the end, or a short peak falls between two looks."""
        now = _available_mb()
        if now is not None and self._least is not None:
            self._least = min(self._least, now)

    @property
    def drop_mb(self) -> float | None:
        """MB (10^6 bytes); None where the kernel does not say, or it never fell: others freed what this process took."""
        fell = 0.0 if self._start is None or self._least is None else self._start - self._least
        return fell if fell > 0 else None


def _available_mb() -> float | None:
    """Available memory and free swap together: what is swapped out was taken as well."""
    memory = MemoryReader(light=True).machine()
    return None if memory.available is None else (memory.available + (memory.swap_free or 0)) * 1024 / 1e6
