"""Leaving when the terminal is gone, whatever state the screen is in.

The event loop cannot be trusted with it: a write to a terminal that is gone blocks it for ever (its writer has died and the
queue to it is full), while the input thread spins on the dead line. So the end has a thread and a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable

GRACE_S = 3.0
"""What a screen may take to leave by itself; nothing is lost after that, for all state is on disk."""


def leave_when_gone(leave: Callable[[int], None]) -> None:
    """Call `leave(status)` on SIGHUP, on SIGTERM, and when the terminal hangs up without a signal; then end the process.

    Call it on the main thread, from the running loop.
    """
    loop = asyncio.get_running_loop()

    def end(status: int) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(leave, status)
        time.sleep(GRACE_S)
        os._exit(status)

    def on_signal(number: int, _frame: object) -> None:
        signal.signal(signal.SIGCONT, signal.SIG_IGN)  # it follows a hang-up, and would set the dead terminal up again
        threading.Thread(target=end, args=(128 + number,), daemon=True).start()

    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, on_signal)
    threading.Thread(target=_wait_for_hangup, args=(end,), daemon=True).start()


def _wait_for_hangup(end: Callable[[int], None]) -> None:
    """Sleep until the terminal's other side is closed: no polling, no wake-up before that."""
    if not os.isatty(0):
        return
    line = select.poll()
    line.register(0, 0)
    while True:
        if any(happened & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, happened in line.poll()):
            end(128 + signal.SIGHUP)
