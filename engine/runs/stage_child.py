"""The processes that a supervisor has its stages done by: begun ahead, told where to work, listened to, ended.

Apart from `supervisor.py`, which says what is done next and for which runs.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from .fork_client import ForkedProcess, ForkServer

LOG_LIMIT_BYTES = 4_000_000
TERM_GRACE_S = 5.0
LOOK_S = 0.25

Words = tuple[str, ...]
"""Of a stage's process: `HOME STAGE RUN...`."""


class StageChildren:
    """Those of one supervisor."""

    def __init__(self, forks: ForkServer) -> None:
        """`forks`: not started yet, or ready."""
        self.forks = forks
        self._ahead: dict[Words, ForkedProcess] = {}
        """Processes that import what their stages need and wait for their turn."""

    def begin_ahead(self, coming: Iterable[Words]) -> None:
        """Let the processes of the next stages import what those need."""
        for words in coming:
            if words not in self._ahead:
                self._ahead[words] = self.forks.begin("stage_process", words, given=None)

    def begin(self, words: Words, given: bytes) -> ForkedProcess:
        """The process of a stage, which has been `given` where to work: the one that was begun ahead, where it still stands."""
        process = self._ahead.pop(words, None)
        if process is not None:
            if process.give(given):
                return process
            _give_up(process)
        return self.forks.begin("stage_process", words, given=given)

    def give_up_others(self, coming: Iterable[Words]) -> None:
        """End those that were begun ahead for what does not come any more: a run is out of it."""
        wanted = set(coming)
        for words in [words for words in self._ahead if words not in wanted]:
            _give_up(self._ahead.pop(words))

    def close(self) -> None:
        """End all that were begun ahead, and the fork server."""
        self.give_up_others(())
        self.forks.close()


def listen(
    process: ForkedProcess,
    logs: Sequence[Path],
    hear: Callable[[bytes], None],
    tick: Callable[[], None],
    stop: Callable[[], bool],
) -> None:
    """Give each line that a process says to `hear`, and what it prints to the `logs`, until it ends. `tick` is called a few
    times a second; when `stop` says so, the process has a few seconds to end.
    """
    killed_at: float | None = None
    half = b""
    kept = [_CappedLog(path) for path in logs]
    with selectors.DefaultSelector() as selector:
        selector.register(process, selectors.EVENT_READ)
        for pipe in (process.out, process.err):
            assert pipe
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(timeout=LOOK_S):
                if key.fileobj is process:
                    process.hear()
                    if process.code is not None:
                        selector.unregister(process)
                    continue
                data = _read(key.fileobj)  # type: ignore[arg-type]
                if data is None:
                    continue
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.err:
                    for log in kept:
                        log.write(data)
                else:
                    *lines, half = (half + data).split(b"\n")
                    for line in lines:
                        hear(line)
            tick()
            if killed_at is None and stop() and process.stop(signal.SIGTERM):
                killed_at = time.monotonic() + TERM_GRACE_S
            if killed_at is not None and time.monotonic() > killed_at:
                process.stop(signal.SIGKILL)
    for log in kept:
        log.close()


def exit_words(code: int) -> str:
    """`SIGSEGV`, `status 3`."""
    try:
        return signal.Signals(-code).name if code < 0 else f"status {code}"
    except ValueError:
        return f"status {code}"


def _give_up(process: ForkedProcess) -> None:
    """End a process whose turn does not come."""
    process.stop(signal.SIGKILL)
    process.close()


class _CappedLog:
    """log.txt, which no chatty tool can fill the disk with."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, data: bytes) -> None:
        """Append until the limit, then once say that it was reached."""
        room = LOG_LIMIT_BYTES - os.fstat(self._fd).st_size
        if room <= 0:
            return
        try:
            os.write(self._fd, data[:room] if len(data) <= room else data[:room] + b"\n-- log capped here --\n")
        except OSError:
            return

    def close(self) -> None:
        os.close(self._fd)


def _read(pipe: IO[bytes]) -> bytes | None:
    """What the pipe holds; empty at its end; None when there is nothing yet."""
    try:
        return os.read(pipe.fileno(), 65536)
    except BlockingIOError:
        return None
