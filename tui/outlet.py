"""Writing to the terminal: at once what it takes, the rest when it takes more.

Textual writes from a thread, through a queue of thirty frames: a link that is slower than the frames shows them all, each key
behind thirty of them, and one that stands still stops the program at the thirty-first.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from threading import get_ident
from typing import IO

from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread


class Outlet(WriterThread):
    """In the place of Textual's thread, and never started: the event loop writes."""

    def __init__(self, fd: int, file: IO[str]) -> None:
        """`fd`: the terminal, which does not block; it is closed at the end. `file`: the same, as others write to it."""
        super().__init__(file)
        self.drained: Callable[[], object] = bool
        """Called when the terminal has taken all of what it did not take at once."""
        self._fd = fd
        self._encoding = getattr(file, "encoding", "") or "utf-8"
        self._loop, self._loops_thread = asyncio.get_running_loop(), get_ident()
        self._rest = bytearray()
        self._dead = False

    @property
    def behind(self) -> bool:
        """Whether it has not taken all yet."""
        return bool(self._rest)

    def write(self, text: str) -> None:
        """Write, in order. The thread that reads keys answers terminals that tell their size in the same line."""
        if get_ident() != self._loops_thread:
            self._loop.call_soon_threadsafe(self.write, text)
            return
        data = text.encode(self._encoding, "replace")
        if self._rest:
            self._rest += data
            return
        taken = self._put(data)
        if taken < len(data) and not self._dead:
            self._rest += data[taken:]
            self._loop.add_writer(self._fd, self._more)

    def _put(self, data: bytes | bytearray) -> int:
        """How many bytes it takes now; those to a line that is dead are lost, and another thread waits for that."""
        try:
            return os.write(self._fd, data) if data else 0
        except BlockingIOError:
            return 0
        except OSError:
            self._dead = True
            self._rest.clear()
            return 0

    def _more(self) -> None:
        del self._rest[: self._put(self._rest)]
        if not self._rest:
            self._loop.remove_writer(self._fd)
            self.drained()

    def start(self) -> None:
        """There is no thread to start."""

    def stop(self) -> None:
        """Write what is left, however long that takes."""
        line = select.poll()
        line.register(self._fd, select.POLLOUT)
        self._loop.remove_writer(self._fd)
        while self._rest:
            line.poll()
            del self._rest[: self._put(self._rest)]
        os.close(self._fd)
        self._fd = -1


def _opened(file: IO[str]) -> WriterThread:
    """The terminal opened anew: that it does not block would else be so for the shell behind us as well."""
    try:
        fd = os.open(f"/proc/self/fd/{file.fileno()}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return WriterThread(file)
    return Outlet(fd, file)


def write_at_once() -> None:
    """For every driver that starts from now on."""
    linux_driver.WriterThread = _opened  # type: ignore[attr-defined,assignment]
