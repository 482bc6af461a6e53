"""The terminal's driver, which sleeps until a key comes, and writes without a thread.

Textual's looks ten times a second whether it is to end: nine tenths of what an empty app costs that nobody touches.
"""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from typing import Any

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._xterm_parser import XTermParser
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from .outlet import Outlet, write_at_once

write_at_once()
LOOKS, LOOK_S = 10, ESCAPE_DELAY + 0.001
"""Behind a byte the parser is asked so often: a lone `esc` is a key when nothing has followed it for that long."""
_READ_BYTES = 4096


class WaitingDriver(LinuxDriver):
    """Textual's driver of a terminal, but for the thread that reads keys and the one that writes."""

    def __init__(self, *args: Any, **how: Any) -> None:  # noqa: ANN401  (whatever Textual gives a driver)
        super().__init__(*args, **how)
        self._woken, self._waker = os.pipe()
        self._frame: list[str] = []
        """What a frame has written so far, from where it begins."""
        self.drained: Callable[[], object] = bool
        """Called when the terminal has taken what it was behind with."""

    @property
    def behind(self) -> bool:
        """Whether the terminal has not taken yet all that was written."""
        return isinstance(self._writer_thread, Outlet) and self._writer_thread.behind

    def start_application_mode(self) -> None:
        """Begin to use the terminal, or begin again: SIGCONT comes where nothing has been given back before, too."""
        before = None
        if self._key_thread is not None and self._key_thread.is_alive():
            before = self.attrs_before
            self.disable_input()
            self.close()
            self._must_signal_resume = True
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.attrs_before = before or self.attrs_before
        if isinstance(self._writer_thread, Outlet):
            self._writer_thread.drained = lambda: self.drained()

    def write(self, data: str) -> None:
        """Write to the terminal: a frame at a time, in one call."""
        if self._frame or data == SYNC_START:
            self._frame.append(data)
            if data != SYNC_END:
                return
            data = "".join(self._frame)
            self._frame.clear()
        super().write(data)

    def run_input_thread(self) -> None:
        """Read keys until the input is disabled."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        lines = select.poll()
        for fd in (self.fileno, self._woken):
            lines.register(fd, select.POLLIN)
        looks = 0
        while not self.exit_event.is_set():
            came = [fd for fd, _ in lines.poll(1000 * LOOK_S if looks else None)]
            looks = LOOKS if self.fileno in came else max(looks - 1, 0)
            data = os.read(self.fileno, _READ_BYTES) if self.fileno in came else b""
            if came and not data:  # about to end; or the line is dead, and always ready
                self.exit_event.wait(LOOK_S)
            self._hand_on(parser.feed(decode(data)) if data else ())
            self._hand_on(parser.tick())
        os.read(self._woken, 1)

    def _hand_on(self, events: Iterable[Message]) -> None:
        for event in events:
            self.process_message(event)

    def disable_input(self) -> None:
        """Disable further input."""
        os.write(self._waker, b"\0")
        super().disable_input()
