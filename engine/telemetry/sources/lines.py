"""A child process that prints a line now and then: started, read without waiting, started again, ended with us."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from ...system.commands import Command
from ..channel import Notes

_MOST_BYTES = 1 << 16
_LAST_WORDS_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_SILENT_S, _SILENT_INTERVALS = 10.0, 5.0
"""When a command that lives and prints nothing is taken for one that hangs."""


class ChildLines:
    """Lines of a command's standard output, as they come; through a pseudo-terminal where `terminal` says so.

    Raises:
        OSError: the command cannot be started.
    """

    def __init__(self, command: Sequence[str], *, terminal: bool) -> None:
        self._child = Command(command, terminal=terminal)
        self._rest = b""

    def lines(self) -> list[str]:
        """Whole lines since the last call, without waiting; empty when there are none."""
        *whole, self._rest = (self._rest + self._child.read())[-_MOST_BYTES:].split(b"\n")
        return [text for line in whole if (text := line.decode("utf-8", "replace").strip())]

    def wait_for_line(self, timeout_s: float, wanted: Callable[[str], object] = bool) -> str | None:
        """The first line that is `wanted`, waited for; None: the command ended or said nothing of the kind in time."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            ended = self._child.ended
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
        return self._child.ended

    def close(self) -> None:
        """End the command: it is our child, so nobody else loses theirs (`tegrastats --stop` would end everybody's)."""
        self._child.close(_LAST_WORDS_S)


class KeptLines:
    """The newest line of a command that is started again, ever more seldom, when it has ended or hangs.

    Lines that are not `wanted` are passed over: a command may warn and ask between its lines.

    Raises:
        OSError: the command cannot be started the first time.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        notes: Notes,
        *,
        terminal: bool,
        interval_s: float,
        wanted: Callable[[str], object] = bool,
    ) -> None:
        self._wanted = wanted
        self._name, self._command, self._notes, self._terminal = name, list(command), notes, terminal
        self._silent_s = max(_SILENT_S, _SILENT_INTERVALS * interval_s)
        self._pause_s = _FIRST_PAUSE_S
        self._next_s = self._heard_s = time.monotonic()
        self._child: ChildLines | None = self._start()

    def first(self, timeout_s: float) -> str | None:
        """The first line, waited for; None: there is none in time."""
        found = self._child.wait_for_line(timeout_s, self._wanted) if self._child is not None else None
        self._heard_s = time.monotonic()
        return found

    def newest(self) -> str | None:
        """The newest line since the last call; None: there is none yet."""
        now_s = time.monotonic()
        if self._child is None:
            if now_s >= self._next_s:
                with contextlib.suppress(OSError):
                    self._child = self._start()
                self._heard_s, self._next_s = now_s, now_s + self._pause_s
            return None
        ended = self._child.ended
        newest = next(filter(self._wanted, reversed(self._child.lines())), None)
        if newest is not None:
            self._heard_s, self._pause_s = now_s, _FIRST_PAUSE_S
            return newest
        if ended or now_s - self._heard_s > self._silent_s:
            how = "has ended by itself" if ended else f"has said nothing for {self._silent_s:g} s"
            self._notes.once("ended", f"{self._name} {how}; it is started again")
            self.close()
            self._next_s = now_s + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return None

    def close(self) -> None:
        """End the command."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _start(self) -> ChildLines:
        return ChildLines(self._command, terminal=self._terminal)
