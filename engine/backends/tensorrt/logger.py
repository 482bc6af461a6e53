"""What TensorRT says while it builds: its log, and its progress monitor where it has one (9 and later).

Both are called back from the builder's threads and must neither block nor raise.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .build_messages import BuildMessage, BuildProgress

if TYPE_CHECKING:
    import tensorrt

_SPARSE = re.compile(r"\(Sparsity\) (?:Chose (\d+) layer|.*picked sparse implementation[^:]*:(.*))", re.DOTALL)
"""TensorRT 10 tells the number, 8 lists the names; of several lines the last is the plan's."""
_PHASES = (
    "Graph construction", "Graph optimization", "Local timing cache", "Timing", "Formats and tactics selection",
    "Building", "Engine generation", "Detected", "Compiler backend",
)  # fmt: skip
"""How lines of the log begin that tell how far a builder without a monitor is."""


class Log:
    """What was logged that matters afterwards."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.sparse_layers: int | None = None

    def hear(self, severity: str, text: str) -> None:
        """Keep errors and counts; warnings and errors go to the run's log as well."""
        if severity in ("ERROR", "INTERNAL_ERROR"):
            self.errors.append(text)
        if severity in ("ERROR", "INTERNAL_ERROR", "WARNING"):
            print(f"tensorrt: {text}", file=sys.stderr)
        if (count := sparse_layers(text)) is not None:
            self.sparse_layers = count


def sparse_layers(text: str) -> int | None:
    """How many layers a line of the log says got a sparse kernel; None: it is about something else."""
    found = _SPARSE.search(text)
    if found is None:
        return None
    return int(found[1]) if found[1] else len([name for name in found[2].split(",") if name.strip()])


class Monitored:
    """Phases within phases as one share of the whole, which never goes back."""

    def __init__(self, tell: Callable[[BuildMessage], None], cancelled: Callable[[], bool] = lambda: False) -> None:
        """`cancelled`: asked at every step of the builder; once it is true the builder is told to stop."""
        self._tell = tell
        self.cancelled = cancelled
        self._lock = threading.Lock()
        self._open: dict[str, list[int]] = {}
        """Phase to [steps done, steps], the outermost first."""
        self._furthest = 0.0

    def begin(self, phase: str, steps: int) -> None:
        """A phase inside those that are open."""
        with self._lock:
            self._open[phase] = [0, max(1, steps)]
            self._say(phase)

    def step(self, phase: str, step: int) -> None:
        """One of its steps is done; counted from 0."""
        with self._lock:
            if phase in self._open:
                self._open[phase][0] = step + 1
            self._say(phase)

    def end(self, phase: str) -> None:
        """It is closed; with the outermost one, all is done: TensorRT leaves steps out when it ends early."""
        with self._lock:
            self._open.pop(phase, None)
            if not self._open:
                self._furthest = 1.0
                self._tell(BuildProgress(done=1.0, text=phase))

    def line(self, text: str) -> None:
        """A line of the log that names a phase, from a builder without a monitor."""
        with self._lock:
            if not self._open:
                self._tell(BuildProgress(done=None, text=text))

    def _say(self, phase: str) -> None:
        share, width = 0.0, 1.0
        for done, steps in self._open.values():
            share += width * min(done, steps) / steps
            width /= steps
        self._furthest = max(self._furthest, min(share, 1.0))
        self._tell(BuildProgress(done=self._furthest, text=phase))


def logger(api: ModuleType, log: Log, watched: Monitored) -> tensorrt.ILogger:
    """A logger of this TensorRT that feeds `log`; keep it alive as long as its builder or runtime."""
    base: Any = api.ILogger

    class Logger(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)

        def log(self, severity: tensorrt.ILogger.Severity, text: str) -> None:
            name = getattr(severity, "name", str(severity)).rpartition(".")[2]
            log.hear(name, text)
            if name == "INFO" and text.startswith(_PHASES):
                watched.line(text[:60])

    made: tensorrt.ILogger = Logger()
    return made


def register_plugins(api: ModuleType, listener: tensorrt.ILogger) -> None:
    """Make NVIDIA's own plugins known to parser and runtime: what ScatterElements, RoiAlign, DeformConv and, before 10, norms
    become. A module without this function has none.
    """
    register = getattr(api, "init_libnvinfer_plugins", None)
    if register is not None:
        register(listener, "")


def monitor(api: ModuleType, watched: Monitored) -> tensorrt.IProgressMonitor | None:
    """A progress monitor of this TensorRT that feeds `watched`; None: it has none. Keep it alive as long as the builder."""
    base: Any = getattr(api, "IProgressMonitor", None)
    if base is None:
        return None

    class ProgressMonitor(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
            watched.begin(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            watched.step(phase_name, step)
            return not watched.cancelled()

        def phase_finish(self, phase_name: str) -> None:
            watched.end(phase_name)

    made: tensorrt.IProgressMonitor = ProgressMonitor()
    return made
