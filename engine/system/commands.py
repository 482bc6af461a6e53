"""Other programs that are asked something. None of them can hold us, nor can what it started.

Each runs in a session of its own, so that it is ended together with its children, and its output is read without waiting:
a child of a child that lives on may keep the pipe open for as long as it likes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

_CHUNK, _MOST_READS, _MOST_BYTES = 1 << 16, 64, 1 << 24
_LOOK_S, _LAST_WORDS_S = 0.05, 1.0


class CommandOutput(NamedTuple):
    """What a command said."""

    status: int | None
    """Its exit status; None: it did not end in time."""
    text: str
    """What it printed, the end of it if that is more than 16 MiB."""


class Command:
    """A program that runs beside us.

    The output goes through a pseudo-terminal where `terminal` says so: into a pipe, C programs write in blocks of 4 KiB,
    which is several seconds of tegrastats at once. `errors`: what it prints to standard error is part of the output.
    `prepare` is called in the child before the program begins.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        terminal: bool = False,
        errors: bool = False,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        ours, theirs = os.openpty() if terminal else os.pipe()
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=prepare,
            )
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        os.set_blocking(ours, False)
        self._fd = ours
        self.silent = False
        """Nobody can print any more: the other end is closed."""

    @property
    def ended(self) -> bool:
        """It has ended by itself."""
        return self._process.poll() is not None

    @property
    def status(self) -> int | None:
        """Its exit status; None: it runs."""
        return self._process.poll()

    def read(self) -> bytes:
        """What it has printed since the last call, without waiting."""
        parts: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(_MOST_READS):  # a command that never pauses must not keep us here
                try:
                    data = os.read(self._fd, _CHUNK)
                except BlockingIOError:
                    raise
                except OSError:  # a terminal whose other end has closed answers EIO
                    data = b""
                if not data:
                    self.silent = True
                    break
                parts.append(data)
        return b"".join(parts)

    def wait(self, seconds: float) -> None:
        """Until it prints something, or so many seconds."""
        if self.silent:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        else:
            select.select([self._fd], [], [], seconds)

    def close(self, last_words_s: float = 0.0) -> None:
        """End it and what it started, with so many seconds to end by itself. Who cannot be ended is not waited for."""
        if not self.ended:
            if last_words_s > 0:
                self._end(signal.SIGTERM, last_words_s)
            self._end(signal.SIGKILL, _LAST_WORDS_S)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _end(self, number: signal.Signals, wait_s: float) -> None:
        if self.ended:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(wait_s)


def run(
    argv: Sequence[str], timeout_s: float, *, errors: bool = False, prepare: Callable[[], None] | None = None
) -> CommandOutput:
    """What a command says until it ends; at the end of its time it is ended, with what it started.

    Raises:
        OSError: it cannot be started.
    """
    command = Command(argv, errors=errors, prepare=prepare)
    said = b""
    end_s = time.monotonic() + timeout_s
    try:
        while not command.ended and (left_s := end_s - time.monotonic()) > 0:
            command.wait(min(left_s, _LOOK_S))
            said = (said + command.read())[-_MOST_BYTES:]
        status = command.status
        said = (said + command.read())[-_MOST_BYTES:]
    finally:
        command.close()
    return CommandOutput(status, said.decode("utf-8", "replace"))
