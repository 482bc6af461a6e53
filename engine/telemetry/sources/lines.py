"""A child process that prints a line now and then: started, read without waiting, ended with us."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence

_MOST_BYTES, _MOST_READS = 1 << 16, 64


class ChildLines:
    """Lines of a command's standard output, as they come.

    The output goes through a pseudo-terminal where `terminal` says so: into a pipe, C programs write in blocks of 4 KiB,
    which is several seconds of tegrastats at once.

    Raises:
        OSError: the command cannot be started.
    """

    def __init__(self, command: Sequence[str], *, terminal: bool) -> None:
        self._command = tuple(command)
        ours, theirs = os.openpty() if terminal else os.pipe()
        try:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, start_new_session=True
            )
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        os.set_blocking(ours, False)
        self._fd = ours
        self._rest = b""

    def lines(self) -> list[str]:
        """Whole lines since the last call, without waiting; empty when there are none."""
        with contextlib.suppress(BlockingIOError, OSError):  # a terminal whose other end has closed answers EIO
            for _ in range(_MOST_READS):  # a command that never pauses must not keep us here
                data = os.read(self._fd, _MOST_BYTES)
                self._rest += data
                if len(data) < 4096:
                    break
        *whole, self._rest = self._rest[-_MOST_BYTES:].split(b"\n")
        return [text for line in whole if (text := line.decode("utf-8", "replace").strip())]

    def wait_for_line(self, timeout_s: float, wanted: Callable[[str], object] = bool) -> str | None:
        """The first line that is `wanted`, waited for; None: the command ended or said nothing of the kind in time."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            ended = self._child.poll() is not None
            found = next(filter(wanted, self.lines()), None)
            if found is not None:
                return found
            if ended:
                return None
            time.sleep(0.01)
        return None

    @property
    def ended(self) -> bool:
        """The command has ended by itself."""
        return self._child.poll() is not None

    def close(self) -> None:
        """End the command: it is our child, so nobody else loses theirs (`tegrastats --stop` would end everybody's)."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(1.0)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
