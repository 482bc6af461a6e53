"""The process of one stage: does the work, tells the supervisor over its standard output, one event a line.

`python -m edgetui.engine.child HOME RUN STAGE FOLDER`. What libraries print goes to standard error, which is the run's log.
It dies with its supervisor, so that an interrupted run holds no memory and no device.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from . import events, outcome
from .errors import EdgetuiError, RunFailed, from_os_error
from .rundir import RunDir, write_atomic

PROGRESS_EVERY_S = 0.2
_PR_SET_PDEATHSIG = 1


class PipeSay:
    """A `Say` that writes events to a pipe, thinned out."""

    def __init__(self, fd: int, stage: str) -> None:
        self._fd, self._stage = fd, stage
        self._last = 0.0
        self.warnings: list[str] = []

    def _send(self, event: events.Event) -> None:
        os.write(self._fd, events.encode(event) + b"\n")

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Pass on at most five a second, and always the last."""
        now = time.monotonic()
        if done == total or now - self._last >= PROGRESS_EVERY_S:
            self._last = now
            self._send(events.Progress(stage=self._stage, done=done, total=total, text=text))

    def note(self, text: str) -> None:
        """A line for the log pane."""
        self._send(events.Note(stage=self._stage, text=text))

    def warn(self, text: str) -> None:
        """A line for the log pane and for the result; the same one only once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._send(events.Note(stage=self._stage, level="warning", text=text))

    def reading(self, side: str, latency_ms: float, mean_ms: float, half_width: float | None, samples: int) -> None:
        """A live figure; the measuring code thins these out itself."""
        self._send(events.Reading(side=side, latency_ms=latency_ms, mean_ms=mean_ms, half_width=half_width, samples=samples))

    def failed(self, error: EdgetuiError) -> None:
        """The stage's last word."""
        self._send(events.StageFailed(stage=self._stage, what=error.what, fix=error.fix))


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent is gone (Linux); leave at once if it is gone already."""
    parent = os.getppid()
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)


def main() -> int:
    """Do one stage; 0 when its folder holds the output."""
    home, run, stage, folder = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
    die_with_parent()
    os.umask(0o077)
    say = PipeSay(os.dup(1), stage)
    os.dup2(2, 1)
    try:
        from .pipeline import Job

        made = Job(home, RunDir(home / "runs" / run).asked(), stage, folder, say).do()
        write_atomic(folder / "outcome.json", outcome.encode(made))
    except EdgetuiError as error:
        say.failed(error)
        return 1
    except MemoryError:
        say.failed(RunFailed(f"{stage} ran out of memory", fix=f"close other programs, then `edgetui resume {run}`"))
        return 1
    except OSError as error:
        traceback.print_exc()
        say.failed(from_os_error(error))
        return 1
    except Exception as error:
        traceback.print_exc()
        log = home / "runs" / run / "log.txt"
        say.failed(
            RunFailed(f"{stage} met a defect of edgetui ({type(error).__name__}: {str(error)[:200]})", fix=f"report {log}")
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
